// The items that are drawn: what is many is drawn as one, ServiceAccounts by namespace, roles and policies where they
// have the same neighbours and nothing that has to be seen alone.
"use strict";

const MANY = 40;
const CLUSTERS = new Set(PICTURE.accounts.map(([cluster]) => cluster));

const isMuch = (place) => PICTURE.roles[place].severity === "critical" || Boolean(PICTURE.roles[place].power);

// Three lists of items and the lines between them; `opened` are places that are never drawn as one.
function grouped(part, opened) {
  const accounts = accountsOf(part);
  const roles = [...part.policies.keys()];
  const left = accountItems([...accounts], opened);
  const near = neighbours(roles, (place) => (part.ways.get(place) || []).map(([, found]) => found), left);
  const hopping = new Set(PICTURE.hops.flatMap(([from, to]) => [from, to]));
  const middle = items(roles, {
    key: (place) => `role:${PICTURE.roles[place].arn}`,
    alike: (place) =>
      (roles.length <= MANY || hopping.has(place) || opened.roles.has(place))
        ? null
        : `${near.get(place)}|${PICTURE.roles[place].severity}|${isMuch(place)}`,
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

function accountItems(places, opened) {
  return items(places, {
    key: (place) => ACCOUNT_KEYS[place],
    alike: (place) => {
      const [cluster, namespace] = PICTURE.accounts[place];
      return places.length <= MANY || opened.accounts.has(place) ? null : `${cluster}/${namespace}`;
    },
    kind: "ns",
  });
}

// Places as items: those that are alike are one. `of` is the number of each place's item.
function items(places, { key, alike, kind }) {
  const found = new Map();
  for (const place of places) {
    const common = alike(place);
    const name = common === null ? key(place) : `${kind}:${kind === "ns" ? common : shortened(common)}`;
    const there = found.get(name);
    if (there) there.places.push(place);
    else found.set(name, { key: name, kind, places: [place] });
  }
  const list = [...found.values()].map((item) =>
    item.places.length === 1 ? { ...item, key: key(item.places[0]) } : item
  );
  const of = new Map();
  list.forEach((item, number) => item.places.forEach((place) => of.set(place, number)));
  return { list, of, known: new Map() };
}

// The items of a column in which the places of a set are: found out once for each set.
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
    if (part.policies.has(from) && part.policies.has(to)) {
      line(3, middle.of.get(from), middle.of.get(to), isMuch(to), conditions.length > 0);
    }
  }
  return [...found.values()];
}
