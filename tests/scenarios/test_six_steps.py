"""The IRSA workflow with real tokens: who becomes which role, and what the role may do."""

from typing import Any

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.stage import Stage, made


@pytest.fixture
def role(stage: Stage, namespace: str) -> str:
    stage.run("associate-oidc")
    stage.run("create-sa reader -n $ns --attach-policy-arn $S3 --verify")
    return str(stage.role_of(namespace, "reader")["arn"])


def token(stage: Stage, name: str, audience: str = "sts.amazonaws.com") -> str:
    """The token as the kubelet asks for it."""
    path = f"/api/v1/namespaces/{stage.words['ns']}/serviceaccounts/{name}/token"
    body = {"spec": {"audiences": [audience], "expirationSeconds": 3600}}
    found: str = made(stage.kube.create(path, body)).body["status"]["token"]
    return found


def assume(stage: Stage, role: str, web_identity: str) -> Any:
    """AssumeRoleWithWebIdentity, unsigned as an SDK sends it."""
    config = Config(signature_version=botocore.UNSIGNED)
    sts = boto3.client("sts", region_name="eu-west-1", endpoint_url=stage.sandbox.url, config=config)
    return sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="pod", WebIdentityToken=web_identity
    )


def test_the_pod_lists_its_buckets_and_no_more(stage: Stage, namespace: str, role: str) -> None:
    answer = assume(stage, role, token(stage, "reader"))
    assert answer["SubjectFromWebIdentityToken"] == f"system:serviceaccount:{namespace}:reader"
    assert answer["Audience"] == "sts.amazonaws.com"
    given = answer["Credentials"]
    keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    s3 = boto3.Session(*keys, region_name="eu-west-1").client("s3", endpoint_url=stage.sandbox.url)
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_bucket(Bucket=bucket)


def test_an_audience_of_its_own_works_once_the_provider_accepts_it(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    line = "create-sa own -n $ns --audience example.com --attach-policy-arn $S3 --verify"
    stage.run(line, code=4, changes="")
    stage.run("associate-oidc --audience example.com")
    stage.run(line)
    account = stage.account(namespace, "own") or {}
    assert account["annotations"]["eks.amazonaws.com/audience"] == "example.com"
    role = stage.role_of(namespace, "own")["arn"]
    assert assume(stage, role, token(stage, "own", "example.com"))["Audience"] == "example.com"
