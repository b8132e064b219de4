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
from irsa_cli.core.plan.traits import Proof, Service
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
