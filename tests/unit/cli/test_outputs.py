"""`-o name`: the names of a document's items; where the parts of a page go."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.cli.output.report import VIEWS, Message, Report
from irsa_cli.cli.output.speaking import Speaking, deliver, in_form
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.output.views.documents import names
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome

DOCUMENT: dict[str, Any] = {
    "kind": "BindingList",
    "items": [
        {"serviceAccount": {"namespace": "a", "name": "x"}, "status": "ok", "next": []},
        {"serviceAccount": {"namespace": "b", "name": "y"}, "status": "no-role", "next": ["irsa help"]},
    ],
    "errors": [],
    "none": None,
    "count": 2,
}


def test_texts_of_others_are_shown_safely() -> None:
    found = Envelope(DocumentKind.CAUSES, ReadOutcome.OK, items=[{"id": "a\x1b[31mb"}])
    assert "\x1b" not in in_form(Report(found), "name")


APP = {"serviceAccount": {"namespace": "a", "name": "x"}}


@pytest.mark.parametrize(
    ("kind", "items", "expected"),
    [
        ("BindingList", DOCUMENT["items"], ["a/x", "b/y"]),
        ("BindingList", [], []),
        ("DiagnosisList", [{"serviceAccount": None, "role": None}, APP], ["a/x"]),
        (
            "ResultList",
            [{**APP, "transaction": "T"}, {"serviceAccount": None, "transaction": "U"}],
            ["a/x", "U"],
        ),
        ("ResultList", [{"serviceAccount": None, "transaction": None}], []),
        ("RolePathList", [{"serviceAccounts": [APP["serviceAccount"]]}] * 2, ["a/x"]),
        ("TransactionList", [{**APP, "transaction": "T"}], ["T"]),
        ("LeftoverList", [{"serviceAccounts": [APP["serviceAccount"]], "transaction": "T"}], ["T"]),
        ("LockList", [{**APP, "holder": "1-a"}] * 2, ["1-a"]),
        ("WellKnownPolicyList", [{**APP, "name": "external-dns"}], ["external-dns"]),
        ("CauseList", [{"id": "pod-unseen"}], ["pod-unseen"]),
    ],
)
def test_names(kind: str, items: list[dict[str, Any]], expected: list[str]) -> None:
    assert list(names({"kind": kind, "items": items}, [""] * len(items))) == expected


class Ended:
    """The outcome of a command that ended well."""

    exit_code = 0

    def envelope(self) -> Envelope:
        return Envelope(DocumentKind.CAUSES, ReadOutcome.OK, items=[{"id": "a"}])


@pytest.mark.parametrize(
    ("output", "out", "err"),
    [
        ("text", "line\nHEAD\ncell\n", "told\nafter\n"),
        ("wide", "line\nHEAD\ncell\n", "told\nafter\n"),
        ("name", "a\n", "after\n"),
        ("ids", "['a']\n", "after\n"),
    ],
)
def test_a_page_is_instead_of_a_document_and_its_messages_are_in_every_form(
    output: str, out: str, err: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VIEWS, "ids", f"{__name__}:ids")
    report = Report(Ended(), ["line", Message("told"), Table.of(("HEAD",), [["cell"]])], ["after"])
    assert deliver(report, Speaking(output, quiet=False, verbose=False)) == 0
    assert (*capsys.readouterr(),) == (out, err)


def ids(report: Report, _most: int | None) -> str:
    return f"{[item['id'] for item in report.document.items]}\n"
