"""`-o name` and `-o jsonpath=`: what a template finds in a document, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.cli.output.forms import BadTemplate, filled, in_other_form, names, read

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


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (".kind", "BindingList"),
        ("kind", "BindingList"),
        ("$.kind", "BindingList"),
        ("{.kind}", "BindingList"),
        ("{.items[*].serviceAccount.name}", "x y"),
        ("{.items[-1:].status}", "no-role"),
        ("{.items[0]['status']}", "ok"),
        ("{..name}", "x y"),
        ('{.items[?(@.status!="ok")].serviceAccount.namespace}', "b"),
        ('{range .items[*]}{.serviceAccount.name}{"\\t"}{.status}{"\\n"}{end}', "x\tok\ny\tno-role\n"),
        ("{range .items[*]}{.status},{range .next[*]}<{@}>{end}{end}", "ok,no-role,<irsa help>"),
        ("{.nothing.there}", ""),
        ("{.none} {.count}", "null 2"),
        ("{.items[0].serviceAccount}", '{"namespace": "a", "name": "x"}'),
        ("kind: {.kind}", "kind: BindingList"),
        ("{'it is '}{.kind}", "it is BindingList"),
    ],
)
def test_a_template(template: str, expected: str) -> None:
    assert filled(read(template), DOCUMENT) == expected


@pytest.mark.parametrize(
    "template",
    ["", " ", "{", "}", "{}", "{.items[}", "{range .items[*]}", "{end}", '{"a}', "a{.b", "..", "{.a[?]}"],
)
def test_what_is_no_template(template: str) -> None:
    with pytest.raises(BadTemplate):
        read(template)


def test_texts_of_others_are_shown_safely() -> None:
    shown = in_other_form({"items": [{"name": "a\x1b[31m\nb"}]}, "jsonpath={.items[*].name}")
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "\x1b" not in in_other_form({"kind": "CauseList", "items": [{"id": "a\x1b[31mb"}]}, "name")


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
    assert list(names({"kind": kind, "items": items})) == expected
