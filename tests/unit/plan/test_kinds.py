"""The table of kinds: each row is whole, and nobody else keeps a list of kinds that could be forgotten."""

from __future__ import annotations

import ast
import string
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given

import irsa_cli
from irsa_cli.changes import handlers
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.traits import Proof, Service, Traits
from irsa_cli.core.plan.written import written_fields
from tests.unit.plan import strategies as some

PROGRAM = Path(irsa_cli.__file__).parent


@pytest.mark.parametrize("path", sorted((PROGRAM / "transaction").glob("*.py")), ids=lambda path: path.name)
def test_the_transaction_names_no_kind(path: Path) -> None:
    named = [
        f"{path.name}:{node.lineno}: Kind.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Kind"
    ]
    assert named == []


def test_nobody_keeps_a_list_of_kinds() -> None:
    """What is to be known of several kinds is a trait, which no kind can be forgotten in."""
    # Handlers are made there; the other tells which part of one plan is about the cluster's own provider.
    may = {PROGRAM / "changes" / "__init__.py", PROGRAM / "usecases" / "files" / "site.py"}
    lists = [
        f"{path.relative_to(PROGRAM)}:{node.lineno}"
        for path in sorted(set(PROGRAM.rglob("*.py")) - may)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict)
        and sum(map(_is_kind, node.keys if isinstance(node, ast.Dict) else node.elts)) > 1
    ]
    assert lists == []


def _is_kind(node: ast.expr | None) -> bool:
    named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return named and ast.unparse(node).startswith("Kind.")  # type: ignore[arg-type]


def test_nobody_keeps_a_list_of_kinds_by_their_written_names() -> None:
    """Only of names that are none of AWS's and Kubernetes' own, too, it can be told."""
    values = {kind.value for kind in Kind} - {
        "Namespace",
        "ServiceAccount",
        "Role",
        "OIDCProvider",
        "ConfigMap",
    }
    named = [
        f"{path.relative_to(PROGRAM)}:{node.lineno}: {node.value!r}"
        for path in sorted(PROGRAM.rglob("*.py"))
        if path != PROGRAM / "core" / "plan" / "kinds.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in values
    ]
    assert named == []


GIVEN = ("value", "state", "target", "whole", "service", "proof", "roles", "described", "shown_by", "decides")
"""What each row has to say; the rest is what few kinds have."""


@pytest.mark.parametrize("forgotten", GIVEN)
def test_a_row_that_forgets_a_trait_does_not_load(forgotten: str) -> None:
    others = cast("dict[str, Any]", dict.fromkeys(set(Traits.__dataclass_fields__) - {forgotten}))
    with pytest.raises(TypeError, match=f"'{forgotten}'"):
        Traits(**others)


def test_what_few_kinds_have_is_false_unless_a_row_says_so() -> None:
    rest = [field for field in fields(Traits) if field.name not in GIVEN]
    assert {field.name: field.default for field in rest if field.default is not False} == {
        "short": "",
        "given_back": "created again",
    }


@pytest.mark.parametrize("kind", Kind)
def test_a_row_is_sound(kind: Kind) -> None:
    traits = kind.traits
    assert kind.whole.is_whole
    assert (traits.whole == "") == kind.is_whole
    # A target role's statement is a part of a role that no plan is about; a restart leaves no mark.
    assert kind.is_whole == (traits.proof is Proof.MARK) or kind is Kind.TARGET_TRUST or traits.outside
    if not kind.is_whole:
        assert traits.target[0] == kind.whole.traits.target[0]
        assert traits.service is kind.whole.traits.service
    if traits.service is Service.KUBERNETES:
        assert traits.shown_by.startswith("kubectl ")
    elif traits.service is Service.EKS:
        assert traits.shown_by.startswith("aws eks list-")
    else:
        assert traits.shown_by.startswith("aws iam get-") or traits.shown_by.startswith("aws iam list-")
    assert {field for _, field, _, _ in string.Formatter().parse(traits.shown_by) if field} <= {
        "first",
        "last",
        "target",
        *map(str, range(len(traits.target))),
    }
    assert len(written_fields(traits.state)) == len(fields(traits.state))


@given(some.changes())
def test_a_change_of_each_kind_can_be_named(change: Change) -> None:
    assert isinstance(change.description, str)
    assert isinstance(change.roles, frozenset)


def test_each_kind_has_a_handler_where_its_service_can_be_reached() -> None:
    iam = cast("Any", SimpleNamespace())
    assert set(handlers(iam, iam, eks=iam)) == set(Kind)
    assert set(Kind) - set(handlers(iam, iam)) == {Kind.ASSOCIATION}
    assert {kind.traits.service for kind in handlers(iam, None)} == {Service.IAM}
