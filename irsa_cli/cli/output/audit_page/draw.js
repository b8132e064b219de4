// The picture: three columns of items, the lines between them, and the details of a chosen item.
"use strict";

const ROW = 46;
const MOST_ROWS = 400;
const EDGES = [[27, 36.5], [63.5, 73]];
// The last columns, and the chosen item of each address: a step back finds the same item again.
let last = [];
const chosenAt = new Map();
const NOBODY = { accounts: new Set(), roles: new Set(), policies: new Set() };

function showPicture(state, change) {
  const had = byId("picture").contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const base = grouped(connected(pickedBy(...(state.focus ? ["", ""] : [state.search, state.rule])), state), NOBODY);
  const address = fragmentOf(state);
  if (state.focus && !chosenAt.has(address)) chosenAt.set(address, focusOf(state.focus, base));
  const focused = state.focus ? chosenAt.get(address) : null;
  const drawn = focused ? grouped(connected(focused.picked, { ...state, levels: new Set(LEVELS) }), focused.picked) : base;
  last = drawn.columns;
  const { rows, height } = placed(drawn.columns, drawn.lines);
  const high = Math.min(height, MOST_ROWS) * ROW;
  drawn.columns.forEach((column, number) => showColumn(column, number, rows[number], high, state, change));
  showLines(drawn, rows, high);
  const counts = drawn.columns.map((column) => column.reduce((sum, item) => sum + item.places.length, 0));
  const [accounts, roles, policies] = counts;
  const what = `${many(accounts, "ServiceAccount")}, ${many(roles, "role")} and ${many(policies, "polic")}`;
  const more = height > MOST_ROWS ? ` The first ${MOST_ROWS} rows are drawn: search, or choose a namespace.` : "";
  byId("drawn").textContent = `${what.replace(/polic$/, "policy").replace(/polics$/, "policies")}.${more}`;
  showChosen(state.focus && !focused ? null : focused, state, change);
  walk(drawn);
  // Keep the keyboard focus on the item, or move it to the chosen one.
  if (had !== null) {
    const nodes = [...byId("board").querySelectorAll(".node")];
    const node = nodes.find((found) => found.dataset.key === (state.focus || had));
    (node || byId("chosen").querySelector("button") || byId("scroll")).focus({ preventScroll: true });
  }
}

// The item of a key: one place, or all places of a group.
function focusOf(key, base) {
  const kinds = ["accounts", "roles", "policies"];
  // Groups depend on the rest of the picture: use the item as it was when it was chosen.
  for (const columns of [last, base.columns]) {
    for (const [number, column] of columns.entries()) {
      const item = column.find((found) => found.key === key);
      if (item) return { ...item, number, picked: { ...NOBODY, [kinds[number]]: new Set(item.places) } };
    }
  }
  const start = key.startsWith("ns:") ? `sa:${key.slice(3)}/` : key.startsWith("cluster:") ? `sa:${key.slice(8)}/` : "";
  const places = start ? [...ACCOUNT_KEYS.keys()].filter((place) => ACCOUNT_KEYS[place].startsWith(start)) : [];
  if (places.length) return { key, number: 0, places, picked: { ...NOBODY, accounts: new Set(places) } };
  const all = [[ACCOUNT_KEYS, (name) => name], [PICTURE.roles, (role) => `role:${role.arn}`], [[...PICTURE.policies.keys()], policyKey]];
  for (const [number, [things, keyOf]] of all.entries()) {
    const place = things.findIndex((thing) => keyOf(thing) === key);
    if (place >= 0) return { key, number, places: [place], picked: { ...NOBODY, [kinds[number]]: new Set([place]) } };
  }
  return null;
}

function showColumn(column, number, rows, high, state, change) {
  const list = byId(`column-${number}`);
  list.style.height = `${high}px`;
  const order = column.map((_, place) => place).sort((one, other) => rows[one] - rows[other]);
  list.replaceChildren(
    ...order.filter((place) => rows[place] < MOST_ROWS).map((place) => {
      const item = column[place];
      const row = make("li", {}, nodeOf(item, number, place, state, change));
      row.style.top = `${rows[place] * ROW}px`;
      return row;
    })
  );
}

function nodeOf(item, number, place, state, change) {
  const [name, small, marked] = [accountText, roleText, policyText][number](item);
  const several = item.places.length > 1 ? " many" : "";
  const settings = {
    type: "button",
    class: `node${marked ? " mark" : ""}${several}`,
    title: `${name}\n${small}`,
    tabindex: "-1",
    "data-place": `${number} ${place}`,
    "data-key": item.key,
    "aria-pressed": String(item.key === state.focus),
    click: () => change({ focus: item.key === state.focus ? "" : item.key }),
  };
  return make("button", settings, make("span", {}, said(name)), make("span", { class: "small" }, said(small)));
}

function accountText(item) {
  const [cluster, namespace, name] = PICTURE.accounts[item.places[0]];
  const where = CLUSTERS.size > 1 ? `cluster ${cluster}` : "";
  if (item.places.length === 1) return [`${namespace}/${name}`, where || "ServiceAccount", false];
  if (item.key.startsWith("cluster:")) return [`cluster ${cluster}`, many(item.places.length, "ServiceAccount"), false];
  return [`${namespace}/*`, [many(item.places.length, "ServiceAccount"), where].filter(Boolean).join(", "), false];
}

function roleText(item) {
  const role = PICTURE.roles[item.places[0]];
  const marks = [role.severity, isMuch(item.places[0]) ? "powerful" : ""];
  const said = marks.filter(Boolean).join(", ");
  if (item.places.length > 1) return [`${item.places.length} roles`, said || "no findings", isMuch(item.places[0])];
  const [, , , , account, ...rest] = role.arn.split(":");
  return [rest.join(":").replace(/^role\//, ""), said || `account ${account}`, isMuch(item.places[0])];
}

function policyText(item) {
  const policy = PICTURE.policies[item.places[0]];
  if (item.places.length > 1) return [`${item.places.length} policies`, policy.mark || "of the same roles", Boolean(policy.mark)];
  const small = [policy.mark, policy.kind, policy.unread ? "not read" : ""].filter(Boolean).join(", ");
  return [policy.name, small, Boolean(policy.mark)];
}

function showLines(drawn, rows, high) {
  const shape = byId("curves");
  shape.setAttribute("viewBox", `0 0 100 ${high}`);
  shape.setAttribute("preserveAspectRatio", "none");
  shape.setAttribute("height", String(high));
  const middle = (column, place) => (rows[column][place] + 0.5) * ROW;
  const inside = ([column, from, to]) => {
    const [one, other] = column === 3 ? [rows[1][from], rows[1][to]] : [rows[column][from], rows[column + 1][to]];
    return one < MOST_ROWS && other < MOST_ROWS;
  };
  shape.replaceChildren(
    ...drawn.lines.filter(inside).map(([column, from, to, marked, unsure]) => {
      const path = document.createElementNS(SHAPES, "path");
      if (column === 3) {
        const [start, end] = [middle(1, from), middle(1, to)];
        path.setAttribute("d", `M63.5 ${start}C68 ${start} 68 ${end} 63.5 ${end}`);
      } else {
        const [[left, right], start, end] = [EDGES[column], middle(column, from), middle(column + 1, to)];
        const half = (left + right) / 2;
        path.setAttribute("d", `M${left} ${start}C${half} ${start} ${half} ${end} ${right} ${end}`);
      }
      path.setAttribute("class", `${marked ? "mark" : ""}${unsure ? " maybe" : ""}`);
      path.setAttribute("data-ends", column === 3 ? `1 ${from},1 ${to}` : `${column} ${from},${column + 1} ${to}`);
      return path;
    })
  );
}
