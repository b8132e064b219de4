"""`-o name` and `-o jsonpath=`: what a template finds in a document, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.cli.outputs import BadTemplate, filled, in_other_form, names, read

DOCUMENT: dict[str, Any] = {
    "kind": "BindingList",
    "items": [
        {"serviceAccount": {"namespace": "a", "name": "x"}, "status": "ok", "next": []},
        {"serviceAccount": {"namespace": "b", "name": "y"}, "status": "no-role", "next": ["irsa help"]},
    ],
    "error": None,
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
        ("{.error} {.count}", "null 2"),
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
    assert "\x1b" not in in_other_form({"items": [{"name": "a\x1b[31mb"}]}, "name")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (DOCUMENT, ["a/x", "b/y"]),
        ({"items": []}, []),
        ({"items": [{"transaction": "T", "serviceAccount": None}]}, ["T"]),
        ({"items": [{"name": "external-dns"}]}, ["external-dns"]),
        ({"items": [{"serviceAccount": None, "status": "ok"}]}, []),
        (
            {"items": [{"serviceAccounts": [{"namespace": "a", "name": "x"}]}] * 2},
            ["a/x"],
        ),
    ],
)
def test_names(document: dict[str, Any], expected: list[str]) -> None:
    assert list(names(document)) == expected
