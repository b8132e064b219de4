// The items of the picture. Many ServiceAccounts are grouped by namespace (or cluster), many roles and policies by
// common neighbours and severity.
"use strict";

const MANY = 40;
const MANY_NAMESPACES = 120;
const MOST_OPENED = 200;
const CLUSTERS = new Set(PICTURE.accounts.map(([cluster]) => cluster));

const isMuch = (place) => PICTURE.roles[place].severity === "critical" || Boolean(PICTURE.roles[place].power);

// Three lists of items and the lines between them; places in `opened` are never grouped.
function grouped(part, opened) {
  const accounts = accountsOf(part);
  const roles = [...part.policies.keys()];
  const left = accountItems([...accounts], opened);
  const near = neighbours(roles, (place) => (part.ways.get(place) || []).map(([, found]) => found), left);
  const middle = items(roles, {
    key: (place) => `role:${PICTURE.roles[place].arn}`,
    alike: (place) =>
      roles.length <= MANY || opened.roles.has(place)
        ? null
        : [near.get(place), PICTURE.roles[place].severity, isMuch(place), hopsOf(place)].join("|"),
    kind: "roles",
  });
  const holders = new Map();
  for (const [place, policies] of part.policies) for (const item of policies) add(holders, item, place);
  const policies = [...holders.keys()];
  const beside = neighbours(policies, (item) => [holders.get(item)], middle);
  const right = items(policies, {
    key: policyKey,
    alike: (place) =>
      policies.length <= MANY || opened.policies.has(place)
        ? null
        : `${beside.get(place)}|${PICTURE.policies[place].mark}`,
    kind: "policies",
  });
  return { columns: [left.list, middle.list, right.list], lines: linesOf(part, left, middle, right) };
}

function accountsOf(part) {
  const sets = new Set([...part.ways.values()].flatMap((ways) => ways.map(([, found]) => found)));
  return new Set([...sets].flatMap((found) => [...found]));
}

function policyKey(place) {
  const policy = PICTURE.policies[place];
  if (policy.arn) return `policy:${policy.arn}`;
  const holder = PICTURE.roles.find((role) => role.policies.includes(place));
  return `policy:${holder.arn} ${policy.name}`;
}

// Roles that assume others, or that others assume, are separate groups.
const hopsOf = (place) => `${HOPS_FROM[place].length > 0}${HOPS_TO[place].length > 0}`;

function accountItems(places, opened) {
  const spaces = new Set(places.map((place) => PICTURE.accounts[place].slice(0, 2).join("/")));
  return items(places, {
    key: (place) => ACCOUNT_KEYS[place],
    alike: (place) => {
      const [cluster, namespace] = PICTURE.accounts[place];
      const isOpened = opened.accounts.has(place);
      if (places.length <= MANY || (isOpened && opened.accounts.size <= MOST_OPENED)) return null;
      return spaces.size <= MANY_NAMESPACES || isOpened ? `ns:${cluster}/${namespace}` : `cluster:${cluster}`;
    },
    kind: "accounts",
  });
}

// The place of a role's severity among all, the highest first.
function levelOf(place) {
  const level = LEVELS.indexOf(PICTURE.roles[place].severity);
  return level < 0 ? LEVELS.length : level;
}

// Places as items, alike ones grouped; `of` has the number of each place's item.
function items(places, { key, alike, kind }) {
  const found = new Map();
  for (const place of places) {
    const common = alike(place);
    const name = common === null ? key(place) : kind === "accounts" ? common : `${kind}:${shortened(common)}`;
    const there = found.get(name);
    if (there) there.places.push(place);
    else found.set(name, { key: name, kind, level: kind === "roles" ? levelOf(place) : 0, places: [place] });
  }
  const list = [...found.values()].map((item) =>
    item.places.length === 1 ? { ...item, key: key(item.places[0]) } : item
  );
  const of = new Map();
  list.forEach((item, number) => item.places.forEach((place) => of.set(place, number)));
  return { list, of, known: new Map() };
}

// The items of a column with the places of a set, cached by set.
function numbersOf(column, places) {
  if (!column.known.has(places)) column.known.set(places, new Set([...places].map((place) => column.of.get(place))));
  return column.known.get(places);
}

function neighbours(places, setsOf, column) {
  const names = new Map();
  for (const place of places) {
    const numbers = new Set(setsOf(place).flatMap((found) => [...numbersOf(column, found)]));
    names.set(place, [...numbers].map((number) => column.list[number].key).sort().join(","));
  }
  return names;
}

// Lines as [column, from, to, is marked, has an "if"]; column 3 are hops from role to role.
function linesOf(part, left, middle, right) {
  const found = new Map();
  const line = (column, from, to, marked, unsure) => {
    const name = `${column} ${from} ${to}`;
    const there = found.get(name);
    if (!there) found.set(name, [column, from, to, marked, unsure]);
    else {
      there[3] = there[3] || marked;
      there[4] = there[4] && unsure;
    }
  };
  for (const [place, ways] of part.ways) {
    for (const [way, accounts] of ways) {
      for (const number of numbersOf(left, accounts)) {
        line(0, number, middle.of.get(place), isMuch(place), way[4].length > 0);
      }
    }
  }
  for (const [place, policies] of part.policies) {
    for (const item of policies) {
      line(1, middle.of.get(place), right.of.get(item), Boolean(PICTURE.policies[item].mark), false);
    }
  }
  for (const [from, to, , conditions] of PICTURE.hops) {
    const same = middle.of.get(from) === middle.of.get(to);
    if (part.policies.has(from) && part.policies.has(to) && !same) {
      line(3, middle.of.get(from), middle.of.get(to), isMuch(to), conditions.length > 0);
    }
  }
  return [...found.values()];
}
