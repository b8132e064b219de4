// The connections of ServiceAccounts, roles and policies, and the part that the state selects.
"use strict";

const PICTURE = DATA.picture || { accounts: [], crowds: [], roles: [], policies: [], ways: [], hops: [] };
const ACCOUNT_KEYS = PICTURE.accounts.map(([cluster, namespace, name]) => `sa:${cluster}/${namespace}/${name}`);
const ACCOUNTS = new Map(ACCOUNT_KEYS.map((key, place) => [key, place]));
const ROLES = new Map(PICTURE.roles.map((role, place) => [role.arn, place]));
const WAYS_OF = PICTURE.roles.map(() => []);
for (const way of PICTURE.ways) WAYS_OF[way[0]].push(way);
const HOPS_FROM = PICTURE.roles.map(() => []);
const HOPS_TO = PICTURE.roles.map(() => []);
for (const hop of PICTURE.hops) {
  HOPS_FROM[hop[0]].push(hop[1]);
  HOPS_TO[hop[1]].push(hop[0]);
}

// All places that can be reached from some places, including them.
function closed(starts, next) {
  const found = new Set(starts);
  const todo = [...found];
  while (todo.length) {
    for (const place of next[todo.pop()]) {
      if (!found.has(place)) {
        found.add(place);
        todo.push(place);
      }
    }
  }
  return found;
}

// The places of accounts, roles and policies that match a search or have a finding of a rule; null for all.
function pickedBy(search, rule) {
  const text = search.trim().toLowerCase();
  if (!text && rule) {
    const arns = DATA.risks.filter((risk) => risk.rule === rule).map((risk) => risk.role);
    const roles = arns.filter((arn) => ROLES.has(arn)).map((arn) => ROLES.get(arn));
    return { accounts: new Set(), roles: new Set(roles), policies: new Set() };
  }
  if (!text) return null;
  const those = (items, said) => new Set([...items.keys()].filter((place) => said(items[place]).includes(text)));
  return {
    accounts: those(ACCOUNT_KEYS, (key) => key.slice(3).toLowerCase()),
    roles: those(PICTURE.roles, (role) => role.arn.toLowerCase()),
    policies: those(PICTURE.policies, (policy) => `${policy.name} ${policy.arn}`.toLowerCase()),
  };
}

// The selected part: by role its ways, each with the selected ServiceAccounts, and its policies.
function connected(picked, state) {
  const part = { ways: new Map(), policies: new Map() };
  const inFilter = (place) => {
    const [cluster, namespace] = PICTURE.accounts[place];
    return (!state.cluster || cluster === state.cluster) && (!state.namespace || namespace === state.namespace);
  };
  const whole = picked && closed([...picked.roles, ...rolesWith(picked.policies)], HOPS_TO);
  // One set for each crowd, because many roles share it.
  const crowds = PICTURE.crowds.map((crowd) => new Set(crowd.filter(inFilter)));
  const chosen = picked && crowds.map((crowd) => new Set([...crowd].filter((place) => picked.accounts.has(place))));
  const first = [];
  PICTURE.roles.forEach((role, place) => {
    const whose = !picked || whole.has(place) ? crowds : chosen;
    const ways = WAYS_OF[place].map((way) => [way, whose[way[1]]]).filter(([, accounts]) => accounts.size);
    if (ways.length) part.ways.set(place, ways);
    if (ways.length || (isAlone(place, state) && (!picked || picked.roles.has(place)))) first.push(place);
  });
  const all = closed(first, HOPS_FROM);
  const onlyPolicies = picked && !picked.roles.size && !picked.accounts.size;
  for (const place of all) {
    const policies = PICTURE.roles[place].policies;
    part.policies.set(place, onlyPolicies ? policies.filter((item) => picked.policies.has(item)) : policies);
  }
  return isWhole(state) ? part : ofLevels(part, state);
}

function rolesWith(policies) {
  if (!policies.size) return [];
  return [...PICTURE.roles.keys()].filter((place) => PICTURE.roles[place].policies.some((item) => policies.has(item)));
}

// A role that no pod can assume today is in the picture because of its finding.
function isAlone(place, state) {
  const role = PICTURE.roles[place];
  if (WAYS_OF[place].length || !role.severity || state.namespace) return false;
  return !state.cluster || role.clusters.includes(state.cluster);
}

function ofLevels(part, state) {
  for (const place of [...part.policies.keys()]) {
    if (!state.levels.has(PICTURE.roles[place].severity)) {
      part.policies.delete(place);
      part.ways.delete(place);
    }
  }
  return part;
}
