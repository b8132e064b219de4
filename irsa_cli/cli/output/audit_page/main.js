// The controls and the address set the state, and every change shows the page again.
"use strict";

let state = stateOf(location.hash);

function change(changes) {
  const filters = ["levels", "namespace", "cluster", "search", "rule"];
  if (filters.some((name) => name in changes) && !("focus" in changes)) changes.focus = "";
  const typing = "search" in changes && Boolean(state.search);
  const before = fragmentOf(state);
  state = { ...state, ...changes };
  const fragment = fragmentOf(state);
  // Back undoes each change; further letters of a search are not steps of their own.
  const step = fragment === before || typing ? "replaceState" : "pushState";
  history[step](null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  show();
}

function show() {
  const search = byId("search");
  if (search.value !== state.search) search.value = state.search;
  byId("namespace").value = state.namespace;
  byId("cluster").value = state.cluster;
  byId("rule").value = state.rule;
  for (const box of byId("severity").querySelectorAll("input")) box.checked = state.levels.has(box.value);
  for (const view of VIEWS) {
    const chosen = state.view === view;
    byId(view).hidden = !chosen;
    byId(`tab-${view}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${view}`).setAttribute("tabindex", chosen ? "0" : "-1");
  }
  byId("tab-findings").textContent = `Findings (${foundBy(state).length})`;
  if (state.view === "picture") showPicture(state, change);
  else if (state.view === "rules") showRules(state);
  else showFindings(state, change);
}

// Scroll to what a link within the page shows.
function lead() {
  const chosen = state.view === "rules" && byId("rule-list").querySelector(".lit");
  (chosen || byId("filters")).scrollIntoView();
}

// A link changes the address, and so the state; Back must keep its own scroll position.
function follow() {
  let clicked = false;
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) lead();
    else clicked = Boolean(link);
  });
  addEventListener("popstate", () => { state = stateOf(location.hash); show(); });
  addEventListener("hashchange", () => {
    if (clicked) lead();
    clicked = false;
  });
  if (location.hash) lead();
}

function fill(select, values, all) {
  const options = values.map((value) => make("option", { value }, value));
  select.replaceChildren(make("option", { value: "" }, all), ...options);
}

function head() {
  byId("summary").textContent = DATA.summary;
  byId("error").hidden = !DATA.error;
  byId("error").textContent = `The audit failed: ${DATA.error}`;
  byId("notes").hidden = !DATA.notes.length;
  byId("notes-head").textContent = DATA.unseen
    ? `Not everything was read (${DATA.unseen}), so findings can be missing`
    : "Notes";
  byId("notes-list").replaceChildren(...DATA.notes.map((note) => make("li", {}, said(note))));
  byId("footer").textContent = `Created by irsa ${DATA.version}.`;
  byId("tab-rules").textContent = `Rules (${Object.keys(DATA.rules).length})`;
  if (DATA.facts.length) document.title = `irsa audit: ${DATA.facts[0].join(" ")}`;
}

function controls() {
  const named = DATA.risks.flatMap((risk) => risk.namespaces);
  const namespaces = new Set([...named, ...PICTURE.accounts.map(([, namespace]) => namespace)]);
  fill(byId("namespace"), [...namespaces].sort(), "all");
  fill(byId("cluster"), DATA.clusters, "all");
  fill(byId("rule"), Object.keys(DATA.rules).sort(), "all");
  byId("severity").replaceChildren(
    ...LEVELS.map((level) => {
      const count = DATA.risks.filter((risk) => risk.severity === level).length;
      return make("label", {}, make("input", { type: "checkbox", value: level }), `${level} (${count})`);
    })
  );
  byId("severity").addEventListener("change", () => {
    const boxes = [...byId("severity").querySelectorAll("input:checked")];
    change({ levels: new Set(boxes.map((box) => box.value)) });
  });
  byId("search").addEventListener("input", (event) => change({ search: event.target.value }));
  byId("namespace").addEventListener("change", (event) => change({ namespace: event.target.value }));
  byId("cluster").addEventListener("change", (event) => change({ cluster: event.target.value }));
  byId("rule").addEventListener("change", (event) => change({ rule: event.target.value }));
  byId("clear").addEventListener("click", () => change({ ...stateOf(""), view: state.view }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const view of VIEWS) byId(`tab-${view}`).addEventListener("click", () => change({ view }));
  byId("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const view = VIEWS[(VIEWS.indexOf(state.view) + step + VIEWS.length) % VIEWS.length];
    change({ view });
    byId(`tab-${view}`).focus();
  });
}

// Print everything: all findings with details, the picture, and the rules.
function print() {
  showFindings(state, change, Infinity);
  showPicture(state, change);
  showRules(state);
  for (const item of document.querySelectorAll("details")) item.open = true;
}

head();
showOverview();
controls();
listen(change);
addEventListener("beforeprint", print);
addEventListener("afterprint", show);
show();
follow();
