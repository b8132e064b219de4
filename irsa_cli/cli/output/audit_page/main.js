// The page at work: controls and address say what is asked for, and everything is shown again when that changes.
"use strict";

let state = stateOf(location.hash);

function change(changes) {
  const filters = ["levels", "namespace", "cluster", "search"];
  if (filters.some((name) => name in changes) && !("focus" in changes)) changes.focus = "";
  state = { ...state, ...changes };
  const fragment = fragmentOf(state);
  // A step back leads to the item before; each letter of a search is no step.
  const step = "focus" in changes && changes.focus ? "pushState" : "replaceState";
  history[step](null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  show();
}

function show() {
  const search = byId("search");
  if (search.value !== state.search) search.value = state.search;
  byId("namespace").value = state.namespace;
  byId("cluster").value = state.cluster;
  for (const box of byId("severity").querySelectorAll("input")) box.checked = state.levels.has(box.value);
  for (const view of VIEWS) {
    const chosen = state.view === view;
    byId(view).hidden = !chosen;
    byId(`tab-${view}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${view}`).setAttribute("tabindex", chosen ? "0" : "-1");
  }
  byId("tab-findings").textContent = `Findings (${foundBy(state).length})`;
  if (state.view === "picture") showPicture(state, change);
  else showFindings(state, change);
}

function fill(select, values, all) {
  const options = values.map((value) => make("option", { value }, value));
  select.replaceChildren(make("option", { value: "" }, all), ...options);
}

function head() {
  byId("summary").textContent = DATA.summary;
  byId("error").hidden = !DATA.error;
  byId("error").textContent = `The audit could not be made: ${DATA.error}`;
  byId("notes").hidden = !DATA.notes.length;
  byId("notes-head").textContent = DATA.unseen
    ? `Not everything was read (${DATA.unseen}): what is named here is not called fine`
    : "Notes";
  byId("notes-list").replaceChildren(...DATA.notes.map((note) => make("li", {}, said(note))));
  byId("footer").textContent = `Made by irsa ${DATA.version}${DATA.read ? `, read ${DATA.read}` : ""}.`;
}

function controls() {
  const named = DATA.risks.flatMap((risk) => risk.namespaces);
  const namespaces = new Set([...named, ...PICTURE.accounts.map(([, namespace]) => namespace)]);
  fill(byId("namespace"), [...namespaces].sort(), "all");
  fill(byId("cluster"), DATA.clusters, "all");
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
  byId("clear").addEventListener("click", () => change({ ...stateOf(""), view: state.view }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const view of VIEWS) byId(`tab-${view}`).addEventListener("click", () => change({ view }));
  byId("tabs").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const view = VIEWS.find((name) => name !== state.view);
    change({ view });
    byId(`tab-${view}`).focus();
  });
}

// On paper everything is open, the list and the picture.
function print() {
  showFindings(state, change, Infinity);
  showPicture(state, change);
  for (const item of document.querySelectorAll("details")) item.open = true;
}

head();
controls();
listen(change);
addEventListener("hashchange", () => { state = stateOf(location.hash); show(); });
addEventListener("popstate", () => { state = stateOf(location.hash); show(); });
addEventListener("beforeprint", print);
addEventListener("afterprint", show);
show();
