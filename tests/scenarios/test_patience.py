"""Troubles that pass are waited out, those that don't end in time; times are scaled, and calls counted."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Stage

CREATE = "create-sa app --attach-policy-arn $S3"
PATIENT: dict[str, Any] = {"IRSA_RETRY_TIMEOUT": "60"}
"""More than any of these troubles takes, on a busy machine, too."""
SHORT_CALLS: dict[str, Any] = {"IRSA_CALL_TIMEOUT": "2"}
"""An attempt ends after twice as many seconds."""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.run("associate-oidc")
    sandbox.calls.clear()
    return stage


def plant(stage: Stage, call: str, kind: Any, **more: Any) -> None:
    service, _, operation = call.partition(" ")
    stage.sandbox.faults.add(Fault(service, operation, kind, **{"times": None, **more}))


def count(stage: Stage, operation: str) -> int:
    return len([call for call in stage.sandbox.calls if call.operation == operation])


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("kubernetes *", "status"),
        ("iam CreateRole", "throttle"),
        ("eks *", "throttle"),
    ],
)
def test_throttling_and_errors_of_some_time_fail_no_run(small: Stage, call: str, kind: str) -> None:
    plant(small, call, kind, status=500, lasts=1.0)
    small.run(CREATE, **PATIENT)
    assert len(small.sandbox.faults.struck) > 1
    assert small.role_of("default", "app")["attached"] == [READ_ONLY]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("iam AttachRolePolicy", "ConcurrentModification"),
        ("kubernetes POST serviceaccounts", "Conflict"),
    ],
)
def test_conflicts_with_others_are_repeated(small: Stage, call: str, code: str) -> None:
    plant(small, call, "error", times=2, code=code, status=409)
    small.run(CREATE, **PATIENT)
    assert small.role_of("default", "app")["attached"] == [READ_ONLY]


def test_what_does_not_pass_is_taken_back_when_the_patience_is_over(small: Stage) -> None:
    plant(small, "iam AttachRolePolicy", "throttle")
    small.run(CREATE, code=1, says="AWS throttles", changes="", IRSA_RETRY_TIMEOUT="0.8")
    assert count(small, "AttachRolePolicy") > 1


def test_what_is_waited_for_is_told(small: Stage) -> None:
    plant(small, "iam CreateRole", "throttle", lasts=6.0)
    small.run(CREATE, says=("… waiting: iam CreateRole", "of at most 60 s"), **PATIENT)


def test_a_call_that_hangs_at_every_attempt_is_not_repeated_beyond_the_time_limit(small: Stage) -> None:
    before = small.world()
    plant(small, "iam AttachRolePolicy", "hang", seconds=60.0)
    line = "create-sa app --attach-policy-arn $S3 --timeout 5s --rollback-timeout 10s"
    small.run(line, code=1, IRSA_CALL_TIMEOUT="0.4", **PATIENT)
    small.sandbox.settle(hurry=True)
    assert count(small, "AttachRolePolicy") > 1
    assert small.world() == before


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ("eks DescribeCluster", CREATE),
        ("iam GetRole", "update-sa app --tags a=b"),
        ("iam GetRole", "adopt app"),
        ("kubernetes GET serviceaccounts", "delete-sa app"),
    ],
)
def test_a_reading_that_hangs_ends_with_the_time_limit(small: Stage, call: str, line: str) -> None:
    """By itself it would be tried again."""
    small.run(CREATE)
    before = small.world()
    small.sandbox.calls.clear()
    service = call.partition(" ")[0]
    plant(small, f"{service} *", "hang", seconds=60.0)
    small.run(line, code=1, time_ends_at=call, **SHORT_CALLS)
    small.sandbox.settle(hurry=True)
    asked = [item.operation for item in small.sandbox.calls if item.service == service]
    assert 0 < len(asked) == len({*asked}), asked
    assert small.world() == before


@pytest.mark.parametrize("call", ["iam CreateRole", "kubernetes PATCH serviceaccounts"])
def test_a_write_that_hangs_ends_with_the_time_limits_of_run_and_rollback(small: Stage, call: str) -> None:
    plant(small, call, "hang", seconds=60.0)
    small.make_account("default", "app")
    line = f"{CREATE} --override-existing-serviceaccounts --rollback-timeout 1s"
    ran = small.run(line, code=(1, 3), time_ends_at=call, **SHORT_CALLS)
    # A request that nobody answered may be executed later than that.
    small.sandbox.settle(hurry=True)
    assert 0 < count(small, call.partition(" ")[2]) <= 2, ran.err


def test_a_signal_is_heard_between_two_attempts(small: Stage) -> None:
    before = small.world()
    plant(small, "iam AttachRolePolicy", "hang", seconds=60.0, run=lambda: small.signal(signal.SIGTERM))
    small.run(CREATE, code=143, IRSA_CALL_TIMEOUT="0.5", **PATIENT)
    small.sandbox.settle(hurry=True)
    assert count(small, "AttachRolePolicy") == 1
    assert small.world() == before


def test_a_reading_waits_for_a_service_that_is_down(small: Stage) -> None:
    small.run(CREATE)
    small.sandbox.calls.clear()
    plant(small, "iam *", "status", status=500)
    small.run("get-sa", code=1, says="app", IRSA_RETRY_TIMEOUT="4")
    assert count(small, "ListRoles") > 1
