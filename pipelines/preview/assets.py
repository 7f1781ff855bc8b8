"""The style sheet and the script of the preview page; the script highlights regions."""

from schemas.colours import PALETTE

STYLE = (
    PALETTE
    + """
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem clamp(.75rem, 3vw, 2.5rem) 4rem; max-width: 90rem;
  background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1, h2, p, dl, dd, figure, ol { margin: 0; padding: 0; }
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; overflow-wrap: anywhere; }
.brand {
  color: var(--accent); font-size: .8rem; font-weight: 600; letter-spacing: .08em;
  text-transform: uppercase;
}
.facts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(13.5rem, 100%), 1fr));
  gap: 1rem; margin: 1.5rem 0;
}
.facts section, article {
  background: var(--card); border: 1px solid var(--line); border-radius: 14px;
}
.facts section { font-size: .92rem; padding: .8rem 1.1rem; }
.facts h2 { color: var(--soft); font-size: .8rem; font-weight: 600; margin-bottom: .4rem; }
.facts dl { max-height: 11rem; overflow: auto; }
.facts dl div { display: flex; gap: 1rem; justify-content: space-between; }
.facts dt { color: var(--soft); overflow-wrap: break-word; }
.facts dd { font-variant-numeric: tabular-nums; text-align: right; }
.bar {
  display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; justify-content: space-between;
  color: var(--soft); margin-bottom: 1rem;
}
.switches { display: flex; gap: 1.1rem; }
.switches input { accent-color: var(--accent); vertical-align: -1px; }

article { margin-bottom: 1.5rem; padding: clamp(.9rem, 2vw, 1.4rem); }
.heading {
  display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center;
  justify-content: space-between; margin-bottom: 1rem;
}
.heading h2 {
  font: 600 .95rem/1.4 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere;
}
.heading .count { color: var(--accent); }
.chip {
  border: 1px solid var(--line); border-radius: 99px; color: var(--soft); display: inline-block;
  font-size: .8rem; margin: 0 .3rem .2rem 0; padding: .05rem .65rem;
}
.columns { display: grid; gap: 1.25rem clamp(1rem, 2.5vw, 2rem); align-items: start; }
@media (min-width: 56rem) {
  .columns { grid-template-columns: minmax(0, 11fr) minmax(0, 10fr); }
  .columns > :only-child { grid-column: 1 / -1; }
  .left { position: sticky; top: 1rem; }
  .chat { max-height: 88vh; overflow: auto; padding: 0 .3rem .3rem; }
}

figure {
  position: relative; margin: 0 auto; aspect-ratio: var(--width) / var(--height);
  width: min(100%, 70vh * var(--width) / var(--height), 3px * var(--width));
}
figure > img, figure > svg { position: absolute; inset: 0; width: 100%; height: 100%; }
figure, figure > img { border-radius: 8px; }
figure > svg { overflow: visible; }
figure:has(.absent) {
  background: repeating-linear-gradient(45deg, #8883 0 12px, #8882 12px 24px);
}
.absent {
  position: absolute; inset: auto .5rem .5rem; z-index: 1; padding: .3rem .7rem;
  background: var(--card); border-radius: 8px; color: var(--soft); font-size: .85rem;
  opacity: .9; overflow-wrap: anywhere; pointer-events: none;
}
rect { fill: none; vector-effect: non-scaling-stroke; }
.edge { stroke: #000; stroke-opacity: .55; stroke-width: 4px; }
.box { stroke: var(--colour); stroke-width: 2px; pointer-events: all; }
g image { pointer-events: none; }
.tag {
  position: absolute; transform: translateY(-100%); max-width: 13em; overflow: hidden;
  background: var(--colour); color: #000; border-radius: 4px 4px 0 0; cursor: default;
  font-size: .75rem; line-height: 1.35; padding: 0 .4em; text-overflow: ellipsis;
  white-space: nowrap;
}
.tag.inside { border-radius: 0 0 4px 4px; transform: none; }
.crowded .tag:not(.active) .name { display: none; }
body:has(#names:not(:checked)) .tag:not(.active) .name { display: none; }
body:has(#masks:not(:checked)) g:not(.active) image { display: none; }
body:has(#boxes:not(:checked)) g:not(.active) rect { stroke: none; }

.legend { list-style: none; margin-top: .9rem; max-height: 24rem; overflow: auto; }
.legend li {
  border-radius: 8px; display: flex; flex-wrap: wrap; gap: 0 .6rem; align-items: baseline;
  padding: .15rem .4rem;
}
.number {
  background: var(--colour); border-radius: 5px; color: #000; font-size: .75rem;
  min-width: 2.2em; padding: 0 .35em; text-align: center;
}
.notes {
  color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; margin-left: auto;
}
.legend .name { overflow-wrap: anywhere; }
.caption { color: var(--soft); flex-basis: 100%; font-size: .9rem; padding-left: 2.2rem; }

@media (max-width: 40rem) {
  .several .tag:not(.active) .name { display: none; }
  .notes { flex-basis: 100%; padding-left: 2.2rem; }
}

.chat { display: flex; flex-direction: column; gap: .55rem; }
.answers { color: var(--soft); margin: .4rem 0 0 1.4rem; overflow-wrap: anywhere; }
.answers .right { color: inherit; font-weight: 600; }
.answers .right::after { content: " \\2713"; }
.turn { align-self: flex-start; max-width: min(88%, 46rem); }
.turn p {
  background: var(--assistant); border-radius: 4px 14px 14px 14px; overflow-wrap: anywhere;
  padding: .5rem .85rem; white-space: pre-wrap;
}
.user { align-self: flex-end; }
.user p { background: var(--user); border-radius: 14px 4px 14px 14px; }
.system { align-self: center; font-style: italic; }
.role { color: var(--soft); display: block; font-size: .72rem; padding: 0 .3rem; }
.user .role { text-align: right; }
mark {
  background: var(--colour); border-radius: 5px; color: #000; cursor: default;
  font: 600 .82em ui-monospace, Menlo, Consolas, monospace; padding: .1em .35em;
}
mark.image { background: none; border: 1px dashed var(--soft); color: var(--soft); }

.focused g:not(.active), .focused .tag:not(.active) { opacity: .1; }
.active .box { stroke-width: 4px; }
.active .edge { stroke-width: 7px; }
.tag.active { max-width: none; z-index: 1; }
li.active { background: var(--assistant); }
mark.active { box-shadow: 0 0 0 2px var(--card), 0 0 0 4px var(--colour); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

details { border-top: 1px solid var(--line); margin-top: 1.1rem; padding-top: .7rem; }
summary { color: var(--soft); cursor: pointer; font-size: .85rem; width: max-content; }
details dl { font-size: .85rem; margin-top: .5rem; }
details dl div { display: grid; gap: 0 1rem; grid-template-columns: minmax(6rem, 12rem) 1fr; }
details dt { color: var(--soft); }
details dd { overflow-wrap: anywhere; }
@media print { .chat, .legend, .facts dl { max-height: none; } article { break-inside: avoid; } }
"""
)

# Pointing at, or focusing, any element of a region highlights all elements of the region.
SCRIPT = """
"use strict";
for (const sample of document.querySelectorAll("article")) {
  const parts = sample.querySelectorAll("[data-region]");
  const light = (at) => {
    const region = at && at.closest("[data-region]")?.dataset.region;
    sample.classList.toggle("focused", Boolean(region));
    parts.forEach((part) => part.classList.toggle("active", part.dataset.region === region));
  };
  const focused = () => sample.querySelector("[data-region]:focus");
  sample.addEventListener("pointerover", ({ target }) => {
    light(target.closest("[data-region]") || focused());
  });
  sample.addEventListener("pointerleave", () => light(focused()));
  sample.addEventListener("focusin", ({ target }) => light(target));
  sample.addEventListener("focusout", () => light(null));
  sample.addEventListener("keydown", ({ key }) => key === "Escape" && focused()?.blur());
}
"""
