"""The plan's decisions one by one: what is done, made up for, refused, and with which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.binding.spec import Observed, ObservedRole, ObservedServiceAccount, Wish, digest
from irsa_cli.core.marks.annotation_marks import with_marks
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
    TRANSACTION_TAG,
    WISH_TAG,
    CommitState,
    OwnerState,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.planning.create import plan, provider_changes
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import ExitCode, Refused
from tests.unit.planning.wishes import (
    CLUSTER,
    DOCUMENT,
    OTHER_DOCUMENT,
    POLICIES,
    ROLE_ARN,
    STRANGER,
    provider_for,
    role_for,
    wish,
)

STS = "sts.amazonaws.com"
TAKEN_OVER = [
    [(Kind.ROLE_OWNER, "update")],
    [(Kind.ATTACHMENT, "update")],
    [(Kind.SERVICE_ACCOUNT, "create")],
]


def observed(**changed: Any) -> Observed:
    """A cluster with its provider, a namespace, and nothing else."""
    present: dict[str, Any] = {"provider": provider_for(STS), "role": None, "service_account": None}
    return Observed(**{**present, **changed})


BOUND, UNBOUND = with_marks({ROLE_ARN_ANNOTATION: ROLE_ARN}), with_marks({ROLE_ARN_ANNOTATION: None})


def account(annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None) -> Any:
    return ObservedServiceAccount("uid-1", "42", annotations or {}, labels or {})


def role(wished: Wish, *attached: str, inline: Any = None, **changed: Any) -> ObservedRole:
    """A role that run t9 has made."""
    state = role_for(wished, **changed)
    return ObservedRole(
        replace(state, tags={TRANSACTION_TAG: "t9", **state.tags}), frozenset(attached), inline or {}
    )


def shape(wished: Wish, there: Observed) -> list[list[tuple[Kind, str]]]:
    return [[(change.kind, change.action) for change in stage] for stage in plan(wished, there).stages]


def refusal(wished: Wish, there: Observed) -> Refused:
    with pytest.raises(Refused) as caught:
        plan(wished, there)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.next_steps
    return caught.value


def only(wished: Wish, there: Observed, kind: Kind) -> Change:
    (change,) = [change for change in plan(wished, there) if change.kind is kind]
    return change


def test_fresh() -> None:
    wished = wish(policies=POLICIES, inline={"p": DOCUMENT})
    there = observed(provider=None, namespace_exists=False)
    assert shape(replace(wished, associate=True), there) == [
        [(Kind.PROVIDER, "create"), (Kind.NAMESPACE, "create"), (Kind.ROLE, "create")],
        [(Kind.ATTACHMENT, "create")] * 3 + [(Kind.INLINE_POLICY, "create")],
        [(Kind.SERVICE_ACCOUNT, "create")],
    ]
    made = only(wished, observed(), Kind.SERVICE_ACCOUNT)
    assert made.after == ServiceAccountState(BOUND, {MANAGED_BY_LABEL: "irsa"})
    assert only(wished, observed(), Kind.ROLE).target == (ROLE_ARN.rsplit("/", 1)[1],)


def test_again() -> None:
    wished = wish(inline={"p": DOCUMENT})
    there = observed(
        role=role(wished, *POLICIES[:1], inline={"p": DOCUMENT}),
        service_account=account({ROLE_ARN_ANNOTATION: ROLE_ARN, "x": "y"}, {"z": "w"}),
    )
    assert len(plan(wished, there)) == 0
    assert len(plan(replace(wished, gated=True), there)) == 0


def test_an_existing_service_account_gets_its_annotation_and_nothing_else() -> None:
    there = observed(service_account=account({"x": "y"}, {MANAGED_BY_LABEL: "Helm"}))
    change = only(wish(), there, Kind.SERVICE_ACCOUNT)
    assert change.before == ServiceAccountState(UNBOUND, {}, "uid-1", "42")
    assert change.after == ServiceAccountState(BOUND, {}, "uid-1")


def test_another_role_is_refused_unless_overridden() -> None:
    there = observed(service_account=account({ROLE_ARN_ANNOTATION: STRANGER}))
    error = refusal(wish(), there)
    assert STRANGER in "".join(error.details)
    assert ROLE_ARN in "".join(error.details)
    assert "--override-existing-serviceaccounts" in "".join(error.next_steps)
    change = only(wish(override=True), there, Kind.SERVICE_ACCOUNT)
    assert isinstance(change.before, ServiceAccountState)
    assert change.before.annotations == {ROLE_ARN_ANNOTATION: STRANGER, ROLE_MARK: None}


@pytest.mark.parametrize("key", ["annotations", "labels"])
def test_a_value_of_somebody_else_is_refused_unless_overridden(key: str) -> None:
    wished = wish(extra={"k": "new"}) if key == "annotations" else wish(labels={"k": "new"})
    theirs = account({"k": "old"}) if key == "annotations" else account(labels={"k": "old"})
    assert any(
        "old" in detail and "new" in detail
        for detail in refusal(wished, observed(service_account=theirs)).details
    )
    change = only(replace(wished, override=True), observed(service_account=theirs), Kind.SERVICE_ACCOUNT)
    assert getattr(change.after, key)["k"] == "new"


def test_an_audience_that_was_left_behind_is_refused_and_taken_away_by_override() -> None:
    there = observed(service_account=account({AUDIENCE_ANNOTATION: "old"}))
    refusal(wish(), there)
    change = only(wish(override=True), there, Kind.SERVICE_ACCOUNT)
    assert isinstance(change.after, ServiceAccountState)
    assert change.after.annotations[AUDIENCE_ANNOTATION] is None


def test_a_half_made_role_is_completed() -> None:
    wished = wish(policies=POLICIES, inline={"p": DOCUMENT, "q": DOCUMENT})
    there = observed(role=role(wished, POLICIES[1], inline={"q": DOCUMENT}))
    todo = list(plan(wished, there))
    # First it becomes this run's; what is on it already is put again, as its maker may be taking it off.
    assert todo[0].kind is Kind.ROLE_OWNER
    assert [change.target[1] for change in todo[1:-1]] == [*POLICIES[::2], "p", POLICIES[1], "q"]
    assert [change.before is None for change in todo[1:-1]] == [True, True, True, False, False]
    assert todo[-1].kind is Kind.SERVICE_ACCOUNT


def test_what_was_taken_from_a_finished_role_is_refused() -> None:
    wished = wish(policies=POLICIES[:2], inline={"p": DOCUMENT})
    done = account({ROLE_ARN_ANNOTATION: ROLE_ARN})
    error = refusal(wished, observed(role=role(wished, POLICIES[0]), service_account=done))
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
    wished = wish(inline={"p": DOCUMENT})
    (detail,) = refusal(wished, observed(role=role(wished, *attached, inline=inline))).details
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
    wished = wish()
    (detail,) = refusal(wished, observed(role=role(wished, **changed))).details
    assert named in detail


@pytest.mark.parametrize("key", [CLUSTER_TAG, SERVICE_ACCOUNT_TAG])
def test_a_role_of_somebody_else_is_not_described_further(key: str) -> None:
    wished = wish()
    assert wished.role is not None
    tags = {name: value for name, value in wished.role.tags.items() if name != key}
    error = refusal(wished, observed(role=role(wished, tags=tags, path="/x/", description="x")))
    assert len(error.details) == 1
    assert "--role-name" in error.next_steps[0]
    there = wished.role_arn.replace(wished.role.path, "/x/")
    assert error.next_steps[1].endswith(f"--attach-role-arn {there}")


def test_tags_of_others_on_the_role_are_theirs() -> None:
    wished = wish()
    assert wished.role is not None
    there = observed(role=role(wished, *POLICIES[:1], tags={**wished.role.tags, "cost": "1"}))
    assert shape(wished, there) == TAKEN_OVER
    missing = {name: value for name, value in wished.role.tags.items() if name != "team"}
    refusal(wished, observed(role=role(wished, tags=missing)))


def test_the_same_trust_policy_in_another_form_is_the_same() -> None:
    wished = wish()
    (statement,) = trust_policy.policy(wished.identity)["Statement"]
    action = {**statement, "Action": [statement["Action"]]}
    there = observed(role=role(wished, *POLICIES[:1], trust={"Statement": action, "Version": "2012-10-17"}))
    assert shape(wished, there) == TAKEN_OVER


@pytest.mark.parametrize("provider", [None, provider_for("other"), provider_for()])
def test_the_provider_must_accept_the_audience(provider: Any) -> None:
    error = refusal(wish(), observed(provider=provider))
    assert any("irsa associate-oidc" in step for step in error.next_steps)
    (first, *_), *_ = shape(wish(associate=True), observed(provider=provider))
    assert first == (Kind.AUDIENCE if provider else Kind.PROVIDER, "create")


def test_a_provider_that_is_there_keeps_what_it_has() -> None:
    changes = provider_changes(CLUSTER, (STS, "a", "b"), provider_for("a", "x"), tags={"t": "u"})
    assert [(change.kind, change.target[1]) for change in changes] == [
        (Kind.AUDIENCE, STS),
        (Kind.AUDIENCE, "b"),
    ]


def test_the_provider_of_another_account_is_not_looked_at() -> None:
    elsewhere = "arn:aws:iam::222222222222:role/x"
    wished = wish(role=None, role_arn=elsewhere, annotations={ROLE_ARN_ANNOTATION: elsewhere}, associate=True)
    assert wished.identity.provider_arn.split(":")[4] == "222222222222"
    there = observed(provider=None, role_unreadable="it lives in account 222222222222")
    assert shape(wished, there) == [[(Kind.SERVICE_ACCOUNT, "create")]]


def test_a_missing_namespace_is_made_or_refused() -> None:
    there = observed(namespace_exists=False)
    assert (Kind.NAMESPACE, "create") in shape(wish(), there)[0]
    assert "backend" in refusal(wish(create_namespace=False), there).message
    assert shape(wish(create_namespace=False, role_only=True), there) == [
        [(Kind.ROLE, "create")],
        [(Kind.ATTACHMENT, "create")],
        [(Kind.ROLE_COMMIT, "update")],
    ]


@pytest.mark.parametrize("changed", [{"role_only": True}, {}])
def test_a_role_whose_service_account_can_not_tell_says_itself_that_it_is_done(changed: Any) -> None:
    """With `--role-only`, and where the ServiceAccount bears the role's ARN before the role is there."""
    wished = wish(**changed)
    early = None if changed else account({ROLE_ARN_ANNOTATION: ROLE_ARN})
    created, *_, last = plan(wished, observed(service_account=early))
    assert isinstance(created.after, RoleState)
    assert created.after.tags[COMMIT_TAG] == PENDING
    assert (last.kind, last.after) == (Kind.ROLE_COMMIT, CommitState(DONE))
    cut_off = role(wished, tags=created.after.tags)
    rest = plan(wished, observed(service_account=early, role=cut_off))
    assert [change.kind for change in rest] == [Kind.ROLE_OWNER, Kind.ATTACHMENT, Kind.ROLE_COMMIT]
    done = role(wished, tags={**created.after.tags, COMMIT_TAG: DONE})
    refusal(wished, observed(service_account=early, role=done))


def test_a_role_that_needs_nothing_more_is_done_when_it_is_made() -> None:
    (created,) = plan(wish(role_only=True, policies=()), observed())
    assert isinstance(created.after, RoleState)
    assert created.after.tags[COMMIT_TAG] == DONE


def test_a_half_made_role_of_another_wish_is_refused() -> None:
    def of(*policies: str) -> Wish:
        wished = wish(policies=policies)
        assert wished.role is not None
        tags = {**wished.role.tags, WISH_TAG: digest(wished)}
        return replace(wished, role=replace(wished.role, tags=tags))

    one, other = of(POLICIES[0]), of(*POLICIES[:2])
    assert one.role is not None
    theirs = ObservedRole(replace(one.role, tags={**one.role.tags, TRANSACTION_TAG: "t9"}))
    assert plan(one, observed(role=theirs)).stages
    error = refusal(other, observed(role=theirs))
    assert any("t9" in detail for detail in error.details)
    assert any("irsa recover t9 -c demo" in step for step in error.next_steps)
    # Once it is finished, what counts is how it differs.
    done = account({ROLE_ARN_ANNOTATION: ROLE_ARN})
    finished = replace(theirs, attached=frozenset(POLICIES[:2]))
    assert len(plan(other, observed(role=finished, service_account=done))) == 0


@pytest.mark.parametrize("kind", [Kind.PROVIDER_OWNER, Kind.NAMESPACE_OWNER])
def test_what_another_run_may_take_back_becomes_ours_first(kind: Kind) -> None:
    there = observed(provider_maker="t9", namespace_maker="t9")
    change = only(wish(), there, kind)
    assert (change.before, change.after) == (OwnerState("t9"), OwnerState(""))
    assert change in plan(wish(), there).stages[0]
    # Where there is nothing to do, nothing is written.
    done = account({ROLE_ARN_ANNOTATION: ROLE_ARN})
    nothing = replace(there, role=role(wish(), *POLICIES[:1]), service_account=done)
    assert len(plan(wish(), nothing)) == 0


def attached(wished: Wish, *statements: Any) -> Observed:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return observed(role=ObservedRole(role_for(wished, trust=document, tags={})))


def test_a_role_that_is_attached_must_admit_the_service_account() -> None:
    wished = wish(role=None)
    fitting = trust_policy.statement(wished.identity)
    assert shape(wished, attached(wished, fitting)) == [[(Kind.SERVICE_ACCOUNT, "create")]]
    error = refusal(wished, attached(wished))
    assert wished.identity.subject in "".join(error.details)
    assert "--update-trust" in error.next_steps[0]
    updating = replace(wished, update_trust=True)
    assert shape(updating, attached(wished)) == [
        [(Kind.TRUST_STATEMENT, "create")],
        [(Kind.SERVICE_ACCOUNT, "create")],
    ]
    assert shape(updating, attached(wished, fitting)) == [[(Kind.SERVICE_ACCOUNT, "create")]]


def test_a_trust_policy_that_denies_is_refused_whatever_is_added() -> None:
    wished = wish(role=None)
    fitting = trust_policy.statement(wished.identity)
    for updating in (False, True):
        with pytest.raises(Refused):
            plan(
                replace(wished, update_trust=updating),
                attached(wished, fitting, {**fitting, "Effect": "Deny"}),
            )


def test_a_role_that_is_attached_must_exist() -> None:
    with pytest.raises(Refused):
        plan(wish(role=None), observed())


@pytest.mark.parametrize("there", [None, account({"x": "y"}), account({ROLE_ARN_ANNOTATION: ROLE_ARN})])
def test_a_gate_has_the_annotation_alone_behind_it(there: Any) -> None:
    *work, last = plan(wish(gated=True), observed(service_account=there)).stages
    assert [change.kind for stage in work for change in stage][:2] == [Kind.ROLE, Kind.ATTACHMENT]
    states = [change.after for change in last]
    expected = [] if there and ROLE_ARN_ANNOTATION in there.annotations else [BOUND]
    assert [state.annotations for state in states if isinstance(state, ServiceAccountState)] == expected
    assert all(isinstance(state, ServiceAccountState | CommitState) for state in states)


def test_a_gate_finds_the_service_account_made_but_without_its_role() -> None:
    stages = plan(wish(gated=True, extra={"k": "v"}), observed()).stages
    made, annotated = (change for stage in stages for change in stage if change.kind is Kind.SERVICE_ACCOUNT)
    bare = {"k": "v", ROLE_ARN_ANNOTATION: None}
    assert made.after == ServiceAccountState(bare, {MANAGED_BY_LABEL: "irsa"})
    assert annotated.before == ServiceAccountState(UNBOUND)


def test_a_complete_role_that_is_wished_alone_says_itself_that_it_is_done() -> None:
    wished = wish(role_only=True)
    assert wished.role is not None
    made = role(wished, *POLICIES[:1], tags={**wished.role.tags, TRANSACTION_TAG: "t9"})
    there = observed(role=made, service_account=account({ROLE_ARN_ANNOTATION: ROLE_ARN}))
    owner, commit = plan(wished, there)
    assert (owner.kind, owner.before) == (Kind.ROLE_OWNER, OwnerState("t9"))
    assert (commit.kind, commit.before, commit.after) == (Kind.ROLE_COMMIT, None, CommitState(DONE))
    adopted = replace(made, state=replace(made.state, tags=wished.role.tags))
    assert len(plan(wished, observed(role=adopted))) == 0


def test_a_role_at_another_path_is_not_half_made() -> None:
    wished = wish()
    assert wished.role is not None
    wished = replace(wished, role=replace(wished.role, tags={**wished.role.tags, WISH_TAG: "this"}))
    tags = {**wished.role.tags, WISH_TAG: "that", TRANSACTION_TAG: "t9"}  # type: ignore[union-attr]
    present = role(wished, *POLICIES[:1], path="/", tags=tags)
    arn = f"arn:aws:iam::{CLUSTER.account}:role/{wished.role_name}"
    error = refusal(wished, observed(role=present, service_account=account({ROLE_ARN_ANNOTATION: arn})))
    assert any("path: is /," in detail for detail in error.details)
    assert not any("for other wishes" in detail for detail in error.details)


def test_without_the_cluster_nobody_knows_whether_a_role_with_a_service_account_is_complete() -> None:
    wished = wish(role_only=True)
    assert wished.role is not None
    wished = replace(wished, role=replace(wished.role, tags={**wished.role.tags, WISH_TAG: "this"}))
    tags = {**wished.role.tags, WISH_TAG: "that", TRANSACTION_TAG: "t9"}  # type: ignore[union-attr]
    error = refusal(wished, observed(role=role(wished, *POLICIES[:1], tags=tags)))
    assert any("made with its ServiceAccount by transaction t9" in detail for detail in error.details)
    assert any("irsa update-sa reader" in step for step in error.next_steps)
