"""The judge of another command is judged: lies, damage and senseless ends are called so, right ones not."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.commands import COMMANDS
from tests.faults.desired_states import PROVIDER, DesiredState
from tests.faults.followers import APP, FOLLOWERS, Scene, leftovers, problems, whole
from tests.faults.judge import Ending, Json, essence
from tests.faults.worlds import BEFORE, bound, changed, role_name, with_role

WISH = DesiredState(APP, policies=("p",))
COMPLETE = bound(BEFORE, WISH)
HALF = with_role(BEFORE, WISH, "mark")
ROLE = role_name(APP)
ACCOUNT = ("kubernetes", "serviceaccounts", APP)
DELETING = changed(COMPLETE, "roles", ROLE, "tags", "irsa/commit", to="deleting")
ERROR = {"code": "Refused", "message": "no", "next": []}


def scene(before: Json, after: Json, code: int | None = 0, **output: Any) -> Scene:
    ending, document = Ending(code), {"metadata": {"exitCode": code}, "items": [], "errors": [], **output}
    return Scene(COMMANDS["fresh"], BEFORE, essence(COMPLETE, BEFORE), before, after, ending, document)


def said(name: str, *worlds: Json, code: int | None = 0, **output: Any) -> list[str]:
    before, after = worlds if len(worlds) == 2 else (worlds[0], worlds[0])
    return problems(FOLLOWERS[name], scene(before, after, code, **output))


def listed(status: str) -> Json:
    namespace, _, name = APP.partition("/")
    return {"items": [{"serviceAccount": {"namespace": namespace, "name": name}, "status": status}]}


def test_a_complete_binding_is_whole() -> None:
    assert whole(COMPLETE) == []


@pytest.mark.parametrize(
    "world",
    [
        BEFORE,
        HALF,
        DELETING,
        changed(COMPLETE, "roles", ROLE, to=None),
        changed(COMPLETE, "roles", ROLE, "trust", "Statement", to=[]),
        changed(COMPLETE, "roles", ROLE, "tags", "irsa/commit", to="pending"),
        changed(COMPLETE, "oidc_providers", PROVIDER, to=None),
        changed(COMPLETE, *ACCOUNT, "annotations", to={}),
    ],
)
def test_what_is_not_complete_must_not_be_called_ok(world: Json) -> None:
    assert said("get-sa", world, **listed("ok"))
    assert said("describe-sa", world, **listed("ok"))
    assert not said("get-sa", world, **listed("unfinished"))
    assert not said("describe-sa", world, code=4, errors=[ERROR])


def test_what_is_complete_may_be_called_ok() -> None:
    assert not said("get-sa", COMPLETE, **listed("ok"))
    assert not said("verify", COMPLETE)
    assert not said("doctor", COMPLETE)


@pytest.mark.parametrize("name", ["verify", "doctor"])
def test_a_proof_of_what_is_not_there_is_a_lie(name: str) -> None:
    assert said(name, HALF)
    assert not said(name, HALF, code=5)
    assert not said(name, DELETING), "STS accepts its token"


@pytest.mark.parametrize("name", ["get-sa", "describe-sa", "verify", "doctor"])
@pytest.mark.parametrize("code", [0, 1, 4, 5])
def test_a_reader_that_writes_is_found(name: str, code: int) -> None:
    assert said(name, COMPLETE, changed(COMPLETE, "roles", ROLE, "tags", "seen", to="1"), code=code)


@pytest.mark.parametrize("name", ["delete-sa", "update-sa", "adopt", "apply", "create-sa"])
@pytest.mark.parametrize("code", [1, 4, 5])
def test_a_refusal_changes_nothing_and_says_why(name: str, code: int) -> None:
    assert not said(name, HALF, code=code, errors=[ERROR])
    assert said(name, HALF, code=code)
    assert said(name, HALF, BEFORE, code=code, errors=[ERROR])


@pytest.mark.parametrize("name", FOLLOWERS)
@pytest.mark.parametrize("code", [None, -9, 2, 6])
def test_other_ends_are_senseless(name: str, code: int | None) -> None:
    assert said(name, BEFORE, code=code, errors=[ERROR])


@pytest.mark.parametrize("name", FOLLOWERS)
def test_a_bug_is_no_way_to_end(name: str) -> None:
    assert said(name, BEFORE, code=1, errors=[{"code": "InternalError", "message": "a bug"}])
    assert said(name, BEFORE, code=1, metadata={}, errors=[ERROR])


@pytest.mark.parametrize("name", ["update-sa", "adopt", "apply", "create-sa"])
def test_success_over_what_is_not_complete_is_a_lie(name: str) -> None:
    assert said(name, HALF)
    assert said(name, DELETING)


def test_success_over_what_is_complete_is_none() -> None:
    tagged = changed(COMPLETE, "roles", ROLE, "tags", "after", to="cut")
    assert not said("apply", HALF, COMPLETE)
    assert not said("create-sa", HALF, COMPLETE)
    assert not said("adopt", COMPLETE)
    assert not said("update-sa", COMPLETE, tagged)
    assert said("update-sa", COMPLETE), "the tag is not there"


def test_a_deletion_leaves_nothing_of_irsas() -> None:
    assert not said("delete-sa", COMPLETE, BEFORE)
    assert said("delete-sa", COMPLETE)
    assert said("delete-sa", COMPLETE, HALF)


def test_a_deletion_leaves_what_was_there() -> None:
    old = {"uid": "u1", "labels": {}, "annotations": {"eks.amazonaws.com/role-arn": "old"}}
    origin = changed(BEFORE, *ACCOUNT, to=old)
    bare = changed(origin, *ACCOUNT, "annotations", to={})
    gone = replace(scene(HALF, BEFORE), origin=origin, before=origin)
    assert problems(FOLLOWERS["delete-sa"], gone)
    assert problems(FOLLOWERS["delete-sa"], replace(gone, after=bare)), "the annotation was theirs"
    assert not problems(FOLLOWERS["delete-sa"], replace(gone, after=origin))
    assert leftovers(origin, origin) == []


def test_a_recovery_leaves_what_is_complete() -> None:
    assert not said("recover-all", HALF, BEFORE)
    assert not said("recover-all", COMPLETE)
    assert said("recover-all", COMPLETE, BEFORE)


def test_what_was_there_before_both_stays() -> None:
    for path in (("roles", "theirs"), ("oidc_providers", PROVIDER), ("kubernetes", "namespaces", "theirs")):
        assert said("recover-all", HALF, changed(BEFORE, *path, to=None)), path


def test_an_incomplete_end_names_what_is_left() -> None:
    assert said("recover-all", HALF, code=3)
    named = replace(scene(HALF, HALF, 3), ending=Ending(3, ("Role r",), ("irsa recover x",)))
    assert not problems(FOLLOWERS["recover-all"], named)
