// Buttons, keys, the divider, and the first drawing.
function toggle(kind) {
  if (state.on.has(kind)) state.on.delete(kind);
  else state.on.add(kind);
  for (const button of document.querySelectorAll("#kinds button")) {
    button.setAttribute("aria-pressed", state.on.has(button.dataset.kind));
  }
  state.hovered = null;
  drawPicture();
  if (state.chosen !== null && !state.picture.boxOf.has(state.chosen)) choose(shown(state.chosen));
  search();
}

function drawHeader() {
  const count = (kind) => edges.filter((edge) => edge.kind === kind).length;
  byId("summary").textContent = `${data.language} · ${nodes.type.length} nodes · ${edges.length} edges`;
  KINDS.forEach((kind, index) => {
    const button = element("button", {
      type: "button", class: kind, "data-kind": kind, "aria-pressed": state.on.has(kind),
      title: `${data.names[kind]} (${index + 1})`, "aria-keyshortcuts": index + 1,
    }, element("i"), kind, element("small", {}, String(count(kind))));
    button.addEventListener("click", () => toggle(kind));
    byId("kinds").append(button);
  });
  const shapes = { entry: "way in or out", parameter: "parameter", condition: "condition", statement: "statement", syntax: "syntax" };
  for (const [shape, name] of Object.entries(shapes)) {
    const body = boxShape(shape, 40, 18, 0);
    body.setAttribute("class", "shape");
    const picture = element("svg", { width: 40, height: 18 }, element("g", { class: `box ${shape}` }, body));
    byId("legend").append(element("li", {}, picture, name));
  }
  for (const kind of KINDS) {
    const line = element("path", { class: "line", d: "M0 9L40 9" });
    const picture = element("svg", { width: 40, height: 18 }, element("g", { class: `link ${kind}` }, line));
    byId("legend").append(element("li", {}, picture, data.names[kind]));
  }
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

// The nearest box in a direction: distance, and more for what lies off the line.
function neighbour(node, dx, dy) {
  const from = state.picture.boxOf.get(node);
  const middle = (box) => [box[1] + box[3] / 2, box[2] + box[4] / 2];
  const [x, y] = middle(from);
  let best = null;
  let least = Infinity;
  for (const box of state.picture.boxes) {
    const [bx, by] = middle(box);
    const along = (bx - x) * dx + (by - y) * dy;
    const aside = Math.abs((bx - x) * dy) + Math.abs((by - y) * dx);
    const cost = along + 2 * aside;
    if (box[0] !== node && along > 4 && cost < least) [best, least] = [box[0], cost];
  }
  return best;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("about").open) return;
  const box = document.activeElement?.closest?.(".box");
  if (event.target === byId("query")) {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      byId("query").value = "";
      search();
      byId("query").blur();
    } else return;
  } else if (event.key in ARROWS && box) {
    const next = neighbour(Number(box.dataset.node), ...ARROWS[event.key]);
    if (next !== null) {
      rove(next);
      boxes.get(next).focus({ preventScroll: true });
      revealBox(next);
      hover(next, { reveal: true });
    }
  } else if ((event.key === "Enter" || event.key === " ") && box) choose(Number(box.dataset.node), { reveal: true });
  else if (event.target.closest?.("button") && (event.key === "Enter" || event.key === " ")) return;
  else if (event.key === "Escape") {
    hover(null);
    choose(null);
  } else if ("1234".includes(event.key)) toggle(KINDS[Number(event.key) - 1]);
  else if (event.key === "/") byId("query").focus();
  else if (event.key === "+" || event.key === "=") zoom(1.25);
  else if (event.key === "-") zoom(0.8);
  else if (event.key === "f" || event.key === "0") fit();
  else if (event.key === "t") theme();
  else if (event.key === "?") byId("about").showModal();
  else return;
  event.preventDefault();
}

function listenDivider() {
  const divider = byId("divider");
  const set = (share) => {
    const percent = Math.min(80, Math.max(15, share));
    byId("left").style.setProperty("--split", `${percent}%`);
    divider.setAttribute("aria-valuenow", Math.round(percent));
    if (!view.touched && state.picture) start();
  };
  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) set((event.clientX / innerWidth) * 100);
  });
  divider.addEventListener("keydown", (event) => {
    const now = Number(divider.getAttribute("aria-valuenow"));
    if (event.key === "ArrowLeft") set(now - 2);
    if (event.key === "ArrowRight") set(now + 2);
  });
  set(38);
}

drawHeader();
drawCode();
listenGraph();
listenDivider();
drawPicture();
refresh();
// On an SVG element these listeners would make it a stop of the Tab key.
byId("right").addEventListener("focusin", (event) => {
  const box = event.target.closest(".box");
  if (box && box.matches(":focus-visible")) hover(Number(box.dataset.node), { reveal: true });
});
byId("right").addEventListener("focusout", () => hover(null));
byId("query").addEventListener("input", search);
byId("search").addEventListener("submit", (event) => event.preventDefault());
byId("next").addEventListener("click", () => step(1));
byId("previous").addEventListener("click", () => step(-1));
byId("theme").addEventListener("click", theme);
byId("help").addEventListener("click", () => byId("about").showModal());
byId("smaller").addEventListener("click", () => zoom(0.8));
byId("larger").addEventListener("click", () => zoom(1.25));
byId("fit").addEventListener("click", fit);
document.addEventListener("keydown", onKey);
addEventListener("resize", () => !view.touched && start());
document.documentElement.dataset.ready = "true";
