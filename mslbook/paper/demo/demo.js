// Draws one demo: panels of marks, a caption, sliders, play and reset. Python computed the frames
// (frames.py), or the demo's own script computes them here; nothing else knows what they mean. There
// are two hosts: anywidget calls `render` in a live kernel, and on a built page `mount` does, with a
// stand-in for the kernel.

const PALETTE = {
  blue: "#0072B2",
  vermillion: "#D55E00",
  green: "#009E73",
  purple: "#CC79A7",
  sky: "#56B4E9",
  ochre: "#E69F00",
};
const DASHES = { solid: [], dashed: [6, 4], dotted: [1.5, 3.5] };
const MARKERS = { // outlines of radius 1, for Path2D and for the legend's SVG alike
  circle: "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z",
  square: "M-.9-.9H.9V.9H-.9Z",
  diamond: "M0-1.3L1.3 0L0 1.3L-1.3 0Z",
  triangle: "M0-1.25L1.15.85H-1.15Z",
};
const MAX_BUTTONS = 3; // of a recorded slider's values, in place of a slider
const TICK_FONT = 12;
const LABEL_FONT = 13;
const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");
const DARK = matchMedia("(prefers-color-scheme: dark)");
const PRINT = matchMedia("print");

// ---- text: "x_η" and "λ_{max}" have subscripts, in the page and on the canvas

function pieces(text) { // every second piece is a subscript
  return text.split(/(?<=(?<!\p{L})\p{L})_(\{[^}]*\}|\S)/u).map((s) => s.replace(/^\{|\}$/g, ""));
}

function node(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function plain(text) { // for the names that are read out
  return pieces(text).join("");
}

function rich(text) {
  return pieces(unbroken(text)).map((piece, i) => (i % 2 ? node("sub", {}, piece) : piece));
}

function unbroken(text) { // "x = 3", "40 %" and "2/η" stay on one line
  return text
    .replace(/ ([=≈<>≤≥±×]) /g, "\u00a0$1\u00a0")
    .replace(/(?<=\d) (?=[%°×])/g, "\u00a0")
    .replace(/(?<=(?<![\p{L}\d])(?:\p{L}|\d+))\/(?=\S)/gu, "\u2060/\u2060");
}

const measured = new Map(); // measuring text is slow, and frames share most of theirs

function runs(ctx, text, size) {
  const family = ctx.canvas.dataset.font;
  const key = [text, size, family].join("\n");
  if (!measured.has(key)) {
    measured.set(key, pieces(text).map((piece, i) => {
      const font = `${i % 2 ? 0.75 * size : size}px ${family}`;
      ctx.font = font;
      return { piece, font, drop: (i % 2) * 0.25 * size, width: ctx.measureText(piece).width };
    }));
  }
  return measured.get(key);
}

function widthOf(ctx, text, size = LABEL_FONT) {
  return runs(ctx, text, size).reduce((sum, { width }) => sum + width, 0);
}

function write(ctx, text, x, y, align = "left", size = LABEL_FONT) {
  let at = x - widthOf(ctx, text, size) * { left: 0, center: 0.5, right: 1 }[align];
  for (const { piece, font, drop, width } of runs(ctx, text, size)) {
    ctx.font = font;
    ctx.fillText(piece, at, y + drop);
    at += width;
  }
}

// ---- what the script of a computed demo may call

function descend({ value, grad }, start, lr, steps) { // as mslbook.descent.descend
  const path = [start];
  for (let t = 0; t < steps; t++) {
    const slope = grad(...path[t]), rate = typeof lr === "function" ? lr(t) : lr;
    path.push(path[t].map((x, i) => x - rate * slope[i]));
  }
  return {
    points: start.map((_, i) => path.map((point) => point[i])),
    values: path.map((point) => value(...point)),
    steps: path.map((_, t) => t),
  };
}

function root(f, low, high) { // of a function that changes its sign once in between
  const sign = Math.sign(f(low));
  for (let k = 0; k < 200 && low < high; k++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (Math.sign(f(middle)) === sign) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

function g(number) { // as Python's format "g" does, but for exponents
  return String(Number(number.toPrecision(6)));
}

function written(number) { // as people do
  return g(number).replace("-", "−");
}

// ---- the drawing of one panel

function drawPanel(canvas, panel, read, step, ink, images) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const dpr = window.devicePixelRatio || 1;
  const columns = Math.round(width * dpr), lines = Math.round(height * dpr);
  if (canvas.width !== columns) canvas.width = columns; // setting a size makes a new picture: slow
  if (canvas.height !== lines) canvas.height = lines;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.lineJoin = "round";
  ctx.lineCap = "butt";

  const colour = (mark) => PALETTE[mark.colour] ?? ink;
  const rules = panel.marks.filter((mark) => mark.kind === "Rule");
  const widest = (texts, size) => Math.max(0, ...texts.map((t) => widthOf(ctx, t, size)));
  const labelled = panel.y.label || rules.some((rule) => rule.axis === "x" && rule.label);
  const box = {
    left: Math.ceil(widest(panel.y.ticks.map(([, text]) => text), TICK_FONT)) + 10,
    right: width - Math.ceil(Math.max(10, widest(rules.filter((r) => r.axis === "y").map((r) => r.label)) + 6)),
    top: labelled ? 26 : 10,
    bottom: height - 42,
  };
  if (panel.equal) equalise(box, panel);
  const along = ({ log, limits }, from, to) => {
    const f = log ? Math.log : (v) => v;
    const [low, high] = limits.map(f);
    const slope = (to - from) / (high - low);
    const place = (v) => Math.max(-1e5, Math.min(1e5, from + slope * (f(v) - low))); // NaN stays NaN
    place.back = (at) => (log ? Math.exp : (v) => v)(low + (at - from) / slope);
    return place;
  };
  const X = along(panel.x, box.left, box.right);
  const Y = along(panel.y, box.bottom, box.top);

  let handle = null;
  for (const mark of panel.marks) {
    if (mark.kind === "Image") drawImage(ctx, mark, read(mark.values), X, Y, dpr, colour(mark), images);
    if (mark.kind === "Rule") drawRules(ctx, mark, read(mark.value), X, Y, box, colour(mark));
    if ("x" in mark) {
      const xs = read(mark.x);
      const ys = read(mark.y);
      const at = Array.from(xs, (x, i) => [X(x), Y(ys[i])]);
      const draw = { Curve: drawCurve, Points: drawPoints, Trail: drawTrail }[mark.kind];
      draw(ctx, mark, at, colour(mark), step, box);
      if (mark.drag?.length) handle = { at: at[0], sliders: mark.drag, value: (x, y) => [X.back(x), Y.back(y)] };
    }
  }

  ctx.strokeStyle = ctx.fillStyle = ink;
  ctx.textBaseline = "alphabetic";
  drawAxes(ctx, panel, X, Y, box, width);
  const taken = [[0, widthOf(ctx, panel.y.label)]]; // labels above the panel, the axis' own first
  const beside = [];
  for (const mark of rules) {
    const value = read(mark.value).find((v) => !Number.isNaN(v));
    if (value === undefined || !mark.label) continue;
    if (mark.axis === "x") placeAbove(ctx, mark.label, X(value), box, width, taken);
    else placeBeside(ctx, mark.label, Y(value), box, beside);
  }
  return handle;
}

function within(ctx, box, room, draw) { // nothing leaves its axes; markers have a little room
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.left - room, box.top - room, box.right - box.left + 2 * room, box.bottom - box.top + 2 * room);
  ctx.clip();
  draw();
  ctx.restore();
}

function equalise(box, { x, y }) { // one unit is as long along x as along y
  const span = ({ limits: [low, high] }) => high - low;
  const unit = Math.min((box.right - box.left) / span(x), (box.bottom - box.top) / span(y));
  box.right = box.left + unit * span(x);
  box.bottom = box.top + unit * span(y);
}

function drawAxes(ctx, panel, X, Y, box, width) {
  ctx.lineWidth = 1;
  ctx.globalAlpha = 0.5;
  const crisp = (v) => Math.round(v) + 0.5;
  ctx.beginPath();
  ctx.moveTo(crisp(box.left), box.top);
  ctx.lineTo(crisp(box.left), crisp(box.bottom));
  ctx.lineTo(box.right, crisp(box.bottom));
  for (const [value] of panel.x.ticks) {
    ctx.moveTo(crisp(X(value)), crisp(box.bottom));
    ctx.lineTo(crisp(X(value)), box.bottom + 5);
  }
  for (const [value] of panel.y.ticks) {
    ctx.moveTo(crisp(box.left), crisp(Y(value)));
    ctx.lineTo(box.left - 4, crisp(Y(value)));
  }
  ctx.stroke();
  ctx.globalAlpha = 0.8;
  let free = -Infinity; // a number that would touch the last one is left out
  for (const [value, text] of panel.x.ticks) {
    const half = widthOf(ctx, text, TICK_FONT) / 2;
    if (X(value) - half < free) continue;
    free = X(value) + half + 5;
    write(ctx, text, X(value), box.bottom + 18, "center", TICK_FONT);
  }
  for (const [value, text] of panel.y.ticks) write(ctx, text, box.left - 7, Y(value) + 4, "right", TICK_FONT);
  ctx.globalAlpha = 1;
  write(ctx, panel.x.label, box.right, box.bottom + 37, "right");
  write(ctx, panel.y.label, 0, 12);
}

function placeAbove(ctx, text, x, box, width, taken) {
  const w = widthOf(ctx, text);
  if (!(x > box.left - 1 && x < box.right + 1)) return;
  let left = Math.min(Math.max(x - w / 2, box.left), width - w);
  for (const [from, to] of taken) if (left < to + 6 && left + w > from - 6) left = to + 8; // beside it
  taken.push([left, left + w]);
  taken.sort(([a], [b]) => a - b);
  write(ctx, text, left, box.top - 11);
}

function placeBeside(ctx, text, y, box, taken) {
  if (!(y > box.top - 1 && y < box.bottom + 1)) return;
  for (const other of taken) if (Math.abs(other - y) < LABEL_FONT) y = other + LABEL_FONT + 2; // below it
  taken.push(y);
  write(ctx, text, box.right + 4, y + 4);
}

function trace(ctx, at, count = at.length) {
  ctx.beginPath();
  let pen = false; // NaN lifts the pen
  for (let i = 0; i < count; i++) {
    const [x, y] = at[i];
    const drawn = !Number.isNaN(x) && !Number.isNaN(y);
    if (drawn && pen) ctx.lineTo(x, y);
    else if (drawn) ctx.moveTo(x, y);
    pen = drawn;
  }
  ctx.stroke();
}

function stamp(ctx, path, [x, y], radius, how = "fill") {
  if (Number.isNaN(x) || Number.isNaN(y)) return;
  ctx.save();
  ctx.translate(x, y);
  ctx.scale(radius, radius);
  ctx.lineWidth = 1.5 / radius;
  ctx[how](path);
  ctx.restore();
}

// A ring of bare ground around a marker, whatever the ground is, lifts it off what lies beneath.
function lift(ctx, path, place, radius) {
  ctx.globalCompositeOperation = "destination-out";
  stamp(ctx, path, place, radius);
  ctx.globalCompositeOperation = "source-over";
}

function drawCurve(ctx, mark, at, colour, step, box) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2;
  ctx.setLineDash(DASHES[mark.dash]);
  within(ctx, box, 1, () => {
    trace(ctx, at);
    if (!mark.shade) return;
    ctx.globalAlpha = 0.15;
    ctx.fillStyle = colour;
    ctx.lineTo(at.at(-1)[0], box.bottom);
    ctx.lineTo(at[0][0], box.bottom);
    ctx.fill();
    ctx.globalAlpha = 1;
  });
  ctx.setLineDash([]);
}

function drawPoints(ctx, mark, at, colour, step, box) {
  const path = new Path2D(MARKERS[mark.marker]);
  const radius = Math.min(4.5, (box.right - box.left) / 45); // smaller in a small panel
  ctx.fillStyle = colour;
  within(ctx, box, 6, () => {
    for (const place of at) {
      lift(ctx, path, place, 1.45 * radius);
      stamp(ctx, path, place, radius);
    }
  });
}

function drawTrail(ctx, mark, at, colour, step, box) {
  const path = new Path2D(MARKERS[mark.marker]);
  const last = Math.min(step, at.length - 1);
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = 1.25;
  within(ctx, box, 1, () => trace(ctx, at, last + 1));
  for (let i = 1; i <= last; i++) drawExit(ctx, at[i - 1], at[i], box);
  within(ctx, box, 8, () => {
    const radius = Math.max(1.6, 3 - at.length / 200);
    for (let i = 1; i < last; i++) stamp(ctx, path, at[i], radius);
    lift(ctx, path, at[0], 5);
    stamp(ctx, path, at[0], 4, "stroke");
    if (mark.drag.length) stamp(ctx, path, at[0], 8, "stroke"); // what can be dragged has two rings
    if (last > 0) {
      lift(ctx, path, at[last], 7);
      stamp(ctx, path, at[last], 5);
    }
  });
}

function drawExit(ctx, [x0, y0], [x1, y1], box) { // where a trail leaves the chart, an arrow says so
  const inside = (x, y) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
  if (!inside(x0, y0) || Number.isNaN(x1) || Number.isNaN(y1) || inside(x1, y1)) return;
  const dx = x1 - x0, dy = y1 - y0;
  const parts = [
    ((dx > 0 ? box.right : box.left) - x0) / dx,
    ((dy > 0 ? box.bottom : box.top) - y0) / dy,
  ].filter(Number.isFinite);
  const part = Math.min(...parts);
  ctx.save();
  ctx.translate(x0 + part * dx, y0 + part * dy);
  ctx.rotate(Math.atan2(dy, dx));
  ctx.fill(new Path2D("M0 0L-9-5V5Z"));
  ctx.restore();
}

function drawRules(ctx, mark, values, X, Y, box, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  ctx.setLineDash(DASHES[mark.dash]);
  for (const value of values) {
    if (mark.axis === "x") trace(ctx, [[X(value), box.bottom], [X(value), box.top - 6]]);
    else trace(ctx, [[box.left, Y(value)], [box.right, Y(value)]]);
  }
  ctx.setLineDash([]);
}

// Interpolated between the values given, in steps of opacity with a finer line at each step. The
// picture is kept until its values, its size or its colour change.
function drawImage(ctx, mark, values, X, Y, dpr, colour, images) {
  const [x0, x1, y0, y1] = mark.box;
  const left = X(x0), top = Y(y1), w = X(x1) - left, h = Y(y0) - top;
  const columns = Math.round(w * dpr), lines = Math.round(h * dpr);
  const key = [columns, lines, colour, values.byteOffset].join();
  const kept = images.get(mark);
  if (!kept || kept.key !== key || kept.buffer !== values.buffer) {
    images.set(mark, { key, buffer: values.buffer, picture: paint(mark, values, columns, lines, colour) });
  }
  ctx.drawImage(images.get(mark).picture, left, top, w, h);
}

function paint(mark, values, columns, lines, colour) {
  const picture = node("canvas", { width: columns, height: lines });
  const ctx = picture.getContext("2d");
  ctx.fillStyle = colour;
  ctx.fillRect(0, 0, 1, 1);
  const [red, green, blue] = ctx.getImageData(0, 0, 1, 1).data;
  const data = ctx.createImageData(columns, lines);
  const [rows, cols] = mark.shape;
  const [low, high] = mark.range;
  const bands = new Float32Array(columns * lines);
  for (let j = 0; j < lines; j++) {
    const v = (1 - (j + 0.5) / lines) * (rows - 1);
    const r = Math.min(Math.floor(v), rows - 2);
    for (let i = 0; i < columns; i++) {
      const u = ((i + 0.5) / columns) * (cols - 1);
      const c = Math.min(Math.floor(u), cols - 2);
      const k = r * cols + c;
      const near = values[k] + (u - c) * (values[k + 1] - values[k]);
      const far = values[k + cols] + (u - c) * (values[k + cols + 1] - values[k + cols]);
      const part = (near + (v - r) * (far - near) - low) / (high - low || 1);
      bands[j * columns + i] = Math.min(Math.floor(Math.max(part, 0) * mark.levels), mark.levels - 1);
    }
  }
  for (let k = 0; k < bands.length; k++) {
    const right = k % columns < columns - 1 ? bands[k + 1] : bands[k];
    const below = bands[k + columns] ?? bands[k];
    const edge = bands[k] !== right || bands[k] !== below;
    const alpha = 0.65 * (bands[k] / mark.levels) + (edge ? 0.2 : 0);
    data.data.set([red, green, blue, Number.isNaN(bands[k]) ? 0 : 255 * alpha], 4 * k);
  }
  ctx.putImageData(data, 0, 0);
  return picture;
}

// ---- the legend: the same dashes and markers, small

function swatch(mark) {
  const colour = PALETTE[mark.colour] ?? "currentColor";
  const line = `<path d="M1 7H27" stroke="${colour}" stroke-width="${mark.kind === "Trail" ? 1 : 2}"
    stroke-dasharray="${DASHES[mark.dash] ?? ""}"/>`;
  const dot = `<path d="${MARKERS[mark.marker]}" transform="translate(14 7) scale(4)" fill="${colour}"/>`;
  const shade = [0.05, 0.25, 0.45, 0.65].map((alpha, i) =>
    `<rect x="${1 + 6.5 * i}" y="2" width="6.5" height="10" fill="${colour}" fill-opacity="${alpha}"/>`);
  const shapes = { Curve: line, Points: dot, Trail: line + dot, Image: shade.join("") };
  const holder = node("i", { "aria-hidden": "true" });
  holder.innerHTML = `<svg width="28" height="14" viewBox="0 0 28 14">${shapes[mark.kind]}</svg>`;
  return holder;
}

function legend(panel) {
  const named = panel.marks.filter((mark) => mark.kind !== "Rule" && mark.label); // rules are labelled in place
  return node("ul", {}, ...named.map((mark) => node("li", {}, swatch(mark), node("span", {}, ...rich(mark.label)))));
}

// ---- the demo

function floats(view) { // a copy, because a message's bytes may begin anywhere
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function nearest(values, value) {
  return values.reduce((best, v, i) => (Math.abs(v - value) < Math.abs(values[best] - value) ? i : best), 0);
}

function clamped({ values }, value) {
  return Math.min(Math.max(value, values[0]), values[values.length - 1]);
}

function render({ model, el }) {
  const spec = model.get("_spec");
  const grid = floats(model.get("_data"));
  const live = typeof model.send === "function"; // a kernel computes frames off the grid
  const images = new Map();
  const leaving = new AbortController();
  const listen = (target, event, action) => target.addEventListener(event, action, { signal: leaving.signal });

  const compute = spec.script && new Function("descend", "root", "g", "written", `return ${spec.script}`)(
    descend, root, g, written);
  let latest = {}; // as a kernel would send it
  function computed(values) {
    if (latest.values?.every((value, i) => value === values[i])) return latest;
    const marks = compute(Object.fromEntries(spec.sliders.map(({ name }, i) => [name, values[i]])));
    const arrays = spec.live.map(([name, k, channels]) => [channels > 1 ? marks[name][k] : marks[name]].flat());
    return latest = { values, caption: marks.caption, data: Float64Array.from(arrays.flat()) };
  }

  // The frame shown: the script's, or the kernel's of these very values, else the nearest on the grid.
  function frame() {
    const values = spec.sliders.map((slider) => model.get(slider.name));
    const sent = compute ? computed(values) : model.get("_frame");
    if (sent.values?.every((value, i) => value === values[i])) {
      const data = compute ? sent.data : floats(sent.data);
      const read = (place) => place.live < 0
        ? grid.subarray(place.offset, place.offset + place.length)
        : data.subarray(place.live, place.live + place.length);
      return { read, caption: sent.caption };
    }
    const index = spec.sliders.reduce(
      (sum, slider, i) => sum * slider.values.length + nearest(slider.values, values[i]), 0);
    const read = ({ offset, stride, length }) =>
      grid.subarray(offset + stride * index, offset + stride * index + length);
    return { read, caption: spec.captions[index] };
  }

  function choose(slider, value) {
    model.set(slider.name, value);
    model.save_changes();
  }

  // What there is to see.
  const panels = spec.panels.map((panel, i) => {
    const alt = i ? `${panel.title}: ${panel.y.label} against ${panel.x.label}` : spec.alt;
    const canvas = node("canvas", { role: "img", "aria-label": plain(alt) });
    return { panel, canvas, box: node("div", { class: "panel" }, node("p", { class: "title" }, ...rich(panel.title)), legend(panel), canvas) };
  });
  const caption = node("p", { "aria-live": "polite" });
  // All captions' longest, unseen, keeps the room, so that nothing below jumps while a slider moves.
  const longest = spec.captions.reduce((a, b) => (b.length > a.length ? b : a));
  const room = node("p", { "aria-hidden": "true" }, ...rich(longest));

  // What there is to move: a slider and its value, which may be a field to type in.
  function control(label, count, value, move, unit = "") {
    const input = node("input", { type: "range", min: 0, max: count - 1, step: 1, id: `${value.id}-slider` });
    let before; // a swipe that turns out to scroll the page leaves the slider where it was
    listen(input, "pointerdown", () => { before = input.valueAsNumber; });
    listen(input, "pointercancel", () => move(before));
    listen(input, "input", () => move(input.valueAsNumber));
    const name = node("label", { for: input.id }, ...rich(label));
    return { input, value, box: node("div", { class: "control" }, name, input, node("span", {}, value, unit)) };
  }
  const newId = () => `msl-${Math.random().toString(36).slice(2)}`;
  function fieldOf(slider) { // to type a number in, or to choose a name from
    const about = (what) => ({ id: newId(), "aria-label": `${plain(slider.label)}: ${what}` });
    if (slider.named) return node("select", about("choose"), ...slider.texts.map((text) => node("option", {}, text)));
    const inputmode = slider.values[0] < 0 ? "text" : "decimal"; // some phones' decimal keys have no minus
    return node("input", { ...about("type a value"), inputmode, autocomplete: "off" });
  }
  function choice(slider, unit, take) { // few values stand side by side, all in sight
    const name = newId();
    const radios = slider.values.map((value) => {
      const radio = node("input", { type: "radio", name });
      listen(radio, "change", () => take(value));
      return radio;
    });
    const labels = radios.map((radio, i) => node("label", {}, radio, slider.texts[i] + unit));
    const box = node("fieldset", { class: "control choice" }, node("legend", {}, ...rich(slider.label)), ...labels);
    return { slider, radios, box };
  }
  const sliders = spec.sliders.map((slider) => {
    const unit = slider.unit && `\u00a0${slider.unit.trim()}`;
    function take(value) {
      if (spec.play === slider.name) pause();
      choose(slider, value);
    }
    if (!compute && slider.values.length <= MAX_BUTTONS) return choice(slider, unit, take);
    const field = fieldOf(slider);
    // JupyterLab keeps Enter from entering the number; leaving the field enters it everywhere.
    listen(field, "keydown", (event) => { if (event.key === "Enter") field.blur(); });
    listen(field, "change", () => {
      if (slider.named) return take(slider.values[field.selectedIndex]);
      const typed = Number(field.value.trim().replace("−", "-").replace(",", ".") || NaN);
      if (Number.isFinite(typed)) {
        if (compute) take(clamped(slider, typed));
        else take(live ? typed : slider.values[nearest(slider.values, typed)]);
      }
      refresh(); // of what cannot be taken nothing stays
    });
    return { slider, unit, ...control(slider.label, slider.values.length, field, (k) => take(slider.values[k]), unit) };
  });
  const play = node("button", { type: "button", class: "play" });
  const reset = node("button", { type: "button" }, "Reset");
  const count = node("output", { id: newId(), "aria-live": "off" });
  const time = spec.play === "time" ? control(spec.count, spec.steps + 1, count, (k) => { clock = null; go(k); }) : null;

  // Play walks through positions 0 to `last`: the steps of the trails, or one slider's grid.
  const played = sliders.find(({ slider }) => slider.name === spec.play);
  const last = time ? spec.steps : played.slider.values.length - 1;
  let step = spec.steps;
  let clock = null; // while playing, when position 0 was or would have been shown
  const position = () => (time ? step : nearest(played.slider.values, model.get(spec.play)));
  function go(to) {
    if (time) { step = to; refresh(); } else choose(played.slider, played.slider.values[to]);
  }
  const pace = Math.max(Math.min(8, last / 3), last / 10); // positions per second: for 3 to 10 seconds
  function tick(now) {
    if (clock === null) return;
    const due = Math.min(last, Math.floor((now - clock) / 1000 * pace));
    if (due !== position()) go(due);
    if (due < last) requestAnimationFrame(tick);
    else pause();
  }
  function pause() {
    clock = null;
    refresh();
  }
  listen(play, "click", () => {
    if (clock !== null) return pause();
    const from = position() < last ? position() : 0;
    if (REDUCED.matches) return go(position() < last ? from + 1 : 0); // nothing moves by itself
    go(from);
    clock = performance.now() - (from / pace) * 1000;
    requestAnimationFrame(tick);
    refresh();
  });
  listen(reset, "click", () => {
    step = spec.steps;
    for (const { slider } of sliders) choose(slider, slider.values[slider.start]);
    pause();
  });

  el.append(node("div", { class: "msl-demo" },
    node("div", { class: "panels", style: `--panels: ${panels.length}` }, ...panels.map(({ box }) => box)),
    node("div", { class: "caption" }, room, caption),
    node("div", { class: "controls" },
      ...sliders.map(({ box }) => box),
      node("div", { class: "player" }, play, reset, ...(time ? [time.box] : [])))));

  for (const moved of el.querySelectorAll("input, button")) {
    moved.dataset.lmSuppressShortcuts = true; // else JupyterLab takes arrows and Enter for its own
  }

  // The start of a trail is dragged on the picture; elsewhere on it a finger scrolls the page.
  for (const one of panels) {
    let held = null;
    const near = ({ clientX, clientY }) => {
      const { left, top } = one.canvas.getBoundingClientRect();
      const at = [clientX - left, clientY - top];
      return one.handle && Math.hypot(at[0] - one.handle.at[0], at[1] - one.handle.at[1]) < 32 && at;
    };
    one.canvas.addEventListener("touchstart", (event) => {
      if (near(event.touches[0])) event.preventDefault();
    }, { passive: false, signal: leaving.signal });
    listen(one.canvas, "pointerdown", (event) => {
      if (!near(event)) return;
      held = one.handle;
      one.canvas.setPointerCapture(event.pointerId);
    });
    listen(one.canvas, "pointermove", ({ clientX, clientY }) => {
      one.canvas.style.cursor = held ? "grabbing" : near({ clientX, clientY }) ? "grab" : "";
      if (!held) return;
      const { left, top } = one.canvas.getBoundingClientRect();
      held.value(clientX - left, clientY - top).slice(0, held.sliders.length).forEach((value, i) => {
        const { slider } = sliders.find((other) => other.slider.name === held.sliders[i]);
        const unit = 10 ** Math.floor(Math.log10((slider.values.at(-1) - slider.values[0]) / 300));
        choose(slider, clamped(slider, Number((Math.round(value / unit) * unit).toPrecision(12))));
      });
    });
    for (const end of ["pointerup", "pointercancel"]) listen(one.canvas, end, () => { held = null; });
  }

  // One redraw per screen frame, however many things have changed.
  let due = 0;
  function refresh() {
    due ||= requestAnimationFrame(draw);
  }
  function draw() {
    due = 0;
    const style = getComputedStyle(caption);
    const { read, caption: words } = frame();
    for (const one of panels) {
      const { panel, canvas } = one;
      canvas.dataset.font = style.fontFamily;
      if (canvas.clientWidth) one.handle = drawPanel(canvas, panel, read, step, style.color, images);
    }
    caption.setAttribute("aria-live", clock === null ? "polite" : "off");
    if (caption.dataset.words !== words) caption.replaceChildren(...rich(words));
    caption.dataset.words = words;
    for (const { slider, input, value: field, unit, radios } of sliders) {
      const value = model.get(slider.name);
      const index = nearest(slider.values, value);
      radios?.forEach((radio, i) => { radio.checked = i === index; });
      if (radios) continue;
      const text = value === slider.values[index] ? slider.texts[index] : written(value);
      input.value = index;
      input.setAttribute("aria-valuetext", text + unit);
      if (slider.named) field.selectedIndex = index;
      else if (document.activeElement !== field) field.value = text;
    }
    if (time) {
      time.input.value = step;
      time.value.value = spec.times[step];
      time.input.setAttribute("aria-valuetext", spec.times[step]);
    }
    for (const { input } of [...sliders, ...(time ? [time] : [])]) {
      input?.style.setProperty("--part", input.max > 0 ? input.value / input.max : 0);
    }
    play.textContent = clock !== null ? "Pause" : REDUCED.matches ? "Step" : "Play";
  }

  const watched = [...spec.sliders.map((slider) => `change:${slider.name}`), "change:_frame"];
  for (const event of watched) model.on(event, refresh);
  const sizes = new ResizeObserver(refresh);
  for (const { canvas } of panels) sizes.observe(canvas);
  const theme = new MutationObserver(refresh);
  for (const page of [document.documentElement, document.body]) theme.observe(page, { attributes: true });
  for (const query of [REDUCED, DARK]) listen(query, "change", refresh);
  listen(PRINT, "change", draw); // at once: a printer does not wait for the next frame of a screen
  listen(document, "transitionend", refresh); // a theme may fade its colours in
  draw();

  return () => {
    leaving.abort();
    sizes.disconnect();
    theme.disconnect();
    cancelAnimationFrame(due);
    clock = null;
    for (const event of watched) model.off(event, refresh);
  };
}

// ---- the page without a kernel

// The address holds the state, so that a setting can be shared, and a link in the text can choose one:
// #demo1=lr:4.2,start:3 for the first demo of a page. What it asks for is taken whole or not at all.
function fromAddress(sliders, key, exact) {
  const asked = new URLSearchParams(location.hash.slice(1)).get(key);
  if (asked === null) return [];
  const named = new Map(sliders.map((slider) => [slider.name, slider.values]));
  const pairs = asked.split(",").map((pair) => pair.split(":"));
  const fits = ([name, text]) => {
    const values = named.get(name), value = Number(text || NaN);
    return values && value >= values[0] && value <= values[values.length - 1];
  };
  if (!pairs.every(fits)) return null;
  const offered = (values, value) => (exact ? value : values[nearest(values, value)]);
  return pairs.map(([name, text]) => [name, offered(named.get(name), Number(text))]);
}

function asksForNoDemo() { // of a page of another time, say
  const asked = /^#(demo[^=]*)=/.exec(location.hash)?.[1];
  const demos = [...document.querySelectorAll(".msl-demo-host")].map((_, i) => `demo${i + 1}`);
  return asked !== undefined && !demos.includes(asked);
}

function whenAllIsRead(action) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", action);
  else action();
}

function mount(host) {
  const state = JSON.parse(host.querySelector("script[type='application/json']").textContent);
  state._data = new DataView(Uint8Array.from(atob(state._data), (c) => c.charCodeAt(0)).buffer);
  const key = `demo${[...document.querySelectorAll(".msl-demo-host")].indexOf(host) + 1}`;
  const asked = () => fromAddress(state._spec.sliders, key, state._spec.script);
  const first = asked();
  Object.assign(state, Object.fromEntries(first ?? []));
  const heard = {};
  let later;
  const model = {
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      for (const action of heard[`change:${name}`] ?? []) action();
    },
    save_changes() {
      clearTimeout(later);
      later = setTimeout(() => {
        const pairs = state._spec.sliders.map(({ name }) => `${name}:${state[name]}`);
        history.replaceState(history.state, "", `#${key}=${pairs.join()}`);
      }, 300);
    },
    on: (event, action) => (heard[event] ??= []).push(action),
  };
  host.querySelector(".still").remove();
  host.classList.add("mounted");
  const say = (words) => host.append(node("p", { role: "status" }, words));
  if (!first) say("This address asks for a setting that the demo does not have; here is its first state.");
  if (key === "demo1") whenAllIsRead(() => {
    if (asksForNoDemo()) say("This address asks for a demo that the page does not have; here is the first one in its first state.");
  });
  render({ model, el: host });
  addEventListener("hashchange", () => { // a link in the text was followed
    const chosen = asked() ?? [];
    for (const [name, value] of chosen) model.set(name, value);
    if (chosen.length) host.scrollIntoView({ block: "nearest", behavior: REDUCED.matches ? "auto" : "smooth" });
  });
}

export default { render };
