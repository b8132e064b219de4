// The overview for a presentation: account and date, findings by severity and rule, the worst roles; and the rules.
"use strict";

const WORST = 10;
const OPEN = DATA.risks.filter((risk) => !risk.accepted);

function grouping(risks, keyOf) {
  const groups = new Map();
  for (const risk of risks) {
    const key = keyOf(risk);
    if (key) groups.set(key, [...(groups.get(key) || []), risk]);
  }
  for (const found of groups.values()) found.sort(byLevel);
  return [...groups];
}

// The highest severity first; of equal ones the group with more findings of it, then with more of the next.
function worse([, one], [, other]) {
  for (const level of LEVELS) {
    const [mine, its] = [one, other].map((risks) => risks.filter((risk) => risk.severity === level).length);
    if (mine !== its) return its - mine;
  }
  return 0;
}

function showOverview() {
  byId("facts").replaceChildren(
    ...DATA.facts.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, said(text))))
  );
  byId("overview").hidden = !OPEN.length;
  byId("totals").replaceChildren(
    ...LEVELS.map((level) => {
      const count = OPEN.filter((risk) => risk.severity === level).length;
      return make("li", {}, linkTo({ levels: new Set([level]) }, make("strong", {}, String(count)), badge(level)));
    })
  );
  const roles = grouping(OPEN, (risk) => risk.role).sort(worse);
  const first = roles.slice(0, WORST);
  byId("worst-head").textContent = roles.length > WORST ? `The ${WORST} worst of ${roles.length} roles` : "Roles with findings";
  byId("worst").replaceChildren(...first.map(([arn, risks]) => roleRow(arn, risks)));
  const rules = grouping(OPEN, (risk) => risk.rule).sort(worse);
  const rest = rules.length - WORST;
  byId("by-rule").replaceChildren(...rules.slice(0, WORST).map(([id, risks]) => ruleRow(id, risks)));
  if (rest > 0) byId("by-rule").append(make("li", {}, linkTo({ view: "rules" }, `and ${many(rest, "more rule")}`)));
}

function roleRow(arn, risks) {
  const place = ROLES.get(arn);
  const power = place === undefined ? "" : PICTURE.roles[place].power;
  const rules = [...new Set(risks.map((risk) => risk.rule))];
  const small = make("div", { class: "small" }, `${countsOf(risks)}: `, ...separated(rules.map(ruleLink)));
  const much = power ? make("div", { class: "small" }, "Powerful permissions: ", said(power)) : null;
  const name = DATA.accounts === 1 ? arn.split(":").slice(5).join(":") : arn;
  return make("li", { title: arn }, badge(risks[0].severity), make("div", {}, linkTo({ search: arn }, said(name)), small, much));
}

const separated = (nodes) => nodes.flatMap((node, place) => (place ? [", ", node] : [node]));

function ruleRow(id, risks) {
  const count = linkTo({ rule: id }, `${many(risks.length, "finding")}`);
  const small = make("div", { class: "small" }, DATA.rules[id].title, " ", count, ` (${countsOf(risks)})`);
  return make("li", {}, badge(risks[0].severity), make("div", {}, ruleLink(id), small));
}

function showRules(state) {
  const rows = grouping(DATA.risks, (risk) => risk.rule).sort(worse).map(([id, risks]) => descriptionOf(id, risks, state));
  byId("rule-list").replaceChildren(...rows);
}

function descriptionOf(id, risks, state) {
  const rule = DATA.rules[id];
  const rows = [["Why", rule.reason], ["Fix", rule.fix.replace("{issuer}", "ISSUER")]];
  const facts = rows.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
  const examples = id === state.rule ? [["Unsafe", rule.before], ["Safe", rule.after]] : [];
  const shown = examples.flatMap(([name, value]) => [
    make("dt", {}, name),
    make("dd", {}, make("pre", {}, JSON.stringify(value, null, 2))),
  ]);
  const list = make("dl", {}, ...facts, ...sourceOf(rule), ...shown);
  const head = make("h3", {}, badge(rule.severity), `${id}: ${rule.title}`);
  const show = linkTo({ rule: id }, `Show ${many(risks.length, "finding")}`);
  return make("article", { class: id === state.rule ? "lit" : "" }, head, list, make("p", {}, show));
}
