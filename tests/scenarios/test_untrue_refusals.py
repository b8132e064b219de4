"""A server that carries a write out and refuses it in its answer: what counts is what is there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.documents import policy
from tests.support.stage import READ_ONLY, Stage

CREATE = "create-sa app -n default --attach-policy-arn $S3"
REFUSALS = {
    "ValidationError": 400,
    "LimitExceeded": 409,
    "Throttling": 400,
}
"""The matrix of tests/faults refuses each write of each command so."""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.run("associate-oidc")
    sandbox.calls.clear()
    return stage


def untrue(stage: Stage, operation: str, code: str = "AccessDenied", status: int = 403) -> None:
    """Refuse a call of IAM that is executed."""
    stage.sandbox.faults.add(Fault("iam", operation, "error-after", code=code, status=status))


@pytest.mark.parametrize("code", REFUSALS)
def test_what_is_done_although_it_was_refused_is_gone_on_from(small: Stage, code: str) -> None:
    untrue(small, "CreateRole", code, REFUSALS[code])
    small.run(CREATE)
    assert len(small.sandbox.faults.struck) == 1
    assert small.role_of("default", "app")["attached"] == [READ_ONLY]


def test_a_deletion_that_was_refused_and_done_goes_on(small: Stage) -> None:
    before = small.world()
    small.run(CREATE)
    for operation, status in {"DetachRolePolicy": 400, "DeleteRole": 403, "TagRole": 409}.items():
        untrue(small, operation, "LimitExceeded", status)
    small.run("delete-sa app -n default")
    assert len(small.sandbox.faults.struck) == 3
    assert small.world() == before


def test_two_calls_that_were_refused_and_done_are_gone_on_from(small: Stage) -> None:
    small.run(f"{CREATE} --tags team=a,old=1")
    for operation in ("TagRole", "UntagRole"):
        untrue(small, operation)
    small.run("update-sa app -n default --tags team=b --remove-tag old")
    assert len(small.sandbox.faults.struck) == 2
    tags = small.role_of("default", "app")["tags"]
    assert (tags["team"], "old" in tags) == ("b", False)


def test_a_rollback_is_over_when_what_was_refused_is_gone(small: Stage) -> None:
    small.sandbox.faults.add(Fault("kubernetes", "POST serviceaccounts", "error", skip=1, code="Forbidden"))
    for operation in ("DetachRolePolicy", "DeleteRole"):
        untrue(small, operation)
    small.run(CREATE, code=1, changes="")
    assert len(small.sandbox.faults.struck) == 3


def test_what_is_refused_and_can_not_be_looked_for_is_left_and_the_command_that_is_told_ends_it(
    small: Stage,
) -> None:
    before = small.world()

    def revoke() -> None:
        small.sandbox.faults.add(Fault("iam", "*", "error", times=None))

    small.sandbox.faults.add(Fault("iam", "CreateRole", "error-after", run=revoke))
    (left,) = small.run(f"{CREATE} -o json", code=3, silent="Nothing was changed").item["left"]
    assert left["what"].startswith("Role ")
    assert len(small.world()["roles"]) == len(before["roles"]) + 1
    small.sandbox.faults.clear()
    assert small.irsa(*shlex.split(left["repair"])[1:]).code == 0
    assert small.world() == before


def test_a_refusal_that_is_true_costs_one_reading_and_no_waiting(small: Stage) -> None:
    small.sandbox.faults.add(Fault("iam", "CreateRole", "error"))
    small.run(CREATE, code=1, changes="")
    calls = [call.operation for call in small.sandbox.calls if call.service == "iam"]
    assert calls[calls.index("CreateRole") + 1 :] == ["GetRole"]


def test_a_policy_that_is_not_there_is_not_waited_for_as_a_role_that_is_late(small: Stage) -> None:
    small.sandbox.add_user("blind", policy=policy("Allow * on *", "Deny iam:GetPolicy on *"))
    small.sandbox.grant(small.cluster, "blind", groups=("system:masters",))
    small.run("create-sa app -n default --attach-policy-arn ${S3}Typo", code=1, changes="", user="blind")
    assert [call.operation for call in small.sandbox.calls].count("AttachRolePolicy") == 1
