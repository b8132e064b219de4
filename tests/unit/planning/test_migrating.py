"""The plans of `irsa migrate`: there and back is the identity, whoever made it and whatever else is there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Container, Environment, Pod, Volume
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.planning.consent import notes_of_maker
from irsa_cli.core.planning.migrate import addition, notes_of_retirement, retirement, warnings
from irsa_cli.core.planning.ways import Ways, by_way
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import assuming, trust_policy
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.uses.credentials import ways_of
from irsa_cli.core.uses.ways import AGENT_TOKEN_FILE, CREDENTIALS_URI, TOKEN_FILE, IdentitySource
from irsa_cli.core.values.errors import Refused, Unreadable
from tests.support.documents import doc
from tests.support.named import named
from tests.support.thoroughness import examples
from tests.unit.planning.desired_states import CLUSTER as DEMO

IRSA, POD_IDENTITY = IdentitySource.IRSA, IdentitySource.POD_IDENTITY
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/AAAA"
CLUSTER = replace(DEMO, issuer=ISSUER)
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AAAA"
ROLE = "arn:aws:iam::111122223333:role/app"
NAME = "backend/app"
IDENTITY = WebIdentity(PROVIDER, ISSUER, "system:serviceaccount:backend:app", "sts.amazonaws.com")
OTHERS: list[Document] = [
    doc('{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'),
    doc(
        '{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},'
        ' "Action": ["sts:AssumeRole"]}'
    ),
    assuming.statement(CLUSTER, "backend", "other"),
    assuming.statement(replace(CLUSTER, arn=f"{CLUSTER.arn}2"), "backend", "app"),
    trust_policy.statement(replace(IDENTITY, provider_arn=f"{PROVIDER}B", issuer=f"{ISSUER}B")),
    doc(
        '{"Sid": "Github", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal":'
        ' {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},'
        ' "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:a/b:*"}}}'
    ),
]
MATE = trust_policy.statement(replace(IDENTITY, subject="system:serviceaccount:backend:mate"))
"""For another ServiceAccount, in irsa's own form: subjects may share one statement of it."""
MORE = st.dictionaries(
    st.sampled_from(["meta.helm.sh/release-name", "eks.amazonaws.com/token-expiration", "note"]),
    st.sampled_from(["900", "x"]),
)


def ways_with(
    statements: list[Document], annotations: dict[str, str], association: Association | None, *, own: bool
) -> Ways:
    tags = {states.CLUSTER_TAG: CLUSTER.arn, states.SERVICE_ACCOUNT_TAG: NAME, states.TRANSACTION_TAG: "t"}
    if states.ROLE_ARN_ANNOTATION not in annotations:
        tags[states.COMMIT_TAG] = states.DONE
    role = states.RoleState(
        path="/", trust={"Version": "2012-10-17", "Statement": statements}, tags=tags if own else {}
    )
    account = ServiceAccount("backend", "app", annotations, uid="uid", resource_version="1")
    provider = states.ProviderState(url=ISSUER, audiences=["sts.amazonaws.com"])
    named = "" if states.ROLE_ARN_ANNOTATION in annotations else ROLE
    binding = Binding(
        CLUSTER, "backend", "app", account, Role(ROLE, role), (), provider, association, named_role=named
    )
    return Ways(binding, trust_quota=10_000)


def with_binding(ways: Ways, **changed: Any) -> Ways:
    return replace(ways, binding=replace(ways.binding, **changed))


def role_of(ways: Ways) -> Role:
    role = ways.binding.seen_role
    assert role is not None
    return role


@st.composite
def bindings(draw: st.DrawFn, source: IdentitySource) -> Ways:
    """A binding of somebody's, among statements and annotations of others."""
    maker = draw(st.sampled_from(["irsa", "attached", "hand"]))
    before, after = (
        draw(st.lists(st.sampled_from([*OTHERS, MATE]), unique_by=repr, max_size=3)) for _ in range(2)
    )
    after = [item for item in after if item not in before]
    annotations = draw(MORE)
    if source is POD_IDENTITY:
        own = maker == "irsa"
        form = assuming.marked_statement if maker == "attached" else assuming.statement
        statement = form(CLUSTER, "backend", "app")
        tags = {states.CLUSTER_TAG: CLUSTER.arn, states.SERVICE_ACCOUNT_TAG: NAME}
        association = Association("a-1", ROLE, tags=tags)
        return ways_with([*before, statement, *after], annotations, association, own=own)
    write = trust_policy.marked_statement if maker == "attached" else trust_policy.statement
    annotations = {**annotations, states.ROLE_ARN_ANNOTATION: ROLE}
    if maker != "hand":
        annotations[states.ROLE_MARK] = ROLE
    return ways_with([*before, write(IDENTITY), *after], annotations, None, own=maker == "irsa")


def applied(ways: Ways, plan: Plan) -> Ways:
    """The state after the plan, as the handlers make it."""
    for change in plan:
        ways = _applied(ways, change)
    return with_binding(ways, named_role="" if ways.binding.annotation else ROLE)


def _applied(ways: Ways, change: Change) -> Ways:
    before, after = change.before, change.after
    if change.kind is Kind.ASSOCIATION:
        if after is None:
            return with_binding(ways, association=None)
        assert isinstance(after, states.AssociationState)
        return with_binding(ways, association=Association("a-2", after.role_arn, tags=after.tags))
    if isinstance(after, states.ServiceAccountState):
        account = ways.binding.existing
        assert account is not None
        merged = {**account.annotations, **after.annotations}
        kept = {key: text for key, text in merged.items() if text is not None}
        return with_binding(ways, account=replace(account, annotations=kept))
    role = role_of(ways)
    state = role.state
    if isinstance(after, states.TagsState):
        tags = {key: text for key, text in {**state.tags, **after.values}.items() if text is not None}
        state = replace(state, tags=tags)
    elif isinstance(after, states.DocumentState):
        state = replace(state, trust=trust_policy.with_statement(state.trust, after.document))
    else:
        assert isinstance(before, states.DocumentState)
        state = replace(state, trust=trust_policy.without_statement(state.trust, before.document))
    return with_binding(ways, role=replace(role, state=state))


def shown(ways: Ways) -> object:
    """All of it but the order of statements, and the id of the association."""
    state, given = role_of(ways).state, ways.association
    statements = sorted(
        json.dumps(item, sort_keys=True) for found in state.trust["Statement"] for item in alone(found)
    )
    tags = None if given is None else (given.role_arn, dict(given.tags))
    return statements, dict(state.tags), dict(ways.binding.annotations), tags


def alone(statement: Document) -> list[Document]:
    """The statement for each of its subjects alone."""
    found = trust_policy.read_statement(statement)
    if found is None:
        return [statement]
    return [replace(found, subjects=(subject,)).document for subject in found.subjects]


def foreign(ways: Ways) -> list[Document]:
    return [item for item in as_list(ways.binding.trust["Statement"]) if item in OTHERS]


ANNOTATED = {states.ROLE_ARN_ANNOTATION: ROLE}
MARKED = {**ANNOTATED, states.ROLE_MARK: ROLE}


def annotated(*statements: Document, annotations: dict[str, str] = ANNOTATED, own: bool = False) -> Ways:
    """A binding by an annotation alone."""
    return ways_with([*statements], annotations, None, own=own)


def both_ways(start: Ways) -> Ways:
    return applied(start, addition(POD_IDENTITY, start))


@pytest.mark.parametrize("source", [IRSA, POD_IDENTITY])
@given(data=st.data(), finish=st.booleans())
@settings(max_examples=examples(200))
def test_there_and_back_is_the_identity(data: st.DataObject, source: IdentitySource, finish: bool) -> None:
    start = data.draw(bindings(source))
    to, ways = source.other, start
    plan = addition(to, ways)
    assert all(change.before is None or change.kind is Kind.SERVICE_ACCOUNT for change in plan)
    ways = applied(ways, plan)
    assert shown(applied(ways, plan.inverse)) == shown(start)
    assert ways.has(to)
    assert foreign(ways) == foreign(start)
    assert not len(addition(to, ways))
    if finish:
        ways = applied(ways, retirement(to, ways, others=True))
        assert ways.has(to)
        assert not ways.has(source)
        assert foreign(ways) == foreign(start)
        assert not len(retirement(to, ways, others=True))
        ways = applied(ways, addition(source, ways))
    ways = applied(ways, retirement(source, ways))
    assert foreign(ways) == foreign(start)
    assert shown(ways) == shown(start)


def test_what_others_wrote_stays_unless_it_is_named() -> None:
    both = both_ways(annotated(trust_policy.statement(IDENTITY)))
    plan, notes = retirement(POD_IDENTITY, both), notes_of_retirement(POD_IDENTITY, both)
    assert not len(plan)
    assert "--include-managed" in notes[0]
    assert len(retirement(POD_IDENTITY, both, others=True)) == 2


def test_an_association_of_an_add_on_is_never_removed() -> None:
    given_by = Association("a-1", ROLE, owner="arn:aws:eks:eu-west-1:111122223333:addon/demo/x")
    statements = [trust_policy.statement(IDENTITY), assuming.statement(CLUSTER, "backend", "app")]
    ways = ways_with(statements, ANNOTATED, given_by, own=True)
    with pytest.raises(Refused, match="belongs to an add-on"):
        retirement(IRSA, ways, others=True)
    for way in IdentitySource:
        with pytest.raises(Refused, match="belongs to an add-on"):
            addition(way, ways)


def pod(*names: str, phase: str = "Running") -> Pod:
    env = Environment(dict.fromkeys((*names, AGENT_TOKEN_FILE), "/x/token"))
    container = Container("main", env=env, mounts={"x": "/x"})
    return Pod("backend", "app-1", phase=phase, containers=(container,), volumes=(Volume("x", "aud"),))


@named(
    "names ways",
    ("a token", [TOKEN_FILE], {IRSA}),
    ("the agent", [CREDENTIALS_URI], {POD_IDENTITY}),
    ("of both, SDKs take the token", [CREDENTIALS_URI, TOKEN_FILE], {IRSA}),
    ("neither", [], set()),
)
def test_the_variables_of_a_pod_say_its_way(names: list[str], ways: set[IdentitySource]) -> None:
    assert ways_of(pod(*names)) == ways
    assert by_way([pod(*names, phase="Succeeded")]) == {IRSA: [], POD_IDENTITY: []}


@pytest.mark.parametrize("to", [IRSA, POD_IDENTITY])
def test_nothing_is_removed_that_running_pods_use(to: IdentitySource) -> None:
    start = annotated(trust_policy.statement(IDENTITY), annotations=MARKED, own=True)
    used = pod(TOKEN_FILE if to is POD_IDENTITY else CREDENTIALS_URI)
    both = replace(both_ways(start), pods={to.other: [used]})
    with pytest.raises(Refused, match="has 1 running pod with"):
        retirement(to, both)
    if to is IRSA:
        assert len(retirement(to, both, restarts=True)) == 2


def test_policies_that_are_not_known_are_named() -> None:
    start = annotated()
    assert warnings(POD_IDENTITY, start, Unreadable("denied"), []) == [
        "irsa did not check the role's policies: denied"
    ]


def test_drivers_that_fetch_credentials_for_pods_are_named_on_the_way_to_the_agent() -> None:
    start = annotated()
    drivers = ["s3.csi.aws.com", "ebs.csi.aws.com", "s3.csi.aws.com"]
    (named,) = warnings(POD_IDENTITY, start, {}, drivers)
    assert named.startswith("pods mount volumes of s3.csi.aws.com: ")
    assert not [text for text in warnings(IRSA, start, {}, drivers) if "volumes" in text]


def test_the_same_statement_of_somebody_else_stays() -> None:
    theirs = assuming.statement(CLUSTER, "backend", "app")
    start = annotated(trust_policy.marked_statement(IDENTITY), theirs, annotations=MARKED)
    both = both_ways(start)
    plan = retirement(IRSA, both)
    assert shown(applied(both, plan)) == shown(start)
    marked = assuming.marked_statement(CLUSTER, "backend", "app")
    added = trust_policy.with_statement(both.binding.trust, marked)
    assert trust_policy.without_statement(added, marked)["Statement"] == both.binding.trust["Statement"]


@given(data=st.data())
@settings(max_examples=examples(200))
def test_whom_the_trust_policy_does_not_allow_the_one_way_gets_no_other(data: st.DataObject) -> None:
    """Whoever made the role, and whatever is annotated or associated: the owner's statement decides."""
    start = data.draw(bindings(data.draw(st.sampled_from([IRSA, POD_IDENTITY]))))
    ways, to = start, data.draw(st.sampled_from([IRSA, POD_IDENTITY]))
    state = role_of(ways).state
    kept = data.draw(st.sets(st.sampled_from(range(len(state.trust["Statement"])))))
    trust = {**state.trust, "Statement": [state.trust["Statement"][number] for number in sorted(kept)]}
    ways = with_binding(ways, role=replace(role_of(ways), state=replace(state, trust=trust)))
    try:
        plan = addition(to, ways)
    except Refused:
        return
    assert not len(plan) or ways.answer(to.other, trust)[0] is Answer.YES
    assert not len(plan) or to is POD_IDENTITY or ways.association is not None


@pytest.mark.parametrize("own", [True, False])
def test_an_annotation_alone_is_refused_with_the_line_that_names_both(own: bool) -> None:
    start = annotated(OTHERS[1], annotations=MARKED, own=own)
    for to, flag in ((POD_IDENTITY, " --pod-identity"), (IRSA, "")):
        with pytest.raises(Refused, match="can't use") as refused:
            addition(to, start)
        (step,) = refused.value.next_steps
        line = (
            f"irsa create-sa app -n backend {CLUSTER.options}{flag} --attach-role-arn {ROLE} --update-trust"
        )
        assert step.endswith(line)


def test_only_who_adds_a_statement_to_the_role_of_another_tool_is_told_of_it() -> None:
    statement = states.DocumentState(trust_policy.statement(IDENTITY))
    ways = ways_with([], {}, None, own=False)
    role = role_of(ways)
    state = replace(role.state, tags={"crossplane-kind": "role.iam.aws.crossplane.io"})
    ways = with_binding(ways, role=replace(role, state=state))
    for before, after, told in ((None, statement, True), (statement, None, False)):
        change = Change(Kind.TRUST_STATEMENT, ("app",), before, after)
        assert bool(notes_of_maker(Plan(((change,),)), ways)) is told
