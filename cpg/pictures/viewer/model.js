// The graph as the page holds it, and what is hovered, chosen and shown.
const data = JSON.parse(document.getElementById("data").textContent);
const KINDS = ["AST", "CFG", "DDG", "CDG"];
const nodes = data.nodes;
const edges = data.edges.map(([source, target, kind, label]) => ({ source, target, kind: KINDS[kind], label }));
const edgesOf = nodes.type.map(() => []);
edges.forEach((edge) => {
  edgesOf[edge.source].push(edge);
  if (edge.target !== edge.source) edgesOf[edge.target].push(edge);
});

const state = {
  on: new Set(data.on),
  hovered: null,
  chosen: null,
  picture: null,
  matches: [],
  match: -1,
  searching: false,
};

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const svg = ["g", "path", "rect", "text", "title", "marker", "svg"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The key of the picture for the kinds that are on. Without any flow the rows of control flow stay.
function pictureKey() {
  if (state.on.has("AST")) return "AST";
  const flow = KINDS.filter((kind) => state.on.has(kind)).join(",") || "CFG";
  return flow in data.pictures ? flow : "CFG,DDG,CDG";
}

// The innermost node around `node` that has a box in the picture, or null.
function shown(node) {
  while (node >= 0 && !state.picture.boxOf.has(node)) node = nodes.parent[node];
  return node >= 0 ? node : null;
}

function describe(node) {
  const point = nodes.point[node];
  const what = point ? point : nodes.type[node].replaceAll("_", " ");
  return point === "entry" || point === "exit"
    ? `${point} ${nodes.name[node]}`.trim()
    : `line ${nodes.line[node]}, ${what}: ${nodes.text[node]}`;
}
