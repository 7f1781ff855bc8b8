"use strict";
const FACETS = ["source", "task", "outcome", "category"];
const cards = [...document.querySelectorAll(".card")];
const byId = (id) => document.getElementById(id);
const report = document.body.dataset;
const state = new URLSearchParams(location.hash.slice(1));
let shown = cards;
let current = null;
const judged = [];

// Marks of all pages of this report, by record and region; the page's own where nothing is stored.
const STORE = `regionforge marks ${report.report}`;
const keyOf = (card) => `${card.dataset.id} ${card.dataset.region}`;
let own = {};
function marks() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) || {};
  } catch {
    return own;
  }
}
function mark(card, value) {
  const all = marks();
  const { id, region, clip, outcome } = card.dataset;
  if (value) {
    all[keyOf(card)] = { id, region, mark: value, clip: clip ? Number(clip) : null, outcome };
  } else {
    delete all[keyOf(card)];
  }
  own = all;
  try {
    localStorage.setItem(STORE, JSON.stringify(all));
  } catch {
    // Kept for this page alone, until it is saved.
  }
  card.dataset.mark = value;
  tally();
}
function tally() {
  const values = Object.values(marks());
  const good = values.filter((each) => each.mark === "good").length;
  const here = shown.filter((card) => card.dataset.mark).length;
  byId("tally").textContent =
    `${good} good, ${values.length - good} bad · ${here} of ${shown.length} here`;
}
function save() {
  const content = {
    marks_version: "1",
    output: report.output,
    scorer: report.scorer,
    marks: Object.values(marks()),
  };
  const link = document.createElement("a");
  const text = `${JSON.stringify(content, null, 1)}\n`;
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "marks.json";
  link.click();
}

function go(card) {
  if (!card) return;
  current?.classList.remove("current");
  current = card;
  card.classList.add("current");
  const { top, bottom } = card.getBoundingClientRect();
  const bar = document.querySelector(".bar").getBoundingClientRect().bottom;
  if (top < bar || bottom > innerHeight) {
    scrollTo(0, Math.max(0, scrollY + top - bar - 8));
  }
}
function step(by) {
  go(shown[shown.indexOf(current) + by]);
}
function row(direction) {
  const { left, top } = current.getBoundingClientRect();
  const others = shown.filter((card) => {
    const rect = card.getBoundingClientRect();
    return Math.abs(rect.left - left) < 2 && (rect.top - top) * direction > 2;
  });
  go(direction > 0 ? others[0] : others.at(-1));
}
function judge(value) {
  if (!current) return;
  mark(current, value);
  judged.push(current);
  step(1);
}
function undo() {
  const last = judged.pop();
  if (last) {
    mark(last, "");
    go(last);
  }
}

// The pages to turn to are those that the index listed, with this page's filter and order.
function turn(by) {
  const pages = (state.get("pages") || "").split(",").filter(Boolean);
  const here = location.pathname.split("/").pop();
  const next = pages[pages.findIndex((page) => nameOf(page) === here) + by];
  return pages.length && next ? `${nameOf(next)}#${state}` : "";
}
const nameOf = (page) => `captions-${page.padStart(4, "0")}.html`;
function link(id, by) {
  const { usual } = byId(id).dataset;
  const target = turn(by) || (usual && !state.has("pages") ? `${usual}#${state}` : "");
  if (target) byId(id).href = target;
  else byId(id).removeAttribute("href");
}

function arrange() {
  const wanted = FACETS.map((name) => [name, byId(name).value]);
  const fits = (card) => wanted.every(([name, value]) => !value || card.dataset[name] === value);
  const order = byId("order").value;
  const score = (card) => (card.dataset.clip ? Number(card.dataset.clip) : Infinity);
  const sorted = [...cards];
  if (order === "up") sorted.sort((a, b) => score(a) - score(b));
  if (order === "down") {
    const low = (card) => (card.dataset.clip ? Number(card.dataset.clip) : -Infinity);
    sorted.sort((a, b) => low(b) - low(a));
  }
  sorted.forEach((card) => (card.hidden = !fits(card)));
  document.querySelector("main").append(...sorted);
  shown = sorted.filter((card) => !card.hidden);
  byId("nothing").hidden = shown.length > 0;
  for (const [name, value] of [...wanted, ["order", order]]) {
    if (value) state.set(name, value);
    else state.delete(name);
  }
  link("before", -1);
  link("after", 1);
  tally();
  if (!shown.includes(current)) go(shown.find((card) => !card.dataset.mark) || shown[0]);
  else go(current);
}

const KEYS = {
  g: () => judge("good"),
  b: () => judge("bad"),
  u: undo,
  s: save,
  n: () => byId("after").click(),
  p: () => byId("before").click(),
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  ArrowUp: () => row(-1),
  ArrowDown: () => row(1),
  Enter: () => current?.querySelector("a")?.click(),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("select, button, a")) return;
  const act = KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

const stored = marks();
for (const card of cards) {
  card.dataset.mark = stored[keyOf(card)]?.mark || "";
  card.addEventListener("click", () => go(card));
}
for (const name of FACETS) {
  const values = [...new Set(cards.map((card) => card.dataset[name]))].filter(Boolean).sort();
  byId(name).append(...values.map((value) => new Option(value)));
  const wanted = state.get(name);
  if (wanted && !values.includes(wanted)) byId(name).append(new Option(wanted));
  byId(name).value = wanted || "";
  byId(name).parentElement.hidden = byId(name).options.length < 3 && !wanted;
}
byId("order").value = state.get("order") || "";
for (const name of [...FACETS, "order"]) {
  byId(name).addEventListener("change", (event) => {
    event.target.blur();
    arrange();
  });
}
byId("save").addEventListener("click", (event) => {
  event.target.blur();
  save();
});
arrange();
