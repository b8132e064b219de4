"""Every call has a time-out: a service that never answers ends in an error, not in a hang."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Stage

HOUR = 3600.0


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    made = sandbox_stage(sandbox, "demo", tmp_path)
    assert made.associate().code == 0
    return made


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("eks", "DescribeCluster"),
        ("iam", "GetRole"),
        ("iam", "CreateRole"),
        ("kubernetes", "GET serviceaccounts"),
        ("kubernetes", "POST serviceaccounts"),
    ],
)
def test_a_service_that_never_answers(stage: Stage, service: str, operation: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault(service, operation, "hang", times=None, seconds=HOUR))
    ran = stage.create_sa("reader", "default", "--attach-policy-arn", READ_ONLY, IRSA_CALL_TIMEOUT="0.3")
    assert ran.code == 1, ran.err
    stage.sandbox.faults.clear()
    assert stage.world() == before


def test_a_time_out_that_is_none_is_refused(stage: Stage) -> None:
    ran = stage.create_sa("reader", "default", IRSA_CALL_TIMEOUT="soon")
    assert ran.code == 2
    assert "IRSA_CALL_TIMEOUT" in ran.err
