"""The plan's decisions one by one: what is done, made up for, refused, and with which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.binding.current import CurrentRole, CurrentServiceAccount, CurrentState
from irsa_cli.core.binding.spec import DesiredState, digest
from irsa_cli.core.marks.lifecycle import with_marks
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    CLUSTER_TAG,
    COMMIT_TAG,
    DONE,
    MANAGED_BY_LABEL,
    PENDING,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    SERVICE_ACCOUNT_TAG,
    SPEC_HASH_TAG,
    TRANSACTION_TAG,
    CommitState,
    OwnerState,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.planning.create import plan, provider_changes
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import ExitCode, Refused
from tests.support.trusts import trust_of
from tests.unit.planning.desired_states import (
    CLUSTER,
    DOCUMENT,
    OTHER_DOCUMENT,
    POLICIES,
    ROLE_ARN,
    STRANGER,
    desired,
    provider_for,
    role_for,
)

STS = "sts.amazonaws.com"
TAKEN_OVER = [
    [(Kind.ROLE_OWNER, "update")],
    [(Kind.SERVICE_ACCOUNT, "create")],
]


def current(**changed: Any) -> CurrentState:
    """A cluster with its provider, a namespace, and nothing else."""
    present: dict[str, Any] = {"provider": provider_for(STS), "role": None, "service_account": None}
    return CurrentState(**{**present, **changed})


BOUND, UNBOUND = with_marks({ROLE_ARN_ANNOTATION: ROLE_ARN}), with_marks({ROLE_ARN_ANNOTATION: None})


def account(annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None) -> Any:
    return CurrentServiceAccount("uid-1", "42", annotations or {}, labels or {})


def role(desired_value: DesiredState, *attached: str, inline: Any = None, **changed: Any) -> CurrentRole:
    """A role that run t9 has made."""
    state = role_for(desired_value, **changed)
    return CurrentRole(
        replace(state, tags={TRANSACTION_TAG: "t9", **state.tags}), frozenset(attached), inline or {}
    )


def shape(desired_value: DesiredState, there: CurrentState) -> list[list[tuple[Kind, str]]]:
    return [[(change.kind, change.action) for change in stage] for stage in plan(desired_value, there).stages]


def refusal(desired_value: DesiredState, there: CurrentState) -> Refused:
    with pytest.raises(Refused) as caught:
        plan(desired_value, there)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.next_steps
    return caught.value


def only(desired_value: DesiredState, there: CurrentState, kind: Kind) -> Change:
    (change,) = [change for change in plan(desired_value, there) if change.kind is kind]
    return change


def test_fresh() -> None:
    desired_value = desired(policies=POLICIES, inline={"p": DOCUMENT})
    there = current(provider=None, namespace_exists=False)
    assert shape(replace(desired_value, associate=True), there) == [
        [(Kind.PROVIDER, "create"), (Kind.NAMESPACE, "create"), (Kind.ROLE, "create")],
        [(Kind.ATTACHMENT, "create")] * 3 + [(Kind.INLINE_POLICY, "create")],
        [(Kind.SERVICE_ACCOUNT, "create")],
    ]
    made = only(desired_value, current(), Kind.SERVICE_ACCOUNT)
    assert made.after == ServiceAccountState(BOUND, {MANAGED_BY_LABEL: "irsa"})
    assert only(desired_value, current(), Kind.ROLE).target == (ROLE_ARN.rsplit("/", 1)[1],)


def test_again() -> None:
    desired_value = desired(inline={"p": DOCUMENT})
    there = current(
        role=role(desired_value, *POLICIES[:1], inline={"p": DOCUMENT}),
        service_account=account({ROLE_ARN_ANNOTATION: ROLE_ARN, "x": "y"}, {"z": "w"}),
    )
    assert len(plan(desired_value, there)) == 0
    assert len(plan(replace(desired_value, gated=True), there)) == 0


def test_an_existing_service_account_gets_its_annotation_and_nothing_else() -> None:
    there = current(service_account=account({"x": "y"}, {MANAGED_BY_LABEL: "Helm"}))
    change = only(desired(), there, Kind.SERVICE_ACCOUNT)
    assert change.before == ServiceAccountState(UNBOUND, {}, "uid-1", "42")
    assert change.after == ServiceAccountState(BOUND, {}, "uid-1")


def test_another_role_is_refused_unless_overridden() -> None:
    there = current(service_account=account({ROLE_ARN_ANNOTATION: STRANGER}))
    error = refusal(desired(), there)
    assert STRANGER in "".join(error.details)
    assert ROLE_ARN in "".join(error.details)
    assert "--override-existing-serviceaccounts" in "".join(error.next_steps)
    change = only(desired(override=True), there, Kind.SERVICE_ACCOUNT)
    assert isinstance(change.before, ServiceAccountState)
    assert change.before.annotations == {ROLE_ARN_ANNOTATION: STRANGER, ROLE_MARK: None}


@pytest.mark.parametrize("key", ["annotations", "labels"])
def test_a_value_of_somebody_else_is_refused_unless_overridden(key: str) -> None:
    desired_value = desired(extra={"k": "new"}) if key == "annotations" else desired(labels={"k": "new"})
    theirs = account({"k": "old"}) if key == "annotations" else account(labels={"k": "old"})
    assert any(
        "old" in detail and "new" in detail
        for detail in refusal(desired_value, current(service_account=theirs)).details
    )
    change = only(
        replace(desired_value, override=True), current(service_account=theirs), Kind.SERVICE_ACCOUNT
    )
    assert getattr(change.after, key)["k"] == "new"


def test_an_audience_that_was_left_behind_is_refused_and_taken_away_by_override() -> None:
    there = current(service_account=account({AUDIENCE_ANNOTATION: "old"}))
    refusal(desired(), there)
    change = only(desired(override=True), there, Kind.SERVICE_ACCOUNT)
    assert isinstance(change.after, ServiceAccountState)
    assert change.after.annotations[AUDIENCE_ANNOTATION] is None


def test_a_half_made_role_is_completed() -> None:
    desired_value = desired(policies=POLICIES, inline={"p": DOCUMENT, "q": DOCUMENT})
    there = current(role=role(desired_value, POLICIES[1], inline={"q": DOCUMENT}))
    todo = list(plan(desired_value, there))
    # First it becomes this run's.
    assert todo[0].kind is Kind.ROLE_OWNER
    assert [change.target[1] for change in todo[1:-1]] == [*POLICIES[::2], "p"]
    assert all(change.before is None for change in todo[1:-1])
    assert todo[-1].kind is Kind.SERVICE_ACCOUNT


def test_what_was_taken_from_a_finished_role_is_refused() -> None:
    desired_value = desired(policies=POLICIES[:2], inline={"p": DOCUMENT})
    done = account({ROLE_ARN_ANNOTATION: ROLE_ARN})
    error = refusal(desired_value, current(role=role(desired_value, POLICIES[0]), service_account=done))
    assert [POLICIES[1] in error.details[0], " p" in error.details[1]] == [True, True]
    assert len(error.details) == 2


@pytest.mark.parametrize(
    ("attached", "inline", "named"),
    [
        ((*POLICIES[:1], "arn:extra"), {}, "arn:extra"),
        (POLICIES[:1], {"extra": DOCUMENT}, "extra"),
        (POLICIES[:1], {"p": OTHER_DOCUMENT}, policy.dump(OTHER_DOCUMENT)),
    ],
)
def test_policies_that_were_not_wished_are_refused(
    attached: tuple[str, ...], inline: Any, named: str
) -> None:
    desired_value = desired(inline={"p": DOCUMENT})
    (detail,) = refusal(desired_value, current(role=role(desired_value, *attached, inline=inline))).details
    assert named in detail


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"path": "/theirs/"}, "/theirs/"),
        ({"description": "theirs"}, "theirs"),
        ({"max_session_duration": 7200}, "7200 s"),
        ({"permissions_boundary": POLICIES[2]}, POLICIES[2]),
        ({"trust": {"Version": "2012-10-17", "Statement": []}}, "trust policy"),
    ],
)
def test_a_role_that_differs_is_refused(changed: dict[str, Any], named: str) -> None:
    desired_value = desired()
    (detail,) = refusal(desired_value, current(role=role(desired_value, **changed))).details
    assert named in detail


@pytest.mark.parametrize("key", [CLUSTER_TAG, SERVICE_ACCOUNT_TAG])
def test_a_role_of_somebody_else_is_not_described_further(key: str) -> None:
    desired_value = desired()
    assert desired_value.role is not None
    tags = {name: value for name, value in desired_value.role.tags.items() if name != key}
    error = refusal(desired_value, current(role=role(desired_value, tags=tags, path="/x/", description="x")))
    assert error.details == ()
    assert "None" not in str(error)
    there = desired_value.role_arn.replace(desired_value.role.path, "/x/")
    assert error.next_steps[0].endswith(f"--attach-role-arn {there}  # to use it")
    assert "--role-name" in error.next_steps[1]


def test_tags_of_others_on_the_role_are_theirs() -> None:
    desired_value = desired()
    assert desired_value.role is not None
    there = current(role=role(desired_value, *POLICIES[:1], tags={**desired_value.role.tags, "cost": "1"}))
    assert shape(desired_value, there) == TAKEN_OVER
    missing = {name: value for name, value in desired_value.role.tags.items() if name != "team"}
    refusal(desired_value, current(role=role(desired_value, tags=missing)))


def test_the_same_trust_policy_in_another_form_is_the_same() -> None:
    desired_value = desired()
    (statement,) = trust_of(desired_value.identity)["Statement"]
    action = {**statement, "Action": [statement["Action"]]}
    there = current(
        role=role(desired_value, *POLICIES[:1], trust={"Statement": action, "Version": "2012-10-17"})
    )
    assert shape(desired_value, there) == TAKEN_OVER


@pytest.mark.parametrize("provider", [None, provider_for("other"), provider_for()])
def test_the_provider_must_accept_the_audience(provider: Any) -> None:
    error = refusal(desired(), current(provider=provider))
    assert any("irsa associate-oidc" in step for step in error.next_steps)
    (first, *_), *_ = shape(desired(associate=True), current(provider=provider))
    assert first == (Kind.AUDIENCE if provider else Kind.PROVIDER, "create")


def test_a_provider_that_is_there_keeps_what_it_has() -> None:
    changes = provider_changes(CLUSTER, (STS, "a", "b"), provider_for("a", "x"), tags={"t": "u"})
    assert [(change.kind, change.target[1]) for change in changes] == [
        (Kind.AUDIENCE, STS),
        (Kind.AUDIENCE, "b"),
    ]


def test_the_provider_of_another_account_is_not_looked_at() -> None:
    elsewhere = "arn:aws:iam::222222222222:role/x"
    desired_value = desired(
        role=None, role_arn=elsewhere, annotations={ROLE_ARN_ANNOTATION: elsewhere}, associate=True
    )
    assert desired_value.identity.provider_arn.split(":")[4] == "222222222222"
    there = current(provider=None, role_unreadable="it is in account 222222222222")
    assert shape(desired_value, there) == [[(Kind.SERVICE_ACCOUNT, "create")]]


def test_a_missing_namespace_is_made_or_refused() -> None:
    there = current(namespace_exists=False)
    assert (Kind.NAMESPACE, "create") in shape(desired(), there)[0]
    assert "backend" in refusal(desired(create_namespace=False), there).message
    assert shape(desired(create_namespace=False, role_only=True), there) == [
        [(Kind.ROLE, "create")],
        [(Kind.ATTACHMENT, "create")],
        [(Kind.ROLE_COMMIT, "update")],
    ]


@pytest.mark.parametrize("changed", [{"role_only": True}, {}])
def test_a_role_whose_service_account_can_not_tell_says_itself_that_it_is_done(changed: Any) -> None:
    """With `--role-only`, and where the ServiceAccount bears the role's ARN before the role is there."""
    desired_value = desired(**changed)
    early = None if changed else account({ROLE_ARN_ANNOTATION: ROLE_ARN})
    created, *_, last = plan(desired_value, current(service_account=early))
    assert isinstance(created.after, RoleState)
    assert created.after.tags[COMMIT_TAG] == PENDING
    assert (last.kind, last.after) == (Kind.ROLE_COMMIT, CommitState(DONE))
    incomplete = role(desired_value, tags=created.after.tags)
    rest = plan(desired_value, current(service_account=early, role=incomplete))
    assert [change.kind for change in rest] == [Kind.ROLE_OWNER, Kind.ATTACHMENT, Kind.ROLE_COMMIT]
    done = role(desired_value, tags={**created.after.tags, COMMIT_TAG: DONE})
    refusal(desired_value, current(service_account=early, role=done))


def test_a_role_that_needs_nothing_more_is_done_when_it_is_made() -> None:
    (created,) = plan(desired(role_only=True, policies=()), current())
    assert isinstance(created.after, RoleState)
    assert created.after.tags[COMMIT_TAG] == DONE


def test_a_half_made_role_of_another_wish_is_refused() -> None:
    def of(*policies: str) -> DesiredState:
        desired_value = desired(policies=policies)
        assert desired_value.role is not None
        tags = {**desired_value.role.tags, SPEC_HASH_TAG: digest(desired_value)}
        return replace(desired_value, role=replace(desired_value.role, tags=tags))

    one, other = of(POLICIES[0]), of(*POLICIES[:2])
    assert one.role is not None
    theirs = CurrentRole(replace(one.role, tags={**one.role.tags, TRANSACTION_TAG: "t9"}))
    assert plan(one, current(role=theirs)).stages
    error = refusal(other, current(role=theirs))
    assert any("t9" in detail for detail in error.details)
    assert any("irsa delete-sa reader -n backend -c demo" in step for step in error.next_steps)
    # Once it is finished, what counts is how it differs.
    done = account({ROLE_ARN_ANNOTATION: ROLE_ARN})
    finished = replace(theirs, attached=frozenset(POLICIES[:2]))
    assert len(plan(other, current(role=finished, service_account=done))) == 0


def attached(desired_value: DesiredState, *statements: Any) -> CurrentState:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return current(role=CurrentRole(role_for(desired_value, trust=document, tags={})))


def test_a_role_that_is_attached_must_admit_the_service_account() -> None:
    desired_value = desired(role=None)
    fitting = trust_policy.statement(desired_value.identity)
    assert shape(desired_value, attached(desired_value, fitting)) == [[(Kind.SERVICE_ACCOUNT, "create")]]
    error = refusal(desired_value, attached(desired_value))
    assert desired_value.identity.subject in "".join(error.details)
    assert "--update-trust" in error.next_steps[0]
    updating = replace(desired_value, update_trust=True)
    assert shape(updating, attached(desired_value)) == [
        [(Kind.TRUST_STATEMENT, "create")],
        [(Kind.SERVICE_ACCOUNT, "create")],
    ]
    assert shape(updating, attached(desired_value, fitting)) == [[(Kind.SERVICE_ACCOUNT, "create")]]


def test_a_trust_policy_that_denies_is_refused_whatever_is_added() -> None:
    desired_value = desired(role=None)
    fitting = trust_policy.statement(desired_value.identity)
    for updating in (False, True):
        with pytest.raises(Refused):
            plan(
                replace(desired_value, update_trust=updating),
                attached(desired_value, fitting, {**fitting, "Effect": "Deny"}),
            )


def test_a_role_that_is_attached_must_exist() -> None:
    with pytest.raises(Refused):
        plan(desired(role=None), current())


@pytest.mark.parametrize("there", [None, account({"x": "y"}), account({ROLE_ARN_ANNOTATION: ROLE_ARN})])
def test_a_gate_has_the_annotation_alone_behind_it(there: Any) -> None:
    *work, last = plan(desired(gated=True), current(service_account=there)).stages
    assert [change.kind for stage in work for change in stage][:2] == [Kind.ROLE, Kind.ATTACHMENT]
    states = [change.after for change in last]
    expected = [] if there and ROLE_ARN_ANNOTATION in there.annotations else [BOUND]
    assert [state.annotations for state in states if isinstance(state, ServiceAccountState)] == expected
    assert all(isinstance(state, ServiceAccountState | CommitState) for state in states)


def test_a_gate_finds_the_service_account_made_but_without_its_role() -> None:
    stages = plan(desired(gated=True, extra={"k": "v"}), current()).stages
    made, annotated = (change for stage in stages for change in stage if change.kind is Kind.SERVICE_ACCOUNT)
    bare = {"k": "v", ROLE_ARN_ANNOTATION: None}
    assert made.after == ServiceAccountState(bare, {MANAGED_BY_LABEL: "irsa"})
    assert annotated.before == ServiceAccountState(UNBOUND)


def test_a_complete_role_that_is_wished_alone_says_itself_that_it_is_done() -> None:
    desired_value = desired(role_only=True)
    assert desired_value.role is not None
    made = role(desired_value, *POLICIES[:1], tags={**desired_value.role.tags, TRANSACTION_TAG: "t9"})
    there = current(role=made, service_account=account({ROLE_ARN_ANNOTATION: ROLE_ARN}))
    owner, commit = plan(desired_value, there)
    assert (owner.kind, owner.before) == (Kind.ROLE_OWNER, OwnerState("t9"))
    assert (commit.kind, commit.before, commit.after) == (Kind.ROLE_COMMIT, None, CommitState(DONE))
    adopted = replace(made, state=replace(made.state, tags=desired_value.role.tags))
    assert len(plan(desired_value, current(role=adopted))) == 0


def test_a_role_at_another_path_is_not_half_made() -> None:
    desired_value = desired()
    assert desired_value.role is not None
    desired_value = replace(
        desired_value,
        role=replace(desired_value.role, tags={**desired_value.role.tags, SPEC_HASH_TAG: "this"}),
    )
    tags = {**desired_value.role.tags, SPEC_HASH_TAG: "that", TRANSACTION_TAG: "t9"}  # type: ignore[union-attr]
    present = role(desired_value, *POLICIES[:1], path="/", tags=tags)
    arn = f"arn:aws:iam::{CLUSTER.account}:role/{desired_value.role_name}"
    error = refusal(desired_value, current(role=present, service_account=account({ROLE_ARN_ANNOTATION: arn})))
    assert any("path: / (" in detail for detail in error.details)
    assert not any("for another desired state" in detail for detail in error.details)


def test_without_the_cluster_nobody_knows_whether_a_role_with_a_service_account_is_complete() -> None:
    desired_value = desired(role_only=True)
    assert desired_value.role is not None
    desired_value = replace(
        desired_value,
        role=replace(desired_value.role, tags={**desired_value.role.tags, SPEC_HASH_TAG: "this"}),
    )
    tags = {**desired_value.role.tags, SPEC_HASH_TAG: "that", TRANSACTION_TAG: "t9"}  # type: ignore[union-attr]
    error = refusal(desired_value, current(role=role(desired_value, *POLICIES[:1], tags=tags)))
    assert any("created with its ServiceAccount by transaction t9" in detail for detail in error.details)
    assert any("irsa update-sa reader" in step for step in error.next_steps)
