"use strict";
// Everything that comes from the data is put in as text (textContent, fillText), never as markup.

const byId = (id) => document.getElementById(id);
const canvas = byId("map"), context = canvas.getContext("2d");
const panel = byId("panel"), search = byId("search"), slider = byId("level");
const theme = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const FINER_AT = 1.8;  // zooming this much shows the labels of the next level
const ROWS_SHOWN = 60, MOST_ZOOM = 80;

let data, n, x, y, mainTopic, mix, mixShare, atoms, atomShare, ancestors, topicOf, lower;
let level = 0, matched = null, matchedTopics = [], chosen = null, history = [];
let view = { scale: 1, left: 0, top: 0 }, width = 0, height = 0, boxes = [], pending = false;
let buckets, colorBy = "topics";
const GRID = 192;  // of which a third each way is the first view
let home;

function element(tag, options, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(options || {})) {
    if (key === "class") node.className = value;
    else if (key === "onclick") node.addEventListener("click", value);
    else node.setAttribute(key, value);
  }
  for (const child of children) if (child !== null) node.append(child);
  return node;
}

async function load() {
  const packed = atob(byId("data").textContent.trim());
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  byId("data").remove();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  data = await new Response(stream).json();
}

function array(name, Type) {
  const packed = atob(data.arrays[name]);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  return new Type(bytes.buffer);
}

function prepare() {
  n = data.texts.length;
  const positions = array("positions", Uint16Array);
  x = new Float32Array(n); y = new Float32Array(n);
  for (let i = 0; i < n; i++) { x[i] = positions[2 * i] / 65535; y[i] = 1 - positions[2 * i + 1] / 65535; }
  const [[west, south], [east, north]] = data.first_view;
  home = [[west, Math.max(east, west + 1e-6)], [1 - north, Math.max(1 - south, 1 - north + 1e-6)]];
  mainTopic = array("topics", Int16Array);
  mix = array("mixture_topics", Uint16Array); mixShare = array("mixture_shares", Uint8Array);
  atoms = array("atoms", Uint32Array); atomShare = array("atom_shares", Uint8Array);
  ancestors = data.levels.map((_, at) => {
    let upwards = data.levels[data.levels.length - 1].map((_, t) => t);
    for (let i = data.levels.length - 1; i > at; i--) upwards = upwards.map((t) => data.levels[i][t].parent);
    return upwards;
  });
  topicOf = ancestors.map((upwards) => Int16Array.from(mainTopic, (t) => t < 0 ? -1 : upwards[t]));
  buckets = Array.from({ length: GRID * GRID }, () => []);
  for (let i = 0; i < n; i++) buckets[bucketOf(x[i]) + GRID * bucketOf(y[i])].push(i);
}

const bucketOf = (value) => Math.min(GRID - 1, Math.max(0, Math.floor(value * GRID)));
const finest = () => data.levels.length - 1;
// Topics of a level, the largest share first: the figure that stands beside them.
const byShare = (at) => data.levels[at].map((_, t) => t).sort((a, b) => data.levels[at][b].share - data.levels[at][a].share);
const percent = (share) => share >= .1 ? `${Math.round(100 * share)} %` : `${(100 * share).toFixed(1)} %`;
const shortened = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;

const colorOf = (at, topic) => data.levels[at][topic].color;
// The number of a document's topic, group or period, and that one's colour.
const classOf = (i) => colorBy === "topics" ? topicOf[level][i] : data[colorBy].of[i];
const colorOfClass = (c) => colorBy === "topics" ? colorOf(level, c) : data[colorBy].colors[c];

// The map ---------------------------------------------------------------------------------------

function fit() {
  width = canvas.clientWidth; height = canvas.clientHeight;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw();
}

// A scale of 1 shows where nearly all documents are, with a margin; a few are further out.
const MARGIN = .06;
const toUnit = (value, axis, [low, high] = home[axis]) => MARGIN + (value - low) / (high - low) * (1 - 2 * MARGIN);
const fromUnit = (value, axis, [low, high] = home[axis]) => low + (value - MARGIN) / (1 - 2 * MARGIN) * (high - low);
const toX = (value) => view.left + view.scale * width * toUnit(value, 0);
const toY = (value) => view.top + view.scale * height * toUnit(value, 1);
const fromX = (pixel) => fromUnit((pixel - view.left) / view.scale / width, 0);
const fromY = (pixel) => fromUnit((pixel - view.top) / view.scale / height, 1);

function zoomBy(factor, atX = width / 2, atY = height / 2) {
  const scale = Math.min(MOST_ZOOM, Math.max(.5, view.scale * factor));
  const grown = scale / view.scale;
  view = { scale, left: atX - grown * (atX - view.left), top: atY - grown * (atY - view.top) };
  draw();
}

function moveBy(right, down) { view.left += right; view.top += down; draw(); }
function showAll() { view = { scale: 1, left: 0, top: 0 }; draw(); }
function draw() { if (!pending) { pending = true; requestAnimationFrame(paint); } }

function isShown(document) {
  if (matched !== null) return matched[document] === 1;
  if (chosen && chosen.kind === "topic") return topicOf[chosen.level][document] === chosen.topic;
  return true;
}

function paint() {
  pending = false;
  if (!data) return;
  context.clearRect(0, 0, width, height);
  // Points fill a share of the map, whatever their number.
  const size = Math.max(2.2, Math.min(11, .2 * Math.sqrt(view.scale * width * height / n)));
  const bright = new Map();
  let shown = 0;
  context.fillStyle = theme("faded"); context.globalAlpha = .55;
  for (let i = 0; i < n; i++) {
    const of = classOf(i), on = isShown(i);
    if (on) shown++;
    const left = toX(x[i]), top = toY(y[i]);
    if (left < -9 || top < -9 || left > width + 9 || top > height + 9) continue;
    if (!on || of < 0) point(left, top, size);
    else if (bright.has(of)) bright.get(of).push(left, top);
    else bright.set(of, [left, top]);
  }
  context.globalAlpha = .85;
  for (const [of, places] of bright) {
    context.fillStyle = colorOfClass(of);
    for (let i = 0; i < places.length; i += 2) point(places[i], places[i + 1], size);
  }
  context.globalAlpha = 1;
  if (chosen && chosen.kind === "document") {
    context.strokeStyle = theme("ink"); context.lineWidth = 2.5;
    context.beginPath();
    context.arc(toX(x[chosen.document]), toY(y[chosen.document]), size + 4, 0, 7);
    context.stroke();
  }
  paintLabels();
  canvas.dataset.shown = shown;
}

function point(left, top, size) {
  if (size < 4) { context.fillRect(left - size / 2, top - size / 2, size, size); return; }
  context.beginPath(); context.arc(left, top, size / 2, 0, 7); context.fill();
}

function labelLevel() {
  const finer = Math.floor(Math.log(Math.max(view.scale, 1)) / Math.log(FINER_AT));
  return Math.min(finest(), level + finer);
}

function paintLabels() {
  const at = labelLevel(), stage = canvas.getBoundingClientRect();
  boxes = [];
  const taken = [byId("zoom"), byId("legend")].filter((node) => !node.hidden).map((node) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    return { left: left - stage.left, right: right - stage.left, top: top - stage.top, bottom: bottom - stage.top };
  });
  const isFree = (box) => !taken.some((b) => b.left < box.right && b.right > box.left && b.top < box.bottom && b.bottom > box.top);
  const [ink, paper, accent] = ["ink", "paper", "accent"].map(theme);
  context.textAlign = "center"; context.textBaseline = "middle"; context.lineJoin = "round";
  for (const topic of byShare(at)) {
    const { name, share, place } = data.levels[at][topic];
    if (place === null) continue;
    const anchor = toX(place[0] / 65535), center = toY(1 - place[1] / 65535);
    if (anchor < 0 || center < 0 || anchor > width || center > height) continue;
    const size = Math.round(Math.max(11, Math.min(width < 600 ? 14 : 20, 10 + 30 * Math.sqrt(share))));
    context.font = `600 ${size}px system-ui, sans-serif`;
    const text = shortened(name, 32), half = context.measureText(text).width / 2 + 3;
    const left = Math.min(Math.max(anchor, half), Math.max(half, width - half));  // not cut off
    const boxAt = (top) => ({ left: left - half, right: left + half, top: top - size * .65, bottom: top + size * .65, topic, at });
    const inside = (top) => Math.min(Math.max(top, size * .65), height - size * .65);
    const top = [0, 1.4, -1.4, 2.8, -2.8].map((lines) => inside(center + lines * size)).find((value) => isFree(boxAt(value)));
    if (top === undefined) continue;
    boxes.push(boxAt(top)); taken.push(boxAt(top));
    const strong = chosen && chosen.kind === "topic" && chosen.level === at && chosen.topic === topic;
    context.lineWidth = 4; context.strokeStyle = paper; context.strokeText(text, left, top);
    context.fillStyle = strong ? accent : ink; context.fillText(text, left, top);
  }
  canvas.dataset.labelLevel = at; canvas.dataset.labels = boxes.length;
  canvas.dataset.boxes = JSON.stringify(boxes);
}

function labelAt(left, top) {
  return boxes.find((b) => left >= b.left && left <= b.right && top >= b.top && top <= b.bottom);
}

function documentAt(left, top) {
  const reach = 9, near = (value, from) => [bucketOf(from(value - reach)), bucketOf(from(value + reach))];
  const [west, east] = near(left, fromX), [north, south] = near(top, fromY);
  let best = -1, least = reach * reach;
  for (let column = west; column <= east; column++)
    for (let row = north; row <= south; row++)
      for (const i of buckets[column + GRID * row]) {
        const far = (toX(x[i]) - left) ** 2 + (toY(y[i]) - top) ** 2;
        if (far < least && isShown(i)) { least = far; best = i; }
      }
  return best;
}

// The panel ---------------------------------------------------------------------------------------

function topicRow(at, topic, more) {
  const { name, share } = data.levels[at][topic];
  const dot = element("span", { class: "dot" });
  dot.style.background = colorOf(at, topic);
  return element("li", {}, element("button", { class: "row topic", "data-topic": topic, onclick: () => open({ kind: "topic", level: at, topic }) },
    dot, element("span", { class: "name" }, name), element("span", { class: "share" }, more || percent(share))));
}

function documentRow(i, share) {
  return element("li", {}, element("button", { class: "row document", "data-document": i, onclick: () => open({ kind: "document", document: i }) },
    element("span", { class: "name" }, element("span", { class: "soft" }, `${data.ids[i]}  `),
      element("span", { class: "clip" }, shortened(data.texts[i], 240) || "(no text)")),
    share ? element("span", { class: "share" }, percent(share)) : null));
}

// The first rows, and a button for more of them.
function longList(documents, row) {
  const rows = list(documents.slice(0, ROWS_SHOWN).map(row));
  let next = ROWS_SHOWN;
  const more = element("button", { class: "link more", onclick: () => {
    rows.append(...documents.slice(next, next + ROWS_SHOWN).map(row));
    next += ROWS_SHOWN; label();
  } });
  const label = () => { more.hidden = next >= documents.length; more.textContent = `${(documents.length - next).toLocaleString()} more`; };
  label();
  return [rows, more];
}

// A document's share of a topic, as far as that is among those the page holds.
function shareOf(i, at, topic) {
  const each = mix.length / n;
  let share = 0;
  for (let j = i * each; j < (i + 1) * each; j++) if (ancestors[at][mix[j]] === topic) share += mixShare[j] / 255;
  return share;
}

// All documents of which it is the main topic, those with the largest share first.
function documentsOf(at, topic, typical) {
  const own = [];
  for (let i = 0; i < n; i++) if (topicOf[at][i] === topic) own.push(i);
  const share = new Map(own.map((i) => [i, shareOf(i, at, topic)]));
  const first = typical.filter((i) => share.has(i)), known = new Set(first);
  return [...first, ...own.filter((i) => !known.has(i)).sort((a, b) => share.get(b) - share.get(a))];
}

function bar(what, share, most, color, onclick) {
  const fill = element("span", { class: "fill" });
  fill.style.width = `${100 * share / (most || 1)}%`;
  if (color) fill.style.background = color;
  const label = onclick ? element("button", { class: "link what", onclick }, what) : element("span", { class: "what" }, what);
  label.title = what;
  return element("div", { class: "bar" }, label, element("span", { class: "track" }, fill), element("span", { class: "share" }, percent(share)));
}

const heading = (text) => element("h3", {}, text);
const list = (rows) => element("ul", {}, ...rows);
const back = () => element("p", {}, element("button", { class: "link back", onclick: goBack }, "← back"));

function pictures(documents) {
  const seen = documents.filter((i) => data.pictures[i]);
  return element("div", { class: "pictures" }, ...seen.map((i) => {
    const image = element("img", { src: data.pictures[i], alt: String(data.ids[i]) });
    return element("button", { onclick: () => open({ kind: "document", document: i }) }, image);
  }));
}

function showOverview() {
  const rows = byShare(level);
  panel.replaceChildren(element("h2", {}, `${rows.length} topics`),
    element("p", { class: "soft" }, `${n.toLocaleString()} documents. A topic's share is its mean share of them.`),
    list(rows.map((t) => topicRow(level, t))));
}

function showTopic({ level: at, topic }) {
  const found = data.levels[at][topic];
  const crumbs = [];
  for (let i = at, t = topic; i > 0; i--) { t = data.levels[i][t].parent; crumbs.unshift([i - 1, t]); }
  const parts = [back()];
  if (crumbs.length) {
    const trail = element("p", { class: "crumbs" });
    for (const [i, t] of crumbs) trail.append(element("button", { class: "link", onclick: () => open({ kind: "topic", level: i, topic: t }) }, data.levels[i][t].name), " › ");
    parts.push(trail);
  }
  const documents = documentsOf(at, topic, found.typical), count = documents.length;
  parts.push(element("h2", {}, found.name),
    element("p", { class: "soft" }, `Topic ${topic} of ${data.levels[at].length}: ${percent(found.share)} of the corpus, the largest topic of ${count.toLocaleString()} documents`),
    element("p", { class: "words" }, found.words));
  if (at < finest()) {
    const children = byShare(at + 1).filter((t) => data.levels[at + 1][t].parent === topic);
    parts.push(heading("Parts"), list(children.map((t) => topicRow(at + 1, t))));
  }
  if (data.groups) {
    const most = Math.max(...found.groups);
    parts.push(heading(`Share by ${data.groups.label}`), ...data.groups.names.map((name, g) => bar(name, found.groups[g], most)));
  }
  if (data.times) {
    const most = Math.max(...found.times, 1e-9);
    const columns = element("div", { class: "columns", role: "img", "aria-label": data.times.names.map((name, i) => `${name}: ${percent(found.times[i])}`).join(", ") });
    found.times.forEach((share, i) => {
      const column = element("span", { title: `${data.times.names[i]}: ${percent(share)}` });
      column.style.height = `${100 * share / most}%`;
      columns.append(column);
    });
    parts.push(heading(`Share over ${data.times.label} (up to ${percent(most)})`), columns,
      element("div", { class: "ends" }, element("span", {}, data.times.names[0]), element("span", {}, data.times.names[data.times.names.length - 1])));
  }
  if (found.typical.some((i) => data.pictures[i])) parts.push(heading("Typical pictures"), pictures(found.typical));
  parts.push(heading(`${count.toLocaleString()} documents, the most typical first`),
    ...longList(documents, (i) => documentRow(i, shareOf(i, at, topic))));
  if (found.near.length) parts.push(heading("Neighbours"), list(found.near.map(([t, cosine]) => topicRow(at, t, cosine.toFixed(2)))));
  panel.replaceChildren(...parts);
}

function textOf(i) {
  const text = data.texts[i] || "(no text)", span = (data.evidence || {})[i];
  if (!span || span[1] > text.length) return element("p", { class: "text" }, text);
  const marked = element("mark", { title: "speaks most for its main topic" }, text.slice(...span));
  return element("p", { class: "text" }, text.slice(0, span[0]), marked, text.slice(span[1]));
}

function showDocument({ document: i }) {
  const parts = [back(), element("h2", {}, String(data.ids[i]))];
  const facts = [];
  if (data.groups && data.groups.of[i] >= 0) facts.push(`${data.groups.label}: ${data.groups.names[data.groups.of[i]]}`);
  if (data.times && data.times.of[i] >= 0) facts.push(`${data.times.label}: ${data.times.names[data.times.of[i]]}`);
  if (facts.length) parts.push(element("p", { class: "soft" }, facts.join(" · ")));
  if (data.pictures[i]) parts.push(pictures([i]));
  parts.push(textOf(i), heading("Topics of this document"));
  const width_ = mix.length / n, most = data.levels[finest()];
  let rest = 1;
  for (let j = i * width_; j < (i + 1) * width_; j++) {
    const topic = mix[j], share = mixShare[j] / 255;
    rest -= share;
    if (share > 0) parts.push(bar(most[topic].name, share, 1, colorOf(finest(), topic), () => open({ kind: "topic", level: finest(), topic })));
  }
  if (rest > .005) parts.push(bar("other topics", rest, 1, theme("faded")));
  const folded = element("details", {}, element("summary", {}, "Atoms it is made of"));
  const each = atoms.length / n;
  for (let j = i * each; j < (i + 1) * each; j++)
    if (atomShare[j] > 0) folded.append(bar(`${atoms[j]}: ${data.atoms[atoms[j]] || ""}`, atomShare[j] / 255, 1, theme("soft")));
  parts.push(folded);
  panel.replaceChildren(...parts);
}

function showResults() {
  const documents = [];
  for (let i = 0; i < n; i++) if (matched[i]) documents.push(i);
  const count = documents.length;
  panel.replaceChildren(element("h2", {}, `Search: ${search.value}`),
    heading(`${matchedTopics.length} topics`), list(matchedTopics.slice(0, ROWS_SHOWN).map(([at, t]) => topicRow(at, t))),
    heading(`${count.toLocaleString()} documents`), ...longList(documents, (i) => documentRow(i)));
  status(`${count.toLocaleString()} of ${n.toLocaleString()} documents match`);
}

function status(text) { byId("status").textContent = text; }

function render() {
  if (chosen === null) matched === null ? showOverview() : showResults();
  else if (chosen.kind === "topic") showTopic(chosen);
  else showDocument(chosen);
  if (matched === null) status(chosen && chosen.kind === "topic" ? `Topic: ${data.levels[chosen.level][chosen.topic].name}` : `${n.toLocaleString()} documents`);
  panel.scrollTop = 0;
  draw();
}

function open(next) {
  history.push(chosen);
  chosen = next;
  if (next.kind === "topic" && matched !== null) clearSearch();
  render();
}

function goBack() {
  if (history.length) chosen = history.pop();
  else if (matched !== null) clearSearch();
  else chosen = null;
  render();
}

// Search and levels -----------------------------------------------------------------------------

let waiting = 0;

function clearSearch() { clearTimeout(waiting); matched = null; matchedTopics = []; search.value = ""; }

function find() {
  const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  history = []; chosen = null;
  if (!terms.length) { matched = null; matchedTopics = []; render(); return; }
  if (!lower) lower = data.texts.map((text, i) => `${data.ids[i]} ${text}`.toLowerCase());
  matchedTopics = [];
  data.levels.forEach((topics, at) => topics.forEach((topic, t) => {
    const text = `${topic.name} ${topic.words}`.toLowerCase();
    if (terms.every((term) => text.includes(term))) matchedTopics.push([at, t]);
  }));
  matched = new Uint8Array(n);
  for (let i = 0; i < n; i++) if (terms.every((term) => lower[i].includes(term))) matched[i] = 1;
  render();
}

function setLevel(next) {
  level = Math.max(0, Math.min(finest(), next));
  slider.value = level;
  byId("level-text").textContent = `${data.levels[level].length} topics`;
  slider.setAttribute("aria-valuetext", byId("level-text").textContent);
  if (chosen && chosen.kind === "topic") { chosen = null; history = []; }
  render();
}

function setColor(next) {
  colorBy = next;
  const legend = byId("legend");
  legend.hidden = colorBy === "topics";
  if (colorBy !== "topics") {
    const { names, colors, of } = data[colorBy];
    const rows = [...names.map((name, i) => [name, colors[i]]), ...(of.some((g) => g < 0) ? [["others", theme("faded")]] : [])];
    legend.replaceChildren(...rows.map(([name, color]) => {
      const dot = element("span", { class: "dot" });
      dot.style.background = color;
      return element("div", {}, dot, element("span", {}, name));
    }));
  }
  draw();
}

// Mouse, fingers and keys -------------------------------------------------------------------------

const fingers = new Map();
let moved = 0, pinch = 0;

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function hover(event) {
  const [left, top] = place(event), label = labelAt(left, top), tip = byId("tip");
  const document = label ? -1 : documentAt(left, top);
  canvas.classList.toggle("pointing", Boolean(label) || document >= 0);
  tip.hidden = document < 0;
  if (document < 0) return;
  const topic = topicOf[level][document];
  tip.textContent = `${topic < 0 ? "" : data.levels[level][topic].name + " — "}${shortened(data.texts[document], 180)}`;
  tip.style.left = `${Math.max(4, Math.min(left + 14, width - 345))}px`;
  tip.style.top = `${top > height - 120 ? top - 100 : top + 14}px`;
}

function listen() {
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    moved = pinch = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) { hover(event); return; }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const [right, down] = [event.clientX - last[0], event.clientY - last[1]];
    moved += Math.abs(right) + Math.abs(down);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
      const box = canvas.getBoundingClientRect();
      if (pinch) zoomBy(apart / pinch, (a[0] + b[0]) / 2 - box.left, (a[1] + b[1]) / 2 - box.top);
      pinch = apart;
    } else if (moved > 3) { canvas.classList.add("dragging"); byId("tip").hidden = true; moveBy(right, down); }
  });
  canvas.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    canvas.classList.remove("dragging");
    if (moved > 3) return;
    const [left, top] = place(event), label = labelAt(left, top);
    if (label) { open({ kind: "topic", level: label.at, topic: label.topic }); return; }
    const document = documentAt(left, top);
    if (document >= 0) open({ kind: "document", document });
  });
  canvas.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [left, top] = place(event);
    zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0016)), left, top);
  }, { passive: false });
  byId("zoom-in").addEventListener("click", () => zoomBy(1.6));
  byId("zoom-out").addEventListener("click", () => zoomBy(1 / 1.6));
  byId("zoom-all").addEventListener("click", showAll);
  slider.addEventListener("input", () => setLevel(Number(slider.value)));
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(find, 120); });
  const choice = byId("color-by");
  for (const key of ["groups", "times"]) if (data[key]) choice.append(element("option", { value: key }, data[key].label));
  choice.parentElement.hidden = choice.options.length < 2;
  choice.addEventListener("change", () => setColor(choice.value));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(fit).observe(canvas);
  document.addEventListener("keydown", keys);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { search.blur(); goBack(); return; }
  if (event.target === search) {
    if (event.key === "ArrowDown") { event.preventDefault(); panel.querySelector("button.row")?.focus(); }
    return;
  }
  const step = 60;
  const onMap = event.target === canvas || event.target === document.body;
  const actions = { "/": () => search.focus(), "[": () => setLevel(level - 1), "]": () => setLevel(level + 1),
    "+": () => zoomBy(1.4), "=": () => zoomBy(1.4), "-": () => zoomBy(1 / 1.4), "0": showAll };
  if (onMap) Object.assign(actions, { ArrowLeft: () => moveBy(step, 0), ArrowRight: () => moveBy(-step, 0),
    ArrowUp: () => moveBy(0, step), ArrowDown: () => moveBy(0, -step) });
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

load().then(() => {
  prepare();
  slider.max = finest();
  byId("level-text").parentElement.hidden = data.levels.length < 2;
  listen();
  fit();
  setLevel(0);
  performance.mark("ready");
  document.body.dataset.ready = "true";
}).catch((error) => status(`This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`));
