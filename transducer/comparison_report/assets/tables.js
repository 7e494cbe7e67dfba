// Sorting: a click on the head of a column, largest numbers first, a second click turns it round.
function compareCells(left, right) {
  const [a, b] = [left.dataset.order, right.dataset.order];
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
}

function sortTable(head) {
  const table = head.closest("table");
  const column = [...head.parentNode.children].indexOf(head);
  const now = head.getAttribute("aria-sort");
  const first = head.classList.contains("number") ? "descending" : "ascending";
  const direction = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
  for (const other of head.parentNode.children) other.setAttribute("aria-sort", other === head ? direction : "none");
  const sign = direction === "ascending" ? 1 : -1;
  const known = (row) => row.children[column].dataset.order !== undefined;
  const rows = [...table.tBodies[0].rows];
  rows.sort((left, right) => {
    if (!known(left) || !known(right)) return known(right) - known(left);
    return sign * compareCells(left.children[column], right.children[column]);
  });
  table.tBodies[0].append(...rows);
}

function listenTables() {
  for (const head of all("th[aria-sort]")) head.querySelector("button").addEventListener("click", () => sortTable(head));
}
