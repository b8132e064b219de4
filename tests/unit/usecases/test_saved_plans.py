"""Saved plans as files: what is written is what is read, and what is none is told."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.spec import BindingSpec, Options
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.model import Selection
from irsa_cli.core.plan.changes import PlannedWork
from irsa_cli.core.policies.policy import WellKnown
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.usecases.command.connect import Target
from irsa_cli.usecases.files import delete_files
from irsa_cli.usecases.files.targets import Request as ApplyRequest
from irsa_cli.usecases.plans.reading import COMMANDS, load, read_request
from irsa_cli.usecases.plans.reading import parse as parse_plan
from irsa_cli.usecases.plans.saved_plan import (
    PlannedItem,
    SavedPlan,
    asked_by,
    converter,
    digest_of,
    plan_of,
    save,
)
from irsa_cli.usecases.write import (
    adopt,
    associate_oidc,
    create_sa,
    delete_sa,
    disassociate_oidc,
    migrate,
    release,
    repoint,
    retire,
    update_sa,
)
from tests.support.documents import doc
from tests.unit.config.test_config_properties import entry
from tests.unit.plan import strategies as some
from tests.unit.planning.desired_states import CLUSTER

WHO = Target(
    "prod",
    "eu-west-1",
    profile="secret-profile",
    assume_role="arn:aws:iam::111122223333:role/secret",
    kubeconfig="/home/secret",
    context="secret",
    expect_account="111122223333",
)
PLAIN = Target("prod", "eu-west-1")
REQUESTS: dict[str, Any] = {
    "create-sa": create_sa.Request(
        WHO,
        BindingSpec(
            "backend",
            "app",
            labels={"a": "b"},
            policies=("arn:aws:iam::aws:policy/A",),
            well_known=(WellKnown("externalDNS", {"zones": ("Z1", "Z2")}),),
            inline=doc('{"x": {"Statement": [{"Effect": "Allow", "Condition": {"Bool": {"a": [true]}}}]}}'),
            conditions=doc('{"StringLike": {"aws:PrincipalTag/a": ["b"]}}'),
            sts_regional_endpoints=False,
            token_expiration=600,
        ),
        Options(associate=True, gated=True),
        BoundaryRules("arn:aws:iam::aws:policy/B", may_remove=True),
    ),
    "update-sa": update_sa.Request(
        WHO,
        "backend",
        "app",
        Update(
            policies=(),
            inline=doc('{"x": null, "y": {"Statement": []}}'),
            tags={"a": None, "b": ""},
            boundary="",
            sts_regional_endpoints=True,
        ),
    ),
    "delete-sa": delete_sa.Request(WHO, "backend", "app", extent=delete_sa.Extent.BINDING, force=True),
    "adopt": adopt.Request(WHO, "backend", "app", "role"),
    "release": release.Request(WHO, "backend", "app", "role"),
    "migrate": migrate.Request(WHO, IdentitySource.IRSA, "backend", ("app",), restart=True, finish=True),
    "repoint": repoint.Request(WHO, "blue", repoint.Phase.ADD, ("app-*",), namespace="backend", others=True),
    "retire": retire.Request(WHO, ("old",), age=60.0, unmarked=True, most=5),
    "adopt --all": adopt.Several(WHO, ("backend/app", "web/app")),
    "associate-oidc": associate_oidc.Request(WHO, ("a", "b"), ("ab" * 20,), {"k": "v"}),
    "disassociate-oidc": disassociate_oidc.Request(WHO, force=True),
    "delete": delete_files.Request((), WHO, Selection(("a/*",), ()), 3, force=True),
}
MADE = "2026-11-26T00:00:00Z"
ADOPTING = SavedPlan("adopt", adopt.Request(PLAIN, "n", "x"), (), MADE)


def again(command: str, request: Any) -> Any:
    return read_request(command, json.loads(json.dumps(converter().unstructure(request))))


def test_each_command_has_an_example() -> None:
    assert {*REQUESTS, "apply"} == set(COMMANDS)


@pytest.mark.parametrize("command", REQUESTS)
def test_a_request_is_read_as_it_was_but_for_who_asked(command: str) -> None:
    request = REQUESTS[command]
    found = again(command, request)
    assert "secret" not in json.dumps(converter().unstructure(request))
    assert found.target == PLAIN
    for item in fields(request):
        if item.name != "target":
            assert getattr(found, item.name) == getattr(request, item.name), item.name
    assert asked_by(found, WHO) == request


@settings(deadline=None)
@given(st.lists(entry, max_size=1), st.booleans())
def test_the_request_of_files_is_read_as_it_was(entries: list[dict[str, Any]], prune: bool) -> None:
    document = {"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": entries}
    configs, boundary = tuple(parse(json.dumps(document), "f.yaml")), "arn:aws:iam::aws:policy/B"
    request = ApplyRequest(configs, PLAIN, prune=prune, boundary=boundary)
    assert again("apply", request) == request


@given(st.lists(some.plans(), min_size=1, max_size=3))
def test_a_plan_is_read_as_it_was(plans: list[Any]) -> None:
    items = tuple(
        PlannedItem(
            f"n/{number}", CLUSTER, PlannedWork(CLUSTER.arn, "apply", f"n/{number}", plan, {"a": "b"}), "f:1"
        )
        for number, plan in enumerate(plans)
    )
    plan = replace(ADOPTING, items=items)
    text = json.dumps(plan.to_json())
    found = parse_plan(text, "f")
    assert (found.items, found.request, found.made) == (plan.items, plan.request, plan.made)
    assert found.digest == digest_of(json.loads(text))


def test_the_same_plan_has_the_same_digest_whenever_it_was_made() -> None:
    made = [{"metadata": {"made": time, "command": name}} for time, name in ((1, "a"), (2, "a"), (1, "b"))]
    first, later, other = map(digest_of, made)
    assert first == later != other


def test_a_dry_run_that_was_stopped_is_no_plan() -> None:
    """What --prune would have found is in no item then."""
    item = Item("prod", "n/a", Result(Ended.UNCHANGED, cluster=CLUSTER))
    with pytest.raises(IrsaError, match="no plan was saved"):
        plan_of("apply", ApplyRequest((), PLAIN, prune=True), AppliedList([item], signal=2))


def plan_text() -> dict[str, Any]:
    return ADOPTING.to_json()


def signed(document: dict[str, Any]) -> str:
    return json.dumps({**document, "digest": digest_of(document)})


@pytest.mark.parametrize(
    "change",
    [
        '{"request": {"namespace": "n", "name": "x"}}',
        '{"request": {"target": {"cluster": 1}, "namespace": "n"}}',
        '{"request": {"target": {"cluster": "c", "profile": "p"}, "namespace": "n"}}',
        '{"request": {"target": {"cluster": "c"}, "newer": true}}',
        '{"request": null}',
        '{"items": [{}]}',
        '{"items": null}',
        '{"metadata": {}}',
        '{"metadata": {"command": "exec", "made": "", "version": "9"}}',
        '{"metadata": {"command": ["adopt"], "made": "", "version": "9"}}',
        '{"kind": "Other"}',
        '{"apiVersion": "irsa/v9"}',
    ],
)
def test_what_this_version_does_not_read_is_told(change: str) -> None:
    with pytest.raises(InvalidInput):
        parse_plan(signed({**plan_text(), **doc(change)}), "plan.json")


@given(st.text() | st.from_type(int).map(str) | st.just("[" * 100_000))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_plan(text, "plan.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_any_request_is_read_or_refused(data: Any) -> None:
    for command in COMMANDS:
        metadata = {"command": command, "made": "", "version": ""}
        with pytest.raises(InvalidInput):
            parse_plan(signed({**plan_text(), "metadata": metadata, "request": data}), "f")


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("before")
    save(ADOPTING, path)
    assert load(path).request == ADOPTING.request
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["plan.json"]
    with pytest.raises(OSError, match="none"):
        save(ADOPTING, tmp_path / "none" / "plan.json")
    with pytest.raises(InvalidInput):
        load(tmp_path)
