"""What is half made is found without a journal, whole, and nothing of anybody else with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    COMMIT_TAG,
    DELETING,
    DONE,
    PENDING,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    SERVICE_ACCOUNT_TAG,
    SPEC_HASH_TAG,
    TRANSACTION_TAG,
    ServiceAccountState,
)
from irsa_cli.core.recovery.judge import Finder, Key, age_of, key_of
from irsa_cli.core.recovery.leftovers import Leftovers, SeenAccount, SeenLeftovers, SeenNamespace, SeenRole
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from tests.support.thoroughness import examples
from tests.unit.planning.desired_states import DOCUMENT, POLICIES, ROLE_ARN, STRANGER, desired, role_for
from tests.unit.recovery.remnants import NOW, Cloud, tagged

ROLE = "demo-backend-reader"
FIRST, SECOND = "20260601T115900000Z-00000001", "20260601T115930000Z-00000002"

LATER = timedelta(minutes=11)
"""After which a use is none of the run itself any more."""


def key(change: Change) -> Key:
    return change.kind, change.target


def pieces(found: list[Leftovers]) -> set[Key]:
    return {key_of(piece) for leftovers in found for piece in leftovers.pieces}


@st.composite
def some_wishes(draw: st.DrawFn) -> DesiredState:
    """A wish for a role of its own; sometimes for an existing one, gated or not."""
    attach = draw(st.sampled_from([False, False, False, True]))
    role_only = not attach and draw(st.sampled_from([False, False, True]))
    fields: dict[str, Any] = {"role": None, "policies": ()} if attach else {}
    if not attach:
        fields = {
            "policies": tuple(draw(st.lists(st.sampled_from(POLICIES), unique=True, max_size=2))),
            "inline": draw(st.dictionaries(st.just("p"), st.just(DOCUMENT))),
            "associate": draw(st.booleans()),
        }
    gated = not role_only and draw(st.booleans())
    return tagged(desired(role_only=role_only, gated=gated, audience=DEFAULT_AUDIENCE, **fields))


@st.composite
def clouds(draw: st.DrawFn, desired_value: DesiredState) -> Cloud:
    """What was there before, with bystanders of all kinds."""
    cloud = Cloud(others={"others"}, existing=set() if desired_value.role else {desired_value.role_arn})
    (change,) = [item for item in cloud.plan(tagged(desired(associate=True))) if item.kind is Kind.PROVIDER]
    cloud.perform(change, "20260101T000000000Z-0000000a")
    assert cloud.provider is not None
    tags = {name: value for name, value in cloud.provider.state.tags.items() if name != SERVICE_ACCOUNT_TAG}
    cloud.provider = replace(cloud.provider, state=replace(cloud.provider.state, tags=tags))
    bystanders(cloud, trusting=not desired_value.associate)
    if desired_value.associate:
        cloud.provider = None
    if draw(st.booleans()):
        cloud.others.add("backend")
        if draw(st.booleans()):
            # Helm made it; sometimes with the ARN that the role is going to have.
            annotated = draw(st.booleans()) and desired_value.role is not None
            annotations = {ROLE_ARN_ANNOTATION: ROLE_ARN} if annotated else {"helm": "x"}
            account = SeenAccount("backend", "reader", "helm", annotations, NOW - timedelta(days=9))
            cloud.accounts["backend", "reader"] = account
    cloud.made.clear()
    return cloud


def bystanders(cloud: Cloud, *, trusting: bool) -> None:
    """A committed binding, an orphan that was used, both in namespaces that irsa made; a stranger."""
    for number, name in enumerate(("committed", "orphan")):
        transaction = f"20260101T00000000{number}Z-0000000b"
        for change in Cloud(provider=cloud.provider).plan(binding(name)):
            cloud.perform(change, transaction)
    role = cloud.roles[f"{ROLE}-orphan"]
    cloud.roles[role.name] = replace(role, last_used=NOW + LATER)
    del cloud.accounts["orphan", "orphan"]
    if not trusting:
        foreign = {"Statement": {"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/x"}}}
        for role in list(cloud.roles.values()):
            cloud.roles[role.name] = replace(role, state=replace(role.state, trust=foreign))
    stranger = {ROLE_ARN_ANNOTATION: STRANGER}
    cloud.accounts["others", "stranger"] = SeenAccount("others", "stranger", "u", stranger, NOW)
    cloud.accounts["others", "default"] = SeenAccount("others", "default", "v", {}, NOW)


def binding(name: str) -> DesiredState:
    """A wish for a ServiceAccount of that name in a namespace of that name."""
    arn = f"{ROLE_ARN}-{name}"
    desired_value = replace(desired(role_arn=arn), name=name, namespace=name)
    desired_value = replace(
        desired_value, annotations={ROLE_ARN_ANNOTATION: arn}, role=role_for(desired_value)
    )
    return tagged(desired_value)


def cut_off(cloud: Cloud, desired_value: DesiredState, transaction: str, data: st.DataObject) -> bool:
    """Run until somewhere: all of some stages, and some of the next. Whether all was done."""
    todo = cloud.plan(desired_value)
    whole = data.draw(st.integers(0, len(todo.stages)), "stages")
    for stage in todo.stages[:whole]:
        for change in stage:
            cloud.perform(change, transaction)
    rest = [change for stage in todo.stages[whole : whole + 1] for change in stage]
    done = [change for change in rest if data.draw(st.booleans(), "done")]
    for change in done:
        cloud.perform(change, transaction)
    return whole + (rest != [] and done == rest) >= len([stage for stage in todo.stages if stage])


@settings(max_examples=examples(150))
@given(some_wishes(), st.data())
def test_what_a_run_left_is_found_whole_and_nothing_else(
    desired_value: DesiredState, data: st.DataObject
) -> None:
    cloud = data.draw(clouds(desired_value))
    ended = cut_off(cloud, desired_value, FIRST, data)
    assume(ended or not is_born_complete(cloud))
    found = Finder(cloud.seen()).find(0)
    event(f"ended {ended}, made {len(cloud.made)}, in use {is_in_use(cloud)}")
    if ended:
        assert pieces(found) == set()
    elif is_in_use(cloud):
        assert pieces(found) == set()
        assert (Kind.ROLE, ROLE) in {
            (item.kind, item.name) for leftovers in found for item in leftovers.spared
        }
    elif made(cloud) == {(Kind.SERVICE_ACCOUNT, ("backend", "reader"))}:
        # Nothing else shows that it never had a role: its run has to be named.
        assert pieces(found) == set()
        named = Finder(cloud.seen()).leftovers(FIRST, named=True)
        assert named is not None
        assert pieces([named]) == made(cloud)
    else:
        assert pieces(found) == made(cloud)
        assert {item.transaction for item in found if item.stages} <= {FIRST}


def is_born_complete(cloud: Cloud) -> bool:
    """Whether the role said from its beginning that all is done, although something beside it wasn't."""
    role = cloud.roles.get(ROLE)
    return role is not None and role.state.tags.get(COMMIT_TAG) == DONE


def is_in_use(cloud: Cloud) -> bool:
    """Whether a ServiceAccount names a role that a run has begun to make, and had not ended."""
    return ROLE in cloud.roles and any(account.role == ROLE_ARN for account in cloud.accounts.values())


def made(cloud: Cloud) -> set[Key]:
    return set(cloud.made)


@settings(max_examples=examples(150))
@given(some_wishes(), st.data())
def test_what_two_runs_left_one_after_the_other_is_found_whole(
    desired_value: DesiredState, data: st.DataObject
) -> None:
    cloud = data.draw(clouds(desired_value))
    if cut_off(cloud, desired_value, FIRST, data):
        return
    ended = cut_off(cloud, desired_value, SECOND, data)
    assume(ended or not is_born_complete(cloud))
    found = Finder(cloud.seen()).find(0)
    if ended or is_in_use(cloud):
        assert pieces(found) == set()
    elif made(cloud) != {(Kind.SERVICE_ACCOUNT, ("backend", "reader"))}:
        assert pieces(found) == made(cloud)


@settings(max_examples=examples(100))
@given(some_wishes(), st.data())
def test_what_is_taken_back_stands_on_nothing_that_stays(
    desired_value: DesiredState, data: st.DataObject
) -> None:
    """One run at a time, in the order found, and each from its last stage to its first."""
    cloud = data.draw(clouds(desired_value))
    cut_off(cloud, desired_value, FIRST, data)
    cut_off(cloud, desired_value, SECOND, data)
    for leftovers in Finder(cloud.seen()).find(0):
        for stage in reversed(leftovers.stages):
            for piece in stage:
                remove(cloud, *key_of(piece))
    assert pieces(Finder(cloud.seen()).find(0)) == set()


def remove(cloud: Cloud, kind: Kind, target: tuple[str, ...]) -> None:
    """Take an object away, as IAM and Kubernetes let one."""
    if kind is Kind.ATTACHMENT:
        role = cloud.roles[target[0]]
        cloud.roles[target[0]] = replace(role, attached=role.attached - {target[1]})
    elif kind is Kind.INLINE_POLICY:
        role = cloud.roles[target[0]]
        inline = {name: value for name, value in role.inline.items() if name != target[1]}
        cloud.roles[target[0]] = replace(role, inline=inline)
    elif kind is Kind.ROLE:
        role = cloud.roles.pop(target[0])
        assert not role.attached
        assert not role.inline
    elif kind is Kind.SERVICE_ACCOUNT:
        namespace, name = target
        del cloud.accounts[namespace, name]
    elif kind is Kind.NAMESPACE:
        assert not [name for namespace, name in cloud.accounts if namespace == target[0]]
        del cloud.namespaces[target[0]]
    else:
        cloud.provider = None


def incomplete(**changed: Any) -> Cloud:
    """A run that was cut off before its last step; `changed` are fields of its role."""
    desired_value = tagged(desired(associate=True, gated=True))
    cloud = Cloud()
    for stage in cloud.plan(desired_value).stages[:-1]:
        for change in stage:
            cloud.perform(change, FIRST)
    role = cloud.roles["demo-backend-reader"]
    cloud.roles[role.name] = replace(role, **changed)
    return cloud


def retagged(role: SeenRole, **tags: str | None) -> SeenRole:
    merged = {**role.state.tags, **{f"irsa/{key}": value for key, value in tags.items()}}
    kept = {key: value for key, value in merged.items() if value is not None}
    return replace(role, state=replace(role.state, tags=kept))


def only(cloud: Cloud, **options: Any) -> Leftovers:
    (found,) = Finder(cloud.seen(), **options).find(0)
    return found


def test_a_run_that_was_cut_off_is_told_with_its_reason() -> None:
    found = only(incomplete())
    assert (found.transaction, found.accounts) == (FIRST, ("backend/reader",))
    assert "backend/reader" in found.why
    assert found.spared == ()
    assert [change.kind for change in found.missing] == [Kind.SERVICE_ACCOUNT]


def test_that_a_run_has_proven_its_role_is_no_use() -> None:
    assert list(only(incomplete(last_used=NOW + timedelta(minutes=9))).pieces)
    assert list(only(incomplete(created=NOW - timedelta(days=9), last_used=NOW)).pieces)


def spoil_use(role: SeenRole) -> SeenRole:
    return replace(role, last_used=NOW + LATER)


def spoil_wish(role: SeenRole) -> SeenRole:
    return retagged(role, **{"spec-hash": None})


def spoil_trust(role: SeenRole) -> SeenRole:
    statements = role.state.trust["Statement"] * 2
    return replace(role, state=replace(role.state, trust={**role.state.trust, "Statement": statements}))


def spoil_principal(role: SeenRole) -> SeenRole:
    statement = {**role.state.trust["Statement"][0], "Principal": {"AWS": "arn:aws:iam::999988887777:root"}}
    return replace(role, state=replace(role.state, trust={**role.state.trust, "Statement": statement}))


def spoil_subject(role: SeenRole) -> SeenRole:
    (statement,) = role.state.trust["Statement"]
    (condition,) = statement["Condition"].values()
    wider = {key: [value, "other"] if key.endswith(":sub") else value for key, value in condition.items()}
    statement = {**statement, "Condition": {"StringEquals": wider}}
    return replace(role, state=replace(role.state, trust={**role.state.trust, "Statement": [statement]}))


@pytest.mark.parametrize("spoil", [spoil_use, spoil_wish, spoil_trust, spoil_principal, spoil_subject])
def test_a_role_that_somebody_may_count_on_is_left_alone_and_all_with_it(spoil: Any) -> None:
    cloud = incomplete()
    cloud.roles[ROLE] = spoil(cloud.roles[ROLE])
    found = only(cloud)
    assert list(found.pieces) == []
    assert (Kind.ROLE, ROLE) in {(item.kind, item.name) for item in found.spared}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda role: retagged(role, cluster="arn:aws:eks:eu-west-1:111122223333:cluster/other"),
        lambda role: retagged(role, transaction=None),
        lambda role: retagged(role, commit=DONE),
    ],
)
def test_a_role_of_somebody_else_is_not_told_of(spoil: Any) -> None:
    cloud = Cloud()
    cloud.roles[ROLE] = spoil(incomplete().roles[ROLE])
    assert Finder(cloud.seen()).find(0) == []


def test_a_role_that_any_service_account_has_is_complete() -> None:
    cloud = incomplete()
    annotations = {ROLE_ARN_ANNOTATION: ROLE_ARN}
    cloud.accounts["elsewhere", "x"] = SeenAccount("elsewhere", "x", "u", annotations, NOW)
    assert pieces(Finder(cloud.seen()).find(0)) == set()


def without_role(*, path: str = "/irsa/demo/") -> Cloud:
    """What is left where a run made all of a binding, and could take back its role only."""
    cloud = Cloud()
    for change in cloud.plan(tagged(desired(associate=True))):
        cloud.perform(change, FIRST)
    del cloud.roles[ROLE]
    cloud.provider = None
    account = cloud.accounts["backend", "reader"]
    arn = f"arn:aws:iam::111122223333:role{path}{ROLE}"
    annotations = {**account.annotations, ROLE_ARN_ANNOTATION: arn}
    cloud.accounts["backend", "reader"] = replace(account, annotations=annotations)
    return cloud


def test_a_service_account_whose_role_is_gone_is_half_made() -> None:
    found = only(without_role())
    assert {piece.change.kind for piece in found.pieces} == {Kind.SERVICE_ACCOUNT, Kind.NAMESPACE}
    (account,) = [piece.change for piece in found.pieces if piece.change.kind is Kind.SERVICE_ACCOUNT]
    assert account.after == ServiceAccountState({ROLE_ARN_ANNOTATION: ROLE_ARN}), "no other role's"


def test_without_further_evidence_it_is_taken_back_only_by_name() -> None:
    cloud = without_role()
    cloud.namespaces["backend"] = replace(cloud.namespaces["backend"], contents=frozenset({"pod/theirs"}))
    assert list(only(cloud).pieces) == []
    named = Finder(cloud.seen()).leftovers(FIRST, named=True)
    assert named is not None
    assert [piece.change.kind for piece in named.pieces] == [Kind.SERVICE_ACCOUNT]


@pytest.mark.parametrize(
    "cloud",
    [
        without_role(path="/"),
        replace(without_role(), existing={ROLE_ARN}),
        replace(
            without_role(),
            accounts={
                key: replace(item, annotations={ROLE_ARN_ANNOTATION: ROLE_ARN})
                for key, item in without_role().accounts.items()
            },
        ),
    ],
    ids=["another's role", "the role is there", "no run made it"],
)
def test_a_service_account_that_may_have_its_role_is_left_alone(cloud: Cloud) -> None:
    assert (Kind.SERVICE_ACCOUNT, ("backend", "reader")) not in pieces(Finder(cloud.seen()).find(0))


@pytest.mark.parametrize("commit", [PENDING, DELETING])
@pytest.mark.parametrize("name", ["reader", "another"])
def test_what_a_service_account_names_is_left_alone_and_told_of(commit: str, name: str) -> None:
    """It may be at work: STS admits its tokens, as soon as the role is there."""
    cloud = incomplete()
    annotations = {ROLE_ARN_ANNOTATION: ROLE_ARN}
    del cloud.accounts["backend", "reader"]
    cloud.accounts["backend", name] = SeenAccount("backend", name, "helm", annotations, NOW)
    cloud.roles[ROLE] = retagged(cloud.roles[ROLE], commit=commit)
    found = only(cloud)
    assert list(found.pieces) == []
    (spared,) = found.spared
    assert (spared.kind, spared.name) == (Kind.ROLE, ROLE)
    assert f"ServiceAccount backend/{name} uses it" in spared.why
    assert FIRST in spared.why
    assert any(step.startswith("irsa delete-sa reader -n backend -c demo ") for step in spared.next_steps)


def test_a_role_that_nobody_names_and_that_says_pending_is_half_made() -> None:
    cloud = incomplete()
    cloud.roles[ROLE] = retagged(cloud.roles[ROLE], commit=PENDING)
    found = only(cloud)
    assert {Kind.ROLE, Kind.ATTACHMENT, Kind.PROVIDER} <= {piece.change.kind for piece in found.pieces}
    assert found.missing == (), "that it has the role says nothing"


def test_what_another_version_of_irsa_says_of_a_role_is_not_guessed() -> None:
    cloud = incomplete()
    cloud.roles[ROLE] = retagged(cloud.roles[ROLE], commit="paused")
    found = only(cloud)
    assert list(found.pieces) == []
    assert "another version" in found.spared[0].why


def test_a_namespace_that_holds_something_is_left_alone() -> None:
    cloud = incomplete()
    cloud.namespaces["backend"] = replace(cloud.namespaces["backend"], contents=frozenset({"pod/theirs"}))
    found = only(cloud)
    assert Kind.NAMESPACE not in {piece.change.kind for piece in found.pieces}
    assert [(item.kind, item.name) for item in found.spared] == [(Kind.NAMESPACE, "backend")]
    assert "pod/theirs" in found.spared[0].why


def test_the_provider_of_the_cluster_is_not_the_runs_own() -> None:
    cloud = incomplete()
    assert cloud.provider is not None
    tags = {name: value for name, value in cloud.provider.state.tags.items() if name != SERVICE_ACCOUNT_TAG}
    cloud.provider = replace(cloud.provider, state=replace(cloud.provider.state, tags=tags))
    assert Kind.PROVIDER not in {piece.change.kind for piece in only(cloud).pieces}


def test_a_provider_that_another_role_trusts_is_in_use() -> None:
    cloud = incomplete()
    cloud.trusting.add("somebody")
    found = only(cloud)
    assert Kind.PROVIDER not in {piece.change.kind for piece in found.pieces}
    assert found.spared == ()


def test_a_provider_goes_after_the_roles_of_other_runs_that_trust_it() -> None:
    cloud = incomplete()
    cloud.roles[ROLE] = retagged(cloud.roles[ROLE], transaction=SECOND)
    found = Finder(cloud.seen()).find(0)
    assert [item.transaction for item in found] == [SECOND, FIRST]
    assert Kind.PROVIDER in {piece.change.kind for piece in found[1].pieces}
    alone = Finder(cloud.seen()).leftovers(FIRST)
    assert alone is not None
    assert Kind.PROVIDER not in {piece.change.kind for piece in alone.pieces}
    assert Kind.PROVIDER in {item.kind for item in alone.spared}


def test_what_is_too_young_holds_what_it_stands_on() -> None:
    cloud = incomplete()
    cloud.roles[ROLE] = replace(retagged(cloud.roles[ROLE], transaction=SECOND), created=NOW)
    old = replace(cloud.seen(NOW + timedelta(seconds=60)))
    found = {item.transaction: item for item in Finder(old).find(75)}
    assert found[SECOND].age < 75
    assert Kind.PROVIDER not in {piece.change.kind for piece in found[FIRST].pieces}


def test_a_run_whose_journal_says_that_it_ended_is_left_alone() -> None:
    found = only(incomplete(), ended=[FIRST])
    assert list(found.pieces) == []
    assert [(item.kind, item.name) for item in found.spared] == [(Kind.ROLE, ROLE)]


def test_two_runs_of_the_same_name_are_told_apart_by_what_they_made() -> None:
    found = only(incomplete())
    identities = {piece.change.kind: piece.identity for piece in found.pieces}
    assert identities[Kind.ROLE] == {"RoleId": f"id-{ROLE}"}
    assert identities[Kind.SERVICE_ACCOUNT] == {"uid": "uid-reader"}
    assert identities[Kind.NAMESPACE] == {"uid": "uid-backend"}


@pytest.mark.parametrize(
    ("transaction", "created", "age"),
    [
        (FIRST, [NOW], 3600),
        (FIRST, [NOW - timedelta(days=1)], 3660),
        (FIRST, [NOW + timedelta(minutes=30), NOW], 1800),
        ("not a run's name", [NOW], 3600),
        ("20269999T999999000Z-00000001", [NOW], 3600),
        # The name tells the run's own clock: by that of AWS it can't have begun in ten minutes or later.
        (f"{NOW + timedelta(minutes=65):%Y%m%dT%H%M%S}000Z-00000001", [NOW], 0),
        (f"{NOW + timedelta(days=1, hours=1):%Y%m%dT%H%M%S}000Z-00000001", [NOW], 3600),
        ("", [], 0),
    ],
)
def test_the_age_is_of_the_youngest_and_of_the_run(
    transaction: str, created: list[datetime], age: float
) -> None:
    assert age_of(transaction, created, NOW + timedelta(hours=1)) == age
    assert NOW.tzinfo is timezone.utc


ODD_TEXTS = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        [
            *("29991231T235959000Z-00000001", "20269999T999999000Z-00000001", "00010101T000000000Z-00000001"),
            *("--all", "../..", "a/b/c", "nobody", "arn:aws:iam::1:role/x", "arn:::::", "9" * 300),
        ]
    ),
)
TAG_KEYS = (SERVICE_ACCOUNT_TAG, TRANSACTION_TAG, SPEC_HASH_TAG, COMMIT_TAG)
ANNOTATION_KEYS = (ROLE_ARN_ANNOTATION, ROLE_MARK, TRANSACTION_TAG)


@settings(max_examples=examples(300))
@given(st.sampled_from(TAG_KEYS), st.sampled_from(ANNOTATION_KEYS), ODD_TEXTS)
def test_what_one_object_says_does_not_change_the_judgement_of_others(tag: str, key: str, text: str) -> None:
    cloud = incomplete()
    before = Finder(cloud.seen()).find(0)
    assert [item.transaction for item in before] == [FIRST]
    assume(text not in (FIRST, "backend/reader", ROLE_ARN))
    role = cloud.roles[ROLE]
    tags = {SERVICE_ACCOUNT_TAG: "odd/odd", TRANSACTION_TAG: SECOND, tag: text}
    foreign = {"Statement": {"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/x"}}}
    state = replace(role.state, tags={**role.state.tags, **tags}, trust=foreign)
    cloud.roles["odd"] = replace(role, name="odd", arn=f"{ROLE_ARN}-odd", role_id="odd", state=state)
    cloud.accounts["odd", "odd"] = SeenAccount("odd", "odd", "odd", {key: text}, NOW)
    cloud.namespaces["odd"] = SeenNamespace("odd", "odd", {TRANSACTION_TAG: text}, NOW)
    after = Finder(cloud.seen()).find(0)
    assert [item for item in after if item.transaction == FIRST] == before


def test_an_empty_cluster_has_no_remains() -> None:
    cloud = Cloud(others={"default"})
    seen: SeenLeftovers = cloud.seen()
    assert Finder(seen).find(0) == []
    assert Finder(seen).leftovers(FIRST) is None
    cloud.namespaces["x"] = SeenNamespace("x", "u", {"note": "theirs"}, NOW)
    assert Finder(cloud.seen()).find(0) == []
    assert {COMMIT_TAG, TRANSACTION_TAG, SPEC_HASH_TAG}


@pytest.mark.parametrize("bound", [True, False])
def test_a_role_whose_deletion_was_cut_off_is_half_made_when_nobody_names_it(bound: bool) -> None:
    """A ServiceAccount that names it may be at work with it."""
    cloud = incomplete()
    cloud.roles[ROLE] = retagged(cloud.roles[ROLE], commit=DELETING, desired=None)
    if bound:
        annotations = {ROLE_ARN_ANNOTATION: ROLE_ARN}
        cloud.accounts["elsewhere", "x"] = SeenAccount("elsewhere", "x", "u", annotations, NOW)
    found = pieces(Finder(cloud.seen()).find(0))
    assert ((Kind.ROLE, (ROLE,)) in found) is not bound
