"use strict";
const FACETS = ["source", "task", "outcome", "category"];
const byId = (id) => document.getElementById(id);
const { values, pages } = JSON.parse(byId("facets").textContent);
const links = [...document.querySelectorAll("#pages a")];
const names = links.map((link) => link.getAttribute("href"));

for (const [place, name] of FACETS.entries()) {
  const there = new Set(pages.flatMap((rows) => rows.map((row) => values[row[place]])));
  const sorted = [...there].filter(Boolean).sort();
  byId(name).append(...sorted.map((value) => new Option(value)));
}

// Pages with cards that fit the filter are listed, and know each other by their links.
function list() {
  const wanted = FACETS.map((name) => byId(name).value);
  const order = byId("order").value;
  const fits = (row) => wanted.every((value, place) => !value || values[row[place]] === value);
  const counts = pages.map((rows) => rows.filter(fits).reduce((sum, row) => sum + row[4], 0));
  const listed = [...counts.keys()].filter((page) => counts[page]);
  if (order) listed.reverse();
  const state = new URLSearchParams();
  FACETS.forEach((name, place) => wanted[place] && state.set(name, wanted[place]));
  if (order) state.set("order", order);
  state.set("pages", listed.map((page) => page + 1).join(","));
  const all = wanted.every((value) => !value);
  for (const [page, link] of links.entries()) {
    link.hidden = !counts[page];
    link.href = `${names[page]}#${state}`;
    link.title = `${counts[page]} cards`;
    link.dataset.count = all ? "" : counts[page];
  }
  byId("pages").append(...listed.map((page) => links[page]));
  const total = counts.reduce((sum, count) => sum + count, 0);
  byId("count").textContent = `${total.toLocaleString("en")} cards, pages: ${listed.length}`;
}
for (const name of [...FACETS, "order"]) byId(name).addEventListener("change", list);
list();
