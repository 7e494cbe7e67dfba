// What all parts share: elements, the theme, the tip at the pointer, the choice of a metric.
const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

function showTip(target, x, y) {
  const tip = byId("tip");
  tip.hidden = !target;
  if (!target) return;
  tip.textContent = target.dataset.tip;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(6, Math.min(x + 14, innerWidth - box.width - 6))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(6, y - box.height - 12) : y + 18}px`;
}

function listenTips() {
  const tipped = (event) => event.target.closest?.("[data-tip]");
  document.addEventListener("pointerover", (event) => showTip(tipped(event), event.clientX, event.clientY));
  document.addEventListener("pointermove", (event) => {
    if (!byId("tip").hidden) showTip(tipped(event), event.clientX, event.clientY);
  });
  document.addEventListener("focusin", (event) => {
    const target = tipped(event);
    const box = target?.getBoundingClientRect();
    showTip(target, box?.right, box?.top);
  });
  document.addEventListener("focusout", () => showTip(null));
  document.addEventListener("scroll", () => showTip(null), true);
}

// Every group of buttons with the same name shows the same choice.
function choose(group, value) {
  for (const button of all(`[data-choice="${group}"] button`)) button.setAttribute("aria-pressed", button.dataset.value === value);
  for (const part of all(`[data-${group}]`)) part.hidden = part.dataset[group] !== value;
}

function listenChoices() {
  for (const group of all("[data-choice]")) {
    for (const button of all("button", group)) {
      button.addEventListener("click", () => choose(group.dataset.choice, button.dataset.value));
    }
  }
}
