// The state is the page's address (#severity=high&search=app-17&view=picture), so that links can lead to it.
"use strict";

const VIEWS = ["findings", "picture", "rules"];

function stateOf(fragment) {
  const asked = new URLSearchParams(fragment.replace(/^#/, ""));
  const levels = (asked.get("severity") || "").split(",").filter((level) => LEVELS.includes(level));
  return {
    levels: new Set(levels.length ? levels : LEVELS),
    namespace: asked.get("namespace") || "",
    cluster: asked.get("cluster") || "",
    search: asked.get("search") || "",
    rule: asked.get("rule") || "",
    focus: asked.get("focus") || "",
    view: VIEWS.includes(asked.get("view")) ? asked.get("view") : asked.get("focus") ? "picture" : "findings",
  };
}

function fragmentOf(state) {
  const asked = new URLSearchParams();
  if (state.levels.size < LEVELS.length) {
    asked.set("severity", LEVELS.filter((level) => state.levels.has(level)).join(","));
  }
  for (const name of ["namespace", "cluster", "search", "rule", "focus"]) if (state[name]) asked.set(name, state[name]);
  if (state.view !== "findings") asked.set("view", state.view);
  return asked.toString();
}

const isWhole = (state) => state.levels.size === LEVELS.length;
