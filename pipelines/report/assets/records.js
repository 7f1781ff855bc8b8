"use strict";
const samples = [...document.querySelectorAll(".sample")];
const { before, after } = document.body.dataset;
let index = 0;

function show(wanted) {
  if (wanted < 0) {
    if (before) location.href = `${before}#last`;
    return;
  }
  if (wanted >= samples.length) {
    if (after) location.href = `${after}#1`;
    return;
  }
  samples[index].hidden = true;
  index = wanted;
  samples[index].hidden = false;
  document.getElementById("place").textContent = samples[index].dataset.place;
  history.replaceState(null, "", `#${index + 1}`);
  scrollTo(0, 0);
}
function showNamed() {
  const name = location.hash.slice(1);
  const number = name === "last" ? samples.length : Number(name) || 1;
  show(Math.min(Math.max(number, 1), samples.length) - 1);
}

const KEYS = {
  ArrowLeft: () => show(index - 1),
  ArrowRight: () => show(index + 1),
  m: () => document.body.classList.toggle("no-outlines"),
  t: () => document.body.classList.toggle("no-names"),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
addEventListener("hashchange", showNamed);

// Pointing at any element of a region highlights all elements of the region.
for (const sample of samples) {
  const parts = sample.querySelectorAll("[data-region]");
  const light = (region) => {
    sample.classList.toggle("focused", Boolean(region));
    parts.forEach((part) => part.classList.toggle("active", part.dataset.region === region));
  };
  sample.addEventListener("pointerover", ({ target }) => {
    light(target.closest("[data-region]")?.dataset.region);
  });
  sample.addEventListener("pointerleave", () => light(undefined));
}
showNamed();
