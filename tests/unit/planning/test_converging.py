"""Whatever is there, a wish is made true: from one to another and back again leaves no trace."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks.applied import KEYS_ANNOTATION, applied_keys
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.plan.states import MANAGED_BY_LABEL, ROLE_ARN_ANNOTATION, SPEC_HASH_TAG
from irsa_cli.core.planning.converge import converge
from irsa_cli.core.values.errors import Refused
from irsa_cli.usecases.files.cluster_run import is_abandoned
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.planning.desired_states import OTHER_DOCUMENT, STRANGER, desired, desired_states, provider_for
from tests.unit.planning.test_binding_model import is_true
from tests.unit.world import Account, Role, World, after, observe, unmarked


def plan_of(world: World, desired_value: DesiredState) -> Plan:
    return converge(desired_value, observe(world, desired_value))


@st.composite
def own(draw: st.DrawFn) -> DesiredState:
    """A wish for a role of irsa's, with everything about it that can differ."""
    desired_value = draw(desired_states().filter(lambda item: item.role is not None and not item.role_only))
    assert desired_value.role is not None
    state = replace(
        desired_value.role,
        description=draw(some.texts),
        max_session_duration=draw(st.sampled_from([3600, 7200])),
        permissions_boundary=draw(st.sampled_from(["", "arn:aws:iam::aws:policy/B"])),
        tags={**desired_value.role.tags, **draw(some.tags)},
    )
    return replace(
        desired_value, role=state, gated=False, associate=True, create_namespace=True, override=False
    )


def bare() -> World:
    return World(
        providers={desired().identity.provider_arn: provider_for("sts.amazonaws.com", "vault")},
        namespaces={"backend"},
    )


def plain(world: World) -> World:
    """Without the marks of runs."""
    world = copy.deepcopy(world)
    for role in world.roles.values():
        role.state = unmarked(role.state)
    return world


def _without_note(desired_value: DesiredState) -> DesiredState:
    annotations = {key: value for key, value in desired_value.annotations.items() if key != "note"}
    labels = {key: value for key, value in desired_value.labels.items() if key != MANAGED_BY_LABEL}
    return replace(desired_value, annotations=annotations, labels=labels)


@settings(max_examples=examples(200))
@given(own(), own(), st.booleans())
def test_from_one_wish_to_another_and_back_is_no_change(
    one: DesiredState, other: DesiredState, there: bool
) -> None:
    world = bare()
    if there:
        world.accounts["backend", "reader"] = Account({"note": "theirs"}, {"chart": "x"}, "their-uid")
        one, other = (_without_note(item) for item in (one, other))  # What is overwritten is lost.
    first = after(world, plan_of(world, one))
    assert is_true(one, first)
    second = after(first, plan_of(first, other))
    assert is_true(other, second)
    todo = plan_of(second, one)
    third = after(second, todo)
    assert plain(third) == plain(first)
    assert len(plan_of(third, one)) == 0
    assert after(third, todo.inverse) == second


@settings(max_examples=examples(60))
@given(own())
def test_what_others_have_put_on_the_service_account_stays(desired_value: DesiredState) -> None:
    world = bare()
    theirs = {"meta.helm.sh/release-name": "chart", KEYS_ANNOTATION: '{"annotations":["irsa/transaction"]}'}
    world.accounts["backend", "reader"] = Account(
        {**theirs, "irsa/transaction": "t1"}, {"chart": "x"}, "their-uid"
    )
    account = after(world, plan_of(world, desired_value)).accounts["backend", "reader"]
    assert account.uid == "their-uid"
    assert account.labels["chart"] == "x"
    assert account.annotations["meta.helm.sh/release-name"] == "chart"
    assert account.annotations["irsa/transaction"] == "t1"


@settings(max_examples=examples(60))
@given(own())
def test_statements_of_others_stay_byte_for_byte(desired_value: DesiredState) -> None:
    assert desired_value.role is not None
    world = bare()
    theirs = {"Sid": "Ec2", "Effect": "Allow", "Principal": {"Service": "ec2"}, "Action": "sts:AssumeRole"}
    document = {**desired_value.role.trust, "Statement": [theirs, *desired_value.role.trust["Statement"]]}
    world.roles[desired_value.role_name] = Role(
        replace(desired_value.role, trust=document), set(desired_value.policies)
    )
    found = after(world, plan_of(world, desired_value)).roles[desired_value.role_name].state.trust
    assert found == document


def test_a_role_of_somebody_else_is_refused() -> None:
    world, desired_value = bare(), desired()
    assert desired_value.role is not None
    world.roles[desired_value.role_name] = Role(replace(desired_value.role, tags={"team": "b"}))
    with pytest.raises(Refused, match="not managed by irsa"):
        plan_of(world, desired_value)


@pytest.mark.parametrize("override", [False, True])
def test_a_service_account_with_another_role_changes_only_when_asked(override: bool) -> None:
    world, desired_value = bare(), replace(desired(), override=override)
    world.accounts["backend", "reader"] = Account({ROLE_ARN_ANNOTATION: STRANGER}, uid="their-uid")
    if not override:
        with pytest.raises(Refused, match="another role"):
            plan_of(world, desired_value)
        return
    assert is_true(desired_value, after(world, plan_of(world, desired_value)))


@pytest.mark.parametrize("takes_over", [False, True])
def test_a_role_that_is_half_made_for_other_wishes(takes_over: bool) -> None:
    world, wish = bare(), desired(inline={"p": OTHER_DOCUMENT})
    assert wish.role is not None
    this, that = (
        replace(wish.role, tags={**wish.role.tags, SPEC_HASH_TAG: text, "irsa/transaction": "earlier"})
        for text in ("this", "that")
    )
    wish = replace(wish, role=unmarked(this))
    world.roles[wish.role_name] = Role(that)
    if takes_over:
        assert is_true(wish, after(world, converge(wish, observe(world, wish), takes_over=True)))
        return
    with pytest.raises(Refused, match="incomplete, for another desired state"):
        plan_of(world, wish)


NO_NOTES = [
    "[]",
    "null",
    "",
    "labels",
    '{"labels": 1}',
    '{"labels": "ab"}',
    '{"labels": {"a": 1}}',
    '{"labels": ["a", 1]}',
    '{"labels": ["a"], "finalizers": ["b"]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", NO_NOTES, ids=lambda text: text[:30])
def test_a_note_of_keys_that_is_not_understood_is_refused(text: str) -> None:
    """To write over it would leave what it names for ever."""
    world, desired_value = bare(), desired(labels={"team": "a"})
    key = (desired_value.namespace, desired_value.name)
    world.accounts[key] = Account(annotations={KEYS_ANNOTATION: text}, labels={"a": "b"})
    with pytest.raises(Refused, match="is not valid"):
        plan_of(world, desired_value)
    assert applied_keys({KEYS_ANNOTATION: text}) == {"annotations": [], "labels": []}
    world.accounts[key].annotations[KEYS_ANNOTATION] = '{"labels": ["a"], "annotations": []}'
    assert after(world, plan_of(world, desired_value)).accounts[key].labels == {"team": "a"}


def made(**tags: str) -> World:
    """A world in which a wish is met; its role has these tags instead (or, with '', not)."""
    world = after(bare(), plan_of(bare(), desired()))
    role = world.roles[desired().role_name]
    changed = {key: text for key, text in {**role.state.tags, **tags}.items() if text or key not in tags}
    role.state = replace(role.state, tags=changed)
    return world


@pytest.mark.parametrize(
    ("tag", "text", "understood"),
    [
        ("irsa/trust", "01234567 89abcdef", True),
        ("irsa/trust-2", "", True),
        ("irsa/trusted", "by me", True),
        ("irsa/trust", "sha256:0123", False),
        ("irsa/trust", "01234567 system:serviceaccount:a:b", False),
        ("irsa/trust-2", "0123456", False),
    ],
)
def test_a_tag_of_whom_files_let_in_that_is_not_understood_is_refused(
    tag: str, text: str, understood: bool
) -> None:
    world = made(**{tag: text})
    if understood:
        assert is_true(desired(), after(world, plan_of(world, desired())))
        return
    with pytest.raises(Refused, match=f"the tag {tag} of role") as caught:
        plan_of(world, desired())
    assert f"--tag-keys {tag}" in caught.value.next_steps[1]


@pytest.mark.parametrize(
    ("mark", "abandoned"),
    [
        ("", True),
        ("20200101T100000000Z-0a1b2c3d", True),
        ("now", False),
        ("0192f0c1-7a5e-7cc0-8000-000000000000", False),
        ("20209901T100000000Z-0a1b2c3d", False),
    ],
)
def test_a_run_whose_name_does_not_tell_when_it_began_may_be_at_work(mark: str, abandoned: bool) -> None:
    now = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}000Z-0a1b2c3d"
    world = made(**{"irsa/transaction": mark.replace("now", now)})
    assert is_abandoned(observe(world, desired())) is abandoned


@given(st.text() | st.sampled_from(["[]", "{}", '{"labels": 1}', '{"labels": ["irsa/x", "a"]}', "null"]))
def test_a_note_of_keys_that_is_not_one_means_nothing(text: str) -> None:
    found = applied_keys({KEYS_ANNOTATION: text})
    assert set(found) == {"annotations", "labels"}
    assert not any(key.startswith("irsa/") for keys in found.values() for key in keys)
