// The page of one explanation.
themeButton(document.getElementById("theme"));
heatMap(document.getElementById("heatmap"), JSON.parse(document.getElementById("data").textContent));
document.documentElement.dataset.ready = "true";
