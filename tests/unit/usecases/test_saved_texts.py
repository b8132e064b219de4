"""Each text of a saved plan has a rule: what its option would refuse is neither loaded nor saved."""

from __future__ import annotations

import copy
import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.plan.changes import Plan, PlannedWork
from irsa_cli.core.plan.rules import check, rule_of
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.plans import saved_plan
from irsa_cli.usecases.plans.reading import COMMANDS, parse
from irsa_cli.usecases.plans.saved_plan import PlannedItem, SavedPlan, check_saved, converter
from irsa_cli.usecases.write import adopt
from tests.unit.planning.desired_states import CLUSTER
from tests.unit.usecases.test_saved_plans import REQUESTS, plan_text, signed

UNWRITTEN: Mapping[type, tuple[str, ...]] = {
    Target: saved_plan._OF_WHO_ASKS,
    BoundaryRules: ("required_by",),
}
"""Attributes that no saved plan has."""
UNREADABLE = ("\u202egnp.exe", "\x1b[2J", "\x00", "x" * 220_000, "\ud800")
"""No rule takes these, not even that of a free text."""
OF_OBJECTS = ("name", "names", "namespace", "accounts", "cluster")
WAYS_OUT = ("..", ".", "a/../b", "%2e%2e", "a/b/c")


def texts(kind: Any, owner: type, name: str, seen: set[Any]) -> Iterator[tuple[type, str]]:
    """The attributes with texts that a value of a type can have, by their class."""
    if kind is str or kind is Any:
        yield owner, name
    elif is_dataclass(kind) and isinstance(kind, type):
        if kind not in seen:
            seen.add(kind)
            hints = get_type_hints(kind)
            for field in fields(kind):
                if field.init and field.name not in UNWRITTEN.get(kind, ()):
                    yield from texts(hints[field.name], kind, field.name, seen)
    elif get_origin(kind) in (Union, types.UnionType, tuple, frozenset, list) or get_origin(kind) is not None:
        for part in get_args(kind):
            yield from texts(part, owner, name, seen)
    else:
        assert kind in (int, float, bool, type(None), Ellipsis) or issubclass(kind, Enum), kind


def all_texts() -> set[tuple[type, str]]:
    seen: set[Any] = set()
    return {text for command in COMMANDS.values() for text in texts(command.request, object, "", seen)}


def test_every_text_of_every_request_has_a_rule() -> None:
    found = all_texts()
    assert len(found) > 100
    for owner, name in found:
        rule_of(owner, name)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all texts of plain data."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, Mapping | list):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from places(part, (*path, key))


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(data)
    part = found
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return found


def request_of(command: str) -> Any:
    return json.loads(json.dumps(converter().unstructure(REQUESTS[command])))


def refused(command: str, request: Any) -> None:
    """A plan with such a request is not read."""
    plan = plan_text()
    metadata = {**plan["metadata"], "command": command}
    with pytest.raises(InvalidInput):
        parse(signed({**plan, "metadata": metadata, "request": request}), "plan.json")


@pytest.mark.parametrize("command", REQUESTS)
@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: ascii(text)[:12])
def test_no_text_is_read_that_a_reviewer_cannot_read(command: str, text: str) -> None:
    request = request_of(command)
    for path in places(request):
        refused(command, put(request, path, text))


@pytest.mark.parametrize("command", REQUESTS)
@pytest.mark.parametrize("text", WAYS_OUT)
def test_no_name_is_read_that_leaves_its_place_in_a_url(command: str, text: str) -> None:
    request = request_of(command)
    for path in places(request):
        if {*OF_OBJECTS} & {*path[-2:]} and "tags" not in path:
            refused(command, put(request, path, text))


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        ("migrate", "names", '[".."]'),
        ("migrate", "names", '[""]'),
        ("migrate", "namespace", '""'),
        ("retire", "names", '["../x"]'),
        ("retire", "pattern", '"pr-*/.."'),
        ("repoint", "old", '"bl ue"'),
        ("repoint", "patterns", r'["a\nb"]'),
        ("adopt --all", "accounts", '["backend"]'),
        ("adopt --all", "accounts", '["backend/../app"]'),
        ("retire", "most", "0"),
        ("retire", "age", "NaN"),
        ("repoint", "unused_for", "-1"),
        ("delete", "parallel", "1000000"),
        ("delete", "selection", '{"include": [], "exclude": [], "shard": {"index": 0, "total": 0}}'),
        ("delete", "configs", r'[{"where": "f:1", "notices": ["a\u001bb"]}]'),
        ("delete", "configs", r'[{"where": "\u202ef:1"}]'),
        ("delete", "configs", '[{"where": "f:1", "accounts": {"another": "x"}}]'),
        ("delete", "configs", r'[{"where": "f:1", "accounts": {"role_profile": "a\nb"}}]'),
    ],
)
def test_what_its_option_would_refuse_is_not_read(command: str, field: str, value: str) -> None:
    refused(command, {**request_of(command), field: json.loads(value)})


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: ascii(text)[:12])
def test_the_texts_of_items_are_for_people(text: str) -> None:
    work = PlannedWork(CLUSTER.arn, "adopt", "n/a", Plan(()), {"ServiceAccount n/a": "sha256:1"})
    plan = SavedPlan(
        "adopt", REQUESTS["adopt"], (PlannedItem("n/a", CLUSTER, work, "f:1", "p"),), "2026-11-26"
    )
    document = plan.to_json()
    assert parse(signed(document), "f").items
    changes = [
        *({"items": put(document["items"], path, text)} for path in places(document["items"])),
        {"items": [{**document["items"][0], "seen": {text: "x"}}]},
        {"metadata": {**document["metadata"], "version": text}},
    ]
    for change in changes:
        with pytest.raises(InvalidInput):
            parse(signed({**document, **change}), "f")


def test_saving_runs_the_same_check() -> None:
    request = adopt.Request(Target("prod", "eu-west-1"), "backend", "app")
    plan = SavedPlan("adopt", request, (), "2026-11-26")
    check_saved(plan)
    for wrong in (
        replace(request, name=".."),
        adopt.Request(Target("prod", "eu-west-1"), "", "app", "a b"),
    ):
        with pytest.raises(InvalidInput, match="the plan cannot be saved"):
            check_saved(replace(plan, request=wrong))


def test_a_text_without_a_rule_is_refused() -> None:
    @dataclass(frozen=True)
    class Newer:
        unheard: str = ""

    check(Newer())
    with pytest.raises(InvalidInput, match="no rule for this text"):
        check(Newer("x"))
