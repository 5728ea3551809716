// The view that draws: lines or labels on a pad, and beside it what a translator makes of them.

import * as api from "./api.js";
import { corners, offer, painted } from "./labels.js";
import { front, sketch } from "./sketches.js";

const $ = (id) => document.getElementById(id);
const SIDE = 512, SENT = 256;
const STEP = 8;
const WORDS = {
  lines: {
    pad: "Drawing area. Arrow keys move the pen, with Shift farther; Space puts it down and lifts it.",
    help: "Draw with a mouse, a pen or a finger. By keyboard: arrow keys move, Space puts the pen down, Ctrl+Z undoes.",
    blank: "Draw a line, and the picture appears here.",
    fill: "Fill with a sketch",
  },
  labels: {
    pad: "Drawing area. Arrow keys move the pen, with Shift farther; Space sets a corner and the one opposite.",
    help: "Drag from corner to corner with a mouse, a pen or a finger. By keyboard: arrow keys move, Space sets a corner and the one opposite, Escape drops it, Ctrl+Z undoes.",
    blank: "Drag a rectangle, and the picture appears here.",
    fill: "Fill with a house",
  },
};

let known = [];                 // the translators that can be drawn for
let labels = [];                // [name, color] of the chosen one; none if it takes lines
const drawings = new Map();     // a drawing for all translators of lines, and one for each set of labels
// Lines are {width, erase, points: [[x, y], ...]} on the pad, marks of labels what `painted` takes.
let drawing = { strokes: [], undone: [] };
let current = null;             // the stroke in hand
let pen = null;                 // where the keyboard's pen is: {x, y}
let seed = 0, sketched = 0;
let waiting = "", latest = 0;   // the work that is waited for, and the number of the last request
let url = "", named = "drawing.png";
const heard = new Map();
let brush = null;

export function say(text, bad = false) {
  $("draw-status").textContent = text;
  $("draw-status").classList.toggle("bad", bad);
}

// Ink

function trace(context, { width, erase, points }) {
  context.strokeStyle = erase ? "#fff" : "#000";
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...points[0]);
  if (points.length === 1) context.lineTo(points[0][0] + 0.01, points[0][1]);
  // Through the middles of the points, so that a quick hand draws curves.
  for (let n = 1; n < points.length - 1; n += 1) {
    const [x, y] = points[n], [nextX, nextY] = points[n + 1];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  if (points.length > 1) context.lineTo(...points.at(-1));
  context.stroke();
}

const marks = () => (current ? [...drawing.strokes, current] : drawing.strokes);

function ink(context) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  for (const stroke of marks()) trace(context, stroke);
}

// The drawing as it is sent.
function sheet() {
  const small = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
  const context = small.getContext("2d", { willReadFrequently: true });
  if (labels.length) {
    context.putImageData(painted(marks(), labels, SENT), 0, 0);
    return small;
  }
  const paper = new OffscreenCanvas(SIDE, SIDE);
  ink(paper.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(paper, 0, 0, SENT, SENT);
  return small;
}

// Not by toBlob, which waits until the browser is idle: on a busy machine a second or more.
function png(canvas) {
  const bytes = Uint8Array.from(atob(canvas.toDataURL("image/png").split(",")[1]), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

function redraw() {
  brush.imageSmoothingEnabled = false;
  if (labels.length) brush.drawImage(sheet(), 0, 0, SIDE, SIDE);
  else ink(brush);
  // A dark ring on a light one, which is seen on every label.
  for (const [color, width] of pen ? [["#fff", 6], ["#1f5673", 2]] : []) {
    brush.strokeStyle = color;
    brush.lineWidth = width;
    brush.beginPath();
    brush.arc(pen.x, pen.y, 9, 0, 2 * Math.PI);
    brush.stroke();
  }
  $("undo").disabled = $("clear").disabled = !drawing.strokes.length;
  $("redo").disabled = !drawing.undone.length;
}

// Translation

async function translate() {
  redraw();
  const mine = ++latest, name = $("translator").value, empty = !drawing.strokes.length;
  $("blank").hidden = !empty;
  if (empty) {
    waiting = "";
    $("translated").hidden = true;
  }
  if (empty || !name) return;
  try {
    const options = { size: String(SENT), seed, ...(labels.length ? {} : { from_sketch: true }) };
    const told = await api.upload(png(sheet()), "drawing.png");
    if (mine !== latest) return;
    const id = await api.order({ command: "translate", content: told.id, style: name, options, draft: true });
    if (mine !== latest) return void api.stop(id).catch(() => {});
    waiting = id;
    if (heard.has(id)) hang(heard.get(id));
  } catch (error) {
    say(error.message, true);
  }
}

// True for what belongs to this view.
export function hear(work) {
  if (work.command !== "translate" || !work.draft) return false;
  heard.set(work.id, work);
  if (heard.size > 50) heard.delete(heard.keys().next().value);
  if (work.id === waiting) hang(work);
  return true;
}

async function hang(work) {
  if (work.state === "failed") return say(work.message, true);
  if (work.state !== "done") return;
  const fresh = await api.image(`/api/jobs/${work.id}/picture`);
  if (work.id !== waiting) return URL.revokeObjectURL(fresh);
  const image = $("translated");
  image.src = fresh;
  await image.decode().catch(() => {});
  image.alt = `The drawing, translated by ${work.label}`;
  image.hidden = !drawing.strokes.length;
  if (url) URL.revokeObjectURL(url);
  url = fresh;
  named = work.name;
  $("draw-download").disabled = false;
  image.dataset.latest = latest;
  say(`Translated in ${work.seconds} s`);
}

// Hands

const tool = () => document.querySelector("[name=tool]:checked").value;

function place(event) {
  const box = $("pad").getBoundingClientRect();
  return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
}

function begin(point) {
  const erase = tool() === "eraser", width = (erase ? 3 : 1) * $("thick").value;
  if (labels.length) {
    const label = erase ? labels[0][0] : document.querySelector("[name=label]:checked").value;
    current = { shape: tool(), label, width, points: [] };
  } else {
    current = { width: 2 * width, erase, points: [] };
  }
  add(point);
  redraw();
}

function add(point) {
  current.points.push(labels.length ? point.map((length) => (length * SENT) / SIDE) : point);
}

function end() {
  if (!current) return;
  const [left, top, right, bottom] = corners(current.points), click = left === right || top === bottom;
  if (current.shape !== "rectangle" || !click) {
    drawing.strokes.push(current);
    drawing.undone = [];
    current = null;
    return void translate();
  }
  current = null;
  redraw();
}

function down(event) {
  if (event.button > 0 || current) return;
  $("pad").setPointerCapture(event.pointerId);
  pen = null;
  begin(place(event));
  event.preventDefault();
  $("pad").focus({ preventScroll: true });
}

function move(event) {
  if (!current || pen) return;
  for (const one of event.getCoalescedEvents?.() ?? [event]) add(place(one));
  redraw();
}

function key(event) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key in arrows) {
    pen ??= { x: SIDE / 2, y: SIDE / 2 };
    const step = event.shiftKey ? 4 * STEP : STEP, [x, y] = arrows[event.key];
    pen = { x: Math.min(SIDE, Math.max(0, pen.x + x * step)), y: Math.min(SIDE, Math.max(0, pen.y + y * step)) };
    if (current) add([pen.x, pen.y]);
  } else if (event.key === " ") {
    pen ??= { x: SIDE / 2, y: SIDE / 2 };
    if (current) end();
    else begin([pen.x, pen.y]);
    if (tool() === "rectangle") say(current ? "A corner is set" : "The corner opposite is set");
    else say(current ? "The pen is down" : "The pen is up");
  } else if (event.key === "Escape" && current) {
    current = null;
  } else {
    return;
  }
  event.preventDefault();
  redraw();
}

function undo() {
  if (current) current = null;
  else if (drawing.strokes.length) drawing.undone.push(drawing.strokes.pop());
  translate();
}

function redo() {
  if (drawing.undone.length) drawing.strokes.push(drawing.undone.pop());
  translate();
}

function clear() {
  drawing.strokes = [];
  drawing.undone = [];
  say("");
  translate();
}

const house = () => front(sketched, labels.map(([name]) => name), SENT);

function fill() {
  if (labels.length) {
    const ground = [labels[0][0], 0, 0, SENT, SENT];
    const parts = [ground, ...house()].map(([label, left, top, right, bottom]) => ({ shape: "rectangle", label, points: [[left, top], [right, bottom]] }));
    drawing.strokes.push({ parts });
  } else {
    const width = Math.min(8, 2 * $("thick").value);
    drawing.strokes = sketch(sketched, SIDE).map((points) => ({ width, erase: false, points }));
  }
  sketched += 1;
  drawing.undone = [];
  translate();
}

// The chosen translator: the tools that it needs, and the drawing that was made for such.
function choose() {
  const chosen = known.find((one) => one.name === $("translator").value);
  labels = chosen?.labels ?? [];
  const kind = labels.length ? "labels" : "lines", key = JSON.stringify(labels);
  if (!drawings.has(key)) drawings.set(key, { strokes: [], undone: [] });
  if (drawing !== drawings.get(key)) {
    drawing = drawings.get(key);
    current = pen = null;
    waiting = "";
    $("translated").hidden = $("draw-download").disabled = true;
    if (url) URL.revokeObjectURL(url);
    url = "";
    offer($("palette"), labels);
    for (const label of document.querySelectorAll("[data-for]")) label.hidden = label.dataset.for !== kind;
    document.querySelector(`[data-for=${kind}] [name=tool]`).checked = true;
  }
  const words = WORDS[kind];
  $("pad").setAttribute("aria-label", words.pad);
  $("pad-help").textContent = words.help;
  $("blank").textContent = words.blank;
  $("fill").textContent = words.fill;
  $("fill").hidden = labels.length > 0 && new Set(house().map(([name]) => name)).size < 2;
  $("variant").hidden = chosen?.guesses === false;
  thickness();
  translate();
}

function thickness() {
  $("thick-row").hidden = tool() === "rectangle";
}

function list(translators) {
  known = translators.filter((one) => one.lines || one.labels.length);
  const cats = (one) => Number(one.outputs.includes("cat"));
  const groups = { Lines: known.filter((one) => !one.labels.length), Labels: known.filter((one) => one.labels.length) };
  for (const [label, members] of Object.entries(groups)) {
    if (!members.length) continue;
    const group = Object.assign(document.createElement("optgroup"), { label });
    group.append(...members.sort((a, b) => cats(b) - cats(a)).map((one) => new Option(one.name, one.name)));
    $("translator").append(group);
  }
  if (!known.length) say("No translator of lines or labels is installed: styler train-translate makes one.", true);
}

export function enter() {
  redraw();
}

export function start({ translators }) {
  brush = $("pad").getContext("2d");
  list(translators);
  const pad = $("pad");
  pad.addEventListener("pointerdown", down);
  pad.addEventListener("pointermove", move);
  pad.addEventListener("pointerup", end);
  pad.addEventListener("pointercancel", end);
  pad.addEventListener("keydown", key);
  pad.addEventListener("blur", () => { if (pen && current) end(); pen = null; redraw(); });
  addEventListener("keydown", (event) => {
    if ($("draw").hidden || !(event.ctrlKey || event.metaKey) || !["z", "Z", "y"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "z" && !event.shiftKey) undo();
    else redo();
  });
  for (const [id, action] of Object.entries({ undo, redo, clear, fill })) $(id).addEventListener("click", action);
  for (const input of document.querySelectorAll("[name=tool]")) input.addEventListener("change", thickness);
  $("translator").addEventListener("change", choose);
  $("variant").addEventListener("click", () => { seed += 1; translate(); });
  $("draw-download").addEventListener("click", () => api.save(url, named));
  choose();
}
