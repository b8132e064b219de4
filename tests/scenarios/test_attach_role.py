"""`--attach-role-arn`: an existing role, whose trust policy fits or not, of this account and of another."""

import json
from typing import Any

import pytest

from irsa_cli.sandbox import Fault
from tests.support.stage import ACCOUNT, ROLE_ARN, Stage

OTHERS: dict[str, Any] = {
    "Sid": "Theirs",
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0


@pytest.fixture
def shared(stage: Stage, unique: str) -> str:
    """The ARN of somebody's role that doesn't admit our ServiceAccount."""
    document = {"Version": "2012-10-17", "Statement": [OTHERS]}
    made = stage.iam().create_role(RoleName=unique, AssumeRolePolicyDocument=json.dumps(document))
    arn: str = made["Role"]["Arn"]
    return arn


def statements(stage: Stage, arn: str) -> list[Any]:
    found: list[Any] = stage.sandbox.world()["roles"][arn.rsplit("/", 1)[-1]]["trust"]["Statement"]
    return found


def test_a_role_that_does_not_admit_us_is_refused_with_the_missing_statement(
    stage: Stage, namespace: str, shared: str
) -> None:
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--attach-role-arn", shared, "-o", "json")
    assert ran.code == 4
    assert f"system:serviceaccount:{namespace}:app" in "".join(ran.error["details"])
    assert stage.world() == before


def test_the_statement_is_added_when_told_so_and_the_rest_is_kept(
    stage: Stage, namespace: str, shared: str
) -> None:
    ran = stage.create_sa("app", namespace, "--attach-role-arn", shared, "--update-trust", "--verify")
    assert ran.code == 0, ran.err
    theirs, ours = statements(stage, shared)
    assert theirs == OTHERS
    assert ours["Action"] == "sts:AssumeRoleWithWebIdentity"
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"][ROLE_ARN] == shared
    before = stage.world()
    again = stage.create_sa("app", namespace, "--attach-role-arn", shared, "-o", "json")
    assert again.code == 0
    assert again.metadata["outcome"] == "unchanged"
    assert stage.world() == before


def test_the_statement_is_taken_back_when_the_run_fails(stage: Stage, namespace: str, shared: str) -> None:
    stage.make_account(namespace, "app", annotations={ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/old"})
    before = stage.world()
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "error", times=None))
    arguments = ("--attach-role-arn", shared, "--update-trust", "--verify", "--timeout", "4s")
    ran = stage.create_sa("app", namespace, *arguments, "--override-existing-serviceaccounts")
    assert ran.code == 5, ran.err
    assert stage.world() == before


def test_a_statement_that_somebody_adds_meanwhile_is_kept(stage: Stage, namespace: str, shared: str) -> None:
    more = {**OTHERS, "Sid": "More", "Principal": {"Service": "lambda.amazonaws.com"}}

    def write() -> None:
        document = {"Version": "2012-10-17", "Statement": [OTHERS, more]}
        stage.iam().update_assume_role_policy(
            RoleName=shared.rsplit("/", 1)[-1], PolicyDocument=json.dumps(document)
        )

    # Between our write and our look at it, somebody writes what they had read before: ours is swallowed.
    stage.sandbox.faults.add(Fault("iam", "GetRole", "callback", skip=2, run=write))
    ran = stage.create_sa("app", namespace, "--attach-role-arn", shared, "--update-trust")
    assert ran.code == 0, ran.err
    found = statements(stage, shared)
    assert OTHERS in found
    assert more in found
    assert len(found) == 3


def test_a_role_that_does_not_exist_is_refused(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/nowhere")
    assert ran.code == 4
    assert stage.world() == before


def test_a_role_of_another_account_is_used_and_what_was_not_checked_is_said(
    stage: Stage, namespace: str
) -> None:
    arn = "arn:aws:iam::222222222222:role/theirs"
    ran = stage.create_sa("app", namespace, "--attach-role-arn", arn, "-o", "json")
    assert ran.code == 0, ran.err
    assert any("222222222222" in note for note in ran.item["notes"])
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"][ROLE_ARN] == arn


def test_trust_of_another_account_cannot_be_updated(stage: Stage, namespace: str) -> None:
    before = stage.world()
    arn = "arn:aws:iam::222222222222:role/theirs"
    ran = stage.create_sa("app", namespace, "--attach-role-arn", arn, "--update-trust")
    assert ran.code == 4
    assert stage.world() == before


def test_a_role_named_without_its_path_is_refused(stage: Stage, namespace: str, unique: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [OTHERS]}
    made = stage.iam().create_role(
        RoleName=unique, Path="/teams/", AssumeRolePolicyDocument=json.dumps(document)
    )
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/{unique}")
    assert ran.code == 4
    assert made["Role"]["Arn"] in ran.err
    assert stage.world() == before
