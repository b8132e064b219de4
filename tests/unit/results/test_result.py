"""Errors and results: exit codes are a promise to scripts, and so is the JSON document."""

from __future__ import annotations

import pytest

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import CommitState, RoleState
from irsa_cli.core.results.envelope import error_json
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.results.result_document import change_json, result_json
from irsa_cli.core.values import errors
from irsa_cli.core.values.errors import ExitCode, FailedCall, IrsaError, Outcome, ServiceError

SERVICE_ERROR = ServiceError("iam CreateRole", FailedCall("iam", "CreateRole", "AccessDenied", status=403))
ERRORS: list[tuple[Exception, int]] = [
    (IrsaError("m"), 1),
    (errors.InvalidInput("m"), 2),
    (errors.Refused("m"), 4),
    (errors.Unverified("m"), 5),
    (errors.Conflict("m"), 1),
    (errors.DeadlineExceeded("m"), 1),
    (SERVICE_ERROR, 1),
    (ValueError("a bug"), 1),
]


def test_exit_codes_are_what_is_documented() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "INCOMPLETE": 3,
        "REFUSED": 4,
        "UNVERIFIED": 5,
        "PENDING": 6,
        "EMPTY": 7,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda value: type(value).__name__)
def test_the_exit_code_follows_the_error(error: Exception, code: int) -> None:
    assert Result(Ended.ROLLED_BACK, error=error).exit_code == code
    assert Result(Ended.FAILED, error=error, detailed=True).exit_code == code
    # What is left behind tells more than why.
    assert Result(Ended.INCOMPLETE, error=error).exit_code == 3
    assert Result(Ended.INCOMPLETE, error=error, signal=2).exit_code == 3


def test_a_plan_is_six_where_asked_for_in_detail() -> None:
    assert (Result(Ended.PLANNED).exit_code, Result(Ended.PLANNED, detailed=True).exit_code) == (0, 6)


@pytest.mark.parametrize(("signal", "code"), [(2, 130), (15, 143)])
def test_an_interrupted_run_ends_as_shells_expect(signal: int, code: int) -> None:
    assert Result(Ended.ROLLED_BACK, signal=signal, error=IrsaError("interrupted")).exit_code == code


def test_states_are_shown_in_the_way_json_is_written() -> None:
    state = RoleState("/", {"Version": "x_y"}, tags={"my_tag": "1"})
    shown = change_json(ChangeResult(Change(Kind.ROLE, ("r",), None, state), "done"))["after"]
    keys = ["path", "trust", "description", "maxSessionDuration", "permissionsBoundary", "tags", "unknown"]
    assert list(shown) == keys
    assert (shown["tags"], shown["trust"]) == ({"my_tag": "1"}, {"Version": "x_y"})


def test_facts_of_a_command_stand_beside_the_common_keys() -> None:
    common = result_json(Result(Ended.COMMITTED))
    document = result_json(Result(Ended.COMMITTED, facts={"role": {"arn": "x"}, "restart": True}))
    assert (common["role"], document["role"], document["restart"]) == (None, {"arn": "x"}, True)
    assert set(document) == {*common, "restart"}


@pytest.mark.parametrize(
    ("state", "told"), [("done", False), ("undone", False), ("failed", True), ("left", True)]
)
def test_what_irsa_notes_for_itself_is_told_of_only_where_it_matters(state: str, told: bool) -> None:
    commit = Change(Kind.ROLE_COMMIT, ("r",), None, CommitState("done"))
    result = Result(Ended.INCOMPLETE, changes=[ChangeResult(commit, state)])
    assert bool(result_json(result)["changes"]) == told


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_says_what_why_and_what_next(error: Exception, code: int) -> None:
    document = error_json(error)
    keys = {"code", "message", "reason", "details", "next"}
    assert set(document) == keys | ({"service", "operation"} if isinstance(error, ServiceError) else set())
    assert document["code"]
    assert document["message"]


def test_an_error_keeps_its_facts() -> None:
    error = errors.Refused("what", reason="why", details=["d"], next_steps=["n"])
    assert error_json(error) == {
        "code": "Refused",
        "message": "what",
        "reason": "why",
        "details": ["d"],
        "next": ["n"],
    }
    assert str(error) == "what: why"
    assert str(IrsaError("what")) == "what"
    assert SERVICE_ERROR.outcome is Outcome.REFUSED
    assert not SERVICE_ERROR.transient
