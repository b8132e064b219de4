"""What irsa could not bring back it does not delete: a role or a provider with settings of a newer AWS."""

from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.short_files import file_of, write
from tests.support.stage import Stage

SIGN_IN = "<MaxSigninSessionDuration>7200</MaxSigninSessionDuration>"
CONTEXT = (
    "<ContextProvider><SubjectSourceKey>sub</SubjectSourceKey></ContextProvider>"
    "<IdentityCenterInstanceArn>arn:aws:sso:::instance/ssoins-1</IdentityCenterInstanceArn>"
)


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "apps"
    stage.run("associate-oidc")
    return stage


def answer_with(stage: Stage, call: str, before: str, more: str, match: str, **asked: Any) -> None:
    """Let IAM's answers to a reading call say more from now on than the sandbox knows of."""
    bodies: list[str] = []

    def keep(response_dict: Any, **_: Any) -> None:
        bodies.append(response_dict["body"].decode())

    iam = stage.iam()
    operation = iam.meta.method_to_api_mapping[call]
    iam.meta.events.register(f"before-parse.iam.{operation}", keep)
    getattr(iam, call)(**asked)
    body = bodies[0].replace(before, f"{more}{before}", 1)
    assert more in body
    stage.sandbox.faults.add(
        Fault(
            "iam",
            operation,
            "answer",
            match=match,
            times=None,
            status=200,
            body=body,
            content_type="text/xml",
        )
    )


def test_a_role_with_them_is_not_deleted(small: Stage) -> None:
    small.run("create-sa app -n $ns --attach-policy-arn $S3")
    name = small.role_of("apps", "app")["arn"].rsplit("/", 1)[-1]
    answer_with(small, "get_role", "<Arn>", SIGN_IN, name, RoleName=name)
    write(small, "irsa.yaml", file_of(small, "app: attachPolicyARNs: [$S3]"))
    for line in ("delete-sa app -n $ns", "delete -f irsa.yaml --yes"):
        small.run(line, code=4, says="MaxSigninSessionDuration", changes="")
        small.run(f"{line} --force --dry-run", says="MaxSigninSessionDuration", changes="")


def test_a_provider_with_them_is_not_deleted(small: Stage) -> None:
    (arn,) = small.aws_world()["oidc_providers"]
    call = "get_open_id_connect_provider"
    answer_with(small, call, "<Url>", CONTEXT, arn[-32:], OpenIDConnectProviderArn=arn)
    small.run("disassociate-oidc", code=4, says="ContextProvider, IdentityCenterInstanceArn", changes="")
    small.run("disassociate-oidc --force")
    assert small.aws_world()["oidc_providers"] == {}
