"""The order in which `apply` changes an association and its role: pods always get credentials."""

from __future__ import annotations

from dataclasses import replace

import pytest

from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import BindingSpec, DesiredState, desired_state_of
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Kind
from irsa_cli.core.plan.states import COMMIT_TAG, DONE, TRANSACTION_TAG
from irsa_cli.core.planning.converge import converge
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.usecases.read.observe import about
from tests.unit.planning.desired_states import CLUSTER

TARGET = "arn:aws:iam::444455556666:role/data"


def desired_of(*, untagged: bool = False, target: str = "") -> DesiredState:
    spec = BindingSpec(
        "shop",
        "web",
        pod_identity=True,
        web_identity=False,
        disable_session_tags=untagged,
        target_role=target,
        unsaid=("subjects",),
    )
    return desired_state_of(spec, CLUSTER)


def reached(desired: DesiredState) -> CurrentState:
    assert desired.role is not None
    assert desired.association is not None
    state = replace(desired.role, tags={**desired.role.tags, TRANSACTION_TAG: "t", COMMIT_TAG: DONE})
    role = Role(desired.role_arn, state, frozenset(desired.policies), dict(desired.inline))
    wanted = desired.association
    association = Association(
        "a-1",
        wanted.role_arn,
        target_role_arn=wanted.target_role_arn,
        without_tags=wanted.without_session_tags,
        tags=wanted.tags,
    )
    former = {TARGET: Unreadable("there are no credentials")}
    binding = replace(about(desired, role), association=association, targets=former)
    return CurrentState(binding)


KINDS = (Kind.TRUST_POLICY, Kind.INLINE_POLICY, Kind.ASSOCIATION)
CASES = [
    (desired_of(), desired_of(untagged=True), [Kind.TRUST_POLICY, Kind.ASSOCIATION]),
    (desired_of(untagged=True), desired_of(), [Kind.ASSOCIATION, Kind.TRUST_POLICY]),
    (desired_of(), desired_of(target=TARGET), [Kind.INLINE_POLICY, Kind.ASSOCIATION]),
    (desired_of(target=TARGET), desired_of(), [Kind.ASSOCIATION, Kind.INLINE_POLICY]),
]


@pytest.mark.parametrize(("before", "after", "order"), CASES)
def test_pods_get_credentials_all_the_time(
    before: DesiredState, after: DesiredState, order: list[Kind]
) -> None:
    plan = converge(after, reached(before))
    stages = [[change.kind for change in stage if change.kind in KINDS] for stage in plan.stages]
    assert [kinds for kinds in stages if kinds] == [[kind] for kind in order]


@pytest.mark.parametrize("desired", [desired_of(), desired_of(untagged=True), desired_of(target=TARGET)])
def test_what_is_as_desired_stays(desired: DesiredState) -> None:
    assert not len(converge(desired, reached(desired)))
