"""The style sheet and the script of a report's page; the script filters its cases."""

from schemas.colours import PALETTE

STYLE = (
    PALETTE
    + """
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 84rem; padding: 2rem clamp(.75rem, 3vw, 2.5rem) 4rem;
  background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1, h2, p, dl, dd, figure { margin: 0; }
h1 { overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
.brand, .soft { color: var(--soft); font-size: .85rem; }
.brand { color: var(--accent); font-weight: 600; }
.facts { display: grid; gap: .1rem 1rem; grid-template-columns: max-content 1fr; margin: 1rem 0; }
.facts dt { color: var(--soft); }
.facts dd { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { font-weight: 600; padding: .6rem 0 .3rem; text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .7rem; text-align: right; }
th:first-child, td:first-child, .words { text-align: left; }
.ours td { font-weight: 600; }
.filters { display: flex; flex-wrap: wrap; gap: 1rem; margin-bottom: 1rem; }
main {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr));
}
article {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; min-width: 0;
  padding: 1rem;
}
article[hidden] { display: none; }
article h3 {
  align-items: baseline; display: flex; flex-wrap: wrap; font-size: .95rem; gap: .2rem .8rem;
  margin: 0 0 .6rem;
}
.wrong h3 b { color: var(--bad); }
.right h3 b { color: var(--good); }
article h3 span { color: var(--soft); font-size: .8rem; font-weight: 400; overflow-wrap: anywhere; }
figure { margin: 0 auto .8rem; position: relative; width: fit-content; }
figure img { border-radius: 6px; display: block; height: auto; max-width: 100%; }
figure svg { height: 100%; inset: 0; overflow: visible; position: absolute; width: 100%; }
rect { fill: none; stroke-width: 2px; vector-effect: non-scaling-stroke; }
rect.asked { stroke-width: 4px; }
figure b {
  border-radius: 3px; color: #000; font-size: .7rem; line-height: 1.3; padding: 0 .35em;
  position: absolute;
}
.absent { color: var(--soft); overflow-wrap: anywhere; }
article dl { display: grid; gap: .2rem .8rem; grid-template-columns: max-content 1fr; }
article dt { color: var(--soft); font-size: .85rem; }
article dd { min-width: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
mark { border-radius: 4px; color: #000; padding: 0 .3em; }
ol { margin: 0; padding-left: 1.4rem; white-space: normal; }
ol .truth { font-weight: 600; }
ol .truth::after { content: " \\2713"; }
"""
)

SCRIPT = """
"use strict";
const filters = document.querySelectorAll("select");
const apply = () => {
  for (const article of document.querySelectorAll("article")) {
    article.hidden = [...filters].some((f) => f.value && article.dataset[f.name] !== f.value);
  }
};
filters.forEach((filter) => filter.addEventListener("change", apply));
"""
