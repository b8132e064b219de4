"""`--update-trust` for a role that may do everything: refused with its policies until that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Stage

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
OWN = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
PASSING = ["iam:CreatePolicyVersion"]


def policy(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    found = sandbox_stage(sandbox, "demo", tmp_path)
    assert found.associate().code == 0
    return found


def role(stage: Stage, kind: str) -> str:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [OWN]})
    iam = stage.iam()
    arn: str = iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if kind == "managed":
        iam.attach_role_policy(RoleName="shared", PolicyArn=ADMIN)
    elif kind == "own managed":
        made = iam.create_policy(PolicyName="all", PolicyDocument=policy(Action="*", Resource="*"))
        iam.attach_role_policy(RoleName="shared", PolicyArn=made["Policy"]["Arn"])
    elif kind == "all but one":
        document = policy(Action=["*"], NotResource="arn:aws:s3:::secret")
        iam.put_role_policy(RoleName="shared", PolicyName="all", PolicyDocument=document)
    elif kind == "a way":
        iam.put_role_policy(
            RoleName="shared", PolicyName="way", PolicyDocument=policy(Action=PASSING, Resource="*")
        )
    else:
        iam.attach_role_policy(RoleName="shared", PolicyArn=READ_ONLY)
    return arn


@pytest.mark.parametrize("kind", ["managed", "own managed", "all but one", "a way"])
def test_a_powerful_role_is_refused_with_its_policies(stage: Stage, kind: str) -> None:
    arn = role(stage, kind)
    before = stage.world()
    ran = stage.create_sa("app", "default", "--attach-role-arn", arn, "--update-trust", "-o", "json")
    assert ran.code == 4, ran.err
    assert ran.error["details"]
    assert "--allow-wide-trust" in "".join(ran.error["next"])
    assert stage.world() == before
    again = stage.create_sa(
        "app", "default", "--attach-role-arn", arn, "--update-trust", "--allow-wide-trust"
    )
    assert again.code == 0, again.err


def test_a_role_of_little_power_is_not(stage: Stage) -> None:
    arn = role(stage, "little")
    ran = stage.create_sa("app", "default", "--attach-role-arn", arn, "--update-trust")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("hidden", ["ListAttachedRolePolicies", "ListRolePolicies", "GetPolicyVersion"])
def test_what_may_not_be_read_is_not_harmless(stage: Stage, hidden: str) -> None:
    arn = role(stage, "little")
    fault = Fault("iam", hidden, "error", status=403, code="AccessDenied", times=None)
    stage.sandbox.faults.add(fault)
    before = stage.world()
    ran = stage.create_sa("app", "default", "--attach-role-arn", arn, "--update-trust")
    assert ran.code == 4, ran.err
    assert "can't be read" in ran.err
    assert stage.world() == before


@pytest.mark.parametrize("command", ["create-sa", "update-sa", "apply"])
def test_a_powerful_target_is_refused_with_its_policies(stage: Stage, command: str) -> None:
    arn = role(stage, "managed")
    chain: tuple[str, ...] = ("--target-role", arn, "--update-target-trust")
    where: tuple[str, ...] = ("app", "-n", "default", "-c", "demo")
    if command == "update-sa":
        assert stage.create_sa("app", "default", "--attach-policy-arn", READ_ONLY).code == 0
    before = stage.world()
    if command == "apply":
        entry = {"metadata": {"name": "app", "namespace": "default"}, "targetRole": arn}
        head = {"apiVersion": "irsa/v1", "kind": "Bindings", "metadata": {"name": "demo"}}
        file = stage.folder / "irsa.yaml"
        file.write_text(json.dumps({**head, "serviceAccounts": [entry]}))
        chain, where = ("--update-target-trust",), ("-f", str(file), "-r", stage.region)
    ran = stage.irsa(command, *where, *chain)
    assert ran.code in (4, 1), ran.err
    assert "AdministratorAccess" in ran.err + ran.out
    assert stage.world() == before
    assert stage.irsa(command, *where, *chain, "--allow-wide-trust").code == 0
