// The page: its two views, and the one stream of events that both listen to.

import * as api from "./api.js";
import * as draw from "./draw.js";
import * as paint from "./paint.js";

const views = { paint: document.getElementById("paint"), draw: document.getElementById("draw") };
const tabs = document.querySelectorAll("[data-view]");

function show(name) {
  for (const [view, element] of Object.entries(views)) element.hidden = view !== name;
  for (const tab of tabs) {
    if (tab.dataset.view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  if (name === "draw") draw.enter();
}

for (const tab of tabs) tab.addEventListener("click", () => show(tab.dataset.view));

try {
  const offers = await api.offers();
  paint.start(offers);
  draw.start(offers);
  api.listen((work) => { if (!draw.hear(work)) paint.hear(work); }, (error) => paint.say(error.message, true));
} catch (error) {
  paint.say(error.message, true);
}
