// What tokens and prompts read from the graph: on the code, as a list, and on the picture.
// The data is that of transducer.explanation.reading.
const PART_NOTES = {
  attention: "Each token attends to the nodes by content, or to nothing.",
  aligned: "Each token reads the innermost node that covers it.",
  pooled: "Each token reads the mean of all nodes.",
  prompts: "Vectors in front of the input, each of which attends to the nodes.",
};
const LISTED = 14;

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function themeButton(button) {
  const toggle = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  button.addEventListener("click", toggle);
  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, textarea, select");
    if (event.key === "t" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) toggle();
  });
}

function percent(weight) {
  return weight >= 0.0995 ? `${Math.round(100 * weight)} %` : weight >= 0.0005 ? `${(100 * weight).toFixed(1)} %` : "0 %";
}

function heatMap(place, data) {
  const { tokens, nodes, parts } = data;
  place.replaceChildren();
  if (!parts.length) {
    place.append(make("p", { class: "heat-note" }, `The fusion “${data.fusion}” reads no node of the graph: there are no weights to show.`));
  }
  let part = parts.find((found) => found.name === "attention") ?? parts[0] ?? null;
  const blank = tokens.map(([text, from]) => from < 0 || !text.trim()); // indentation takes no share of a node's weight
  const inked = [0];
  for (const empty of blank) inked.push(inked[inked.length - 1] + (empty ? 0 : 1));
  let pinned = null; // the reader that was chosen, or null: the mean of all
  let hovered = null;

  const buttons = parts.map((found) => {
    const button = make("button", { type: "button", "data-part": found.name }, found.name);
    button.addEventListener("click", () => { part = found; pinned = hovered = null; show(); });
    return button;
  });
  const who = make("span", { class: "heat-who", "aria-live": "polite" });
  const scale = make("span", { class: "heat-scale heat-who" });
  const marks = make("div", { class: "heat-marks" });
  const code = make("pre", { class: "heat-code", tabindex: "0", role: "region", "aria-label": "Source code; left and right choose a token" });
  const list = make("ul", { class: "heat-list", "aria-label": "Nodes that are read" });
  const picture = make("div", { class: "heat-panel picture", tabindex: "0", role: "region", "aria-label": "Graph" });
  const note = make("p", { class: "heat-note" });

  // Code: one span a token, what lies between as it is.
  const spans = [];
  let end = 0;
  tokens.forEach(([text, from, to], index) => {
    const span = make("span", { class: from < 0 ? "heat-token heat-mark" : "heat-token", "data-token": index });
    spans.push(span);
    if (from < 0) {
      span.textContent = text;
      return;
    }
    span.textContent = data.code.slice(Math.max(from, end), to);
    code.append(data.code.slice(end, from), span);
    end = Math.max(end, to);
  });
  code.append(data.code.slice(end));

  const world = make("div");
  world.innerHTML = data.picture.svg; // made by this project's own pictures, its texts escaped
  const svg = world.querySelector("svg");
  const boxes = new Map(); // node -> the group of its box, which stand in the order of the data
  if (svg) {
    svg.querySelectorAll("g.box").forEach((box, place) => boxes.set(data.picture.boxes[place], box));
    picture.append(svg);
  }

  if (parts.length) {
    const group = make("div", { class: "heat-parts", role: "group", "aria-label": "Part of the fusion" }, ...buttons);
    place.append(make("div", { class: "heat-bar" }, group, scale, who));
    const left = make("div", { class: "heat-panel" }, marks, code);
    place.append(make("div", { class: "heat-grid" }, left, make("div", { class: "heat-panel" }, list)), note);
  }
  const keys = make("p", { class: "heat-keys" });
  for (const [kind, name] of [["CFG", "control flow"], ["DDG", "data dependence"], ["CDG", "control dependence"]]) {
    keys.append(make("span", { class: kind }, make("i"), name));
  }
  if (boxes.size) place.append(picture, keys);

  function current() {
    const reader = hovered ?? pinned;
    return reader === null ? part.mean : part.rows[reader];
  }

  function show() {
    if (!part) return;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.part === part.name));
    const prompts = part.readers === "prompts";
    marks.replaceChildren(...(prompts
      ? part.rows.map((_, index) => make("span", { class: "heat-token heat-mark", "data-reader": index }, `prompt ${index + 1}`))
      : spans.filter((_, index) => tokens[index][1] < 0)));
    note.textContent = `${PART_NOTES[part.name] ?? ""} The weight of a node is spread over its tokens; the colour is relative to the `
      + `strongest token shown. Point at a ${prompts ? "prompt" : "token"} to see what it reads alone, click to keep it.`;
    paint();
  }

  function paint() {
    const [nothing, found] = current();
    const heat = new Float64Array(tokens.length);
    const ofBox = new Map();
    for (const [node, weight] of found) {
      const count = inked[nodes.last[node]] - inked[nodes.first[node]];
      for (let token = nodes.first[node]; token < nodes.last[node]; token += 1) heat[token] += blank[token] ? 0 : weight / count;
      const box = nodes.box[node];
      if (boxes.has(box)) ofBox.set(box, (ofBox.get(box) ?? 0) + weight);
    }
    const top = Math.max(...heat, 1e-9);
    const reader = hovered ?? pinned;
    spans.forEach((span, index) => {
      span.style.setProperty("--h", Math.pow(heat[index] / top, 0.7).toFixed(3));
      span.classList.toggle("chosen", part.readers === "tokens" && reader === index);
      span.classList.remove("lit");
    });
    for (const mark of marks.querySelectorAll("[data-reader]")) mark.classList.toggle("chosen", Number(mark.dataset.reader) === reader);
    scale.replaceChildren("none", make("i"), "most");
    tell(reader, nothing);
    listNodes(nothing, found);
    heatBoxes(ofBox);
  }

  function tell(reader, nothing) {
    const count = part.rows.length;
    who.replaceChildren();
    if (reader === null) who.append(`Mean of ${count} ${part.readers}; ${percent(nothing)} of it reads nothing`);
    else {
      const [text, from] = part.readers === "prompts" ? [`prompt ${reader + 1}`, 0] : tokens[reader];
      const line = part.readers === "prompts" || from < 0 ? "" : `, line ${data.code.slice(0, from).split("\n").length}`;
      who.append(part.readers === "prompts" ? "" : "Token ", make("b", {}, text.trim() || "␣"), `${line}: ${percent(nothing)} reads nothing`);
    }
  }

  function listNodes(nothing, found) {
    const heaviest = Math.max(nothing, found.length ? found[0][1] : 0, 1e-9);
    const row = (weight, text, what, node) => {
      const item = make("li", node === null ? { class: "nothing" } : { "data-node": node },
        make("span", { class: "weight" }, percent(weight)), make("span", { class: "text" }, text), make("span", { class: "what" }, what));
      const bar = make("span", { class: "bar" });
      bar.style.setProperty("--w", String(weight / heaviest));
      item.append(bar);
      return item;
    };
    list.replaceChildren(...found.slice(0, LISTED).map(([node, weight]) => row(weight, nodes.text[node] || nodes.type[node],
      `line ${nodes.line[node]}, ${nodes.point[node] ?? nodes.type[node].replaceAll("_", " ")}`, node)),
      row(nothing, "nothing", "no node is read", null));
  }

  // The outline of a box once more, over its ground and under its text.
  function outlined(box, kind, opacity) {
    const shape = box.querySelector("path");
    const drawn = shape.cloneNode();
    drawn.setAttribute("class", kind);
    drawn.setAttribute("opacity", opacity);
    shape.after(drawn);
  }

  function heatBoxes(ofBox) {
    const top = Math.max(...ofBox.values(), 1e-9);
    for (const old of picture.querySelectorAll(".heated, .ring")) old.remove();
    for (const [node, weight] of ofBox) outlined(boxes.get(node), "heated", (0.7 * Math.pow(weight / top, 0.7)).toFixed(3));
  }

  function light(node) {
    spans.forEach((span, index) => span.classList.toggle("lit", node !== null && nodes.first[node] <= index && index < nodes.last[node]));
    for (const old of picture.querySelectorAll(".ring")) old.remove();
    const box = node === null ? null : boxes.get(nodes.box[node]);
    if (box) outlined(box, "ring", "1");
  }

  const readerOf = (element) => {
    const found = element.closest?.("[data-token], [data-reader]");
    if (!found) return null;
    if (found.dataset.reader !== undefined) return Number(found.dataset.reader);
    return part.readers === "tokens" ? Number(found.dataset.token) : null;
  };
  for (const area of [code, marks]) {
    area.addEventListener("mouseover", (event) => { hovered = readerOf(event.target); paint(); });
    area.addEventListener("mouseleave", () => { hovered = null; paint(); });
    area.addEventListener("click", (event) => {
      const reader = readerOf(event.target);
      pinned = reader === pinned ? null : reader;
      hovered = null;
      paint();
    });
  }
  code.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") pinned = null;
    else if (step) pinned = ((pinned ?? (step > 0 ? -1 : 0)) + step + part.rows.length) % part.rows.length;
    else return;
    event.preventDefault();
    hovered = null;
    paint();
  });
  list.addEventListener("mouseover", (event) => {
    const item = event.target.closest("[data-node]");
    light(item ? Number(item.dataset.node) : null);
  });
  list.addEventListener("mouseleave", () => light(null));
  show();
}
