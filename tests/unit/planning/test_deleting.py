"""Deleting, in a world in memory: what irsa made is gone, nothing else, and the inverse leads back."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.objects import role as objects
from irsa_cli.core.objects.kinds import Container, Environment, Pod
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.plan.states import (
    AUDIENCE_ANNOTATION,
    CLUSTER_TAG,
    COMMIT_TAG,
    DELETING,
    DONE,
    MANAGED_BY_LABEL,
    MARKS,
    PENDING,
    ROLE_ARN_ANNOTATION,
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    RoleState,
)
from irsa_cli.core.planning.delete import ACCOUNTS, deletion, merged
from irsa_cli.core.planning.deletion_checks import Users, check, check_ended, is_nothing
from irsa_cli.core.policies import policy
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import Refused
from tests.support.documents import doc
from tests.support.named import named
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.planning.desired_states import CLUSTER as DEMO
from tests.unit.world import Account, Role, World, after, role_arn, seen_role

CLUSTER = replace(DEMO, issuer="https://oidc.eks.eu-west-1.amazonaws.com/id/AB")
KEY = ("apps", "app")
OTHERS = doc('{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}')
EARLIER = "20200101T000000000Z-0a1b2c3d"
ARNS = st.frozensets(st.sampled_from([f"arn:aws:iam::aws:policy/{name}" for name in "ABC"]))
TAGS = {CLUSTER_TAG: CLUSTER.arn, SERVICE_ACCOUNT_TAG: "apps/app", "team": "a"}


@dataclass(frozen=True)
class Case:
    """A world with a binding, and how the binding is observed."""

    world: World
    bound: Binding


@st.composite
def own_roles(draw: st.DrawFn, name: str) -> objects.Role:
    state = replace(draw(some.STATES_OF_ROLES), path="/irsa/demo/")
    tags = {**state.tags, **TAGS}
    if draw(st.booleans()):
        tags[TRANSACTION_TAG] = EARLIER
    commit = draw(st.none() | st.sampled_from([PENDING, DONE, DELETING]))
    if commit:
        tags[COMMIT_TAG] = commit
    inline = draw(st.dictionaries(st.sampled_from("pqr"), some.documents, max_size=2))
    return objects.Role(role_arn(name), replace(state, tags=tags), draw(ARNS), inline)


@st.composite
def used_roles(draw: st.DrawFn, bound: Binding) -> objects.Role:
    one, other = bound.identity, replace(bound.identity, subject="system:serviceaccount:apps:other")
    theirs, ours = trust_policy.statement(one), trust_policy.marked_statement(one)
    several = trust_policy.with_statement({"Statement": [ours]}, trust_policy.marked_statement(other))[
        "Statement"
    ]
    alike = {**ours, "Sid": "Irsa00000000"}
    statements = draw(st.sampled_from([[], [OTHERS], [theirs], [OTHERS, alike]])) + draw(
        st.sampled_from([[], [ours], several])
    )
    state = replace(draw(some.STATES_OF_ROLES), path="/")
    document = {"Version": "2012-10-17", "Statement": statements or [OTHERS]}
    return objects.Role(role_arn("shared", "/"), replace(state, trust=document))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    own = tuple(draw(own_roles(name)) for name in draw(st.sampled_from(["", "a", "ab"])))
    bound = Binding(CLUSTER, *KEY).with_roles(own)
    annotations = {"note": "theirs"}
    shared = draw(st.booleans())
    named = role_arn("shared", "/") if shared else next((role.arn for role in bound.own), "broken")
    if draw(st.booleans()):
        annotations[ROLE_ARN_ANNOTATION] = named
    if draw(st.booleans()):
        annotations[AUDIENCE_ANNOTATION] = "vault"
    for key in (ROLE_ARN_ANNOTATION, AUDIENCE_ANNOTATION):
        if mark := draw(st.sampled_from([None, annotations.get(key), "as it was"])):
            annotations[MARKS[key]] = mark
    labels = {"team": "a"}
    if draw(st.booleans()):
        annotations[TRANSACTION_TAG], labels[MANAGED_BY_LABEL] = EARLIER, "irsa"
    if draw(st.booleans()):
        manifest = {"metadata": {"name": "app", "annotations": dict(annotations), "labels": dict(labels)}}
        account = ServiceAccount(
            *KEY, annotations, labels, uid="u1", resource_version="7", manifest={**manifest, "secrets": []}
        )
        bound = replace(bound, account=account)
    if shared:
        bound = bound.with_roles(own, draw(used_roles(bound)))
    world = World(namespaces={"apps"})
    for role in (*bound.own, *((bound.used,) if bound.used else ())):
        world.roles[role.name] = Role(role.state, set(role.attached), dict(role.inline))
    world.roles["theirs"] = Role(draw(some.STATES_OF_ROLES))
    world.accounts["apps", "other"] = Account({ROLE_ARN_ANNOTATION: "x"}, {}, "u2")
    if bound.account is not None:
        world.accounts[KEY] = Account(dict(annotations), dict(labels), "u1")
    return Case(world, bound)


FLAGS = st.fixed_dictionaries({"keep_account": st.booleans(), "keep_role": st.booleans()})


@settings(max_examples=examples(250))
@given(cases(), FLAGS)
def test_what_irsa_made_goes_and_nothing_else_and_the_inverse_leads_back(
    case: Case, flags: dict[str, bool]
) -> None:
    before = copy.deepcopy(case.world)
    found = deletion(case.bound, **flags)
    assert case.world == before, "planning is pure"
    world = after(case.world, found.plan)
    assert after(world, found.plan.inverse) == before
    gone = [item for item in found.plan if item.kind is Kind.SERVICE_ACCOUNT and item.after is None]
    assert found.takes_account == bool(gone)
    assert not gone or found.plan.stages[-1] == tuple(gone), "it is the last"
    account = world.accounts.get(KEY)
    if not flags["keep_role"]:
        assert not {role.name for role in case.bound.own} & world.roles.keys()
    if case.bound.account is None or goes(case.bound, **flags):
        assert account is None
    else:
        assert account is not None
        assert not {*case.bound.written, *MARKS.values()} & account.annotations.keys()
    check_marks(case, world, flags)
    check_others(case, world, found.plan)


def goes(bound: Binding, *, keep_account: bool = False, keep_role: bool = False) -> bool:
    """Whether the ServiceAccount is irsa's to delete: made by it, and not given a role by anybody else."""
    return bound.is_made and not bound.is_theirs and not keep_account


def check_marks(case: Case, world: World, flags: dict[str, bool]) -> None:
    """What bears no mark of irsa's stays byte for byte: a key is irsa's by its mark, or because irsa made
    both object and role."""
    before, now = case.world.accounts.get(KEY), world.accounts.get(KEY)
    if before is not None:
        made = before.labels.get(MANAGED_BY_LABEL) == "irsa" and TRANSACTION_TAG in before.annotations
        arn = before.annotations.get(ROLE_ARN_ANNOTATION)
        own = made and arn in {role.arn for role in case.bound.own}
        bound = arn is not None and (own or before.annotations.get(MARKS[ROLE_ARN_ANNOTATION]) == arn)
        assert now is not None or (made and (bound or arn is None))
    if before is not None and now is not None:
        for key in (ROLE_ARN_ANNOTATION, AUDIENCE_ANNOTATION):
            value = before.annotations.get(key)
            if value is not None and value != before.annotations.get(MARKS[key]) and not made:
                assert now.annotations[key] == value
        assert now.annotations["note"] == "theirs"
        assert now.labels["team"] == "a"
        assert made or now.labels == before.labels
    if case.bound.used is not None:
        old, new = (item.roles["shared"].state.trust["Statement"] for item in (case.world, world))
        ours = [
            item
            for item in old
            if item.get("Sid") == trust_policy.marked_statement(case.bound.identity)["Sid"]
        ]
        assert [item for item in new if item in old] == [item for item in old if item in new]
        assert all(item in new for item in old if item not in ours)
        assert flags["keep_role"] is False or new == old


def check_others(case: Case, world: World, plan: Plan) -> None:
    """Nothing else is touched."""
    assert world.namespaces == {"apps"}
    assert world.roles["theirs"] == case.world.roles["theirs"]
    assert world.accounts["apps", "other"] == case.world.accounts["apps", "other"]
    if is_nothing(case.bound):
        account = case.bound.existing
        left = account is not None and {*MARKS.values(), TRANSACTION_TAG} & account.annotations.keys()
        assert left or not len(plan)
    if case.bound.used is None:
        return
    old, new = case.world.roles["shared"], world.roles["shared"]
    assert replace(new.state, trust={}) == replace(old.state, trust={})
    assert policy.as_list(new.state.trust["Statement"]), "IAM takes no trust policy without a statement"
    assert (OTHERS in old.state.trust["Statement"]) == (OTHERS in new.state.trust["Statement"])


@settings(max_examples=examples(100))
@given(cases(), st.data())
def test_a_deletion_that_was_cut_off_is_gone_on_with(case: Case, data: st.DataObject) -> None:
    """By what is there then: the roles bear their tags still, and the ServiceAccount its mark."""
    found = deletion(case.bound)
    stages = found.plan.stages
    cut = data.draw(st.integers(0, len(stages)))
    world = after(case.world, Plan(stages[:cut]))
    rest = deletion(observe_again(case.bound, world)).plan
    assert after(world, rest) == after(case.world, found.plan)


def observe_again(bound: Binding, world: World) -> Binding:
    def seen(role: objects.Role) -> objects.Role:
        return seen_role(role.name, world.roles[role.name])

    account = world.accounts.get(KEY)
    if account is None or bound.existing is None:
        current = None
    else:
        current = replace(bound.existing, annotations=account.annotations, labels=account.labels)
    own = tuple(seen(role) for role in bound.own if role.name in world.roles)
    return replace(bound, account=current).with_roles(own, seen(bound.used) if bound.used else None)


@given(cases(), FLAGS, FLAGS)
def test_several_fit_side_by_side(case: Case, one: dict[str, bool], other: dict[str, bool]) -> None:
    plans = [deletion(case.bound, **flags) for flags in (one, other)]
    together = merged(plans)
    assert len(together) == sum(len(item.plan) for item in plans)
    last = [change for item in plans for change in item.stages[ACCOUNTS]]
    assert not last or list(together.stages[-1]) == last


ROLE = RoleState("/irsa/demo/", {"Statement": []}, tags={**TAGS, TRANSACTION_TAG: EARLIER})
OWN = objects.Role(role_arn("r"), ROLE)
MARKED = {ROLE_ARN_ANNOTATION: OWN.arn, MARKS[ROLE_ARN_ANNOTATION]: OWN.arn}
MADE = ServiceAccount(
    *KEY,
    {**MARKED, TRANSACTION_TAG: EARLIER},
    {MANAGED_BY_LABEL: "irsa"},
    uid="u1",
    resource_version="7",
)
ANNOTATED = replace(MADE, annotations=MARKED, labels={})
BOUND = Binding(CLUSTER, *KEY, account=MADE, role=OWN)


def pod(role: str | None, name: str = "app", phase: str = "Running") -> Users:
    env: dict[str, str | None] = {} if role == "" else {"AWS_ROLE_ARN": role}
    containers = (Container("c", env=Environment(env)),)
    return Users([Pod("apps", "p", name, phase=phase, containers=containers, owner="Job/j")])


def refusal(bound: Binding, users: Users, *living: str, **flags: bool) -> str:
    try:
        check_ended(bound, living)
        check(bound, deletion(bound, **flags), users)
    except Refused as error:
        return " ".join((str(error), *error.details))
    return ""


KEPT, ROLE_KEPT = {"keep_account": True}, {"keep_role": True}


@named(
    "account flags users refused",
    ("the role", MADE, {}, pod(OWN.arn), "pod p (Job/j)"),
    ("the ServiceAccount", MADE, {}, pod(""), "pod p (Job/j)"),
    ("neither", MADE, KEPT, pod(""), ""),
    ("the role only", MADE, KEPT, pod(OWN.arn), "pod p (Job/j)"),
    ("the ServiceAccount only", MADE, ROLE_KEPT, pod(""), "pod p (Job/j)"),
    ("bound by irsa", ANNOTATED, {}, pod(""), ""),
    ("the value comes from elsewhere", ANNOTATED, {}, pod(None), "pod p (Job/j)"),
    ("another role", ANNOTATED, {}, pod("another"), ""),
    ("a role that is kept", ANNOTATED, ROLE_KEPT, pod(OWN.arn), ""),
    ("another ServiceAccount", MADE, {}, pod(OWN.arn, "other"), ""),
    ("an ended pod", MADE, {}, pod(OWN.arn, phase="Succeeded"), ""),
    ("one that begins", MADE, {}, pod(OWN.arn, phase="Pending"), "pod p (Job/j)"),
    ("another user", MADE, {}, Users(accounts=[("a/b", OWN.arn)]), "a/b"),
    ("users of other roles", MADE, {}, Users(accounts=[("c/d", "x"), ("apps/app", OWN.arn)]), ""),
    ("a user of what is kept", MADE, ROLE_KEPT, Users(accounts=[("a/b", OWN.arn)]), ""),
    ("what can not be looked at", MADE, {}, Users(hidden=["no list"]), "no list"),
)
def test_who_loses_something_is_named(
    account: ServiceAccount, flags: dict[str, bool], users: Users, refused: str
) -> None:
    told = refusal(replace(BOUND, account=account), users, **flags)
    assert (bool(told), refused in told) == (bool(refused), True)


@pytest.mark.parametrize(
    ("tag", "bound", "refused"),
    [
        ({}, True, False),
        ({}, False, True),
        ({COMMIT_TAG: PENDING}, True, True),
        ({COMMIT_TAG: DELETING}, False, False),
        ({COMMIT_TAG: DONE}, False, False),
    ],
)
def test_what_a_run_is_making_is_left_to_it(tag: dict[str, str], bound: bool, refused: bool) -> None:
    own = replace(OWN, state=replace(ROLE, tags={**ROLE.tags, **tag}))
    found = replace(BOUND, role=own, account=MADE if bound else None)
    assert bool(refusal(found, Users(), EARLIER)) is refused
    assert not refusal(found, Users(), "another")


@named(
    "annotations nothing",
    ("others' only", {"a": "b"}, True),
    ("a mark", ANNOTATED.annotations, False),
    ("the mark of a run", {TRANSACTION_TAG: "t"}, False),
    ("bound by hand", {ROLE_ARN_ANNOTATION: "x", AUDIENCE_ANNOTATION: "y"}, True),
    ("changed since", {**MADE.annotations, ROLE_ARN_ANNOTATION: "theirs"}, True),
)
def test_nothing_of_irsas(annotations: dict[str, str], nothing: bool) -> None:
    there = Binding(CLUSTER, *KEY, account=replace(MADE, annotations=annotations))
    assert is_nothing(there) is nothing
    assert is_nothing(replace(there, account=None))
    assert not is_nothing(replace(there, role=OWN, account=None))
