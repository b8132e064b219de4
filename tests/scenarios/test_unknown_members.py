"""What irsa could not bring back it does not delete: a role or a provider with settings of a newer AWS."""

from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import config, entry
from tests.support.sandbox_clients import client
from tests.support.stage import ACCOUNT, READ_ONLY, Stage

SIGN_IN = "<MaxSigninSessionDuration>7200</MaxSigninSessionDuration>"
CONTEXT = (
    "<ContextProvider><SubjectSourceKey>sub</SubjectSourceKey></ContextProvider>"
    "<IdentityCenterInstanceArn>arn:aws:sso:::instance/ssoins-1</IdentityCenterInstanceArn>"
)


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    return sandbox_stage(sandbox, "demo", tmp_path)


def answer_with(stage: Stage, operation: str, before: str, more: str, match: str, **asked: Any) -> None:
    """Let IAM's answers to a reading call say more from now on than the sandbox knows of."""
    bodies: list[str] = []
    iam = stage.iam()
    iam.meta.events.register(
        f"before-parse.iam.{operation}",
        lambda response_dict, **_: bodies.append(response_dict["body"].decode()),
    )
    getattr(iam, {"GetRole": "get_role"}.get(operation, "get_open_id_connect_provider"))(**asked)
    body = bodies[0].replace(before, f"{more}{before}", 1)
    assert more in body
    fault = Fault(
        "iam", operation, "answer", match=match, times=None, status=200, body=body, content_type="text/xml"
    )
    stage.sandbox.faults.add(fault)


@pytest.mark.parametrize("command", ["delete-sa", "delete -f"])
def test_a_role_with_them_is_not_deleted(small: Stage, unique: str, command: str) -> None:
    stage, namespace = small, unique
    assert stage.associate().code == 0
    assert stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY).code == 0
    name = stage.role_of(namespace, "app")["arn"].rsplit("/", 1)[-1]
    before = stage.world()
    answer_with(stage, "GetRole", "<Arn>", SIGN_IN, name, RoleName=name)
    file = stage.folder / "irsa.yaml"
    file.write_text(config(stage, entry("app", namespace, attachPolicyARNs=[READ_ONLY])))
    delete = ("delete-sa", "app", "-n", namespace, "-c", stage.cluster)
    if command == "delete -f":
        delete = ("delete", "-f", str(file), "-c", stage.cluster, "--yes")
    ran = stage.irsa(*delete)
    assert (ran.code, "MaxSigninSessionDuration" in ran.err + ran.out) == (4, True), ran.err + ran.out
    assert stage.world() == before
    forced = stage.irsa(*delete, "--force", "--dry-run")
    assert (forced.code, "MaxSigninSessionDuration" in forced.err) == (0, True), forced.err


def test_a_provider_with_them_is_not_deleted(small: Stage) -> None:
    assert small.associate().code == 0
    issuer = client(small.sandbox, "eks").describe_cluster(name=small.cluster)["cluster"]["identity"]["oidc"]
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer['issuer'].removeprefix('https://')}"
    before = small.world()
    answer_with(
        small,
        "GetOpenIDConnectProvider",
        "<Url>",
        CONTEXT,
        issuer["issuer"][-32:],
        OpenIDConnectProviderArn=arn,
    )
    ran = small.irsa("disassociate-oidc", "-c", small.cluster)
    assert ran.code == 4, ran.err
    assert "ContextProvider, IdentityCenterInstanceArn" in ran.err
    assert small.world() == before
    assert small.irsa("disassociate-oidc", "-c", small.cluster, "--force").code == 0
    assert arn not in str(small.aws_world()["oidc_providers"])
