// What the page was told, and the one way in which elements are made: texts are textContent, never markup.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const LEVELS = DATA.levels;
const SHAPES = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

function make(tag, settings, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(settings || {})) {
    if (name === "click") made.addEventListener("click", value);
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// A text of others: set apart, so that its direction of writing changes nothing around it.
const said = (text) => make("bdi", {}, text);

const many = (number, what) => `${number || "no"} ${what}${number === 1 ? "" : "s"}`;

const button = (text, click) => make("button", { type: "button", click }, said(text));

function compare(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

// A short name for a long key, the same each time the page is opened.
function shortened(text) {
  let number = 0x811c9dc5;
  for (let place = 0; place < text.length; place += 1) {
    number = Math.imul(number ^ text.charCodeAt(place), 0x01000193) >>> 0;
  }
  return number.toString(16).padStart(8, "0");
}

function add(map, key, value) {
  const found = map.get(key);
  if (found) found.add(value);
  else map.set(key, new Set([value]));
}
