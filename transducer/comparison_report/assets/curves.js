// The legend of the curves: a click switches a method, hovering lifts its line.
function showCurve(method, shown) {
  for (const curve of all(".curve")) {
    if (curve.dataset.method === method) curve.toggleAttribute("hidden", !shown);
  }
  for (const button of all("#legend [data-method]")) {
    if (button.dataset.method === method) button.setAttribute("aria-pressed", shown);
  }
}

function lift(method) {
  const lines = all(".curve").filter((curve) => curve.dataset.method === method && !curve.hasAttribute("hidden"));
  for (const curve of all(".curve")) curve.classList.toggle("lit", lines.includes(curve));
  for (const chart of all(".curves")) chart.classList.toggle("busy", lines.length > 0);
}

function listenCurves() {
  for (const button of all("#legend [data-method]")) {
    const method = button.dataset.method;
    button.addEventListener("click", () => {
      showCurve(method, button.getAttribute("aria-pressed") !== "true");
      lift(method);
    });
    button.addEventListener("pointerenter", () => lift(method));
    button.addEventListener("pointerleave", () => lift(null));
    button.addEventListener("focus", () => lift(method));
    button.addEventListener("blur", () => lift(null));
  }
  for (const button of all("#legend [data-all]")) {
    button.addEventListener("click", () => {
      for (const other of all("#legend [data-method]")) showCurve(other.dataset.method, button.dataset.all === "true");
    });
  }
  for (const curve of all(".curve")) {
    curve.addEventListener("pointerenter", () => lift(curve.dataset.method));
    curve.addEventListener("pointerleave", () => lift(null));
  }
}
