// The data of the page, and the only way to create elements: texts are textContent, never markup.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const LEVELS = DATA.levels;
const SHAPES = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

function make(tag, settings, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings || {})) {
    if (name === "click") element.addEventListener("click", value);
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// A foreign text, isolated so that its writing direction changes nothing around it.
const said = (text) => make("bdi", {}, text);

const many = (number, what) => `${number || "no"} ${what}${number === 1 ? "" : "s"}`;

const badge = (level) => make("span", { class: `badge ${level}` }, level);

// A link within the page: the browser's Back returns from it.
const linkTo = (changes, ...children) => make("a", { href: `#${fragmentOf({ ...stateOf(""), ...changes })}` }, ...children);

const ruleLink = (id) => linkTo({ rule: id, view: "rules" }, id);

// The numbers of findings by severity, the highest first: "1 critical, 2 high".
function countsOf(risks) {
  const counts = LEVELS.map((level) => [level, risks.filter((risk) => risk.severity === level).length]);
  return counts.filter(([, count]) => count).map(([level, count]) => `${count} ${level}`).join(", ");
}

const byLevel = (one, other) => LEVELS.indexOf(one.severity) - LEVELS.indexOf(other.severity);

const button = (text, click) => make("button", { type: "button", click }, said(text));

function compare(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

// A short, stable name for a long key.
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
