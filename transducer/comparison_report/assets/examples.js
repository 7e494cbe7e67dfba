// The examples: a list that is searched and filtered, and the one that is chosen.
const examples = data.examples;
const GRAPH_SCALE = 0.8;
const view = { shown: [], chosen: null };

// Right with more than half of the seeds.
function isRight(example, method) {
  const places = example.by[method];
  return 2 * places.filter((place) => example.answers[place].right).length > places.length;
}

const graphOf = (example) => byId(`graph-${examples.indexOf(example)}`);
const answersOf = (example, method) => example.by[method].map((place) => example.answers[place].text);

function passes(example, state, method) {
  const methods = method === null ? example.by.map((_, place) => place) : [method];
  const right = methods.filter((place) => isRight(example, place)).length;
  if (state === "correct") return right > 0;
  if (state === "incorrect") return right === 0;
  if (state === "disputed") return right > 0 && right < methods.length;
  if (state === "differing") {
    if (method === null) return example.answers.length > 1;
    return String(answersOf(example, method)) !== String(answersOf(example, data.reference));
  }
  return true;
}

function holds(example, words) {
  const text = [example.id, example.source, example.gold, ...example.answers.map((answer) => answer.text)].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

function filterExamples() {
  const words = byId("query").value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = byId("method").value;
  const method = chosen === "" ? null : Number(chosen);
  for (const option of byId("state").options) {
    option.hidden = option.disabled = (option.value === "disputed" && method !== null)
      || (option.value === "differing" && method !== null && (data.reference < 0 || method === data.reference));
  }
  if (byId("state").selectedOptions[0].disabled) byId("state").value = "all";
  const state = byId("state").value;
  view.shown = examples.filter((example) => passes(example, state, method) && holds(example, words));
  byId("found").textContent = `${view.shown.length} of ${examples.length}`;
  drawList();
  chooseExample(view.shown.includes(view.chosen) ? view.chosen : view.shown[0] ?? null);
}

function drawList() {
  const buttons = view.shown.map((example) => {
    const right = example.by.filter((_, method) => isRight(example, method)).length;
    const facts = element("span", { class: "facts" }, element("b", {}, `${right}/${example.by.length} right`));
    if (example.near) facts.append(element("b", {}, "near duplicate"));
    if (graphOf(example)) facts.append(element("i", {}, "graph"));
    facts.append(element("span", {}, example.id));
    const button = element("button", { type: "button", "data-id": example.id }, element("span", { class: "gold" }, example.gold), facts);
    button.addEventListener("click", () => chooseExample(example));
    return button;
  });
  byId("list").replaceChildren(...(buttons.length ? buttons : [element("p", {}, "No example is like that.")]));
}

function chooseExample(example) {
  view.chosen = example;
  view.shown.forEach((other, place) => {
    byId("list").children[place].setAttribute("aria-current", other === example);
  });
  byId("example").replaceChildren(...(example ? drawExample(example) : []));
  showGraph(document.querySelector("#example .graph"));
}

// Brings what the answer is about into view: the placeholder, else the first function.
function showGraph(frame) {
  if (!frame) return;
  const svg = frame.querySelector("svg");
  for (const side of ["width", "height"]) svg.setAttribute(side, svg.getAttribute(side) * GRAPH_SCALE);
  const boxes = all(".box", svg);
  const target = (data.placeholder && boxes.find((box) => box.textContent.includes(data.placeholder)))
    ?? all(".frame", svg).find((other) => !other.textContent.startsWith("top level"));
  if (!target) return;
  const [inner, outer] = [target.getBoundingClientRect(), frame.getBoundingClientRect()];
  frame.scrollLeft = inner.left - outer.left - Math.max(20, (outer.width - inner.width) / 2);
  frame.scrollTop = inner.top - outer.top - Math.max(20, (outer.height - inner.height) / 2);
}

function drawExample(example) {
  const facts = [example.language, example.near ? "has a near duplicate in train" : "", example.cut ? `source cut, it has ${example.cut} characters` : ""];
  const graph = graphOf(example);
  const parts = [
    element("h3", {}, example.id), element("p", { class: "note" }, facts.filter(Boolean).join(" · ")),
    element("h3", {}, "Gold answer"), element("pre", { class: "source gold" }, example.gold),
    element("h3", {}, "Answers"), drawAnswers(example),
  ];
  const source = element("div", {}, element("h3", {}, "Source"), drawSource(example));
  if (graph) {
    const picture = element("div", { class: "graph", tabindex: "0", role: "region", "aria-label": "Graph of the source" });
    picture.append(graph.content.cloneNode(true));
    const beside = element("div", {}, element("h3", {}, "Its graph"), picture, byId("keys").content.cloneNode(true));
    return [...parts, element("div", { class: "beside" }, source, beside)];
  }
  if (data.graphs) source.append(element("p", { class: "note" }, "The page has no room for the graph of this example."));
  return [...parts, element("div", { class: "beside alone" }, source)];
}

function drawSource(example) {
  const [before, ...rest] = data.placeholder ? example.source.split(data.placeholder) : [example.source];
  const parts = rest.flatMap((text) => [element("mark", {}, data.placeholder), text]);
  return element("pre", { class: "source", tabindex: "0" }, before, ...parts);
}

// One line an answer: the seeds of a method that agree stand together.
function drawAnswers(example) {
  const body = element("tbody");
  data.methods.forEach(([method, seeds], place) => {
    const groups = new Map();
    example.by[place].forEach((answer, index) => groups.set(answer, [...(groups.get(answer) ?? []), seeds[index]]));
    for (const [answer, of] of groups) {
      const name = element("th", { scope: "row" }, method);
      if (groups.size > 1) name.append(element("span", { class: "seeds" }, ` seed${of.length > 1 ? "s" : ""} ${of.join(", ")}`));
      body.append(element("tr", {}, name, drawAnswer(example, example.answers[answer]), drawVerdict(example.answers[answer])));
    }
  });
  const head = element("thead", {}, element("tr", {}, ...["method", "answer", ""].map((title) => element("th", { scope: "col" }, element("span", { class: "plain" }, title)))));
  return element("table", { class: "answers" }, head, body);
}

function drawAnswer(example, answer) {
  if (!answer.text.trim()) return element("td", {}, element("span", { class: "empty" }, "nothing"));
  return element("td", {}, element("pre", {}, ...(answer.right ? [answer.text] : marked(example.gold, answer.text))));
}

function drawVerdict(answer) {
  const scores = data.metrics.map((name, place) => `${name} ${answer.scores[place] ?? "–"}`).join("\n");
  return element("td", { "data-tip": scores }, element("span", { class: answer.right ? "right" : "wrong" }, answer.right ? "right" : "wrong"));
}

function step(direction) {
  const place = view.shown.indexOf(view.chosen) + direction;
  if (!view.shown[place]) return;
  chooseExample(view.shown[place]);
  const button = byId("list").children[place];
  button.focus({ preventScroll: true });
  button.scrollIntoView({ block: "nearest" });
}

function listenExamples() {
  if (!examples.length) return;
  byId("query").addEventListener("input", filterExamples);
  byId("method").addEventListener("change", filterExamples);
  byId("state").addEventListener("change", filterExamples);
  byId("list").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
  });
  view.chosen = examples.find(graphOf) ?? null;
  filterExamples();
  const list = byId("list");
  const first = list.querySelector("[aria-current=true]");
  list.scrollTop = first.offsetTop - list.offsetTop - first.clientHeight;
}
