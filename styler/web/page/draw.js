// The view that draws: strokes on a pad, and beside it what a translator of lines makes of them.

import * as api from "./api.js";
import { sketch } from "./sketches.js";

const $ = (id) => document.getElementById(id);
const SIDE = 512, SENT = 256;
const STEP = 8;

let strokes = [], undone = [];  // {width, erase, points: [[x, y], ...]}
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

function ink(context) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  for (const stroke of strokes) trace(context, stroke);
  if (current) trace(context, current);
}

function redraw() {
  ink(brush);
  if (pen) {
    brush.strokeStyle = "#1f5673";
    brush.lineWidth = 2;
    brush.beginPath();
    brush.arc(pen.x, pen.y, 9, 0, 2 * Math.PI);
    brush.stroke();
  }
  $("undo").disabled = $("clear").disabled = !strokes.length;
  $("redo").disabled = !undone.length;
}

// Translation

async function translate() {
  redraw();
  const mine = ++latest, name = $("translator").value;
  $("blank").hidden = strokes.length > 0;
  $("translated").hidden = !strokes.length || !url;
  if (!strokes.length || !name) return;
  try {
    const paper = new OffscreenCanvas(SIDE, SIDE), small = new OffscreenCanvas(SENT, SENT);
    ink(paper.getContext("2d"));
    const context = small.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(paper, 0, 0, SENT, SENT);
    const told = await api.upload(await small.convertToBlob({ type: "image/png" }), "drawing.png");
    if (mine !== latest) return;
    const options = { size: String(SENT), from_sketch: true, seed };
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
  image.hidden = !strokes.length;
  if (url) URL.revokeObjectURL(url);
  url = fresh;
  named = work.name;
  $("draw-download").disabled = false;
  image.dataset.latest = latest;
  say(`Translated in ${work.seconds} s`);
}

// Hands

const tool = () => ({ width: 2 * $("thick").value, erase: document.querySelector("[name=tool]:checked").value === "eraser" });

function place(event) {
  const box = $("pad").getBoundingClientRect();
  return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
}

function begin(point) {
  const { width, erase } = tool();
  current = { width: erase ? 3 * width : width, erase, points: [point] };
  undone = [];
  redraw();
}

function end() {
  if (!current) return;
  strokes.push(current);
  current = null;
  translate();
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
  for (const one of event.getCoalescedEvents?.() ?? [event]) current.points.push(place(one));
  redraw();
}

function key(event) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key in arrows) {
    pen ??= { x: SIDE / 2, y: SIDE / 2 };
    const step = event.shiftKey ? 4 * STEP : STEP, [x, y] = arrows[event.key];
    pen = { x: Math.min(SIDE, Math.max(0, pen.x + x * step)), y: Math.min(SIDE, Math.max(0, pen.y + y * step)) };
    if (current) current.points.push([pen.x, pen.y]);
  } else if (event.key === " ") {
    pen ??= { x: SIDE / 2, y: SIDE / 2 };
    if (current) end();
    else begin([pen.x, pen.y]);
    say(current ? "The pen is down" : "The pen is up");
  } else {
    return;
  }
  event.preventDefault();
  redraw();
}

function undo() {
  if (current) current = null;
  else if (strokes.length) undone.push(strokes.pop());
  translate();
}

function redo() {
  if (undone.length) strokes.push(undone.pop());
  translate();
}

function clear() {
  strokes = [];
  undone = [];
  say("");
  translate();
}

function fill() {
  const width = Number($("thick").value) * 2;
  strokes = sketch(sketched++, SIDE).map((points) => ({ width: Math.min(width, 8), erase: false, points }));
  undone = [];
  translate();
}

export function enter() {
  redraw();
}

export function start({ translators }) {
  brush = $("pad").getContext("2d");
  const lines = translators.filter((one) => one.lines);
  const cats = (one) => Number(one.outputs.includes("cat"));
  for (const one of lines.sort((a, b) => cats(b) - cats(a))) $("translator").add(new Option(one.name, one.name));
  if (!lines.length) say("No translator of lines is installed: styler train-translate makes one.", true);
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
  $("translator").addEventListener("change", translate);
  $("variant").addEventListener("click", () => { seed += 1; translate(); });
  $("draw-download").addEventListener("click", () => api.save(url, named));
  redraw();
}
