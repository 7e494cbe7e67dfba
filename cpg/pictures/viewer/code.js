// The source: one element a piece of text, each inside exactly one innermost node.
const pieces = [];
const lineOf = [];

function drawCode() {
  const code = byId("code");
  const lines = data.pieces.reduce((count, [text]) => count + (text === "\n" ? 1 : 0), 1);
  code.style.setProperty("--gutter", `${Math.max(2, String(lines).length) + 3}ch`);
  let line = element("pre");
  const rows = [line];
  data.pieces.forEach(([text, kind, node], index) => {
    if (text === "\n") {
      line.append("\n");
      line = element("pre");
      if (index + 1 < data.pieces.length) rows.push(line);
      pieces.push(null);
    } else {
      const piece = element("span", { class: `piece ${kind}`.trim(), "data-piece": index, "data-node": node });
      piece.textContent = text;
      line.append(piece);
      pieces.push(piece);
    }
    lineOf.push(text === "\n" ? -1 : rows.length - 1);
  });
  rows.forEach((row) => code.append(element("div", { class: "line" }, row)));
  code.addEventListener("pointerover", (event) => {
    const node = nodeAt(event);
    if (node !== null) hover(node);
  });
  code.addEventListener("pointerleave", () => hover(null));
  code.addEventListener("click", (event) => {
    const node = nodeAt(event);
    if (node !== null && String(getSelection()) === "") choose(node, { reveal: true });
  });
}

function nodeAt(event) {
  const piece = event.target.closest(".piece");
  return piece ? shown(Number(piece.dataset.node)) : null;
}

// Whether a piece is indentation or another run of blanks at the start of its line.
function isIndent(index) {
  return pieces[index].textContent.trim() === "" && (index === 0 || pieces[index - 1] === null);
}

function mark(from, to, name) {
  for (let index = from; index <= to; index++) {
    if (pieces[index] && !isIndent(index)) pieces[index].classList.add(name);
  }
}

const CODE_MARKS = ["lit", "lit-body", "near-DDG", "near-CDG"];

function markCode(node) {
  for (const name of CODE_MARKS) {
    for (const piece of document.querySelectorAll(`.piece.${name}`)) piece.classList.remove(name);
  }
  for (const line of document.querySelectorAll(".line.here")) line.classList.remove("here");
  if (node === null || nodes.first[node] < 0) return;
  mark(nodes.head[node] + 1, nodes.last[node], "lit-body");
  for (const edge of edgesOf[node]) {
    const other = edge.source === node ? edge.target : edge.source;
    if ((edge.kind === "DDG" || edge.kind === "CDG") && state.on.has(edge.kind) && nodes.first[other] >= 0) {
      mark(nodes.first[other], nodes.head[other], `near-${edge.kind}`);
    }
  }
  mark(nodes.first[node], nodes.head[node], "lit");
  const row = document.querySelectorAll(".line")[lineOf[nodes.first[node]]];
  if (row) row.classList.add("here");
}

// Scroll the source so that the node's first line can be seen; nothing moves if it can already.
function revealCode(node) {
  if (nodes.first[node] < 0) return;
  const row = document.querySelectorAll(".line")[lineOf[nodes.first[node]]];
  const code = byId("code");
  const top = row.offsetTop - code.offsetTop;
  if (top < code.scrollTop + 20 || top > code.scrollTop + code.clientHeight - 60) {
    code.scrollTop = top - code.clientHeight / 3;
  }
}
