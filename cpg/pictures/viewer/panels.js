// What happens on hover and choice, the panel about the chosen node, and the search.
function hover(node, { reveal = false } = {}) {
  if (node === state.hovered && node !== null) return;
  state.hovered = node;
  refresh();
  if (node !== null && reveal) revealCode(node);
}

function choose(node, { reveal = false, focus = false } = {}) {
  state.chosen = node;
  if (node !== null) {
    rove(node);
    if (reveal) revealBox(node);
    if (focus) boxes.get(node)?.focus({ preventScroll: true });
    revealCode(node);
  }
  drawDetails();
  refresh();
}

function refresh() {
  const node = state.hovered ?? state.chosen;
  const visible = node === null ? null : shown(node);
  markCode(visible);
  markGraph(visible);
}

// One box at a time can be reached with the Tab key; the arrow keys move on from there.
function rove(node) {
  for (const group of document.querySelectorAll('.box[tabindex="0"]')) group.setAttribute("tabindex", -1);
  boxes.get(node)?.setAttribute("tabindex", 0);
}

function drawDetails() {
  const panel = byId("details");
  const node = state.chosen;
  panel.hidden = node === null;
  if (node === null) return;
  const close = element("button", { class: "close", type: "button", "aria-label": "Close" }, "×");
  close.addEventListener("click", () => choose(null));
  const point = nodes.point[node];
  const what = [nodes.label[node], nodes.type[node], point && point !== nodes.type[node] ? `${point} point` : ""];
  const where = nodes.first[node] >= 0 ? `line ${nodes.line[node]}` : "";
  const list = element("ul");
  for (const kind of ["CFG", "DDG", "CDG", "AST"]) {
    for (const edge of edgesOf[node]) if (edge.kind === kind) list.append(detail(node, edge));
  }
  panel.replaceChildren(
    close,
    element("h2", {}, nodes.text[node] || describe(node)),
    element("p", {}, [...what, where].filter(Boolean).join(" · ")),
    list,
  );
  panel.scrollTop = 0;
}

function detail(node, edge) {
  const leaves = edge.source === node;
  const other = leaves ? edge.target : edge.source;
  const button = element("button", { type: "button" }, nodes.text[other] || describe(other));
  button.addEventListener("click", () => {
    if (!state.picture.boxOf.has(other)) toggle("AST");
    choose(other, { reveal: true });
  });
  button.addEventListener("pointerenter", () => hover(shown(other)));
  button.addEventListener("pointerleave", () => hover(null));
  const arrow = element("span", { "aria-label": leaves ? "to" : "from" }, leaves ? "→" : "←");
  const label = edge.label ? [element("em", {}, edge.label)] : [];
  return element("li", { class: edge.kind }, element("b", {}, edge.kind), arrow, ...label, button);
}

// ------------------------------------------------------------------------------------------------- search
function search() {
  const query = byId("query").value.trim().toLowerCase();
  const has = (text) => text.toLowerCase().includes(query);
  const isMatch = (node) => has(nodes.text[node]) || has(nodes.label[node]) || has(nodes.type[node]) || has(nodes.name[node]);
  const found = query ? nodes.type.map((_, node) => node).filter(isMatch) : [];
  state.matches = found.filter((node) => state.picture.boxOf.has(node));
  const marked = new Set(state.matches);
  for (const [node, group] of boxes) group.classList.toggle("match", marked.has(node));
  const hits = state.picture.links.filter((link) => query && has(link.label) && link.elements.length > 0);
  markLinks("match", hits);
  const links = hits.length;
  for (const piece of document.querySelectorAll(".piece.match")) piece.classList.remove("match");
  if (query.length > 1 || marked.size < 40) {
    for (const piece of pieces) if (query && piece && has(piece.textContent)) piece.classList.add("match");
  }
  const hidden = found.length - state.matches.length;
  const parts = [`${state.matches.length} ${state.matches.length === 1 ? "node" : "nodes"}`];
  if (links) parts.push(`${links} ${links === 1 ? "edge" : "edges"}`);
  byId("found").textContent = query ? parts.join(", ") : "";
  byId("hint").textContent = query && hidden ? `${hidden} more in the syntax tree: turn AST on to see them` : "";
  byId("next").disabled = byId("previous").disabled = state.matches.length === 0;
  state.match = -1;
  state.searching = links + marked.size > 0;
  refresh();
}

function step(direction) {
  const count = state.matches.length;
  if (!count) return;
  state.match = state.match < 0 && direction < 0 ? count - 1 : (state.match + direction + count) % count;
  choose(state.matches[state.match], { reveal: true });
  byId("found").textContent = `${state.match + 1} of ${count}`;
}
