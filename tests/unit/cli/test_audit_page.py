"""The page of `irsa audit -o html`: texts of others stay texts, and only its own parts may run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest

from irsa_cli.cli.output.audit_page import SCRIPTS, as_html
from irsa_cli.cli.output.report import Report
from irsa_cli.core.audit.auditing import Audit, AuditScope
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.report import AuditReport, select
from irsa_cli.core.values.errors import InvalidInput
from tests.support import estates
from tests.support.estates import account_with_risks, arn_of

VOID = {"meta", "input", "link", "br", "hr", "img"}


class Page(HTMLParser):
    """A page taken apart; it fails on elements that do not end where they should."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            kind = "data" if self.tags[-1][1].get("id") == "data" else self.open[-1]
            self.texts[kind] = self.texts.get(kind, "") + data

    @property
    def data(self) -> Any:
        """What the page is told."""
        return json.loads(self.texts["data"])


def page_of(estate: Estate, scope: AuditScope | None = None, **more: Any) -> tuple[str, Page]:
    audit = Audit(estate, scope or AuditScope())
    text = as_html(Report(AuditReport(audit, selection=select(audit.risks, today=date(2026, 6, 1)), **more)))
    return text, Page(text)


HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "${data}$data",
    "\u202egnp.exe\u2066",
    "\"quotes'`",
    "\u2028line\u2029",
    "]]>&lt;\udc80",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_texts_of_others_stay_texts(name: str) -> None:
    plain = {tag for tag, _ in page_of(account_with_risks(1))[1].tags}
    roles = [estates.role(name, estates.admits("shop-prod", f"{estates.SA}prod:*", operator="StringLike"))]
    clusters = [estates.cluster("shop-prod", estates.account(name, name))]
    text, page = page_of(estates.estate(roles, clusters, unread=(name,)))
    assert {tag for tag, _ in page.tags} == plain
    assert text.isascii()
    assert not set("<>&") & set(page.texts["data"])
    shown = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in name)
    assert page.data["notes"][0] == shown
    assert page.data["picture"]["accounts"] == [["shop-prod", "prod", shown]]
    assert shown in next(item for item in page.data["risks"] if item["role"])["role"]


def test_only_its_own_parts_may_run() -> None:
    text, page = page_of(account_with_risks(1))
    (policy,) = [found["content"] or "" for tag, found in page.tags if "http-equiv" in found]
    allowed = dict(item.strip().split(" ", 1) for item in policy.split(";"))
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.texts[kind].encode()).digest()).decode()
        assert allowed[f"{kind}-src"] == f"'sha256-{digest}'"
    rest = {name: value for name, value in allowed.items() if name not in ("script-src", "style-src")}
    assert rest == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    for _, found in page.tags:
        assert not [name for name in found if name.startswith("on") or name in ("style", "src", "srcset")]
    assert not re.search(r"url\(|@import", page.texts["style"])
    assert text.startswith("<!doctype html>\n")
    names = [found["id"] for _, found in page.tags if "id" in found]
    assert len(names) == len(set(names))


def test_its_scripts_make_no_markup_and_ask_nobody() -> None:
    parts = files("irsa_cli.cli.output.audit_page")
    found = {item.name for item in parts.iterdir() if item.name.endswith(".js")}
    assert found == set(SCRIPTS)
    for name in SCRIPTS:
        text = (parts / name).read_text(encoding="ascii")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", text)
        assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(|sendBeacon|</", text)
        assert len(text.splitlines()) <= 250


def test_everything_that_was_found_is_on_it() -> None:
    estate = replace(account_with_risks(3), unread=("the pods of cluster x were not read: why",))
    data = page_of(estate)[1].data
    assert len(data["risks"]) == len(Audit(estate).risks)
    (wide,) = [item for item in data["risks"] if item["role"] == arn_of("w8")]
    assert all(wide[name] for name in ("fix", "evidence"))
    told = [wide[name] for name in ("rule", "severity", "clusters", "namespaces")]
    assert told == ["every-name", "medium", ["shop-prod"], ["prod"]]
    assert data["rules"]["every-name"]["source"].startswith("https://")
    assert set(data["rules"]) == {item["rule"] for item in data["risks"]}
    assert (data["unseen"], "not read" in data["notes"][0]) == (1, True)


def test_its_head_has_account_clusters_caller_and_date() -> None:
    caller = "arn:aws:sts::111122223333:assumed-role/ci/x"
    assert page_of(replace(account_with_risks(1), caller=caller))[1].data["facts"] == [
        ["Account", "111122223333"],
        ["Clusters", "shop-dev (eu-west-1), shop-prod (eu-west-1), tools (eu-west-1)"],
        ["Caller", caller],
        ["Date", "2026-06-01 00:00 UTC"],
    ]
    facts = page_of(account_with_risks(1), AuditScope(account="ok/tight1"))[1].data["facts"]
    assert [name for name, _ in facts] == ["Account", "Clusters", "Scope", "Date"]


def test_the_picture_connects_accounts_roles_and_permissions() -> None:
    picture = page_of(account_with_risks(3))[1].data["picture"]
    arns = [item["arn"] for item in picture["roles"]]
    much, escalating, bounded = (picture["roles"][arns.index(arn_of(name))] for name in ("w3", "w29", "w30"))
    (policy,) = [picture["policies"][item] for item in much["policies"]]
    assert [much["severity"], much["power"], *(policy[name] for name in ("name", "mark", "kind"))] == [
        *("critical", "AdministratorAccess", "AdministratorAccess", "administrator", "attached")
    ]
    assert [picture["policies"][item]["mark"] for item in escalating["policies"]] == ["privilege escalation"]
    assert (bounded["power"], bounded["boundary"]) == ("", estates.READ)
    (way,) = [way for way in picture["ways"] if way[0] == arns.index(much["arn"])]
    names = {tuple(picture["accounts"][item]) for item in picture["crowds"][way[1]]}
    assert ("shop-prod", "prod", "silent") in names
    assert len(names) == len(estates.DECLARED) + 5 + 3


def test_of_one_service_account_only_its_roles() -> None:
    estate, scope = account_with_risks(3), AuditScope(account="ok/tight1")
    paths = tuple(Audit(estate).reach.all_paths("ok/tight1"))
    picture = page_of(estate, scope, paths=paths)[1].data["picture"]
    assert picture["accounts"] == [["shop-prod", "ok", "tight1"]]
    assert {item["arn"] for item in picture["roles"]} == {path.role for path in paths}


def test_an_error_is_said_on_it() -> None:
    page = Page(as_html(Report(AuditReport(error=InvalidInput("no account", reason="<b>why</b>")))))
    assert "no account" in page.data["error"]
    assert page.data["picture"] is None
