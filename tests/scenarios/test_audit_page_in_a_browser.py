"""The page of `irsa audit -o html` in a real Chromium: 500 ServiceAccounts; filters, picture, keys."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.output.audit_page import as_html
from irsa_cli.cli.output.report import Report
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.report import AuditReport, select
from tests.support.browser import Loaded, load, needs_browser
from tests.support.estates import (
    ADMIN,
    POLICIES,
    READ,
    SA,
    account,
    account_with_risks,
    admits,
    arn_of,
    cluster,
    estate,
    role,
)

pytestmark = needs_browser
NAMESPACES, ACCOUNTS = 20, 500
LEVELS = ["critical", "high", "medium", "low", "note"]


def crowd() -> Estate:
    """500 ServiceAccounts in 20 namespaces; each 25th role is for all of its namespace, one has all power."""
    roles, accounts, policies = [], [], {**POLICIES}
    for number in range(ACCOUNTS):
        name, namespace = f"app-{number}", f"team-{number % NAMESPACES}"
        who, operator = ("*", "StringLike") if number % 25 == 0 else (name, "StringEquals")
        own = f"arn:aws:iam::111122223333:policy/own-{number}"
        policies[own] = POLICIES[READ]
        attached = (own, READ, ADMIN) if number == 0 else (own, READ)
        admitted = admits("shop-prod", f"{SA}{namespace}:{who}", operator=operator)
        roles.append(role(name, admitted, attached=attached))
        accounts.append(account(name, name, namespace))
    clusters = [cluster("shop-prod", *accounts), cluster("tools")]
    return estate(roles, clusters, unread=("<b>not</b> read",), policies=policies)


def write(found: Estate, path: Path) -> Path:
    audit = Audit(found)
    report = AuditReport(audit, selection=select(audit.risks, today=date(2026, 6, 1)))
    path.write_text(as_html(Report(report)), encoding="ascii")
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(crowd(), tmp_path_factory.mktemp("page") / "audit.html")


def opened(page: Path, folder: Path, fragment: str = "") -> Loaded:
    """The page, of which nothing is wrong and which asks nobody."""
    loaded = load(page, folder, fragment)
    assert (loaded.console, loaded.asked) == ((), ())
    return loaded


def rows(loaded: Loaded) -> int:
    return loaded.dom.count("<summary>")


def test_findings_are_there_and_what_was_not_read_is_said(page: Path, tmp_path: Path) -> None:
    loaded = opened(page, tmp_path)
    assert (loaded.text_of("count"), rows(loaded)) == ("21 of 21 findings", 21)
    assert loaded.text_of("notes-head").startswith("Not everything was read (1)")
    assert "&lt;b&gt;not&lt;/b&gt; read" in loaded.text_of("notes-list")


FILTERED = {
    "severity=medium": 19,
    "severity=critical,low": 0,
    "search=app-175": 1,
    "severity=high&search=app-175": 0,
    "namespace=team-5": 5,
    "cluster=tools": 0,
    "cluster=shop-prod&namespace=team-0&severity=medium": 4,
    "nonsense&severity=worst": 21,
}


@pytest.mark.parametrize("fragment", FILTERED)
def test_filters_and_search_narrow_the_findings(page: Path, tmp_path: Path, fragment: str) -> None:
    loaded, count = opened(page, tmp_path, fragment), FILTERED[fragment]
    assert (loaded.text_of("count"), rows(loaded)) == (f"{count} of 21 findings", count)


def nodes(loaded: Loaded, column: int) -> list[str]:
    spans = re.findall(r"<span>(.*?)</span>", listed(loaded, f"column-{column}"), re.DOTALL)
    return sorted(re.sub("<[^>]*>", "", text) for text in spans)


def test_500_service_accounts_are_a_picture_of_their_namespaces(page: Path, tmp_path: Path) -> None:
    loaded = opened(page, tmp_path, "view=picture")
    assert loaded.text_of("drawn") == "500 ServiceAccounts, 500 roles and 502 policies."
    assert nodes(loaded, 0) == sorted(f"team-{number}/*" for number in range(NAMESPACES))
    assert max(len(nodes(loaded, 1)), len(nodes(loaded, 2))) <= 60
    assert "AdministratorAccess" in nodes(loaded, 2)
    assert loaded.dom.count("<path ") <= 200


@pytest.mark.parametrize(
    ("fragment", "accounts", "roles", "policies"),
    [
        ("focus=sa:shop-prod/team-7/app-7", "team-7/app-7", "app-7", "AmazonSQSReadOnlyAccess own-7"),
        ("view=picture&search=app-477", "team-17/app-477", "app-477", ""),
        ("focus=ns:shop-prod/team-7", 25, "", ""),
        (f"focus=policy:{ADMIN}", 25, "app-0", "AdministratorAccess"),
    ],
)
def test_a_chosen_item_shows_only_what_is_connected(
    page: Path, tmp_path: Path, fragment: str, accounts: str | int, roles: str, policies: str
) -> None:
    loaded = opened(page, tmp_path, fragment)
    shown = nodes(loaded, 0)
    assert accounts in (len(shown), " ".join(shown))
    for column, expected in ((1, roles), (2, policies)):
        assert not expected or nodes(loaded, column) == expected.split()
    if roles == "app-7":
        assert arn_of("app-7") in loaded.text_of("chosen")


HANDS = """
(() => {
  const told = [];
  const count = (column) => document.querySelectorAll(`#column-${column} .node`).length;
  const first = () => document.querySelector("#column-1 .node.many");
  told.push(Number(first().textContent.split(" ")[0]));
  first().click(); told.push(count(1), location.hash.includes("focus=roles"));
  document.querySelector("#column-0 .node").click(); told.push(count(0));
  document.getElementById("chosen").querySelector(".actions button").click(); told.push(count(0));
  document.body.setAttribute("data-told", JSON.stringify(told));
})();
"""


def with_hands(page: Path, folder: Path, hands: str) -> Path:
    """The page with a person's hands: a script of this test, which the page's policy would not let in."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="ascii"))
    path = folder / "with-hands.html"
    path.write_text(text.replace("</body>", f"<script>{hands}</script></body>"), encoding="ascii")
    return path


def told(loaded: Loaded) -> list[Any]:
    """What the hands have seen."""
    answer = loaded.dom.partition('data-told="')[2].partition('"')[0]
    seen: list[Any] = json.loads(answer.replace("&quot;", '"'))
    return seen


def test_what_is_drawn_as_one_can_be_opened_where_it_is(page: Path, tmp_path: Path) -> None:
    found = opened(with_hands(page, tmp_path, HANDS), tmp_path, f"focus=policy:{READ}")
    number, *more = told(found)
    assert number > 1
    assert more == [number, True, 1, NAMESPACES]


KEYS = """
(() => {
  const told = [];
  const pressed = (name) => new KeyboardEvent("keydown", { key: name, bubbles: true });
  const key = (name) => document.activeElement.dispatchEvent(pressed(name));
  const at = () => (document.activeElement.dataset || {}).key || document.activeElement.id;
  const by = (id) => document.getElementById(id);
  by("tab-findings").focus(); key("ArrowRight"); told.push(at());
  by("search").value = "role/w8"; by("search").dispatchEvent(new Event("input"));
  told.push(by("tab-findings").textContent);
  by("clear").click(); told.push(by("tab-findings").textContent);
  document.querySelector('[data-key="role:ROLE"]').focus(); key("ArrowRight"); told.push(at());
  document.activeElement.click(); told.push(at(), location.hash.includes("focus="));
  key("ArrowLeft"); told.push(at()); key("Escape"); told.push(location.hash.includes("focus="), at());
  dispatchEvent(new Event("beforeprint")); told.push(document.querySelectorAll("details[open]").length);
  dispatchEvent(new Event("afterprint"));
  document.body.setAttribute("data-told", JSON.stringify(told));
})();
"""


def test_keys_lead_through_it(tmp_path: Path) -> None:
    page = write(account_with_risks(2), tmp_path / "audit.html")
    found = opened(with_hands(page, tmp_path, KEYS.replace("ROLE", arn_of("w3"))), tmp_path)
    role_key, policy_key = f"role:{arn_of('w3')}", f"policy:{ADMIN}"
    tabs = ["tab-picture", "Findings (1)", "Findings (46)"]
    assert told(found) == [*tabs, policy_key, policy_key, True, role_key, False, role_key, 46]


def levels(text: str) -> list[str]:
    """How severe what is listed is."""
    return re.findall(r'class="(?:badge |small"><bdi>)(critical|high|medium|low)', text)


def listed(loaded: Loaded, identifier: str) -> str:
    """A list of the page."""
    (text,) = re.findall(rf'<[uo]l id="{identifier}".*?</[uo]l>', loaded.dom, re.DOTALL)
    return str(text)


def test_the_overview_and_the_picture_have_the_worst_first(tmp_path: Path) -> None:
    page = write(account_with_risks(2), tmp_path / "audit.html")
    loaded = opened(page, tmp_path)
    assert loaded.text_of("worst-head").startswith("The 10 worst of ")
    worst = listed(loaded, "worst")
    assert len(levels(worst)) == 10
    assert 'href="#rule=no-subject&amp;view=rules"' in worst
    (tmp_path / "more").mkdir()
    for text in (worst, listed(opened(page, tmp_path / "more", "view=picture"), "column-1")):
        assert levels(text) == sorted(levels(text), key=LEVELS.index)


def test_a_rule_id_links_to_the_rule(page: Path, tmp_path: Path) -> None:
    found = opened(page, tmp_path, "rule=every-name&view=rules")
    (shown,) = re.findall(r'<article class="lit">(.*?)</article>', found.dom, re.DOTALL)
    assert "every-name: A pattern allows every ServiceAccount of a namespace." in shown
    assert "<dt>Unsafe</dt>" in shown
    (tmp_path / "more").mkdir()
    assert rows(opened(page, tmp_path / "more", "rule=every-name")) == 20


BACK = """
(() => {
  const told = [];
  const by = (id) => document.getElementById(id);
  const at = () => document.querySelector('[aria-selected="true"]').id;
  const steps = [
    () => by("tab-picture").click(),
    () => { by("namespace").value = "prod"; by("namespace").dispatchEvent(new Event("change")); },
    () => document.querySelector('#by-rule a[href*="view=rules"]').click(),
    () => history.back(), () => history.back(), () => history.back(),
  ];
  const next = () => {
    told.push(`${at()} ${by("namespace").value}`);
    document.body.setAttribute("data-told", JSON.stringify(told));
    const step = steps.shift();
    if (step) { step(); setTimeout(next, 100); }
  };
  next();
})();
"""


def test_back_undoes_each_step(tmp_path: Path) -> None:
    page = write(account_with_risks(2), tmp_path / "audit.html")
    found = opened(with_hands(page, tmp_path, BACK), tmp_path)
    there = ["tab-findings ", "tab-picture ", "tab-picture prod", "tab-rules "]
    assert told(found) == [*there, *there[-2::-1]]


PHONE = """
(() => {
  const told = [innerWidth];
  for (const view of ["findings", "picture", "rules"]) {
    document.getElementById(`tab-${view}`).click();
    for (const item of document.querySelectorAll("details")) item.open = true;
    const scroll = document.getElementById("scroll");
    told.push(document.documentElement.scrollWidth <= innerWidth && scroll.scrollWidth <= scroll.clientWidth);
  }
  parent.postMessage(JSON.stringify(told), "*");
})();
"""
FRAME = """<!doctype html><body><script>
addEventListener("message", (event) => document.body.setAttribute("data-told", event.data));
</script><iframe src="with-hands.html" style="width: 360px; height: 700px"></iframe></body>"""


def test_nothing_scrolls_sideways_on_a_phone(tmp_path: Path) -> None:
    with_hands(write(account_with_risks(2), tmp_path / "audit.html"), tmp_path, PHONE)
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME, encoding="ascii")
    assert told(load(frame, tmp_path)) == [360, True, True, True]
