// The beginning.
listenTips();
listenChoices();
listenTables();
listenCurves();
listenExamples();
byId("theme").addEventListener("click", theme);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, select")) return;
  if (event.key === "t") theme();
  else if (event.key === "/" && byId("query")) {
    event.preventDefault();
    byId("query").focus();
  }
});
document.documentElement.dataset.ready = "true";
