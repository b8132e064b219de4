"""The judge is judged: worlds that leak, lie or are stuck must be called so, and right ones not."""

import copy
from typing import Any

import pytest

from tests.faults.judge import INCOMPLETE, Ending, Json, Verdict, differences, essence, half_done, judge

ROLE: Json = {
    "arn": "arn:aws:iam::111122223333:role/irsa/demo/r",
    "trust": {"Statement": []},
    "tags": {"irsa/transaction": "first"},
    "description": "",
    "max_session_duration": 3600,
    "boundary": "",
    "attached": ["arn:aws:iam::aws:policy/P"],
    "inline": {"queue": {"Statement": []}},
}
ACCOUNT: Json = {"uid": "u1", "labels": {}, "annotations": {"note": "theirs"}}
PROVIDER: Json = {"url": "issuer", "audiences": ["sts.amazonaws.com"], "tags": {}}
BEFORE: Json = {
    "roles": {"shared": {**ROLE, "attached": [], "inline": {}, "tags": {}}},
    "policies": {},
    "oidc_providers": {"provider": PROVIDER},
    "kubernetes": {
        "namespaces": {"apps": {"labels": {}, "annotations": {}, "phase": "Active"}},
        "serviceaccounts": {"apps/app": ACCOUNT},
    },
}


def changed(*path: str, to: Any) -> Json:
    """The world before, with one value replaced."""
    world = copy.deepcopy(BEFORE)
    place = world
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return world


WISHED = changed("roles", "r", to=ROLE)
DESIRED = essence(WISHED, BEFORE)
NAMES = ("InlinePolicy r/queue", "PolicyAttachment r/arn:aws:iam::aws:policy/P", "Role r")


def verdict(world: Json, code: int | None, *left: str, killed: bool = False) -> Verdict:
    return judge(BEFORE, DESIRED, world, Ending(code, left, ["repair"] * len(left)), killed=killed)


def test_the_order_of_statements_is_no_difference_and_their_content_is() -> None:
    one, other = ({"Effect": "Allow", "Action": name} for name in ("sts:AssumeRole", "sts:TagSession"))
    worlds = [
        changed("roles", "shared", "trust", to={"Statement": statements})
        for statements in ([one, other], [other, one], [one, one])
    ]
    assert differences(worlds[0], worlds[1]) == []
    assert essence(worlds[0], BEFORE) == essence(worlds[1], BEFORE)
    assert differences(worlds[0], worlds[2]) == [("TrustStatement", "shared")]


def test_success_with_the_desired_world_is_done() -> None:
    assert verdict(WISHED, 0) is Verdict.DONE


def test_another_transaction_and_new_uids_are_no_difference() -> None:
    other = changed("roles", "r", to={**ROLE, "tags": {"irsa/transaction": "second"}})
    assert verdict(other, 0) is Verdict.DONE


@pytest.mark.parametrize(
    "world",
    [
        BEFORE,
        changed("roles", "r", to={**ROLE, "attached": []}),
        changed("roles", "r", to={**ROLE, "tags": {}}),
        changed("roles", "r", to={**ROLE, "trust": {}}),
        {**WISHED, "roles": {**WISHED["roles"], "r-2": ROLE}},
        {**WISHED, "kubernetes": {**BEFORE["kubernetes"], "namespaces": {}}},
    ],
)
def test_success_without_exactly_the_desired_world_is_a_lie(world: Json) -> None:
    assert verdict(world, 0) is Verdict.LIE


def test_a_service_account_that_was_made_again_is_a_lie() -> None:
    world = copy.deepcopy(WISHED)
    world["kubernetes"]["serviceaccounts"]["apps/app"]["uid"] = "u2"
    assert verdict(world, 0) is Verdict.LIE


@pytest.mark.parametrize("code", [1, 4, 5, 130, 143])
def test_a_failure_that_leaves_nothing_is_clean(code: int) -> None:
    assert verdict(copy.deepcopy(BEFORE), code) is Verdict.CLEAN


ONE_PIECE = [
    changed("roles", "r", to=ROLE),
    changed("roles", "shared", "trust", to={"Statement": ["ours"]}),
    changed("roles", "shared", "attached", to=["arn"]),
    changed("roles", "shared", "inline", to={"queue": {}}),
    changed("roles", "shared", "tags", to={"k": "v"}),
    changed("roles", to={}),
    changed("oidc_providers", "provider", "audiences", to=["sts.amazonaws.com", "more"]),
    changed("oidc_providers", to={}),
    changed("kubernetes", "namespaces", "new", to={"labels": {}, "annotations": {}, "phase": "Active"}),
    changed("kubernetes", "namespaces", "apps", "labels", to={"ours": "1"}),
    changed("kubernetes", "serviceaccounts", "apps/app", "uid", to="u2"),
    changed("kubernetes", "serviceaccounts", "apps/app", "annotations", to={}),
    changed("kubernetes", "serviceaccounts", "apps/more", to=ACCOUNT),
]


@pytest.mark.parametrize("world", ONE_PIECE)
@pytest.mark.parametrize("code", [1, 4, 5, 130, 143, -15, -2])
def test_a_failure_that_leaves_one_piece_is_a_leak(world: Json, code: int) -> None:
    assert verdict(world, code) is Verdict.LEAK


@pytest.mark.parametrize("world", ONE_PIECE)
def test_every_piece_has_to_be_named(world: Json) -> None:
    names = [f"{kind} {name}" for kind, name in differences(BEFORE, world)]
    assert names
    assert verdict(world, INCOMPLETE, *names) is Verdict.NAMED
    for missing in range(len(names)):
        assert verdict(world, INCOMPLETE, *names[:missing], *names[missing + 1 :]) is Verdict.LEAK


def test_naming_the_role_does_not_name_what_is_on_it() -> None:
    assert verdict(WISHED, INCOMPLETE, *NAMES) is Verdict.NAMED
    assert verdict(WISHED, INCOMPLETE, "Role r") is Verdict.LEAK


def test_a_statement_is_named_with_its_subject_on_the_right_role() -> None:
    world = changed("roles", "shared", "trust", to={"Statement": ["ours"]})
    assert verdict(world, INCOMPLETE, "TrustStatement shared/system:serviceaccount:a:b") is Verdict.NAMED
    assert verdict(world, INCOMPLETE, "TrustStatement shared-2/system:serviceaccount:a:b") is Verdict.LEAK


def test_a_leftover_without_a_command_that_repairs_it_is_not_named() -> None:
    ending = Ending(INCOMPLETE, NAMES, ["repair", "", "repair"])
    assert judge(BEFORE, DESIRED, WISHED, ending) is Verdict.LEAK


@pytest.mark.parametrize("code", [2, 3, 6, 7, -11])
def test_an_exit_code_that_promises_nothing_is_no_way_to_end(code: int) -> None:
    assert verdict(BEFORE, code) in (Verdict.LIE, Verdict.LEAK)
    assert verdict(WISHED, code) is Verdict.LEAK


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_bug_is_no_way_to_end(code: int) -> None:
    ending = Ending(code, NAMES, ["repair"] * 3, crashed=True)
    assert judge(BEFORE, DESIRED, BEFORE, ending) is Verdict.LIE
    assert judge(BEFORE, DESIRED, WISHED, ending) is Verdict.LEAK


def test_a_kill_is_judged_by_what_comes_after_only_when_it_was_ours() -> None:
    assert verdict(WISHED, -9, killed=True) is Verdict.CUT
    assert verdict(WISHED, -9) is Verdict.LEAK
    assert verdict(WISHED, 1, killed=True) is Verdict.LEAK


def test_a_run_without_an_end_is_stuck() -> None:
    assert verdict(BEFORE, None) is Verdict.STUCK


def test_of_what_is_done_part_by_part_none_is_left_half_done() -> None:
    done, other = ("Role", "apps-one-1"), ("ServiceAccount", "apps/two")
    parts = (("apps-one-", "apps/one"), ("apps-two-", "apps/two"))
    assert half_done([done, other], [("Role", "apps-two-1")], parts) == [other]
    assert half_done([done], [("ServiceAccount", "apps/one")], parts) == [done]
    assert half_done([done], [("ServiceAccount", "apps/one")], ()) == [done]
    assert half_done([("Role", "foreign")], [], parts) == [("Role", "foreign")]


@pytest.mark.parametrize(("world", "found"), [(WISHED, Verdict.LIE), (BEFORE, Verdict.CLEAN)])
def test_who_says_that_nothing_was_changed_has_to_be_right(world: Json, found: Verdict) -> None:
    assert judge(BEFORE, DESIRED, world, Ending(1, denies=True)) is found
    if found is Verdict.LIE:
        left = Ending(INCOMPLETE, NAMES, ["repair"] * len(NAMES), denies=True)
        assert judge(BEFORE, DESIRED, world, left) is found
