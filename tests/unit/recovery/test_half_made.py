"""What is half made is found without a journal, whole, and nothing of anybody else with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.objects.service_accounts import ServiceAccount
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
from irsa_cli.core.recovery.leftovers import Leftovers, SeenNamespace
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from tests.support.documents import doc
from tests.support.named import named
from tests.support.thoroughness import examples
from tests.unit.planning.desired_states import DOCUMENT, POLICIES, ROLE_ARN, STRANGER, desired, role_for
from tests.unit.recovery.remnants import NOW, Cloud, tagged

ROLE = "demo-backend-reader"
FIRST, SECOND = "20260601T115900000Z-00000001", "20260601T115930000Z-00000002"

FOREIGN = doc('{"Statement": {"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/x"}}}')
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
    of_the_cluster(cloud)
    bystanders(cloud, trusting=not desired_value.associate)
    if desired_value.associate:
        cloud.provider = None
    if draw(st.booleans()):
        cloud.others.add("backend")
        if draw(st.booleans()):
            # Helm made it; sometimes with the ARN that the role is going to have.
            annotated = draw(st.booleans()) and desired_value.role is not None
            annotations = {ROLE_ARN_ANNOTATION: ROLE_ARN} if annotated else {"helm": "x"}
            account = ServiceAccount(
                "backend", "reader", annotations, uid="helm", created=NOW - timedelta(days=9)
            )
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
        for role in list(cloud.roles.values()):
            cloud.roles[role.name] = replace(role, state=replace(role.state, trust=FOREIGN))
    stranger = {ROLE_ARN_ANNOTATION: STRANGER}
    cloud.accounts["others", "stranger"] = ServiceAccount(
        "others", "stranger", stranger, uid="u", created=NOW
    )
    cloud.accounts["others", "default"] = ServiceAccount("others", "default", {}, uid="v", created=NOW)


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
    return ROLE in cloud.roles and any(account.role_arn == ROLE_ARN for account in cloud.accounts.values())


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


def incomplete() -> Cloud:
    """A run that was cut off before its last step."""
    cloud = Cloud()
    for stage in cloud.plan(tagged(desired(associate=True, gated=True))).stages[:-1]:
        for change in stage:
            cloud.perform(change, FIRST)
    return cloud


Edit = Callable[[Cloud], object]


def role_is(**changed: Any) -> Edit:
    """The role differs in these fields."""
    return lambda cloud: cloud.roles.update({ROLE: replace(cloud.roles[ROLE], **changed)})


def tags_are(**tags: str | None) -> Edit:
    """The role has these tags of irsa's, or (None) lacks them."""

    def edit(cloud: Cloud) -> None:
        state = cloud.roles[ROLE].state
        merged = {**state.tags, **{f"irsa/{key.replace('_', '-')}": value for key, value in tags.items()}}
        kept = {key: value for key, value in merged.items() if value is not None}
        role_is(state=replace(state, tags=kept))(cloud)

    return edit


def trust_is(edit: Callable[[Any], Any]) -> Edit:
    """The role's statement is another; `edit` makes the statements of it."""

    def edited(cloud: Cloud) -> None:
        state = cloud.roles[ROLE].state
        (statement,) = state.trust["Statement"]
        role_is(state=replace(state, trust={**state.trust, "Statement": edit(statement)}))(cloud)

    return edited


def widened(statement: Any) -> Any:
    """For another subject too."""
    (condition,) = statement["Condition"].values()
    wider = {key: [value, "other"] if key.endswith(":sub") else value for key, value in condition.items()}
    return [{**statement, "Condition": {"StringEquals": wider}}]


def named_by(namespace: str, name: str) -> Edit:
    """A ServiceAccount has the role by its annotation."""
    account = ServiceAccount(namespace, name, {ROLE_ARN_ANNOTATION: ROLE_ARN}, uid="helm", created=NOW)
    return lambda cloud: cloud.accounts.update({(namespace, name): account})


def lived_in(cloud: Cloud) -> None:
    cloud.namespaces["backend"] = replace(cloud.namespaces["backend"], contents=frozenset({"pod/theirs"}))


def of_the_cluster(cloud: Cloud) -> None:
    """The provider is not the run's own."""
    assert cloud.provider is not None
    tags = {name: value for name, value in cloud.provider.state.tags.items() if name != SERVICE_ACCOUNT_TAG}
    cloud.provider = replace(cloud.provider, state=replace(cloud.provider.state, tags=tags))


def only(cloud: Cloud, **options: Any) -> Leftovers:
    (found,) = Finder(cloud.seen(), **options).find(0)
    return found


def kinds(found: Leftovers | None) -> str:
    assert found is not None
    return " ".join(sorted(piece.change.kind.value for piece in found.pieces))


ALL = "Namespace OIDCProvider PolicyAttachment Role ServiceAccount"
STRANGERS = {"Principal": {"AWS": "arn:aws:iam::999988887777:root"}}


@named(
    "edit found spared",
    ("nothing else", role_is(), ALL, ""),
    ("the run has proven its role", role_is(last_used=NOW + timedelta(minutes=9)), ALL, ""),
    ("an old role, used then", role_is(created=NOW - timedelta(days=9), last_used=NOW), ALL, ""),
    ("the role is used", role_is(last_used=NOW + LATER), "", "Role: "),
    ("no digest of the wish", tags_are(spec_hash=None), "", "Role: "),
    ("two statements", trust_is(lambda item: [item, item]), "", "Role: "),
    ("another principal", trust_is(lambda item: {**item, **STRANGERS}), "", "Role: "),
    ("another subject", trust_is(widened), "", "Role: "),
    ("it says pending", tags_are(commit=PENDING), ALL, ""),
    ("another version marked it", tags_are(commit="paused"), "", "another version"),
    ("named by any ServiceAccount", named_by("elsewhere", "x"), "", ""),
    ("lived in", lived_in, ALL.replace("Namespace ", ""), "Namespace: it is not empty: pod/theirs"),
    ("the provider of the cluster", of_the_cluster, ALL.replace("OIDCProvider ", ""), ""),
    (
        "another role trusts the provider",
        lambda cloud: cloud.trusting.add("somebody"),
        ALL.replace("OIDCProvider ", ""),
        "",
    ),
)
def test_what_was_cut_off_is_found_but_for_what_somebody_may_count_on(
    edit: Edit, found: str, spared: str
) -> None:
    cloud = incomplete()
    edit(cloud)
    left = Finder(cloud.seen()).find(0)
    assert "".join(map(kinds, left)) == found
    told = [f"{item.kind.value}: {item.why}" for leftovers in left for item in leftovers.spared]
    assert len(told) == bool(spared)
    assert spared in "".join(told)


def test_a_run_that_was_cut_off_is_told_with_its_reason() -> None:
    cloud = incomplete()
    found = only(cloud)
    assert (found.transaction, found.accounts) == (FIRST, ("backend/reader",))
    assert "backend/reader" in found.why
    assert [change.kind for change in found.missing] == [Kind.SERVICE_ACCOUNT]
    identities = {piece.change.kind: piece.identity for piece in found.pieces}
    assert identities[Kind.ROLE] == {"RoleId": f"id-{ROLE}"}
    assert identities[Kind.SERVICE_ACCOUNT] == {"uid": "uid-reader"}
    assert identities[Kind.NAMESPACE] == {"uid": "uid-backend"}
    tags_are(commit=PENDING)(cloud)
    assert only(cloud).missing == (), "that it has the role says nothing"
    ended = only(incomplete(), ended=[FIRST])
    assert (kinds(ended), [(item.kind, item.name) for item in ended.spared]) == ("", [(Kind.ROLE, ROLE)])


@pytest.mark.parametrize("tags", ['{"cluster": "arn:other"}', '{"transaction": null}', '{"commit": "done"}'])
def test_a_role_of_somebody_else_is_not_told_of(tags: str) -> None:
    cloud = Cloud(roles=incomplete().roles)
    tags_are(**json.loads(tags))(cloud)
    assert Finder(cloud.seen()).find(0) == []


def without_role(path: str = "/irsa/demo/", existing: bool = False, annotations: Any = None) -> Cloud:
    """What is left where a run made all of a binding, and could take back its role only."""
    cloud = Cloud()
    for change in cloud.plan(tagged(desired(associate=True))):
        cloud.perform(change, FIRST)
    del cloud.roles[ROLE]
    cloud.provider = None
    account = cloud.accounts["backend", "reader"]
    arn = f"arn:aws:iam::111122223333:role{path}{ROLE}"
    there = annotations or {**account.annotations, ROLE_ARN_ANNOTATION: arn}
    cloud.accounts["backend", "reader"] = replace(account, annotations=there)
    cloud.existing |= {ROLE_ARN} if existing else set()
    return cloud


def test_a_service_account_whose_role_is_gone_is_half_made() -> None:
    found = only(without_role())
    assert kinds(found) == "Namespace ServiceAccount"
    (account,) = [piece.change for piece in found.pieces if piece.change.kind is Kind.SERVICE_ACCOUNT]
    assert account.after == ServiceAccountState({ROLE_ARN_ANNOTATION: ROLE_ARN}), "no other role's"


def test_without_further_evidence_it_is_taken_back_only_by_name() -> None:
    cloud = without_role()
    lived_in(cloud)
    assert kinds(only(cloud)) == ""
    assert kinds(Finder(cloud.seen()).leftovers(FIRST, named=True)) == "ServiceAccount"


@named(
    "cloud",
    ("another's role", without_role(path="/")),
    ("the role is there", without_role(existing=True)),
    ("no run made it", without_role(annotations={ROLE_ARN_ANNOTATION: ROLE_ARN})),
)
def test_a_service_account_that_may_have_its_role_is_left_alone(cloud: Cloud) -> None:
    assert (Kind.SERVICE_ACCOUNT, ("backend", "reader")) not in pieces(Finder(cloud.seen()).find(0))


@pytest.mark.parametrize("commit", [PENDING, DELETING])
@pytest.mark.parametrize("name", ["reader", "another"])
def test_what_a_service_account_names_is_left_alone_and_told_of(commit: str, name: str) -> None:
    """It may be at work: STS admits its tokens, as soon as the role is there."""
    cloud = incomplete()
    del cloud.accounts["backend", "reader"]
    named_by("backend", name)(cloud)
    tags_are(commit=commit)(cloud)
    found = only(cloud)
    (spared,) = found.spared
    assert (kinds(found), spared.kind, spared.name) == ("", Kind.ROLE, ROLE)
    assert f"ServiceAccount backend/{name} uses it" in spared.why
    assert FIRST in spared.why
    assert any(step.startswith("irsa delete-sa reader -n backend -c demo ") for step in spared.next_steps)


def test_a_provider_goes_after_the_roles_of_other_runs_that_trust_it() -> None:
    cloud = incomplete()
    tags_are(transaction=SECOND)(cloud)
    second, first = Finder(cloud.seen()).find(0)
    assert (second.transaction, first.transaction) == (SECOND, FIRST)
    assert "OIDCProvider" in kinds(first)
    alone = Finder(cloud.seen()).leftovers(FIRST)
    assert alone is not None
    assert "OIDCProvider" not in kinds(alone)
    assert Kind.PROVIDER in {item.kind for item in alone.spared}
    # What is too young holds what it stands on.
    role_is(created=NOW)(cloud)
    found = {item.transaction: item for item in Finder(cloud.seen(NOW + timedelta(seconds=60))).find(75)}
    assert found[SECOND].age < 75
    assert "OIDCProvider" not in kinds(found[FIRST])


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
    state = replace(role.state, tags={**role.state.tags, **tags}, trust=FOREIGN)
    cloud.roles["odd"] = replace(role, arn=f"{ROLE_ARN}-odd", role_id="odd", state=state)
    cloud.accounts["odd", "odd"] = ServiceAccount("odd", "odd", {key: text}, uid="odd", created=NOW)
    cloud.namespaces["odd"] = SeenNamespace("odd", "odd", {TRANSACTION_TAG: text}, NOW)
    after = Finder(cloud.seen()).find(0)
    assert [item for item in after if item.transaction == FIRST] == before


def test_an_empty_cluster_has_no_remains() -> None:
    cloud = Cloud(others={"default"})
    assert Finder(cloud.seen()).find(0) == []
    assert Finder(cloud.seen()).leftovers(FIRST) is None
    cloud.namespaces["x"] = SeenNamespace("x", "u", {"note": "theirs"}, NOW)
    assert Finder(cloud.seen()).find(0) == []


@pytest.mark.parametrize("bound", [True, False])
def test_a_role_whose_deletion_was_cut_off_is_half_made_when_nobody_names_it(bound: bool) -> None:
    """A ServiceAccount that names it may be at work with it."""
    cloud = incomplete()
    tags_are(commit=DELETING, desired=None)(cloud)
    if bound:
        named_by("elsewhere", "x")(cloud)
    assert ((Kind.ROLE, (ROLE,)) in pieces(Finder(cloud.seen()).find(0))) is not bound
