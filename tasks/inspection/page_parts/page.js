(() => {
"use strict";
const root = document.documentElement;
const frames = () => document.querySelectorAll(".viewer iframe");

// The pages in the frames follow this one's theme.
function spread(frame) {
  const inner = frame.contentDocument;
  if (inner && root.dataset.theme) inner.documentElement.dataset.theme = root.dataset.theme;
}

document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  frames().forEach(spread);
});

// A wheel over a viewer moves its graph. Until it is clicked, a cover lets the page scroll on.
for (const frame of frames()) {
  const viewer = frame.parentElement;
  const cover = document.createElement("button");
  cover.type = "button";
  cover.className = "cover";
  cover.setAttribute("aria-label", "Use the viewer");
  const hint = document.createElement("span");
  hint.textContent = "Click to explore";
  cover.append(hint);
  cover.addEventListener("click", () => {
    viewer.classList.add("used");
    frame.focus();
  });
  viewer.addEventListener("mouseleave", () => viewer.classList.remove("used"));
  frame.addEventListener("load", () => spread(frame));
  viewer.append(cover);
}
root.dataset.ready = "true";
})();
