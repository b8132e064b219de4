"""Which answers of IAM are taken for older than what was written, whatever the order in which they come."""

from __future__ import annotations

import copy
import time
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.aws.recent_writes import RecentWrites
from irsa_cli.core.values import limits
from tests.support.thoroughness import examples

OLD = datetime(2020, 1, 1, tzinfo=timezone.utc)
NAME = {"RoleName": "r"}
TRUSTS = [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": f"sts:{n}"}]} for n in "abc"]
State = dict[str, Any]

writes = st.one_of(
    st.tuples(st.just("TagRole"), st.sampled_from("xy"), st.sampled_from("123")),
    st.tuples(st.just("UntagRole"), st.sampled_from("xy"), st.just("")),
    st.tuples(st.just("UpdateAssumeRolePolicy"), st.sampled_from(TRUSTS), st.just("")),
    st.tuples(st.sampled_from(["AttachRolePolicy", "DetachRolePolicy"]), st.sampled_from("pq"), st.just("")),
    st.tuples(st.sampled_from(["PutRolePolicy", "DeleteRolePolicy"]), st.sampled_from("ij"), st.just("")),
)


class Role:
    """A role as IAM has it: all its states, the oldest first."""

    def __init__(self) -> None:
        first = {"tags": {"x": "0"}, "trust": TRUSTS[0], "attached": {"p"}, "inline": {"i"}}
        self.states: list[State] = [first]

    def write(self, operation: str, what: Any, value: str) -> dict[str, Any]:
        """Carry a write out; returns what was asked."""
        state = copy.deepcopy(self.states[-1])
        self.states.append(state)
        if operation == "TagRole":
            state["tags"][what] = value
            return {**NAME, "Tags": [{"Key": what, "Value": value}]}
        if operation == "UntagRole":
            state["tags"].pop(what, None)
            return {**NAME, "TagKeys": [what]}
        if operation == "UpdateAssumeRolePolicy":
            state["trust"] = what
            return {**NAME, "PolicyDocument": what}
        part = state["inline" if "Put" in operation or "Delete" in operation else "attached"]
        part.add(what) if operation[0] in "AP" else part.discard(what)
        key = "PolicyArn" if "ttach" in operation or "etach" in operation else "PolicyName"
        return {**NAME, key: what, "PolicyDocument": TRUSTS[0]}


def answers(state: State) -> dict[str, dict[str, Any]]:
    tags = [{"Key": key, "Value": value} for key, value in state["tags"].items()]
    role = {"RoleId": "AROA1", "AssumeRolePolicyDocument": state["trust"], "Tags": tags, "CreateDate": OLD}
    return {
        "GetRole": {"Role": role},
        "ListAttachedRolePolicies": {"AttachedPolicies": [{"PolicyArn": it} for it in state["attached"]]},
        "ListRolePolicies": {"PolicyNames": sorted(state["inline"])},
    }


@given(st.lists(writes, min_size=1, max_size=6), st.data())
@settings(max_examples=examples(200), deadline=None)
def test_no_newest_answer_is_late_and_every_older_one_is(asked: list[Any], data: st.DataObject) -> None:
    role, recent = Role(), RecentWrites()
    for operation, answer in answers(role.states[0]).items():
        assert not recent.is_late(operation, NAME, answer)
    for write in asked:
        recent.note(write[0], role.write(*write), {})
    newest = answers(role.states[-1])
    for _ in range(4):
        operation = data.draw(st.sampled_from(sorted(newest)))
        shown = answers(data.draw(st.sampled_from(role.states)))[operation]
        assert recent.is_late(operation, NAME, shown) == (shown != newest[operation])


def test_a_state_that_is_neither_is_nobodys_old_one() -> None:
    recent = RecentWrites()
    first = answers(Role().states[0])["GetRole"]
    assert not recent.is_late("GetRole", NAME, first)
    recent.note("TagRole", {**NAME, "Tags": [{"Key": "x", "Value": "1"}]}, {})
    theirs = copy.deepcopy(first)
    theirs["Role"]["Tags"][0]["Value"] = "theirs"
    assert recent.is_late("GetRole", NAME, first)
    assert not recent.is_late("GetRole", NAME, theirs)


def test_what_was_created_is_waited_for_and_what_was_deleted_too() -> None:
    recent, shown = RecentWrites(), answers(Role().states[0])["GetRole"]
    recent.note("CreateRole", {**NAME, "AssumeRolePolicyDocument": TRUSTS[0]}, shown)
    assert recent.is_late("GetRole", NAME, None)
    assert recent.is_there("AttachRolePolicy", {**NAME, "PolicyArn": "p"})
    recent.note("DeleteRole", NAME, {})
    assert recent.is_late("GetRole", NAME, shown)
    assert not recent.is_late("GetRole", NAME, None)
    another = copy.deepcopy(shown)
    another["Role"]["RoleId"] = "AROA2"
    assert not recent.is_late("GetRole", NAME, another)


def test_what_was_seen_and_is_gone_is_asked_for_a_few_times_more() -> None:
    recent = RecentWrites()
    assert not recent.is_late("GetRole", NAME, answers(Role().states[0])["GetRole"])
    asked = [recent.is_late("GetRole", NAME, None) for _ in range(limits.SAME_ANSWERS)]
    assert asked == [True] * (limits.SAME_ANSWERS - 1) + [False]


def test_a_write_without_an_answer_makes_nothing_late() -> None:
    recent, asked = RecentWrites(), {**NAME, "Tags": [{"Key": "x", "Value": "1"}]}
    first = answers(Role().states[0])["GetRole"]
    assert not recent.is_late("GetRole", NAME, first)
    recent.note("TagRole", asked, {})
    recent.doubt("TagRole", asked)
    assert not recent.is_late("GetRole", NAME, first)


def test_after_its_time_an_old_answer_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    recent, first = RecentWrites(), answers(Role().states[0])["GetRole"]
    assert not recent.is_late("GetRole", NAME, first)
    recent.note("TagRole", {**NAME, "Tags": [{"Key": "x", "Value": "1"}]}, {})
    now = time.monotonic() + limits.PROPAGATION_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert not recent.is_late("GetRole", NAME, first)


def test_a_page_of_a_list_does_not_show_what_is_on_another() -> None:
    recent, asked = RecentWrites(), {**NAME, "PolicyArn": "q"}
    recent.note("AttachRolePolicy", asked, {})
    page = {"AttachedPolicies": [{"PolicyArn": "p"}], "IsTruncated": True, "Marker": "m"}
    assert not recent.is_late("ListAttachedRolePolicies", NAME, page)
    assert recent.is_late("ListAttachedRolePolicies", NAME, {**page, "IsTruncated": False})
