"""The IRSA workflow with real tokens: who becomes which role, and what the role may do."""

from typing import Any

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.stage import READ_ONLY, ROLE_ARN, Stage


@pytest.fixture
def role(stage: Stage, namespace: str) -> str:
    assert stage.associate().code == 0
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "--verify")
    assert ran.code == 0, ran.err
    account = stage.account(namespace, "reader")
    assert account is not None
    arn: str = account["annotations"][ROLE_ARN]
    return arn


def token(stage: Stage, namespace: str, name: str, audience: str = "sts.amazonaws.com") -> str:
    """The token as the kubelet asks for it."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    answer = stage.kube.create(path, {"spec": {"audiences": [audience], "expirationSeconds": 3600}})
    assert answer.status == 201, answer.text
    found: str = answer.body["status"]["token"]
    return found


def assume(stage: Stage, role: str, web_identity: str) -> Any:
    """AssumeRoleWithWebIdentity, unsigned as an SDK sends it."""
    config = Config(signature_version=botocore.UNSIGNED)
    sts = boto3.client("sts", region_name="eu-west-1", endpoint_url=stage.sandbox.url, config=config)
    return sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="pod", WebIdentityToken=web_identity
    )


def test_the_pod_lists_its_buckets_and_no_more(stage: Stage, namespace: str, role: str) -> None:
    answer = assume(stage, role, token(stage, namespace, "reader"))
    assert answer["SubjectFromWebIdentityToken"] == f"system:serviceaccount:{namespace}:reader"
    assert answer["Audience"] == "sts.amazonaws.com"
    credentials = answer["Credentials"]
    s3 = boto3.client(
        "s3",
        region_name="eu-west-1",
        endpoint_url=stage.sandbox.url,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    buckets = s3.list_buckets()["Buckets"]
    assert buckets
    with pytest.raises(ClientError) as refused:
        s3.delete_bucket(Bucket=buckets[0]["Name"])
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_another_service_account_does_not_become_the_role(stage: Stage, namespace: str, role: str) -> None:
    stage.make_account(namespace, "other")
    with pytest.raises(ClientError) as refused:
        assume(stage, role, token(stage, namespace, "other"))
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_a_token_for_another_audience_does_not_become_the_role(
    stage: Stage, namespace: str, role: str
) -> None:
    with pytest.raises(ClientError) as refused:
        assume(stage, role, token(stage, namespace, "reader", "https://kubernetes.default.svc"))
    assert refused.value.response["Error"]["Code"] == "InvalidIdentityToken"


def test_a_forged_token_does_not_become_the_role(stage: Stage, namespace: str, role: str) -> None:
    header, claims, signature = token(stage, namespace, "reader").split(".")
    forged = f"{header}.{claims}.{signature[::-1]}"
    with pytest.raises(ClientError) as refused:
        assume(stage, role, forged)
    assert refused.value.response["Error"]["Code"] == "InvalidIdentityToken"


def test_an_audience_of_its_own_works_once_the_provider_accepts_it(stage: Stage, namespace: str) -> None:
    assert stage.associate().code == 0
    arguments = ("--audience", "example.com", "--attach-policy-arn", READ_ONLY, "--verify")
    assert stage.create_sa("own", namespace, *arguments).code == 4
    assert stage.associate("--audience", "example.com").code == 0
    ran = stage.create_sa("own", namespace, *arguments)
    assert ran.code == 0, ran.err
    account = stage.account(namespace, "own")
    assert account is not None
    assert account["annotations"]["eks.amazonaws.com/audience"] == "example.com"
    answer = assume(stage, account["annotations"][ROLE_ARN], token(stage, namespace, "own", "example.com"))
    assert answer["Audience"] == "example.com"
