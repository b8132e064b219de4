"""The judge of schedules is judged: worlds in which runs lie, leak or fail for nothing must be called so."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.sandbox import Call
from tests.faults.desired_states import (
    ISSUER,
    PROVIDER,
    SHARED,
    SHARED_ARN,
    DesiredState,
    changes,
    differ,
    missing,
    rivals,
)
from tests.faults.judge import TRANSACTION, Ending, Json
from tests.faults.ran import Fate, Ran
from tests.faults.schedule_judge import Judgement, judge, kept, remaining, spoilt, to_repeat
from tests.faults.worlds import BEFORE, bound, changed, role_name, with_account, with_namespace, with_role
from tests.support.stage import ROLE_ARN

OWN = DesiredState("apps/app", policies=("p", "q"), inline=("queue",))
OTHER = replace(OWN, policies=("p",))
ATTACH = DesiredState("apps/app", shared=True)
WEB = DesiredState("apps/web", policies=("p",))
ROLE = role_name("apps/app")
ACCOUNT = ("kubernetes", "serviceaccounts", "apps/app")
WISHES = [
    OWN,
    ATTACH,
    WEB,
    replace(OWN, annotations=(("team", "a"),)),
    replace(OWN, role_only=True),
    replace(OWN, inline=(), policies=()),
]


def ran(desired: DesiredState, code: int | None = 0, *left: str, **facts: Any) -> Ran:
    return Ran(desired, Ending(code, left, ["repair"] * len(left)), **facts)


def judged(after: Json, *runs: Ran, before: Json = BEFORE) -> Judgement:
    return judge(before, after, runs)


@pytest.mark.parametrize("desired", WISHES)
def test_a_wish_that_is_true_has_won(desired: DesiredState) -> None:
    world = bound(BEFORE, desired)
    assert missing(desired, BEFORE, world) == []
    assert not judged(world, ran(desired)).failed


def test_several_winners() -> None:
    world = bound(bound(bound(BEFORE, OWN), WEB, "other"), DesiredState("apps/job", shared=True))
    assert not judged(world, ran(OWN), ran(WEB), ran(OWN), ran(DesiredState("apps/job", shared=True))).failed


def broken(world: Json) -> list[Json]:
    """Worlds in which one thing of OWN's is not as wished."""
    role = world["roles"][ROLE]
    elsewhere = {**role, "tags": {}}
    return [
        changed(world, "oidc_providers", to={}),
        changed(world, "oidc_providers", PROVIDER, "audiences", to=["other"]),
        changed(world, "roles", ROLE, to=None),
        changed(world, "roles", "second", to=role),
        changed(world, "roles", ROLE, to=elsewhere),
        changed(world, "roles", ROLE, "attached", to=["p"]),
        changed(world, "roles", ROLE, "attached", to=["p", "q", "r"]),
        changed(world, "roles", ROLE, "inline", to={}),
        changed(world, "roles", ROLE, "inline", "queue", to={"Statement": []}),
        changed(
            world,
            "roles",
            ROLE,
            "trust",
            to=with_role(BEFORE, WEB, "")["roles"][role_name("apps/web")]["trust"],
        ),
        changed(world, "roles", ROLE, "trust", "Statement", to=role["trust"]["Statement"] * 2),
        changed(world, *ACCOUNT, to=None),
        changed(world, *ACCOUNT, "annotations", ROLE_ARN, to=SHARED_ARN),
        changed(world, *ACCOUNT, "annotations", ROLE_ARN, to=None),
        changed(world, *ACCOUNT, "annotations", "more", to="x"),
        changed(world, *ACCOUNT, "labels", to={}),
    ]


@pytest.mark.parametrize("number", range(len(broken(bound(BEFORE, OWN)))))
def test_success_without_the_whole_binding_is_a_lie(number: int) -> None:
    world = broken(bound(BEFORE, OWN))[number]
    assert missing(OWN, BEFORE, world)
    assert judged(world, ran(OWN)).lies


def test_success_without_the_statement_on_the_shared_role_is_a_lie() -> None:
    world = with_account(with_namespace(BEFORE, "apps", "mark"), ATTACH, "mark")
    assert judged(world, ran(ATTACH)).lies


def test_an_account_that_was_there_keeps_what_it_has() -> None:
    before = with_namespace(BEFORE, "apps", "theirs")
    old = {"uid": "old", "labels": {"of": "them"}, "annotations": {"note": "theirs", ROLE_ARN: "old"}}
    before = changed(before, *ACCOUNT, to=old)
    world = bound(before, OWN)
    assert not judged(world, ran(OWN), before=before).failed
    for path, value in [(("uid",), "new"), (("labels",), {}), (("annotations", "note"), None)]:
        assert judged(changed(world, *ACCOUNT, *path, to=value), ran(OWN), before=before).lies


@pytest.mark.parametrize("world", [bound(BEFORE, OWN), bound(BEFORE, OTHER)])
def test_two_wishes_can_not_both_be_true(world: Json) -> None:
    assert rivals(OWN, OTHER)
    assert judged(world, ran(OWN), ran(OTHER)).lies


def test_who_was_told_to_override_has_the_last_word() -> None:
    override = replace(ATTACH, override=True)
    world = bound(bound(BEFORE, OWN), override)
    assert not judged(world, ran(OWN), ran(override)).failed
    assert judged(world, ran(OWN), ran(ATTACH)).lies
    overridden = changed(world, *ACCOUNT, "annotations", ROLE_ARN, to=world["roles"][ROLE]["arn"])
    assert judged(overridden, ran(OWN), ran(override)).lies
    assert judged(changed(world, "roles", ROLE, "attached", to=[]), ran(OWN), ran(override)).lies


@pytest.mark.parametrize(
    ("one", "other", "different", "contrary"),
    [
        (OWN, OWN, False, False),
        (OWN, replace(OWN, policies=("q", "p"), verify=True, override=True), False, False),
        (OWN, replace(OWN, role_only=True), False, False),
        (OWN, replace(OWN, annotations=(("team", "a"),)), True, False),
        (replace(OWN, annotations=(("team", "b"),)), replace(OWN, annotations=(("team", "a"),)), True, True),
        (OWN, OTHER, True, True),
        (replace(OWN, role_only=True), OTHER, True, True),
        (OWN, ATTACH, True, True),
        (replace(OWN, role_only=True), ATTACH, True, False),
        (OWN, replace(OTHER, account="apps/web"), False, False),
    ],
)
def test_which_wishes_differ(one: DesiredState, other: DesiredState, different: bool, contrary: bool) -> None:
    assert (differ(one, other), rivals(one, other)) == (different, contrary)
    assert (differ(other, one), rivals(other, one)) == (different, contrary)


HALVES = [
    with_namespace(BEFORE, "apps", "mark"),
    with_role(BEFORE, OWN, "mark"),
    with_role(BEFORE, ATTACH, "mark"),
    bound(BEFORE, OWN),
    changed(BEFORE, "oidc_providers", to={}),
    changed(BEFORE, "roles", SHARED, "tags", to={"a": "b"}),
    changed(BEFORE, "roles", SHARED, to=None),
    changed(BEFORE, "roles", SHARED, "trust", "Statement", to=[]),
    changed(BEFORE, "roles", SHARED, "trust", "Version", to="2008-10-17"),
    changed(BEFORE, "kubernetes", "serviceaccounts", "theirs/app", "annotations", to={}),
]


@pytest.mark.parametrize("world", HALVES)
@pytest.mark.parametrize("code", [1, 4, 5, 130, 143])
def test_what_failed_runs_leave_is_a_leak(world: Json, code: int) -> None:
    found = judged(world, ran(OWN, code, struck=True), ran(ATTACH, code, struck=True))
    assert len(found.leaks) == len(changes(BEFORE, world)) > 0


@pytest.mark.parametrize("world", HALVES)
def test_what_is_left_may_be_named_and_each_piece_has_to_be(world: Json) -> None:
    names = [f"{kind} {name}" for kind, name in changes(BEFORE, world)]
    assert not judged(world, ran(OWN, 3, *names, struck=True)).failed
    for missing_one in range(len(names)):
        rest = names[:missing_one] + names[missing_one + 1 :]
        found = judged(world, ran(OWN, 3, *rest, "Role none", struck=True))
        assert found.leaks == [names[missing_one]]


@pytest.mark.parametrize("world", HALVES[4:])
def test_what_is_somebody_elses_is_no_winners_and_no_killed_runs_to_change(world: Json) -> None:
    won = bound(world, WEB)
    assert judged(won, ran(WEB), ran(OWN, -9, killed=True, marks=frozenset({"killed"}))).failed


def test_a_killed_run_may_leave_what_bears_its_mark() -> None:
    killed = ran(OWN, -9, killed=True, marks=frozenset({"mark"}))
    assert not judged(bound(BEFORE, OWN), killed).failed
    assert judged(bound(BEFORE, OWN, "another"), killed).leaks
    assert judged(bound(BEFORE, WEB), killed).leaks
    assert judged(bound(BEFORE, OWN), replace(killed, killed=False)).failed


def test_a_killed_run_may_leave_what_can_bear_no_mark() -> None:
    killed = ran(ATTACH, -9, killed=True)
    assert not judged(with_role(BEFORE, ATTACH, ""), killed).failed
    assert judged(with_role(BEFORE, replace(ATTACH, account="apps/web"), ""), killed).leaks


def test_a_losers_role_is_not_a_winners() -> None:
    world = bound(with_role(BEFORE, OWN, "loser"), ATTACH)
    assert judged(world, ran(ATTACH), ran(OWN, 4)).leaks
    assert judged(bound(BEFORE, replace(OWN, role_only=True)), ran(ATTACH, 4), ran(OWN, 4)).leaks


def test_a_losers_annotation_has_to_be_named() -> None:
    loser = replace(OWN, annotations=(("team", "a"),))
    world = changed(bound(BEFORE, ATTACH), *ACCOUNT, "annotations", "team", to="a")
    assert judged(world, ran(ATTACH), ran(loser, 4)).lies
    assert not judged(world, ran(ATTACH), ran(loser, 3, "ServiceAccount apps/app", struck=True)).failed
    assert not judged(world, ran(ATTACH), ran(loser, -9, killed=True)).failed


@pytest.mark.parametrize(
    ("run", "fate"),
    [
        (ran(OWN, None), Fate.STUCK),
        (ran(OWN, 2), Fate.SENSELESS),
        (ran(OWN, 3), Fate.SENSELESS),
        (ran(OWN, -15), Fate.SENSELESS),
        (ran(OWN, -9), Fate.SENSELESS),
        (Ran(OWN, Ending(1, crashed=True)), Fate.SENSELESS),
        (Ran(OWN, Ending(0, crashed=True)), Fate.SENSELESS),
        (Ran(OWN, Ending(3, ["Role r"], [""])), Fate.SENSELESS),
        (ran(OWN, -15, struck=True), Fate.CLEAN),
        (ran(OWN, 143), Fate.CLEAN),
        (ran(OWN, 3, "Role r"), Fate.NAMED),
        (ran(OWN, -9, killed=True), Fate.CUT),
    ],
)
def test_how_runs_end(run: Ran, fate: Fate) -> None:
    assert run.fate is fate
    assert judged(BEFORE, run).failed == (
        fate in (Fate.STUCK, Fate.SENSELESS, Fate.NAMED) or run.ending.code == 143
    )


def call(caller: str, operation: str, started: float, ended: float) -> Call:
    return Call("iam", operation, SHARED, 200, "", started, ended, caller)


SWALLOWED = [
    call("b", "GetRole", 0, 1),
    call("a", "GetRole", 1, 2),
    call("a", "UpdateAssumeRolePolicy", 2, 3),
    call("a", "GetRole", 3, 4),
    call("b", "UpdateAssumeRolePolicy", 1, 5),
    call("b", "GetRole", 5, 6),
]
WEB_ATTACHED = DesiredState("apps/web", shared=True)


@pytest.mark.parametrize(
    ("calls", "windows"),
    [
        (SWALLOWED, True),
        ([], False),
        # B read again after A had written.
        (
            [
                *SWALLOWED[:3],
                call("b", "GetRole", 3, 3.5),
                SWALLOWED[3],
                call("b", "UpdateAssumeRolePolicy", 4, 5),
            ],
            False,
        ),
        # A looked again after B had written.
        ([*SWALLOWED, call("a", "GetRole", 6, 7)], False),
        # A looked again while B was writing.
        ([*SWALLOWED, call("a", "GetRole", 4.5, 5.5)], True),
        (SWALLOWED[:4], False),
    ],
)
def test_a_statement_that_another_run_wrote_over_unseen(calls: Sequence[Call], windows: bool) -> None:
    world = with_account(bound(BEFORE, WEB_ATTACHED), ATTACH, "mark")
    runs = [ran(ATTACH, caller="a"), ran(WEB_ATTACHED, caller="b", struck=True)]
    found = judge(BEFORE, world, runs, calls)
    assert bool(found.windows) == windows
    assert bool(found.lies) != windows
    # Where nothing was done to either, the role's lock keeps them apart.
    assert judge(BEFORE, world, [replace(run, struck=False) for run in runs], calls).lies


def test_a_statement_that_comes_back_when_another_run_writes_what_it_read() -> None:
    world = with_role(bound(BEFORE, WEB_ATTACHED), ATTACH, "")
    runs = [ran(ATTACH, 143, caller="a", struck=True), ran(WEB_ATTACHED, caller="b")]
    assert not judge(BEFORE, world, runs, SWALLOWED).failed
    assert judge(BEFORE, world, runs).leaks


def test_subjects_of_one_statement_are_pieces_of_their_own() -> None:
    world = with_role(bound(BEFORE, WEB_ATTACHED), ATTACH, "")
    *others, one, other = world["roles"][SHARED]["trust"]["Statement"]
    subjects = [item["Condition"]["StringEquals"][f"{ISSUER}:sub"] for item in (one, other)]
    equals = {**one["Condition"]["StringEquals"], f"{ISSUER}:sub": subjects}
    together = [*others, {**one, "Condition": {"StringEquals": equals}}]
    joined = changed(world, "roles", SHARED, "trust", "Statement", to=together)
    assert changes(BEFORE, joined) == changes(BEFORE, world)
    assert judged(joined, ran(WEB_ATTACHED)).leaks == [f"TrustStatement {SHARED}/{ATTACH.subject}"]
    assert not judged(joined, ran(WEB_ATTACHED), ran(ATTACH, -9, killed=True)).failed


def test_the_winner_is_repeated() -> None:
    world = bound(BEFORE, OWN)
    runs = [ran(OTHER, 4), ran(OWN), ran(WEB, 1, struck=True)]
    assert to_repeat(BEFORE, world, runs) == [runs[1], runs[2]]


def test_of_winners_the_one_whose_wish_is_true_is_repeated() -> None:
    override = replace(ATTACH, override=True)
    runs = [ran(OWN), ran(override)]
    assert to_repeat(BEFORE, bound(bound(BEFORE, OWN), override), runs) == [runs[1]]


def test_without_a_winner_what_a_killed_run_began_is_repeated() -> None:
    world = with_role(BEFORE, OTHER, "killed")
    killed = ran(OTHER, -9, killed=True, marks=frozenset({"killed"}))
    runs = [ran(OWN, 4), killed, ran(ATTACH, -9, killed=True)]
    assert to_repeat(BEFORE, world, runs) == [killed]
    assert to_repeat(BEFORE, BEFORE, runs) == [runs[0]]
    assert to_repeat(BEFORE, bound(BEFORE, ATTACH), runs) == [runs[2]]


def test_what_remains_in_the_end() -> None:
    world = bound(BEFORE, OWN)
    won, killed = ran(OWN), ran(ATTACH, -9, killed=True)
    assert remaining(BEFORE, world, [won], [won, killed]) == []
    left = with_role(world, ATTACH, "")
    (text,) = remaining(BEFORE, left, [won], [won, killed])
    assert "TrustStatement shared/" in text
    named = ran(ATTACH, 3, text.removeprefix("left: "))
    assert remaining(BEFORE, left, [won], [won, named]) == []
    assert remaining(BEFORE, left, [won], [won, killed], [text.removeprefix("left: ")]) == []
    assert remaining(BEFORE, changed(world, "roles", "second", to=world["roles"][ROLE]), [won], [won])
    assert remaining(BEFORE, BEFORE, [won], [won])


def test_what_killed_runs_keep_when_their_journals_are_lost() -> None:
    world = with_role(bound(BEFORE, WEB), ATTACH, "")
    (piece,) = kept(BEFORE, world, [ran(WEB), ran(ATTACH, -9, killed=True)])
    assert piece.startswith("TrustStatement shared/")
    assert kept(BEFORE, world, [ran(WEB), ran(ATTACH, 1)]) == []


def test_recovering_others_must_not_take_from_a_winner() -> None:
    world = bound(BEFORE, OWN)
    assert spoilt(BEFORE, world, world, [ran(OWN)]) == []
    assert all(spoilt(BEFORE, world, worse, [ran(OWN)]) for worse in broken(world))
    assert spoilt(BEFORE, world, BEFORE, [ran(OWN, 4)]) == []
    assert spoilt(BEFORE, BEFORE, BEFORE, [ran(OWN)]) == []


def test_marks_are_no_difference_to_a_wish_but_have_to_be_there() -> None:
    world = changed(bound(BEFORE, OWN), "roles", ROLE, "tags", TRANSACTION, to=None)
    assert judged(world, ran(OWN)).lies
