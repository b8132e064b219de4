"""Troubles that pass are waited out, those that don't end in time; times are scaled, and read off the log."""

from __future__ import annotations

import shlex
import signal
import time
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Stage

NAMESPACE = "default"
WISH = ("--attach-policy-arn", READ_ONLY)
PATIENT = {"IRSA_RETRY_TIMEOUT": "20"}
"""More than any of these troubles takes, on a busy machine, too."""
LATEST = 8.0
"""Seconds after which no run of 1 s is under way, on a busy machine, too; by itself a call may take 10 s."""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    sandbox.calls.clear()
    return stage


def times(stage: Stage, operation: str) -> list[float]:
    """When attempts of a call began, from the first one on."""
    found = sorted(call.started for call in stage.sandbox.calls if call.operation == operation)
    return [at - found[0] for at in found]


@pytest.mark.parametrize(
    ("service", "operation", "kind"),
    [
        ("kubernetes", "*", "throttle"),
        ("kubernetes", "POST serviceaccounts", "throttle"),
        ("kubernetes", "*", "status"),
        ("iam", "*", "throttle"),
        ("iam", "CreateRole", "throttle"),
        ("iam", "AttachRolePolicy", "status"),
        ("eks", "*", "throttle"),
    ],
)
def test_throttling_and_errors_of_some_time_fail_no_run(
    small: Stage, service: str, operation: str, kind: str
) -> None:
    small.sandbox.faults.add(Fault(service, operation, kind, times=None, status=500, lasts=1.0))  # type: ignore[arg-type]
    ran = small.create_sa("app", NAMESPACE, *WISH, **PATIENT)
    assert ran.code == 0, ran.err
    assert len(small.sandbox.faults.struck) > 1 or (service, kind) == ("kubernetes", "throttle")
    assert small.role_of(NAMESPACE, "app")["attached"] == [READ_ONLY]


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("iam", "AttachRolePolicy", "ConcurrentModification", 409),
        ("iam", "AttachRolePolicy", "EntityTemporarilyUnmodifiable", 409),
        ("kubernetes", "POST serviceaccounts", "Conflict", 409),
    ],
)
def test_conflicts_with_others_are_repeated(
    small: Stage, service: str, operation: str, code: str, status: int
) -> None:
    small.sandbox.faults.add(Fault(service, operation, "error", times=2, code=code, status=status))
    ran = small.create_sa("app", NAMESPACE, *WISH, **PATIENT)
    assert ran.code == 0, ran.err
    assert small.role_of(NAMESPACE, "app")["attached"] == [READ_ONLY]


def test_what_does_not_pass_is_taken_back_when_the_patience_is_over(small: Stage) -> None:
    before = small.world()
    small.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "throttle", times=None))
    ran = small.create_sa("app", NAMESPACE, *WISH, IRSA_RETRY_TIMEOUT="0.8")
    assert ran.code == 1, ran.err
    assert "AWS throttles" in ran.err
    assert small.world() == before
    assert max(times(small, "AttachRolePolicy")) < LATEST


def test_what_is_waited_for_is_told(small: Stage) -> None:
    small.sandbox.faults.add(Fault("iam", "CreateRole", "throttle", times=None, lasts=6.0))
    ran = small.create_sa("app", NAMESPACE, *WISH, **PATIENT)
    assert ran.code == 0, ran.err
    assert "… waiting: iam CreateRole" in ran.err
    assert "of at most 20 s" in ran.err


@pytest.mark.parametrize(
    ("service", "operation"), [("iam", "AttachRolePolicy"), ("kubernetes", "POST serviceaccounts")]
)
def test_a_call_that_hangs_at_every_attempt_is_not_repeated_beyond_the_time_limit(
    small: Stage, service: str, operation: str
) -> None:
    before = small.world()
    small.sandbox.faults.add(Fault(service, operation, "hang", times=None, seconds=60.0))
    limits = ("--timeout", "5s", "--rollback-timeout", "10s")
    ran = small.create_sa("app", NAMESPACE, *WISH, *limits, IRSA_CALL_TIMEOUT="0.4", **PATIENT)
    small.sandbox.settle(hurry=True)
    assert ran.code == 1, ran.err
    assert 0 < max(times(small, operation)) < 2 * LATEST
    assert small.world() == before


@pytest.mark.parametrize("command", ["create-sa", "update-sa", "delete-sa", "adopt"])
@pytest.mark.parametrize("service", ["eks", "iam", "kubernetes"])
def test_a_reading_that_hangs_ends_with_the_time_limit(small: Stage, service: str, command: str) -> None:
    assert small.create_sa("app", NAMESPACE, *WISH).code == 0
    before = small.world()
    small.sandbox.faults.add(Fault(service, "*", "hang", times=None, seconds=60.0))
    flags = {"create-sa": WISH, "update-sa": ("--tags", "a=b")}.get(command, ())
    started = time.monotonic()
    ran = small.irsa(command, "app", "-n", NAMESPACE, "-c", small.cluster, *flags, "--timeout", "1s")
    assert time.monotonic() - started < LATEST, ran.err
    assert ran.code == 1, ran.err
    small.sandbox.settle(hurry=True)
    assert small.world() == before


@pytest.mark.parametrize(
    ("service", "operation"),
    [("iam", "CreateRole"), ("iam", "AttachRolePolicy"), ("kubernetes", "PATCH serviceaccounts")],
)
def test_a_write_that_hangs_ends_with_the_time_limits_of_run_and_rollback(
    small: Stage, service: str, operation: str
) -> None:
    small.sandbox.faults.add(Fault(service, operation, "hang", times=None, seconds=60.0))
    existing = ("--override-existing-serviceaccounts",)
    small.make_account(NAMESPACE, "app")
    started = time.monotonic()
    limits = ("--timeout", "1s", "--rollback-timeout", "1s")
    ran = small.create_sa("app", NAMESPACE, *WISH, *existing, *limits)
    assert time.monotonic() - started < LATEST, ran.err
    # A request that nobody answered may be executed later than that.
    assert ran.code in (1, 3), ran.err


@pytest.mark.parametrize(
    ("service", "operation"), [("iam", "AttachRolePolicy"), ("kubernetes", "POST serviceaccounts")]
)
def test_a_signal_is_heard_between_two_attempts(small: Stage, service: str, operation: str) -> None:
    before = small.world()
    fault = Fault(service, operation, "hang", times=None, seconds=60.0)
    fault.run = lambda: small.signal(signal.SIGTERM)
    small.sandbox.faults.add(fault)
    ran = small.create_sa("app", NAMESPACE, *WISH, IRSA_CALL_TIMEOUT="0.5", **PATIENT)
    small.sandbox.settle(hurry=True)
    assert ran.code == 143, ran.err
    assert len(times(small, operation)) == 1
    assert small.world() == before


def test_a_reading_waits_once_for_a_service_that_is_down(small: Stage) -> None:
    assert small.create_sa("app", NAMESPACE, *WISH).code == 0
    small.sandbox.calls.clear()
    small.sandbox.faults.add(Fault("iam", "*", "status", times=None, status=500))
    ran = small.irsa("get-sa", "-c", small.cluster, IRSA_RETRY_TIMEOUT="4")
    assert "app" in ran.out, ran.err
    began = [call.started for call in small.sandbox.calls if call.service == "iam"]
    assert max(times(small, "ListRoles")) > 1.0
    # What is asked after that does not wait as long again.
    assert max(began) - min(began) < LATEST


def test_what_a_rollback_could_not_take_off_a_role_is_nobody_elses_doing(small: Stage) -> None:
    before = small.world()
    undo = Fault("iam", "DetachRolePolicy", "status", times=None, status=500)
    small.sandbox.faults.add(Fault("kubernetes", "POST serviceaccounts", "error", skip=1, code="Forbidden"))
    small.sandbox.faults.add(undo)
    ran = small.create_sa("app", NAMESPACE, *WISH, "--rollback-timeout", "3s", "-o", "json")
    assert ran.code == 3, ran.err
    assert "somebody else" not in ran.err + ran.out
    repairs = {item["repair"] for item in ran.item["left"]}
    assert len(ran.item["left"]) == 2
    small.sandbox.faults.clear()
    for repair in repairs:
        assert small.irsa(*shlex.split(repair)[1:]).code == 0
    assert small.world() == before
