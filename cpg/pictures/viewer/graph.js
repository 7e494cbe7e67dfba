// The picture: boxes that move from one layout to the next, links drawn anew, pan and zoom.
const view = { x: 0, y: 0, scale: 1, touched: false };
const boxes = new Map();
const SMALLEST = 0.08;
const LARGEST = 4;

function prepare(picture) {
  if (picture.boxOf) return picture;
  picture.boxOf = new Map(picture.boxes.map((box) => [box[0], box]));
  picture.links = picture.routes.map(([kind, source, target, label, path, x, y, across]) => {
    return { kind: KINDS[kind], source, target, label, path, x, y, across: across ? " across" : "", elements: [] };
  });
  return picture;
}

function boxShape(shape, width, height, grow) {
  const [left, top, right, bottom] = [-grow, -grow, width + grow, height + grow];
  if (shape === "condition") {
    const middle = height / 2;
    return element("path", {
      d: `M${10 - grow / 2} ${top}L${width - 10 + grow / 2} ${top}L${right + grow / 2} ${middle}L${width - 10 + grow / 2} ${bottom}L${10 - grow / 2} ${bottom}L${left - grow / 2} ${middle}Z`,
    });
  }
  const radius = shape === "entry" || shape === "exit" ? height / 2 : shape === "parameter" ? 9 : 4;
  return element("rect", { x: left, y: top, width: right - left, height: bottom - top, rx: radius + grow });
}

function drawBox([node, , , width, height, shape, text, note]) {
  const group = element("g", {
    class: `box ${shape}`, "data-node": node, role: "button", tabindex: -1, "aria-label": describe(node),
  });
  const ring = boxShape(shape, width, height, 2.5);
  ring.setAttribute("class", "ring");
  const body = boxShape(shape, width, height, 0);
  body.setAttribute("class", "shape");
  group.append(ring, body);
  let x = shape === "condition" ? 20 : 10;
  const y = height / 2 + 4.2;
  if (note) {
    group.append(element("text", { class: "note", x, y }, note));
    x += data.sizes.note * columns(note) + 6;
  }
  const centered = shape === "entry" || shape === "exit";
  if (text) {
    group.append(element("text", centered ? { x: width / 2, y, "text-anchor": "middle" } : { x, y }, text));
  }
  group.append(element("title", {}, describe(node)));
  return group;
}

function columns(text) {
  return Array.from(text).length;
}

function drawPicture() {
  const before = state.picture;
  state.picture = prepare(data.pictures[pictureKey()]);
  const picture = state.picture;
  const graph = byId("graph");
  const animated = before && before !== picture && picture.boxes.length < 400;
  graph.classList.toggle("moving", Boolean(animated));
  graph.classList.toggle("tree", picture === data.pictures.AST);
  byId("frames").replaceChildren(...picture.frames.map(([title, x, y, width, height]) => {
    const rect = element("rect", { x, y, width, height, rx: 8 });
    return element("g", { class: "frame" }, rect, element("text", { x: x + 14, y: y + 21 }, title));
  }));
  for (const [node, group] of boxes) {
    if (!picture.boxOf.has(node) || (before && before.boxOf.get(node)?.[5] !== picture.boxOf.get(node)[5])) {
      group.remove();
      boxes.delete(node);
    }
  }
  for (const box of picture.boxes) {
    if (!boxes.has(box[0])) boxes.set(box[0], drawBox(box));
    boxes.get(box[0]).style.transform = `translate(${box[1]}px,${box[2]}px)`;
  }
  byId("boxes").replaceChildren(...picture.boxes.map((box) => boxes.get(box[0])));
  drawLinks();
  if (!view.touched || (before && (before === data.pictures.AST) !== (picture === data.pictures.AST))) start();
  rove(state.chosen !== null && boxes.has(state.chosen) ? state.chosen : first()?.[0]);
}

// The box in the upper left corner: of the topmost ones the leftmost.
function first() {
  const before = (one, other) => one[2] < other[2] || (one[2] === other[2] && one[1] < other[1]);
  return state.picture.boxes.reduce((best, box) => (before(box, best) ? box : best), state.picture.boxes[0]);
}

function drawLinks() {
  const lines = [];
  const labels = new Map();
  for (const link of state.picture.links) {
    link.elements = [];
    if (!state.on.has(link.kind)) continue;
    const tip = link.kind === "AST" ? null : `url(#tip-${link.kind})`;
    const line = element("path", { class: "line", d: link.path, "marker-end": tip });
    const name = `${link.kind}${link.label ? ` ${link.label}` : ""}: ${nodes.text[link.source] || "entry"} → ${nodes.text[link.target] || "exit"}`;
    const group = element("g", { class: `link ${link.kind}${link.across}`, "data-source": link.source, "data-target": link.target }, line);
    if (link.kind !== "AST") group.append(element("path", { class: "reach", d: link.path }, element("title", {}, name)));
    lines.push(group);
    link.elements.push(group);
    if (link.label && link.x !== null) {
      // Links that share a trunk share their label.
      const key = `${link.kind} ${link.x} ${link.y}`;
      if (!labels.has(key)) {
        labels.set(key, element("text", { class: `text ${link.kind}${link.across}`, x: link.x, y: link.y + 3.4 }, link.label));
      }
      link.elements.push(labels.get(key));
    }
  }
  byId("lines").replaceChildren(...lines);
  byId("labels").replaceChildren(...labels.values());
}

function markLinks(name, links) {
  for (const part of document.querySelectorAll(`.link.${name}, .text.${name}`)) part.classList.remove(name);
  for (const link of links) link.elements.forEach((part) => part.classList.add(name));
}

function markGraph(node) {
  const near = new Set();
  const lit = state.picture.links.filter((link) => node !== null && (link.source === node || link.target === node));
  markLinks("lit", lit);
  for (const link of lit) if (link.elements.length) near.add(link.source).add(link.target);
  byId("graph").classList.toggle("busy", near.size > 0 || state.searching);
  for (const [id, group] of boxes) {
    group.classList.toggle("lit", id === node);
    group.classList.toggle("near", near.has(id) && id !== node);
    group.classList.toggle("chosen", id === state.chosen);
  }
}

// ------------------------------------------------------------------------------------------- pan and zoom
function applyView() {
  byId("world").setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
  byId("scale").textContent = `${Math.round(view.scale * 100)}%`;
}

function pane() {
  return byId("graph").getBoundingClientRect();
}

// What of the pane is free: below it are the zoom buttons.
function free() {
  const { width, height } = pane();
  return { width, height: height - 56 };
}

function center(scale) {
  const { width, height } = free();
  const { w, h } = state.picture;
  view.scale = Math.min(LARGEST, Math.max(SMALLEST, scale));
  view.x = (width - w * view.scale) / 2;
  view.y = h * view.scale < height ? (height - h * view.scale) / 2 : 0;
  applyView();
}

// All of it.
function fit() {
  const { width, height } = free();
  center(Math.min(1.4, width / state.picture.w, height / state.picture.h));
  view.touched = false;
}

// All of it if it can be read then, else the beginning of it.
function start() {
  const { width, height } = free();
  const whole = Math.min(width / state.picture.w, height / state.picture.h);
  const least = state.picture === data.pictures.AST ? 0.8 : 0.6;
  center(whole >= least ? Math.min(1.3, whole) : Math.min(1, Math.max(least, width / state.picture.w)));
  if (state.picture.w * view.scale > width) {
    const box = first();
    const left = state.picture === data.pictures.AST ? 0 : width / 2 - (box[1] + box[3] / 2) * view.scale;
    view.x = Math.min(0, Math.max(left, width - state.picture.w * view.scale));
  }
  applyView();
  view.touched = false;
}

function zoom(factor, x = pane().width / 2, y = pane().height / 2) {
  const scale = Math.min(LARGEST, Math.max(SMALLEST, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.touched = true;
  applyView();
}

// Move the picture so that a box can be seen; nothing moves if it can already.
function revealBox(node) {
  const box = state.picture.boxOf.get(node);
  if (!box) return;
  const { width, height } = free();
  const [left, top] = [box[1] * view.scale + view.x, box[2] * view.scale + view.y];
  const [right, bottom] = [left + box[3] * view.scale, top + box[4] * view.scale];
  if (left < 20 || right > width - 20 || top < 20 || bottom > height) {
    view.x += width / 2 - (left + right) / 2;
    view.y += height / 2 - (top + bottom) / 2;
    view.touched = true;
    applyView();
  }
}

function listenGraph() {
  const graph = byId("graph");
  byId("tips").append(...KINDS.map((kind) => element("marker", {
    id: `tip-${kind}`, class: kind, viewBox: "0 0 8 8", refX: 7.6, refY: 4, markerWidth: 8, markerHeight: 8,
    markerUnits: "userSpaceOnUse", orient: "auto",
  }, element("path", { d: "M0 .6L8 4L0 7.4L1.8 4Z" }))));
  let drag = null;
  graph.addEventListener("pointerdown", (event) => {
    if (event.button === 0) drag = { x: event.clientX, y: event.clientY, moved: false, id: event.pointerId };
  });
  graph.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    if (!drag.moved) graph.setPointerCapture(drag.id);
    Object.assign(drag, { x: event.clientX, y: event.clientY, moved: true });
    Object.assign(view, { x: view.x + dx, y: view.y + dy, touched: true });
    graph.classList.add("dragging");
    applyView();
  });
  const release = () => {
    graph.classList.remove("dragging");
    setTimeout(() => (drag = null));
  };
  graph.addEventListener("pointerup", release);
  graph.addEventListener("pointercancel", release);
  graph.addEventListener("click", (event) => {
    if (drag?.moved) return;
    const box = event.target.closest(".box");
    choose(box ? Number(box.dataset.node) : null, {});
  });
  graph.addEventListener("pointerover", (event) => {
    const box = event.target.closest(".box");
    const link = event.target.closest(".link");
    hover(box ? Number(box.dataset.node) : null, { reveal: true });
    if (!box && link) showLink(link);
  });
  graph.addEventListener("pointerleave", () => hover(null));
  graph.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      const { left, top } = pane();
      return zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), event.clientX - left, event.clientY - top);
    }
    const step = event.deltaMode ? 20 : 1;
    view.x -= (event.shiftKey ? event.deltaY : event.deltaX) * step;
    view.y -= (event.shiftKey ? 0 : event.deltaY) * step;
    view.touched = true;
    applyView();
  }, { passive: false });
}

function showLink(group) {
  group.classList.add("lit");
  byId("graph").classList.add("busy");
}
