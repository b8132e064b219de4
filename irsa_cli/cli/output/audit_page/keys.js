// Keys that move in the picture, and highlighting of the item under the pointer or focus.
"use strict";

let board = { columns: [], lines: [] };

// Set the current picture; Tab leads to one item of each column.
function walk(drawn) {
  board = drawn;
  for (const number of [0, 1, 2]) {
    const first = byId(`column-${number}`).querySelector('[aria-pressed="true"], .node');
    if (first) first.setAttribute("tabindex", "0");
  }
}

const nodeAt = (number, place) => document.querySelector(`[data-place="${number} ${place}"]`);
const nodesOf = (number) => [...byId(`column-${number}`).querySelectorAll(".node")];

function neighboursOf(number, place, to) {
  const found = [];
  for (const [column, from, end] of board.lines) {
    if (column === number && to === number + 1 && from === place) found.push(end);
    if (column === to && number === to + 1 && end === place) found.push(from);
  }
  return found.map((item) => nodeAt(to, item)).filter(Boolean);
}

function light(node) {
  for (const lit of byId("board").querySelectorAll(".lit")) lit.classList.remove("lit");
  byId("board").classList.toggle("some", Boolean(node));
  if (!node) return;
  const mine = node.dataset.place;
  for (const path of byId("curves").children) {
    const ends = path.dataset.ends.split(",");
    if (!ends.includes(mine)) continue;
    path.classList.add("lit");
    for (const end of ends) nodeAt(...end.split(" ")).classList.add("lit");
  }
}

function step(node, key) {
  const [number, place] = node.dataset.place.split(" ").map(Number);
  if (key === "ArrowRight") return neighboursOf(number, place, number + 1)[0];
  if (key === "ArrowLeft") return neighboursOf(number, place, number - 1)[0];
  const nodes = nodesOf(number);
  const at = nodes.indexOf(node);
  return { ArrowDown: nodes[at + 1], ArrowUp: nodes[at - 1], Home: nodes[0], End: nodes[nodes.length - 1] }[key];
}

function listen(change) {
  const place = byId("board");
  place.addEventListener("keydown", (event) => {
    const node = event.target.closest(".node");
    const next = node && step(node, event.key);
    if (!next) return;
    event.preventDefault();
    for (const other of nodesOf(Number(next.dataset.place[0]))) other.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
  byId("picture").addEventListener("keydown", (event) => {
    if (event.key === "Escape") change({ focus: "" });
  });
  place.addEventListener("pointerover", (event) => light(event.target.closest(".node")));
  place.addEventListener("pointerleave", () => light(null));
  place.addEventListener("focusin", (event) => light(event.target.closest(".node")));
  place.addEventListener("focusout", () => light(null));
}
