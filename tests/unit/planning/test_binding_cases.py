"""The plan's decisions one by one: what is done, made up for, refused, and with which words."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

import pytest

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import DesiredState, digest
from irsa_cli.core.marks.lifecycle import with_marks
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Kind, Plan
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
from irsa_cli.core.planning import create
from irsa_cli.core.planning.create import provider_changes
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import ExitCode, Refused, Unreadable
from irsa_cli.usecases.read.observe import about
from tests.support.named import named
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
from tests.unit.world import role_arn

STS = "sts.amazonaws.com"
BOUND, UNBOUND = with_marks({ROLE_ARN_ANNOTATION: ROLE_ARN}), with_marks({ROLE_ARN_ANNOTATION: None})
WISH = desired()
INLINE = desired(inline={"p": DOCUMENT})


def current(**changed: Any) -> CurrentState:
    """A cluster with its provider, a namespace, and nothing else."""
    namespace_exists = changed.pop("namespace_exists", True)
    present = Binding(CLUSTER, WISH.namespace, WISH.name, provider=provider_for(STS))
    return CurrentState(replace(present, **changed), namespace_exists)


def plan(wish: DesiredState, there: CurrentState) -> Plan:
    """The plan for a binding that is about the wished role."""
    about_role = about(wish, there.binding.role).named_role
    return create.plan(wish, replace(there, binding=replace(there.binding, named_role=about_role)))


def account(labels: Any = None, **annotations: str) -> CurrentState:
    """With a ServiceAccount; `role`, `audience` are the annotations that the webhook reads."""
    keys = {"role": ROLE_ARN_ANNOTATION, "audience": AUDIENCE_ANNOTATION}
    named = {keys.get(key, key): value for key, value in annotations.items()}
    return current(
        account=ServiceAccount("backend", "app", named, labels or {}, uid="uid-1", resource_version="42")
    )


def tags_of(wish: DesiredState, **tags: str | None) -> dict[str, str]:
    """The tags of the wished role; `tags` are changed, or (None) missing."""
    assert wish.role is not None
    return {key: value for key, value in {**wish.role.tags, **tags}.items() if value is not None}


def made(
    wish: DesiredState, *attached: str, inline: Any = None, there: CurrentState | None = None, **changed: Any
) -> CurrentState:
    """With a role that run t9 has made."""
    state = role_for(wish, **changed)
    state = replace(state, tags={TRANSACTION_TAG: "t9", **state.tags})
    role = Role(role_arn(wish.role_name, state.path), state, frozenset(attached), inline or {})
    there = there or current()
    return replace(there, binding=replace(there.binding, role=role))


def hashed(wish: DesiredState, text: str) -> DesiredState:
    """The wish with a digest on its role."""
    assert wish.role is not None
    return replace(wish, role=replace(wish.role, tags=tags_of(wish, **{SPEC_HASH_TAG: text})))


def attached(*effects: str) -> CurrentState:
    """A role of somebody else's with such statements for the ServiceAccount."""
    fitting = trust_policy.statement(WISH.identity)
    statements = [{**fitting, "Effect": effect} for effect in effects]
    trust = {"Version": "2012-10-17", "Statement": statements}
    return current(role=Role(WISH.role_arn, role_for(WISH, trust=trust, tags={})))


def only(wish: DesiredState, there: CurrentState, kind: Kind) -> Any:
    (change,) = [change for change in plan(wish, there) if change.kind is kind]
    return change


(STATEMENT,) = trust_of(WISH.identity)["Statement"]
SHARING = desired(role=None)
UPDATING = desired(role=None, update_trust=True)
THERE = account(role=ROLE_ARN)
ALONE = desired(role_only=True)
ASSOCIATING = desired(associate=True)
ELSEWHERE = "arn:aws:iam::222222222222:role/x"
FAR = desired(role=None, role_arn=ELSEWHERE, annotations={ROLE_ARN_ANNOTATION: ELSEWHERE}, associate=True)
NO_TRUST = {"Version": "2012-10-17", "Statement": []}
FRESH = "create Role | create PolicyAttachment | create ServiceAccount"
TAKEN_OVER = "update RoleOwner | create ServiceAccount"
DONE_TAGS = tags_of(ALONE, **{COMMIT_TAG: DONE})
HALF_TAGS = tags_of(ALONE, **{COMMIT_TAG: PENDING})


@named(
    "wish there shape",
    (
        "all of it",
        desired(policies=POLICIES, inline={"p": DOCUMENT}, associate=True),
        current(provider=None, namespace_exists=False),
        "create OIDCProvider, create Namespace, create Role | create PolicyAttachment,"
        " create PolicyAttachment, create PolicyAttachment, create InlinePolicy | create ServiceAccount",
    ),
    ("a missing namespace", WISH, current(namespace_exists=False), f"create Namespace, {FRESH}"),
    ("again", INLINE, made(INLINE, POLICIES[0], inline={"p": DOCUMENT}, there=THERE), ""),
    (
        "again, proven",
        replace(INLINE, gated=True),
        made(INLINE, POLICIES[0], inline={"p": DOCUMENT}, there=THERE),
        "",
    ),
    (
        "half made",  # First it becomes this run's.
        desired(policies=POLICIES, inline={"p": DOCUMENT, "q": DOCUMENT}),
        made(WISH, POLICIES[1], inline={"q": DOCUMENT}),
        "update RoleOwner | create PolicyAttachment, create PolicyAttachment, create InlinePolicy"
        " | create ServiceAccount",
    ),
    ("tags of others", WISH, made(WISH, POLICIES[0], tags=tags_of(WISH, cost="1")), TAKEN_OVER),
    (
        "the trust policy in another form",
        WISH,
        made(
            WISH,
            POLICIES[0],
            trust={"Statement": {**STATEMENT, "Action": [STATEMENT["Action"]]}, "Version": "2012-10-17"},
        ),
        TAKEN_OVER,
    ),
    (
        "no provider",
        desired(associate=True),
        current(provider=None),
        f"create OIDCProvider, {FRESH}",
    ),
    (
        "another audience",
        ASSOCIATING,
        current(provider=provider_for("other")),
        f"create OIDCProviderAudience, {FRESH}",
    ),
    (
        "the provider of another account is not looked at",
        FAR,
        current(provider=None, role=Unreadable("it is in account 222222222222")),
        "create ServiceAccount",
    ),
    ("a role that admits it", SHARING, attached("Allow"), "create ServiceAccount"),
    ("one that does not", UPDATING, attached(), "create TrustStatement | create ServiceAccount"),
    ("one that does, with the flag", UPDATING, attached("Allow"), "create ServiceAccount"),
    (
        "a role only",
        desired(create_namespace=False, role_only=True),
        current(namespace_exists=False),
        "create Role | create PolicyAttachment | update RoleCommit",
    ),
    (
        "a role only, half made",
        ALONE,
        made(ALONE, tags=HALF_TAGS),
        "update RoleOwner | create PolicyAttachment | update RoleCommit",
    ),
    (
        "a bound role alone",
        ALONE,
        made(ALONE, POLICIES[0], there=THERE),
        "update RoleOwner | create RoleCommit",
    ),
)
def test_what_is_planned(wish: DesiredState, there: CurrentState, shape: str) -> None:
    stages = plan(wish, there).stages
    told = " | ".join(", ".join(f"{item.action} {item.kind.value}" for item in stage) for stage in stages)
    assert told == shape


@named(
    "wish there count told",
    ("another role", WISH, account(role=STRANGER), 1, [STRANGER, ROLE_ARN, "--override-existing-servicea"]),
    ("another annotation", desired(extra={"k": "new"}), account(k="old"), 1, ["old", "new"]),
    ("another label", desired(labels={"k": "new"}), account({"k": "old"}), 1, ["old", "new"]),
    ("an audience that was left behind", WISH, account(audience="old"), 1, ["old"]),
    (
        "what was taken from a finished role",
        desired(policies=POLICIES[:2], inline={"p": DOCUMENT}),
        made(WISH, POLICIES[0], there=THERE),
        2,
        [POLICIES[1], " p"],
    ),
    ("an extra policy", INLINE, made(INLINE, POLICIES[0], "arn:extra"), 1, "arn:extra"),
    ("an extra inline policy", INLINE, made(INLINE, POLICIES[0], inline={"extra": DOCUMENT}), 1, "extra"),
    (
        "another inline policy",
        INLINE,
        made(INLINE, POLICIES[0], inline={"p": OTHER_DOCUMENT}),
        1,
        policy.dump(OTHER_DOCUMENT),
    ),
    ("another path", WISH, made(WISH, path="/theirs/"), 1, "/theirs/"),
    ("another description", WISH, made(WISH, description="theirs"), 1, "theirs"),
    ("another duration", WISH, made(WISH, max_session_duration=7200), 1, "7200 s"),
    ("another boundary", WISH, made(WISH, permissions_boundary=POLICIES[2]), 1, POLICIES[2]),
    ("another trust policy", WISH, made(WISH, trust=NO_TRUST), 1, "trust policy"),
    ("a tag is missing", WISH, made(WISH, tags=tags_of(WISH, team=None)), 1, "team"),
    ("no provider", WISH, current(provider=None), 0, "irsa associate-oidc"),
    ("another audience", WISH, current(provider=provider_for("other")), 0, "irsa associate-oidc"),
    ("no audience", WISH, current(provider=provider_for()), 0, "irsa associate-oidc"),
    ("no namespace", desired(create_namespace=False), current(namespace_exists=False), 0, "backend"),
    ("a role only that is finished", ALONE, made(ALONE, tags=DONE_TAGS), 1, POLICIES[0]),
    ("a role that does not admit it", SHARING, attached(), 1, [WISH.identity.subject, "--update-trust"]),
    ("one that denies", SHARING, attached("Allow", "Deny"), 1, ""),
    ("one that denies, with the flag", UPDATING, attached("Allow", "Deny"), 1, ""),
    ("no role", SHARING, current(), 0, ""),
    (
        "a role whose digest is another's",
        hashed(ALONE, "this"),
        made(ALONE, POLICIES[0], tags=tags_of(ALONE, **{SPEC_HASH_TAG: "that"})),
        1,
        ["created with its ServiceAccount by transaction t9", "irsa update-sa reader"],
    ),
)
def test_what_is_refused(wish: DesiredState, there: CurrentState, count: int, told: str | list[str]) -> None:
    with pytest.raises(Refused) as caught:
        plan(wish, there)
    error = caught.value
    assert (error.exit_code, len(error.details)) == (ExitCode.REFUSED, count)
    said = "\n".join((error.message, *error.details, *error.next_steps))
    assert all(text in said for text in ([told] if isinstance(told, str) else told)), said


def test_what_is_made_of_a_fresh_one() -> None:
    account_made = only(WISH, current(), Kind.SERVICE_ACCOUNT)
    assert account_made.after == ServiceAccountState(BOUND, {MANAGED_BY_LABEL: "irsa"})
    assert only(WISH, current(), Kind.ROLE).target == (ROLE_ARN.rsplit("/", 1)[1],)


def test_an_existing_service_account_gets_its_annotation_and_nothing_else() -> None:
    change = only(WISH, account({MANAGED_BY_LABEL: "Helm"}, x="y"), Kind.SERVICE_ACCOUNT)
    assert change.before == ServiceAccountState(UNBOUND, {}, "uid-1", "42")
    assert change.after == ServiceAccountState(BOUND, {}, "uid-1")


@named(
    "changed there part value",
    ("an annotation", {"extra": {"k": "new"}}, account(k="old"), "after.annotations", {"k": "new"}),
    ("a label", {"labels": {"k": "new"}}, account({"k": "old"}), "after.labels", {"k": "new"}),
    ("an audience", {}, account(audience="old"), "after.annotations", {AUDIENCE_ANNOTATION: None}),
    (
        "a role",
        {},
        account(role=STRANGER),
        "before.annotations",
        {ROLE_ARN_ANNOTATION: STRANGER, ROLE_MARK: None},
    ),
)
def test_what_is_in_the_way_is_overridden(
    changed: dict[str, Any], there: CurrentState, part: str, value: dict[str, Any]
) -> None:
    change = only(desired(override=True, **changed), there, Kind.SERVICE_ACCOUNT)
    assert value.items() <= attrgetter(part)(change).items()


def test_a_half_made_role_is_completed() -> None:
    wish = desired(policies=POLICIES, inline={"p": DOCUMENT, "q": DOCUMENT})
    _, *todo, _ = plan(wish, made(wish, POLICIES[1], inline={"q": DOCUMENT}))
    assert [(change.target[1], change.before) for change in todo] == [
        (text, None) for text in (*POLICIES[::2], "p")
    ]


@pytest.mark.parametrize("key", [CLUSTER_TAG, SERVICE_ACCOUNT_TAG])
def test_a_role_of_somebody_else_is_not_described_further(key: str) -> None:
    with pytest.raises(Refused) as caught:
        plan(WISH, made(WISH, tags=tags_of(WISH, **{key: None}), path="/x/", description="x"))
    assert caught.value.details == ()
    assert "None" not in str(caught.value)
    first, second = caught.value.next_steps
    arn = WISH.role_arn.replace("/irsa/demo/", "/x/")
    assert first.endswith(f"--attach-role-arn {arn}  # to use it")
    assert "--role-name" in second


def test_a_provider_that_is_there_keeps_what_it_has() -> None:
    changes = provider_changes(CLUSTER, (STS, "a", "b"), provider_for("a", "x"), tags={"t": "u"})
    assert [(change.kind, change.target[1]) for change in changes] == [
        (Kind.AUDIENCE, STS),
        (Kind.AUDIENCE, "b"),
    ]


@named("wish there", ("alone", ALONE, current()), ("named early", WISH, THERE))
def test_a_role_whose_service_account_can_not_tell_says_itself_that_it_is_done(
    wish: DesiredState, there: CurrentState
) -> None:
    """With `--role-only`, and where the ServiceAccount bears the role's ARN before the role is there."""
    created, *_, last = plan(wish, there)
    assert isinstance(created.after, RoleState)
    assert created.after.tags[COMMIT_TAG] == PENDING
    assert (last.kind, last.after) == (Kind.ROLE_COMMIT, CommitState(DONE))
    rest = plan(wish, made(wish, there=there, tags=created.after.tags))
    assert [change.kind for change in rest] == [Kind.ROLE_OWNER, Kind.ATTACHMENT, Kind.ROLE_COMMIT]
    with pytest.raises(Refused):
        plan(wish, made(wish, there=there, tags={**created.after.tags, COMMIT_TAG: DONE}))


def test_a_role_that_needs_nothing_more_is_done_when_it_is_made() -> None:
    (created,) = plan(desired(role_only=True, policies=()), current())
    assert isinstance(created.after, RoleState)
    assert created.after.tags[COMMIT_TAG] == DONE


def test_a_half_made_role_of_another_wish_is_refused() -> None:
    one, other = (
        hashed(wish, digest(wish))
        for wish in (desired(policies=POLICIES[:1]), desired(policies=POLICIES[:2]))
    )
    theirs = made(one, tags=tags_of(one))
    assert plan(one, theirs).stages
    with pytest.raises(Refused) as caught:
        plan(other, theirs)
    assert "t9" in "".join(caught.value.details)
    assert "irsa delete-sa reader -n backend -c demo" in "".join(caught.value.next_steps)
    # Once it is finished, what counts is how it differs.
    assert len(plan(other, made(one, *POLICIES[:2], there=THERE, tags=tags_of(one)))) == 0


@named("there bound", ("none", current(), False), ("bare", account(x="y"), False), ("bound", THERE, True))
def test_a_gate_has_the_annotation_alone_behind_it(there: CurrentState, bound: bool) -> None:
    *work, last = plan(desired(gated=True), there).stages
    assert [change.kind for stage in work for change in stage][:2] == [Kind.ROLE, Kind.ATTACHMENT]
    states: list[Any] = [change.after for change in last if change.kind is Kind.SERVICE_ACCOUNT]
    assert [state.annotations for state in states] == ([] if bound else [BOUND])
    assert {change.kind for change in last} <= {Kind.SERVICE_ACCOUNT, Kind.ROLE_COMMIT}


def test_a_gate_finds_the_service_account_made_but_without_its_role() -> None:
    todo = plan(desired(gated=True, extra={"k": "v"}), current())
    bare, annotated = (change for change in todo if change.kind is Kind.SERVICE_ACCOUNT)
    annotations = {"k": "v", ROLE_ARN_ANNOTATION: None}
    assert bare.after == ServiceAccountState(annotations, {MANAGED_BY_LABEL: "irsa"})
    assert annotated.before == ServiceAccountState(UNBOUND)


def test_a_complete_role_that_is_wished_alone_says_itself_that_it_is_done() -> None:
    owner, commit = plan(ALONE, made(ALONE, POLICIES[0], there=THERE))
    assert (owner.before, commit.before, commit.after) == (OwnerState("t9"), None, CommitState(DONE))
    adopted = Role(ALONE.role_arn, role_for(ALONE), frozenset(POLICIES[:1]))
    assert len(plan(ALONE, current(role=adopted))) == 0


def test_a_role_at_another_path_is_not_half_made() -> None:
    wish = hashed(WISH, "this")
    there = account(role=f"arn:aws:iam::{CLUSTER.account}:role/{WISH.role_name}")
    tags = tags_of(wish, **{SPEC_HASH_TAG: "that"})
    with pytest.raises(Refused) as caught:
        plan(wish, made(wish, POLICIES[0], path="/", tags=tags, there=there))
    details = "".join(caught.value.details)
    assert "path: / (" in details
    assert "for another desired state" not in details
