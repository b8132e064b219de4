"""A server that carries a write out and refuses it in its answer: what counts is what is there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import EVERYTHING, READ_ONLY, Stage

NAMESPACE = "default"
WISH = ("--attach-policy-arn", READ_ONLY)
IAM_REFUSALS = [
    ("ValidationError", 400),
    ("AccessDenied", 403),
    ("LimitExceeded", 409),
    ("ConcurrentModification", 409),
    ("Throttling", 400),
]
KUBE_REFUSALS = [
    ("BadRequest", 400),
    ("Forbidden", 403),
    ("Conflict", 409),
    ("Invalid", 422),
    ("TooManyRequests", 429),
]


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    sandbox.calls.clear()
    return stage


@pytest.mark.parametrize(
    ("service", "operation", "skip", "code", "status"),
    [
        *(
            ("iam", operation, 0, *item)
            for operation in ("CreateRole", "AttachRolePolicy")
            for item in IAM_REFUSALS
        ),
        *(("kubernetes", "POST serviceaccounts", 1, *item) for item in KUBE_REFUSALS),
    ],
)
def test_what_is_done_although_it_was_refused_is_gone_on_from(
    small: Stage, service: str, operation: str, skip: int, code: str, status: int
) -> None:
    fault = Fault(service, operation, "error-after", skip=skip, code=code, status=status)
    small.sandbox.faults.add(fault)
    ran = small.create_sa("app", NAMESPACE, *WISH)
    assert len(small.sandbox.faults.struck) == 1
    assert ran.code == 0, ran.err
    assert small.role_of(NAMESPACE, "app")["attached"] == [READ_ONLY]


@pytest.mark.parametrize("status", [400, 403, 409])
@pytest.mark.parametrize("operation", ["DetachRolePolicy", "DeleteRole", "TagRole"])
def test_a_deletion_that_was_refused_and_done_goes_on(small: Stage, operation: str, status: int) -> None:
    before = small.world()
    assert small.create_sa("app", NAMESPACE, *WISH).code == 0
    small.sandbox.faults.add(Fault("iam", operation, "error-after", code="LimitExceeded", status=status))
    ran = small.irsa("delete-sa", "app", "-n", NAMESPACE, "-c", small.cluster)
    assert (ran.code, small.world()) == (0, before), ran.err


@pytest.mark.parametrize("operation", ["TagRole", "UntagRole"])
def test_one_of_two_calls_that_was_refused_and_done_is_gone_on_from(small: Stage, operation: str) -> None:
    assert small.create_sa("app", NAMESPACE, *WISH, "--tags", "team=a,old=1").code == 0
    small.sandbox.faults.add(Fault("iam", operation, "error-after", code="AccessDenied", status=403))
    update = ("update-sa", "app", "-n", NAMESPACE, "-c", small.cluster)
    ran = small.irsa(*update, "--tags", "team=b", "--remove-tag", "old")
    assert len(small.sandbox.faults.struck) == 1
    assert ran.code == 0, ran.err
    tags = small.role_of(NAMESPACE, "app")["tags"]
    assert (tags["team"], "old" in tags) == ("b", False)


def test_a_rollback_is_over_when_what_was_refused_is_gone(small: Stage) -> None:
    before = small.world()
    small.sandbox.faults.add(Fault("kubernetes", "POST serviceaccounts", "error", skip=1, code="Forbidden"))
    for operation in ("DetachRolePolicy", "DeleteRole"):
        small.sandbox.faults.add(Fault("iam", operation, "error-after"))
    ran = small.create_sa("app", NAMESPACE, *WISH)
    assert len(small.sandbox.faults.struck) == 3
    assert (ran.code, small.world()) == (1, before), ran.err


def test_what_is_refused_and_can_not_be_looked_for_is_left_and_the_command_that_is_told_ends_it(
    small: Stage,
) -> None:
    before = small.world()

    def revoke() -> None:
        small.sandbox.faults.add(Fault("iam", "*", "error", times=None))

    small.sandbox.faults.add(Fault("iam", "CreateRole", "error-after", run=revoke))
    ran = small.create_sa("app", NAMESPACE, *WISH, "-o", "json")
    assert ran.code == 3, ran.err
    assert "Nothing was changed" not in ran.err
    (left,) = ran.item["left"]
    assert left["what"].startswith("Role ")
    assert len(small.world()["roles"]) == len(before["roles"]) + 1
    small.sandbox.faults.clear()
    assert small.irsa(*shlex.split(left["repair"])[1:]).code == 0
    assert small.world() == before


def test_a_refusal_that_is_true_costs_one_reading_and_no_waiting(small: Stage) -> None:
    before = small.world()
    small.sandbox.faults.add(Fault("iam", "CreateRole", "error"))
    ran = small.create_sa("app", NAMESPACE, *WISH)
    assert (ran.code, small.world()) == (1, before), ran.err
    calls = [call.operation for call in small.sandbox.calls if call.service == "iam"]
    assert calls[calls.index("CreateRole") + 1 :] == ["GetRole"]


def test_a_policy_that_is_not_there_is_not_waited_for_as_a_role_that_is_late(small: Stage) -> None:
    before = small.world()
    hidden = {"Effect": "Deny", "Action": "iam:GetPolicy", "Resource": "*"}
    statements = [EVERYTHING["Statement"], hidden]
    small.sandbox.add_user("blind", policy={**EVERYTHING, "Statement": statements})
    small.sandbox.grant(small.cluster, "blind", groups=("system:masters",))
    typo = ("--attach-policy-arn", f"{READ_ONLY}Typo")
    ran = small.irsa("create-sa", "app", "-n", NAMESPACE, "-c", small.cluster, *typo, user="blind")
    assert (ran.code, small.world()) == (1, before), ran.err
    tried = [call for call in small.sandbox.calls if call.operation == "AttachRolePolicy"]
    assert len(tried) == 1
