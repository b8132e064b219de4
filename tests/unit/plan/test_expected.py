"""Whether a plan is the one that was saved: what moved of what it was made of is seen, and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import CurrentState, PolicyVersions
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Change, Kind, Plan, PlannedWork, seen_of
from irsa_cli.core.plan.states import Present, ProviderState, RoleState
from irsa_cli.usecases.plans.reading import as_planned
from tests.unit.plan import strategies as some
from tests.unit.planning.desired_states import CLUSTER

ROLES = st.builds(
    Role,
    arn=st.just("arn:r"),
    state=some.STATES_OF_ROLES,
    attached=st.frozensets(st.sampled_from(["arn:a", "arn:b", "arn:c"])),
    inline=st.dictionaries(some.labels, some.documents, max_size=2),
    role_id=st.sampled_from(["AROA1", "AROA2"]),
)
ACCOUNTS = st.builds(
    ServiceAccount,
    namespace=st.just("n"),
    name=st.just("a"),
    uid=some.labels,
    resource_version=some.labels,
    annotations=some.string_maps,
    labels=some.string_maps,
)
PROVIDERS = st.builds(
    ProviderState, url=some.issuers, audiences=st.lists(some.audiences, unique=True), tags=some.string_maps
)
BINDINGS = st.builds(
    Binding,
    st.just(CLUSTER),
    st.just("n"),
    st.just("a"),
    account=st.none() | ACCOUNTS,
    role=st.none() | ROLES,
    provider=st.none() | PROVIDERS,
)
CURRENT = st.builds(
    CurrentState,
    BINDINGS,
    namespace_exists=st.booleans(),
    policies=st.builds(
        PolicyVersions, st.dictionaries(some.labels, st.sampled_from(["v1", "v2"]), max_size=2)
    ),
)
NOTHING = Binding(CLUSTER, "n", "a")
PLAN = Plan.of([Change(Kind.ATTACHMENT, ("role", "arn:x"), None, Present())])


def work(current: CurrentState, plan: Plan = PLAN) -> PlannedWork:
    return PlannedWork("arn:cluster", "apply", "n/a", plan, seen_of(*current.seen))


def plain(value: Any) -> Any:
    """A current state without what changes though nothing of interest has."""
    if isinstance(value, CurrentState):
        parts = {item.name: plain(getattr(value, item.name)) for item in fields(value)}
        return {
            key: part for key, part in parts.items() if key not in ("similar_namespaces", "similar_roles")
        }
    if isinstance(value, Binding):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, ServiceAccount):
        return (value.uid, dict(value.annotations), dict(value.labels))
    if isinstance(value, Role):
        return (value.state, value.attached, dict(value.inline), value.role_id)
    if isinstance(value, ProviderState):
        return (value.url, sorted(value.audiences), value.tags)
    return value


@given(CURRENT, CURRENT)
def test_what_is_not_as_it_was_is_seen(before: CurrentState, after: CurrentState) -> None:
    moved = as_planned([work(before)], work(after))
    assert bool(moved) == (plain(before) != plain(after)), moved


@given(CURRENT, some.labels)
def test_another_version_of_an_object_alone_is_nothing(current: CurrentState, version: str) -> None:
    account = current.binding.existing
    assume(account is not None)
    assert account is not None
    written = replace(current.binding, account=replace(account, resource_version=version))
    touched = replace(current, binding=written)
    assert as_planned([work(current)], work(touched)) == []


@given(CURRENT)
def test_no_value_can_be_read_of_what_was_seen(current: CurrentState) -> None:
    secret = "s3cr3t-value"
    account = ServiceAccount("n", "a", {"key": secret}, {"label": secret}, uid="u")
    seen = seen_of(*replace(current, binding=replace(current.binding, account=account)).seen)
    assert secret not in str(seen)


@given(some.plans(), some.plans())
def test_other_changes_are_seen(before: Plan, after: Plan) -> None:
    current = CurrentState(NOTHING)
    moved = as_planned([work(current, before)], work(current, after))
    if not len(after) or before == after:
        assert moved == []
    elif {(change.kind, change.target) for change in before} != {
        (change.kind, change.target) for change in after
    }:
        assert moved


def test_what_moved_is_called_by_its_name() -> None:
    state = RoleState("/", {"Statement": []}, tags={"team": "a"})
    before = CurrentState(replace(NOTHING, role=Role("arn:r", state, frozenset({"arn:x"}), role_id="A")))
    other = replace(state, tags={"team": "b"}, trust={"Statement": [1]}, permissions_boundary="arn:b")
    after = CurrentState(replace(NOTHING, role=Role("arn:r", other, frozenset({"arn:y"}), role_id="B")))
    assert as_planned([work(before)], work(after)) == [
        "role attached policy arn:x: is gone",
        "role attached policy arn:y: now exists",
        "role id (deleted and recreated): was changed",
        "role permissions boundary: now exists",
        "role tag team: was changed",
        "role trust policy: was changed",
    ]


def test_an_object_that_is_new_or_gone_is_one_line() -> None:
    state = RoleState("/", {"Statement": []}, tags={"team": "a", "cost": "1"})
    none = CurrentState(NOTHING)
    there = CurrentState(replace(NOTHING, role=Role("arn:r", state, frozenset({"arn:x"}), role_id="A")))
    assert as_planned([work(none)], work(there)) == ["role: now exists"]
    assert as_planned([work(there)], work(none)) == ["role: is gone"]


def test_another_cluster_of_the_same_name_is_named() -> None:
    current = CurrentState(NOTHING)
    now = replace(work(current), cluster="arn:other")
    assert as_planned([work(current)], now) == ["the cluster is arn:other, but the plan is for arn:cluster"]


@given(st.sets(st.sampled_from(["arn:a", "arn:b", "arn:c", "arn:d"])), st.sampled_from(["arn:e", "arn:f"]))
def test_each_part_of_a_role_counts_by_itself(before: set[str], more: str) -> None:
    """A plan that changes one part of a role more, or one less, is another plan."""

    def attach(arns: set[str]) -> PlannedWork:
        changes = [Change(Kind.ATTACHMENT, ("role", arn), None, Present()) for arn in sorted(arns)]
        return work(CurrentState(NOTHING), Plan.of(changes) if changes else Plan(()))

    assume(before)
    fewer, larger = attach(before), attach(before | {more})
    assert as_planned([fewer], larger) == [f"not planned: create PolicyAttachment role/{more}"]
    assert as_planned([larger], fewer) == [
        f"planned, but no longer needed: create PolicyAttachment role/{more}"
    ]
