// The list of findings, each with its reason, evidence, fix and source.
"use strict";

const AT_ONCE = 200;
const TEXTS = DATA.risks.map((risk) =>
  [risk.rule, DATA.rules[risk.rule].title, risk.sentence, risk.role, risk.account, risk.fix, ...risk.clusters, ...risk.evidence]
    .join("\n")
    .toLowerCase()
);

function foundBy(state) {
  const search = state.search.trim().toLowerCase();
  return DATA.risks.filter(
    (risk, place) =>
      state.levels.has(risk.severity) &&
      (!state.namespace || risk.namespaces.includes(state.namespace)) &&
      (!state.cluster || risk.clusters.includes(state.cluster)) &&
      (!state.rule || risk.rule === state.rule) &&
      (!search || TEXTS[place].includes(search))
  );
}

function showFindings(state, change, limit) {
  const found = foundBy(state);
  const shown = found.slice(0, limit || AT_ONCE);
  byId("count").textContent = DATA.risks.length
    ? `${found.length} of ${many(DATA.risks.length, "finding")}`
    : "No findings.";
  byId("list").replaceChildren(...shown.map((risk) => findingOf(risk, change)));
  const more = byId("more");
  more.hidden = shown.length === found.length;
  more.textContent = `Show ${Math.min(AT_ONCE, found.length - shown.length)} more`;
  more.onclick = () => showFindings(state, change, shown.length + AT_ONCE);
}

function findingOf(risk, change) {
  const head = make(
    "summary",
    {},
    badge(risk.severity),
    make(
      "span",
      { class: "what" },
      make("strong", {}, ruleLink(risk.rule)),
      ": ",
      said(risk.sentence),
      risk.role ? make("span", { class: "where" }, said(risk.role)) : null
    )
  );
  const facts = make("dl", {}, ...factsOf(risk));
  const places = DATA.picture ? placesOf(risk) : [];
  for (const [label, focus] of places) {
    const show = button(label, () => change({ focus, view: "picture" }));
    show.className = "show";
    facts.append(make("dd", {}, show));
  }
  return make("li", {}, make("details", {}, head, facts));
}

function* factsOf(risk) {
  const rule = DATA.rules[risk.rule];
  const rows = [
    ["Rule", rule.title],
    ["Why", rule.reason],
    ["Fix", risk.fix],
    ["Clusters", risk.clusters.join(", ")],
    ["Accepted", risk.accepted],
  ];
  for (const [name, text] of rows) if (text) yield* [make("dt", {}, name), make("dd", {}, said(text))];
  if (risk.evidence.length) {
    const lines = risk.evidence.map((line) => make("li", {}, said(line)));
    yield* [make("dt", {}, "Evidence"), make("dd", {}, make("ul", {}, ...lines))];
  }
  yield* sourceOf(rule);
}

function sourceOf(rule) {
  if (!rule.source.startsWith("https://")) return [];
  const link = make("a", { href: rule.source, rel: "noreferrer noopener", target: "_blank" }, said(rule.source));
  return [make("dt", {}, "Source"), make("dd", {}, link)];
}

function placesOf(risk) {
  const found = [];
  if (risk.role && ROLES.has(risk.role)) found.push(["Show the role in the picture", `role:${risk.role}`]);
  const account = `sa:${risk.clusters[0]}/${risk.account}`;
  if (risk.account && ACCOUNTS.has(account)) found.push(["Show the ServiceAccount in the picture", account]);
  return found;
}
