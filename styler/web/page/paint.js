// The view that paints: a photo, the sheet of styles on it, the dial, the picture as it forms, the results.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);
const PREVIEW = "256";
const ENDED = ["done", "stopped", "failed"];

let styles = [], translators = [], scales = [], most = 0;
let photo = null;         // {id, name, url, ratio}
let own = null;           // the painting that was dropped: {id, name, url}
let chosen = null;        // {kind: "trained" | "picture" | "own" | "translator", name}
let shown = null;         // the id of the work on the easel, null for a preview or the photo
const works = new Map();  // what the server tells, by id
const thumbs = new Map(); // finished pictures, by id
const sheet = new Map();  // previews of this photo: id of the work -> {name, settings}
const previews = new Map(); // pictures of them: name of the style -> url
let spoken = 0, sized = false;  // when something was said last; whether a person chose the size

// Words

export function say(text, bad = false) {
  const status = $("status");
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

// Progress is told at most every five seconds, for people who hear the page.
function tell(text) {
  if (Date.now() - spoken < 5000) return;
  spoken = Date.now();
  $("spoken").textContent = text;
}

const title = (name) => name.replaceAll("-", " ").replace(/^.|\b[ivx]+$/g, (part) => part.toUpperCase());
const duration = (seconds) => (seconds < 60 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    say(error.message, true);
    return null;
  }
}

// The dial: from 0.3 to 3, and 1 in the middle; trained styles end at 1

const turned = () => (+$("dial").value < 0 ? 0.3 ** (-$("dial").value / 100) : 3 ** ($("dial").value / 100));
const learns = () => chosen?.kind === "own" && $("way").value === "learn";
const dialled = () => Number(turned().toPrecision(2));

function turn(value) {
  const wanted = Math.min(3, Math.max(0.3, value || 1));
  const place = wanted < 1 ? -100 * Math.log(wanted) / Math.log(0.3) : 100 * Math.log(wanted) / Math.log(3);
  $("dial").value = Math.round(place / 5) * 5;
  showDial();
}

function showDial() {
  $("dial-shown").value = dialled() === 1 ? "1, as trained".slice(0, chosen?.kind === "trained" ? 13 : 1) : String(dialled());
  $("dial").setAttribute("aria-valuetext", `${dialled()} times the style`);
}

// Photos and paintings

export async function take(file) {
  say("Reading the picture …");
  const told = await attempt(() => api.upload(file));
  if (!told) return;
  say(told.notes.join("; "));
  if (told.made && fill(told.made, told.name) && photo) return;
  await setPhoto(told);
}

async function setPhoto(told) {
  const url = await attempt(() => api.image(`/api/pictures/${told.id}`));
  if (!url) return;
  photo = { id: told.id, name: told.name, url, ratio: told.size[0] / told.size[1] };
  shown = null;
  $("drop").hidden = true;
  $("easel").hidden = false;
  $("paint-button").disabled = !chosen;
  buildWall();
  put(null);
  await orderSheet();
}

async function takePainting(file) {
  say("Reading the painting …");
  const told = await attempt(() => api.upload(file));
  if (!told) return;
  const url = await attempt(() => api.image(`/api/pictures/${told.id}`));
  if (!url) return;
  own = { id: told.id, name: told.name, url };
  const card = document.querySelector(".card.own");
  card.querySelector(".art").replaceChildren(picture(url));
  card.querySelector(".name").textContent = told.name;
  card.querySelector("input").checked = true;
  choose("own", "");
  card.scrollIntoView({ block: "nearest" });
  say(photo ? "" : "Now drop a photo to paint.");
}

// A recipe fills in the settings; true if it named a style that is here.
function fill(made, name) {
  const { command, style, options } = made;
  const kind = { optimize: "picture", fast: "trained", translate: "translator" }[command];
  const input = document.querySelector(`.card input[value="${kind}:${CSS.escape(style)}"]`);
  if (style && input) {
    input.checked = true;
    choose(kind, style);
  }
  if (command !== "translate") $("way").value = command === "fast" && !style ? "learn" : "optimize";
  turn(options.strength ?? options.style_weight);
  if (options.color) $("color").value = options.color;
  else $("color").value = "style";
  if ([...$("size").options].some((one) => one.value === options.size && !one.disabled)) {
    $("size").value = options.size;
    sized = true;
  }
  const photoNamed = made.content ? `; it was made of ${made.content}` : "";
  say(`The settings of ${name} are filled in${photoNamed}.${style ? "" : " Its painting is not here: drop that too."}`);
  return Boolean(style && input);
}

// The sheet: every trained style on the photo, small

function draft(name) {
  const options = { size: PREVIEW, strength: Math.min(1, dialled()), color: $("color").value };
  return { command: "fast", content: photo.id, style: name, options, draft: true };
}

async function orderSheet() {
  for (const id of sheet.keys()) if (!ENDED.includes(works.get(id)?.state)) api.stop(id).catch(() => {});
  sheet.clear();
  previews.clear();
  const content = photo.id;
  // Of drafts the newest is painted first, so the last style is asked for first.
  for (const { name } of styles.filter((style) => style.kind === "trained").reverse()) {
    if (photo.id !== content) return;
    await orderDraft(name);
  }
}

async function orderDraft(name) {
  const id = await attempt(() => api.order(draft(name)));
  if (!id) return;
  sheet.set(id, name);
  if (works.get(id)?.state === "done") await hangPreview(works.get(id));
}

async function hangPreview(work) {
  const name = sheet.get(work.id), content = photo?.id;
  const url = await attempt(() => api.image(`/api/jobs/${work.id}/picture`));
  if (!url || content !== photo?.id) return;
  previews.set(name, url);
  const image = picture(url);
  image.className = "fresh";
  document.querySelector(`.card input[value="trained:${name}"]`)?.parentElement.querySelector(".art").replaceChildren(image);
  const cell = document.querySelector(`#wall [data-style="${name}"] .art`);
  cell?.classList.remove("waits");
  cell?.replaceChildren(image.cloneNode());
  if (shown === null && chosen?.kind === "trained" && chosen.name === name) put(null);
}

// The wall: the sheet at full width, as long as no style is chosen
function buildWall() {
  const cells = [null, ...styles.filter((style) => style.kind === "trained")].map((style) => {
    const item = document.createElement("li");
    const cell = document.createElement(style ? "button" : "div");
    const art = Object.assign(document.createElement("span"), { className: style ? "art waits" : "art" });
    art.append(picture(photo.url, style ? "" : "Your photo"));
    cell.append(art, style ? title(style.name) : "Your photo");
    if (style) {
      cell.type = "button";
      cell.dataset.style = style.name;
      cell.addEventListener("click", () => {
        document.querySelector(`.card input[value="trained:${style.name}"]`).checked = true;
        choose("trained", style.name);
        $("slide").focus({ preventScroll: true });
      });
    } else {
      cell.className = "photo";
    }
    item.append(cell);
    return item;
  });
  $("wall").style.setProperty("--ratio", photo.ratio);
  $("wall").replaceChildren(...cells);
}

function showAll() {
  for (const input of document.querySelectorAll(".card input")) input.checked = false;
  chosen = shown = null;
  $("paint-button").disabled = true;
  put(null);
  list();
}

// Cards

function picture(url, alt = "") {
  const image = document.createElement("img");
  image.src = url;
  image.alt = alt;
  return image;
}

function card(kind, name, text, art) {
  const label = document.createElement("label");
  label.className = `card ${kind}`;
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "style", value: `${kind}:${name}` });
  const frame = Object.assign(document.createElement("span"), { className: "art" });
  if (art) frame.append(art);
  const caption = Object.assign(document.createElement("span"), { className: "name", textContent: text });
  label.append(input, frame, ...(kind === "translator" ? [] : [caption]));
  input.setAttribute("aria-label", text);
  input.addEventListener("change", () => {
    if (kind === "own" && !own) $("painting-file").click();
    choose(kind, name);
  });
  return label;
}

async function hangStyles() {
  for (const { name, kind } of styles) {
    const label = card(kind, name, title(name), null);
    $(kind === "trained" ? "trained" : "paintings").append(label);
    api.image(`/api/styles/${kind}/${name}`).then((url) => {
      const frame = label.querySelector(".art");
      if (!frame.childElementCount) frame.append(picture(url));
    }, () => {});
  }
  const plus = Object.assign(document.createElement("span"), { className: "plus", textContent: "+" });
  const label = card("own", "", "Your own", plus);
  label.addEventListener("click", (event) => {
    if (chosen?.kind === "own" && own && event.target.tagName === "INPUT") $("painting-file").click();
  });
  receive(label, takePainting);
  $("paintings").append(label);
  for (const one of translators) {
    const words = one.inputs && one.outputs ? `${one.inputs} → ${one.outputs}` : one.name;
    $("translators").append(card("translator", one.name, words, document.createTextNode(words)));
  }
  $("translating").hidden = !translators.length;
}

function choose(kind, name) {
  const before = chosen;
  chosen = kind === "own" && !own ? null : { kind, name };
  const pass = kind === "trained" || kind === "translator" || learns();
  $("dial").max = kind === "trained" || learns() ? 0 : 100;
  $("way-row").hidden = kind !== "own";
  $("dial-row").hidden = $("color-row").hidden = kind === "translator";
  $("reading-row").hidden = !translators.some((one) => kind === "translator" && one.name === name && one.from_photo);
  for (const option of $("size").options) if ("pass" in option.dataset) option.disabled = option.hidden = !pass;
  if ($("size").selectedOptions[0].disabled || !sized) $("size").value = kind === "trained" ? "1024" : "512";
  showDial();
  $("paint-button").disabled = !(photo && chosen);
  if (before?.kind !== kind || before?.name !== name) {
    shown = null;
    if (photo) put(null);
  }
}

// The easel

let afterUrl = "", turnOf = 0;

// Show a work, or with null the preview of the chosen style, or the photo alone.
async function put(work) {
  const mine = ++turnOf;
  let url = "", caption = "";
  if (work) {
    if (ENDED.includes(work.state) ? work.state !== "failed" && thumbs.get(work.id) : work.views) {
      url = thumbs.get(work.id) || (await attempt(() => api.image(`/api/jobs/${work.id}/picture`))) || "";
    }
  } else if (chosen?.kind === "trained" && previews.has(chosen.name)) {
    url = previews.get(chosen.name);
    caption = `${title(chosen.name)}, a small preview. Paint makes it in full.`;
  } else if (photo && !chosen) {
    caption = "Choose one of these, or a painting.";
  } else if (photo && chosen.kind !== "trained") {
    caption = "Paint begins, and the picture appears here.";
  }
  if (mine !== turnOf) return;
  const before = work ? await beforeOf(work) : photo;
  if (mine !== turnOf) return;
  $("compare").style.setProperty("--ratio", before?.ratio || 1.5);
  if (before && $("before").src !== before.url) $("before").src = before.url;
  $("before").alt = before ? `The photo ${before.name || ""}` : "";
  $("after").src = url || before?.url || "";
  $("after").alt = !url ? "" : work ? `${photo?.name || "The photo"} in the style of ${work.label}` : caption;
  $("compare").classList.toggle("plain", !url);
  if (afterUrl && afterUrl !== url && ![...thumbs.values(), ...previews.values()].includes(afterUrl)) URL.revokeObjectURL(afterUrl);
  afterUrl = url;
  $("wall").hidden = Boolean(work || chosen);
  $("compare").hidden = !$("wall").hidden;
  controls(work, caption);
}

const befores = new Map();

async function ratioOf(url) {
  const image = picture(url);
  await image.decode().catch(() => {});
  return image.naturalWidth / image.naturalHeight || 1.5;
}

async function beforeOf(work) {
  if (photo?.id === work.content) return photo;
  if (!befores.has(work.content)) {
    const url = await api.image(`/api/pictures/${work.content}`).catch(() => "");
    befores.set(work.content, { id: work.content, name: "", url, ratio: await ratioOf(url) });
  }
  return befores.get(work.content);
}

function controls(work, caption) {
  const ended = work && ENDED.includes(work.state), kept = ended && work.state !== "failed" && thumbs.has(work.id);
  $("progress").hidden = !work || ended;
  $("stop").hidden = !work || ended;
  $("download").hidden = $("again").hidden = $("made").hidden = !kept;
  if (work?.command === "enlarge") $("again").hidden = true;
  for (const button of enlargers()) {
    const scale = +button.dataset.scale;
    button.hidden = !kept || !scales.includes(scale) || work.size[0] * work.size[1] * scale ** 2 > most;
  }
  if (work && !ended) $("progress").value = work.share;
  $("all").hidden = !$("wall").hidden;
  $("stop").textContent = work?.state === "queued" ? "Do not paint it" : "Stop and keep it";
  $("caption").textContent = work ? sentence(work) : caption;
  if (kept && $("made").dataset.id !== work.id) showRecipe(work);
}

function sentence(work) {
  const size = work.size.length ? `${work.size[0]} × ${work.size[1]} pixels` : "";
  const name = title(work.label);
  switch (work.state) {
    case "queued": return work.ahead ? `${name}: waiting, ${work.ahead} before it` : `${name}: about to begin`;
    case "running": {
      const left = work.left ? `, about ${duration(work.left)} left` : "";
      return `${name}: ${work.stage || "at work"}, ${Math.round(100 * work.share)} %${left}`;
    }
    case "done": return `${name}, ${size}, in ${duration(work.seconds)}`;
    case "stopped": return thumbs.has(work.id) ? `${name}, stopped on the way and kept, ${size}` : `${name}: not painted`;
    default: return `${name}: ${work.message}`;
  }
}

async function showRecipe(work) {
  $("made").dataset.id = work.id;
  const told = await attempt(() => api.recipe(work.id));
  if (!told || $("made").dataset.id !== work.id) return;
  const { command, options, content, size, versions } = told.recipe;
  const rows = { command: `styler ${command}`, photo: content?.name, size: size?.join(" × "), ...options, styler: versions?.styler };
  const parts = Object.entries(rows).filter(([, value]) => value !== undefined && value !== null);
  $("recipe").replaceChildren(...parts.flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: name.replaceAll("_", " ") }),
    Object.assign(document.createElement("dd"), { textContent: String(value) }),
  ]));
}

// What the server tells

export async function hear(work) {
  const before = works.get(work.id);
  works.set(work.id, work);
  if (work.draft) {
    if (sheet.has(work.id) && work.state === "done" && before?.state !== "done") await hangPreview(work);
    return;
  }
  if (work.state !== "failed" && ENDED.includes(work.state) && work.state !== before?.state) {
    const url = await api.image(`/api/jobs/${work.id}/picture`).catch(() => "");
    if (url) thumbs.set(work.id, url);
  }
  if (!before && shown === null && !photo) await adopt(work);
  if (shown === work.id) {
    if (work.state !== before?.state || work.views !== before?.views) await put(work);
    else controls(work, "");
    if (work.state === "failed") say(sentence(work), true);
    else if (ENDED.includes(work.state) && work.state !== before?.state) told(work);
    else if (work.state === "running") tell(sentence(work));
  }
  list();
}

function told(work) {
  spoken = 0;
  tell(sentence(work));
  say(work.notes.join(". "));
}

// After a reload the server knows more than the page.
async function adopt(work) {
  const url = await api.image(`/api/pictures/${work.content}`).catch(() => "");
  const ratio = await ratioOf(url);
  if (!url || photo) return;
  photo = { id: work.content, name: "", url, ratio };
  shown = work.id;
  $("drop").hidden = true;
  $("easel").hidden = false;
  buildWall();
  orderSheet();
}

function list() {
  const kept = [...works.values()].filter((work) => !work.draft && !(work.state === "stopped" && !thumbs.has(work.id)));
  $("results").hidden = !kept.length;
  $("strip").replaceChildren(...kept.sort((a, b) => b.number - a.number).map(entry));
}

function entry(work) {
  const item = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "show" });
  if (work.id === shown) button.setAttribute("aria-current", "true");
  const url = thumbs.get(work.id);
  button.append(url ? picture(url) : Object.assign(document.createElement("span"), { className: "none" }));
  const state = { queued: "waiting", running: `${Math.round(100 * work.share)} %`, failed: "failed", stopped: "stopped" }[work.state];
  button.append(title(work.label), Object.assign(document.createElement("small"), { textContent: state || `${work.size.join(" × ")}` }));
  button.addEventListener("click", () => { shown = work.id; put(works.get(work.id)); list(); });
  item.append(button);
  if (work.state === "queued") {
    const away = Object.assign(document.createElement("button"), { type: "button", className: "drop-it", textContent: "×" });
    away.setAttribute("aria-label", `Do not paint ${title(work.label)}`);
    away.addEventListener("click", () => attempt(() => api.stop(work.id)));
    item.append(away);
  }
  return item;
}

// What a person does

const enlargers = () => document.querySelectorAll("[data-scale]");

function wish() {
  const size = $("size").value, color = $("color").value, content = photo.id;
  const { kind, name } = chosen;
  if (kind === "trained") return { command: "fast", content, style: name, options: { size, color, strength: Math.min(1, dialled()) } };
  if (kind === "translator") {
    const reading = $("reading-row").hidden ? "" : $("reading").value;
    return { command: "translate", content, style: name, options: { size, ...(reading ? { [reading]: true } : {}) } };
  }
  if (learns()) return { command: "fast", content, painting: own.id, options: { size, color, strength: Math.min(1, dialled()) } };
  const options = { size, color, style_weight: dialled() };
  return { command: "optimize", content, options, ...(kind === "own" ? { painting: own.id } : { style: name }) };
}

async function paintIt(event) {
  event.preventDefault();
  if (!photo || !chosen) return;
  await order(wish());
}

async function order(wanted) {
  const id = await attempt(() => api.order(wanted));
  if (!id) return;
  shown = id;
  $("slide").value = 0;
  slide();
  if (works.has(id)) await put(works.get(id));
  list();
  if (innerWidth < 900) $("easel").scrollIntoView({ block: "start" });
}

async function useAgain() {
  const work = works.get(shown), told = work && (await attempt(() => api.recipe(work.id)));
  if (told?.settings) fill(told.settings, work.name);
  shown = work.id;
  put(work);
}

function slide() {
  $("compare").style.setProperty("--at", `${$("slide").value}%`);
  $("compare").classList.toggle("edge", ["0", "100"].includes($("slide").value));
  $("slide").setAttribute("aria-valuetext", `${$("slide").value} % photo`);
}

function receive(element, taken) {
  for (const name of ["dragenter", "dragover"]) {
    element.addEventListener(name, (event) => { event.preventDefault(); event.stopPropagation(); element.classList.add("over"); });
  }
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    element.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) taken(file);
  });
}

export function start(told) {
  ({ styles, translators, scales, most } = told);
  hangStyles();
  receive($("paint"), take);
  $("photo-file").addEventListener("change", ({ target }) => { if (target.files[0]) take(target.files[0]); target.value = ""; });
  $("painting-file").addEventListener("change", ({ target }) => { if (target.files[0]) takePainting(target.files[0]); target.value = ""; });
  addEventListener("paste", ({ clipboardData }) => { if (clipboardData?.files[0]) take(clipboardData.files[0]); });
  $("panel").addEventListener("submit", paintIt);
  $("stop").addEventListener("click", () => attempt(() => api.stop(shown)));
  $("download").addEventListener("click", () => api.save(thumbs.get(shown), works.get(shown).name));
  $("all").addEventListener("click", showAll);
  for (const button of enlargers()) {
    button.addEventListener("click", () => order({ command: "enlarge", result: shown, options: { scale: +button.dataset.scale } }));
  }
  $("way").addEventListener("change", () => choose(chosen.kind, chosen.name));
  $("size").addEventListener("change", () => { sized = true; });
  $("again").addEventListener("click", useAgain);
  $("slide").addEventListener("input", slide);
  $("dial").addEventListener("input", showDial);
  for (const id of ["dial", "color"]) {
    $(id).addEventListener("change", () => {
      if (photo && chosen?.kind === "trained") { shown = null; orderDraft(chosen.name); }
    });
  }
  slide();
  turn(1);
}
