"""While IAM does not show yet what it has confirmed, nothing is forgotten, or taken for a stranger's.

On the sandbox only: no real API server is needed to have IAM lag. irsa waits for a shortened time, as in all
scenarios; the lag is a part of it.
"""

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.updating import QUEUE, TOPIC, update, write
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Ran, Stage

LAG = 0.7
"""Seconds, less than the time that is left of irsa's `PROPAGATION_SECONDS` here."""
SHARED = ("--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/shared", "--update-trust")
NO_POST = Fault(
    "kubernetes", "POST serviceaccounts", "error", times=None, skip=1, status=403, code="Forbidden"
)
NO_PATCH = Fault("kubernetes", "PATCH serviceaccounts", "error", times=None, status=403, code="Forbidden")
NO_DELETE = Fault(
    "kubernetes", "DELETE serviceaccounts", "error", times=None, skip=1, status=403, code="Forbidden"
)


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    found = sandbox_stage(sandbox, "demo", tmp_path)
    write(found, "queue.json", QUEUE)
    return found


@pytest.fixture
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


def make_shared(stage: Stage) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    stage.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=json.dumps(trust))


def statements(stage: Stage) -> int:
    return len(stage.aws_world()["roles"]["shared"]["trust"]["Statement"])


def delete(stage: Stage, namespace: str) -> Ran:
    return stage.irsa("delete-sa", "app", "-n", namespace, "-c", stage.cluster)


@pytest.mark.parametrize(
    ("fault", "arguments"),
    [
        (Fault("iam", "AttachRolePolicy", "error", times=None), ("--attach-policy-arn", READ_ONLY)),
        (NO_POST, ()),
        (NO_POST, ("--inline-policy", "queue.json", "--attach-policy-arn", READ_ONLY)),
        (NO_POST, ("--audience", "vault", "--associate-oidc")),
    ],
    ids=["role", "bare role", "policies", "audience"],
)
@pytest.mark.usefixtures("associated")
def test_what_is_not_seen_yet_is_taken_back(
    stage: Stage, namespace: str, fault: Fault, arguments: tuple[str, ...]
) -> None:
    before = stage.world()
    stage.sandbox.faults.add(fault)
    stage.sandbox.lag = LAG
    ran = stage.create_sa("app", namespace, *arguments)
    assert ran.code == 1, ran.err
    assert stage.world() == before


def test_a_provider_that_is_not_seen_yet_is_taken_back(stage: Stage, namespace: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(NO_POST)
    stage.sandbox.lag = LAG
    ran = stage.create_sa("app", namespace, "--associate-oidc")
    assert ran.code == 1, ran.err
    assert stage.world() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("--inline-policy", "queue.json"),
        ("--inline-policy", "queue.json", "--attach-policy-arn", READ_ONLY),
        ("--audience", "vault", "--associate-oidc"),
    ],
)
@pytest.mark.usefixtures("associated")
def test_a_change_that_is_not_seen_yet_is_taken_back(
    stage: Stage, namespace: str, arguments: tuple[str, ...]
) -> None:
    assert stage.create_sa("app", namespace, "--inline-policy", "queue.json").code == 0
    write(stage, "queue.json", TOPIC)
    before = stage.world()
    stage.sandbox.faults.add(NO_PATCH)
    stage.sandbox.lag = LAG
    ran = update(stage, namespace, *arguments, "--token-expiration", "7200")
    assert ran.code == 1, ran.err
    assert stage.world() == before


@pytest.mark.usefixtures("associated")
def test_a_role_that_had_to_be_made_again_gets_its_marks_back(stage: Stage, namespace: str) -> None:
    assert stage.create_sa("app", namespace).code == 0
    before = stage.world()
    stage.sandbox.faults.add(NO_DELETE)
    stage.sandbox.lag = LAG
    ran = delete(stage, namespace)
    assert ran.code == 1, ran.err
    assert stage.world() == before


@pytest.mark.usefixtures("associated")
def test_what_somebody_else_took_away_is_taken_back(stage: Stage, namespace: str) -> None:
    before = stage.world()

    def delete_roles() -> None:
        for name in stage.aws_world()["roles"].keys() - before["roles"].keys():
            stage.iam().delete_role(RoleName=name)

    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=delete_roles))
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None, skip=1))
    ran = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY, "-o", "json")
    assert ran.code == 1, ran.err
    assert ran.item["left"] == []
    assert stage.world() == before


@pytest.mark.usefixtures("associated")
def test_a_rollback_whose_time_is_too_short_to_be_sure_says_so(stage: Stage, namespace: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(NO_POST)
    stage.sandbox.lag = 60
    ran = stage.create_sa("app", namespace, "--rollback-timeout", "1s", "-o", "json")
    assert ran.code == 3, ran.err
    assert [item["what"].split()[0] for item in ran.item["left"]] == ["Role"]
    stage.sandbox.lag = 0
    assert stage.irsa("recover", "--all").code == 0
    assert stage.world() == before


@pytest.mark.usefixtures("associated")
def test_a_statement_is_written_once_and_waited_for(stage: Stage, namespace: str) -> None:
    make_shared(stage)
    stage.sandbox.calls.clear()
    # A second write would be refused.
    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "error", times=None, skip=1))
    stage.sandbox.lag = LAG
    ran = stage.create_sa("app", namespace, *SHARED)
    assert ran.code == 0, ran.err
    assert statements(stage) == 2


@pytest.mark.usefixtures("associated")
def test_a_statement_that_is_late_and_then_refused_is_taken_back(stage: Stage, namespace: str) -> None:
    make_shared(stage)
    before = stage.world()
    write = "UpdateAssumeRolePolicy"
    stage.sandbox.faults.add(Fault("iam", write, "reset-before", times=3))
    stage.sandbox.faults.add(Fault("iam", write, "late", seconds=2.2))
    stage.sandbox.faults.add(Fault("iam", write, "error"))
    ran = stage.create_sa("app", namespace, *SHARED, IRSA_CALL_TIMEOUT="1", IRSA_RETRY_TIMEOUT="8")
    stage.sandbox.settle()
    if ran.code == 0:  # It was executed before irsa looked for it.
        assert stage.account(namespace, "app") is not None
        assert stage.world()["roles"] != before["roles"]
    else:
        assert (ran.code, stage.world()) == (1, before), ran.err


@pytest.mark.usefixtures("associated")
def test_an_annotation_that_is_late_and_then_refused_is_looked_for(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app")
    write = "PATCH serviceaccounts"
    stage.sandbox.faults.add(Fault("kubernetes", write, "reset-before", times=3))
    stage.sandbox.faults.add(Fault("kubernetes", write, "late", seconds=1.5))
    stage.sandbox.faults.add(NO_PATCH)
    ran = stage.create_sa("app", namespace, IRSA_CALL_TIMEOUT="1")
    stage.sandbox.settle()
    assert ran.code == 0, ran.err
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"][ROLE_ARN] == stage.role_of(namespace, "app")["arn"]


@pytest.mark.parametrize("operation", ["CreateRole", "CreateOpenIDConnectProvider"])
def test_what_a_lost_answer_made_is_our_own_although_it_is_not_seen_yet(
    stage: Stage, namespace: str, operation: str
) -> None:
    stage.sandbox.faults.add(Fault("iam", operation, "reset-after"))
    stage.sandbox.lag = LAG
    ran = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY, "--associate-oidc")
    assert ran.code == 0, ran.err
    assert "looking again" not in ran.err
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


@pytest.mark.usefixtures("associated")
def test_who_is_stopped_before_its_own_role_shows_looks_for_it(stage: Stage, namespace: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "reset-after"))
    stage.sandbox.lag = 1.2
    ran = stage.create_sa("app", namespace, "--timeout", "1s", IRSA_CALL_TIMEOUT="1")
    assert ran.code == 1, ran.err
    assert stage.world() == before
