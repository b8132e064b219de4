// The details of a chosen item: names, ways, conditions, findings, or the members of a group.
"use strict";

const MOST_LINES = 30;
const MOST_MEMBERS = 300;

function showChosen(focused, state, change) {
  const box = byId("chosen");
  box.hidden = !state.focus;
  if (!state.focus) return;
  const all = button("Show all", () => change({ focus: "" }));
  if (!focused) {
    box.replaceChildren(make("p", {}, "The item of this link is not in the picture."), all);
    return;
  }
  const single = focused.places.length === 1;
  const actions = make("div", { class: "actions" }, all);
  const body = single ? [factsOfItem(focused)] : [membersOf(focused, change)];
  if (single && focused.number === 1) {
    const arn = PICTURE.roles[focused.places[0]].arn;
    const found = DATA.risks.filter((risk) => risk.role === arn).length;
    if (found) actions.append(button(`Show ${many(found, "finding")}`, () => change({ ...stateOf(""), search: arn })));
  }
  box.replaceChildren(make("h2", {}, said(titleOf(focused))), ...body, actions);
}

function titleOf(item) {
  const [name, small] = [accountText, roleText, policyText][item.number](item);
  return item.places.length > 1 ? `${name}: ${small}` : name;
}

function membersOf(item, change) {
  const names = item.places.map((place) => {
    if (item.number === 0) return [ACCOUNT_KEYS[place], ACCOUNT_KEYS[place].slice(3)];
    if (item.number === 1) return [`role:${PICTURE.roles[place].arn}`, roleText({ places: [place] })[0]];
    return [policyKey(place), PICTURE.policies[place].name];
  });
  names.sort((one, other) => one[1].localeCompare(other[1], "en", { numeric: true }));
  const first = names.slice(0, MOST_MEMBERS).map(([focus, name]) => button(name, () => change({ focus })));
  const more = names.length - first.length;
  return make("div", { class: "members" }, ...first, more ? `and ${more} more (use the search)` : null);
}

function factsOfItem(item) {
  const place = item.places[0];
  const rows = [rowsOfAccount, rowsOfRole, rowsOfPolicy][item.number](place);
  const list = make("dl", {});
  for (const [name, lines] of rows) {
    const shown = lines.filter(Boolean);
    if (!shown.length) continue;
    list.append(make("dt", {}, name), ...shown.slice(0, MOST_LINES).map((line) => make("dd", {}, said(line))));
    if (shown.length > MOST_LINES) list.append(make("dd", {}, `and ${shown.length - MOST_LINES} more`));
  }
  return list;
}

const onlyIf = (conditions) => (conditions.length ? `, if ${conditions.join("; ")}` : "");

function rowsOfAccount(place) {
  const [cluster] = PICTURE.accounts[place];
  const ways = PICTURE.ways.filter((way) => PICTURE.crowds[way[1]].includes(place));
  return [
    ["Cluster", [cluster]],
    ["Can assume", ways.map(([role, , by, what, ifs]) => `${PICTURE.roles[role].arn} (${by}, ${what})${onlyIf(ifs)}`)],
  ];
}

function rowsOfRole(place) {
  const role = PICTURE.roles[place];
  const ways = WAYS_OF[place].map(([, crowd, by, what, ifs]) => {
    const [first] = PICTURE.crowds[crowd];
    const count = PICTURE.crowds[crowd].length;
    const who = count === 1 ? ACCOUNT_KEYS[first].slice(3) : many(count, "ServiceAccount");
    return `${who} (${by}, ${what})${onlyIf(ifs)}`;
  });
  const hops = PICTURE.hops.filter(([from, to]) => from === place || to === place);
  return [
    ["ARN", [role.arn]],
    ["Highest severity", [role.severity]],
    ["Powerful permissions", [role.power]],
    ["Permissions boundary", [role.boundary]],
    ["Not read", [role.unread]],
    ["Assumed by", ways.length ? ways : ["no ServiceAccount today"]],
    ["Through other roles", hops.map(([from, to, by, ifs]) => `${PICTURE.roles[from].arn} can assume ${PICTURE.roles[to].arn} (${by})${onlyIf(ifs)}`)],
  ];
}

function rowsOfPolicy(place) {
  const policy = PICTURE.policies[place];
  const holders = PICTURE.roles.filter((role) => role.policies.includes(place)).map((role) => role.arn);
  return [
    ["ARN", [policy.arn]],
    ["Kind", [policy.kind]],
    [policy.mark === "administrator" ? "Administrator" : "Privilege escalation", [policy.much]],
    ["Not read", [policy.unread ? "the document is not known" : ""]],
    ["Roles", holders],
  ];
}
