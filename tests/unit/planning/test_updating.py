"""From any binding, by any request: what is named changes, the rest stays byte for byte, and it converges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.objects import role as objects
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    MARKS,
    ROLE_ARN_ANNOTATION,
    STS_REGIONAL_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
    ProviderState,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.planning.update import Quotas, plan
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.errors import Refused
from tests.support.thoroughness import examples
from tests.unit.current import CLUSTER, ISSUER, PROVIDER, ROLE
from tests.unit.plan import strategies as some
from tests.unit.world import Account, Role, World, apply, seen_role

ARNS = [f"arn:aws:iam::aws:policy/{letter}" for letter in "ABCDEFGH"]
KEYS = st.sampled_from(["team", "Env", "note", "x"])
VALUES = st.text("abc", max_size=3)
EDITS = st.dictionaries(KEYS, st.none() | VALUES, max_size=2)
NAMES = st.sampled_from("pqr")
QUOTAS = Quotas(attached=len(ARNS))


@st.composite
def pairs(draw: st.DrawFn) -> Binding:
    """A binding of irsa's, with anything on it."""
    audience = draw(st.sampled_from([DEFAULT_AUDIENCE, "vault"]))
    annotations = {ROLE_ARN_ANNOTATION: ROLE, **draw(st.dictionaries(KEYS, VALUES, max_size=2))}
    if audience != DEFAULT_AUDIENCE:
        annotations[AUDIENCE_ANNOTATION] = audience
    labels = draw(st.dictionaries(KEYS, VALUES, max_size=2))
    account = ServiceAccount("backend", "reader", annotations, labels, uid="made", resource_version="1")
    pair = Binding(CLUSTER, "backend", "reader", account)
    ours = trust_policy.statement(pair.identity)
    others = draw(st.sampled_from([[], [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]]))
    if draw(st.booleans()):
        ours = {"Sid": "Ours", **ours}
    state = replace(
        draw(some.STATES_OF_ROLES),
        path="/irsa/demo/",
        trust={"Version": "2012-10-17", "Statement": [*others, ours]},
        tags=draw(st.dictionaries(KEYS, VALUES, max_size=3)),
    )
    inline = draw(st.dictionaries(NAMES, some.documents, max_size=3))
    attached = draw(st.frozensets(st.sampled_from(ARNS)))
    provider = ProviderState(ISSUER, [DEFAULT_AUDIENCE])
    return replace(pair, role=objects.Role(ROLE, state, attached, inline), provider=provider)


@st.composite
def updates(draw: st.DrawFn) -> Update:
    """Any request that the command line lets through."""
    attach = draw(st.sets(st.sampled_from(ARNS), max_size=3))
    detach = draw(st.sets(st.sampled_from(ARNS), max_size=3)) - attach
    exact = draw(st.none() | st.sets(st.sampled_from(ARNS), max_size=3).map(sorted).map(tuple))
    return Update(
        attach=() if exact is not None else tuple(sorted(attach)),
        detach=() if exact is not None else tuple(sorted(detach)),
        policies=exact,
        inline=draw(st.dictionaries(NAMES, st.none() | some.documents, max_size=2)),
        boundary=draw(st.sampled_from([None, "", ARNS[0], ARNS[1]])),
        tags=draw(EDITS),
        description=draw(st.none() | st.sampled_from(["", "new"])),
        max_session_duration=draw(st.none() | st.sampled_from([3600, 7200])),
        labels=draw(EDITS),
        annotations=draw(EDITS),
        audience=draw(st.sampled_from([None, DEFAULT_AUDIENCE, "vault", "other"])),
        sts_regional_endpoints=draw(st.sampled_from([None, True, False])),
        token_expiration=draw(st.sampled_from([None, 600])),
    )


def world_of(pair: Binding) -> World:
    """A world with nothing but the binding."""
    seen, provider, there = pair.seen_role, pair.known_provider, pair.existing
    assert seen is not None
    assert provider is not None
    assert there is not None
    role = Role(seen.state, set(seen.attached), dict(seen.inline))
    account = Account(dict(there.annotations), dict(there.labels), "made")
    return World(
        providers={PROVIDER: provider},
        namespaces={"backend"},
        roles={pair.role_name: role},
        accounts={("backend", "reader"): account},
    )


def bound_of(world: World, before: Binding) -> Binding:
    """The binding as it would be read now."""
    role, account = world.roles[before.role_name], world.accounts["backend", "reader"]
    assert before.existing is not None
    return replace(
        before,
        account=replace(
            before.existing,
            annotations=account.annotations,
            labels=account.labels,
            resource_version="2",
        ),
        role=seen_role(before.role_name, role),
        provider=world.providers[PROVIDER],
    )


def carried_out(world: World, todo: Plan) -> World:
    """The world after a plan; IAM's quotas are watched on the way."""
    for change in todo:
        world = apply(world, change)
        for role in world.roles.values():
            assert len(role.attached) <= QUOTAS.attached
    return world


def planned(update: Update, pair: Binding) -> Plan:
    try:
        return plan(update, pair, QUOTAS, associate=True)
    except Refused:
        assume(False)
        raise


@settings(max_examples=examples(40))
@given(pairs(), updates())
def test_what_is_named_is_true_afterwards_and_nothing_else_is_another(pair: Binding, update: Update) -> None:
    world, todo = world_of(pair), planned(update, pair)
    after = carried_out(world, todo)
    assert not len(planned(update, bound_of(after, pair)))
    assert carried_out(after, todo.inverse) == world
    check_order(pair, update, todo)
    before, role, there = pair.seen_role, after.roles[pair.role_name], pair.existing
    assert before is not None
    assert there is not None
    state, was = role.state, before.state
    if update.policies is None:
        assert {*role.attached} ^ {*before.attached} <= {*update.attach, *update.detach}
    assert changed(role.inline, before.inline) <= {*update.inline}
    assert {key.lower() for key in changed(state.tags, was.tags)} <= {key.lower() for key in update.tags}
    for value, now, then in (
        (update.boundary, state.permissions_boundary, was.permissions_boundary),
        (update.description, state.description, was.description),
        (update.max_session_duration, state.max_session_duration, was.max_session_duration),
    ):
        assert now == (then if value is None else value)
    assert update.audience is not None or state.trust == was.trust
    assert _others(state.trust) == _others(was.trust)
    account = after.accounts["backend", "reader"]
    assert changed(account.labels, there.labels) <= {*update.labels}
    flags = {
        AUDIENCE_ANNOTATION: update.audience,
        STS_REGIONAL_ANNOTATION: update.sts_regional_endpoints,
        TOKEN_EXPIRATION_ANNOTATION: update.token_expiration,
    }
    flagged = {key for key, value in flags.items() if value is not None}
    named = {*update.annotations, *flagged, *(MARKS[key] for key in flagged)}
    assert changed(account.annotations, there.annotations) <= named


def changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """The keys whose values differ."""
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


def _others(document: policy.Document) -> list[Any]:
    return [item for item in document["Statement"] if "Service" in item["Principal"]]


def check_order(pair: Binding, update: Update, plain: Plan) -> None:
    """Gains come before losses, and the ServiceAccount is last."""
    account = numbers(plain.stages, Kind.SERVICE_ACCOUNT, "create update delete")
    assert account in ([], [len(plain.stages) - 1])
    attached, detached = (numbers(plain.stages, Kind.ATTACHMENT, how) for how in ("create", "delete"))
    assert not (attached and detached) or max(attached) < min(detached)
    # A gate stands before the last stage where there is something to do.
    gated = plan(update, pair, QUOTAS, associate=True, gated=True)
    assert list(gated) == list(plain)
    assert bool(gated.stages) == bool(len(plain))
    assert all(isinstance(change.after, ServiceAccountState) for change in (gated.stages or ((),))[-1])


def numbers(stages: Sequence[tuple[Change, ...]], kind: Kind, actions: str) -> list[int]:
    """The stages with such changes."""
    return [
        number
        for number, stage in enumerate(stages)
        if any(change.kind is kind and change.action in actions for change in stage)
    ]


@settings(max_examples=examples(40))
@given(pairs())
def test_nothing_named_is_nothing_to_do(pair: Binding) -> None:
    assert not len(plan(Update(), pair))
    assert Update().is_empty
    assert not Update().concerns_role


@pytest.mark.parametrize("room", [3, 4])
def test_without_room_policies_give_way_first(room: int) -> None:
    role = objects.Role(ROLE, RoleState("/irsa/demo/", {"Statement": []}), frozenset(ARNS[:3]))
    account = ServiceAccount("backend", "reader", {ROLE_ARN_ANNOTATION: ROLE}, uid="made")
    pair = Binding(CLUSTER, "backend", "reader", account, role)
    stages = plan(Update(attach=(ARNS[3],), detach=(ARNS[0],)), pair, Quotas(attached=room)).stages
    first, second = ("delete", "create") if room == 3 else ("create", "delete")
    assert numbers(stages, Kind.ATTACHMENT, first) == [0]
    assert numbers(stages, Kind.ATTACHMENT, second) == [1]
    with pytest.raises(Refused):
        plan(Update(attach=(ARNS[3],)), pair, Quotas(attached=3))
    assert len(plan(Update(attach=(ARNS[3],)), pair, Quotas(attached=3, known=False))) == 1
