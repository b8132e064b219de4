"""`--update-trust` for a role that may do everything: refused with its policies until that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.rows import WORDS
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import READ_ONLY, Stage

POLICIES = {
    "managed": WORDS["ADMIN"],
    "own managed": '{"Effect": "Allow", "Action": "*", "Resource": "*"}',
    "a way": '{"Effect": "Allow", "Action": "iam:CreatePolicyVersion", "Resource": "*"}',
    "little": READ_ONLY,
}
USE = "create-sa app --attach-role-arn $shared --update-trust"
COMMANDS = {
    "create-sa": "create-sa app --target-role $shared --update-target-trust",
    "update-sa": "update-sa app --target-role $shared --update-target-trust",
    "apply": "apply -f irsa.yaml -r eu-west-1 --update-target-trust",
}
ENTRIES = """apiVersion: irsa/v1
kind: Bindings
metadata: {name: demo}
serviceAccounts: [{metadata: {name: app, namespace: default}, targetRole: ARN}]
"""


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    made = sandbox_stage(sandbox, "demo", tmp_path)
    made.run("associate-oidc")
    return made


def make_role(stage: Stage, kind: str) -> None:
    iam, given = stage.iam(), POLICIES[kind]
    arn = iam.create_role(RoleName="shared", AssumeRolePolicyDocument=EC2_TRUST)["Role"]["Arn"]
    stage.words["shared"] = arn
    document = f'{{"Version": "2012-10-17", "Statement": [{given}]}}'
    if kind == "own managed":
        given = iam.create_policy(PolicyName="all", PolicyDocument=document)["Policy"]["Arn"]
    if given.startswith("arn:"):
        iam.attach_role_policy(RoleName="shared", PolicyArn=given)
    else:
        iam.put_role_policy(RoleName="shared", PolicyName="all", PolicyDocument=document)


@pytest.mark.parametrize("kind", list(POLICIES)[1:])
def test_a_powerful_role_is_refused_with_its_policies(stage: Stage, kind: str) -> None:
    make_role(stage, kind)
    if kind != "little":
        error = stage.run(f"{USE} -o json", code=4, changes="").error
        assert error["details"]
        assert "--allow-wide-trust" in "".join(error["next"])
    stage.run(USE if kind == "little" else f"{USE} --allow-wide-trust")


def test_what_may_not_be_read_is_not_harmless(stage: Stage) -> None:
    make_role(stage, "little")
    for hidden in ("ListAttachedRolePolicies", "ListRolePolicies", "GetPolicyVersion"):
        fault = Fault("iam", hidden, "error", status=403, code="AccessDenied", times=None)
        stage.sandbox.faults.add(fault)
        stage.run(USE, code=4, says="can't be read", changes="")
        stage.sandbox.faults.clear()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_powerful_target_is_refused_with_its_policies(stage: Stage, command: str) -> None:
    make_role(stage, "managed")
    (stage.folder / "irsa.yaml").write_text(ENTRIES.replace("ARN", stage.words["shared"]))
    if command == "update-sa":
        stage.run("create-sa app --attach-policy-arn $S3")
    stage.run(COMMANDS[command], code=4, says="AdministratorAccess", changes="")
    stage.run(f"{COMMANDS[command]} --allow-wide-trust")
