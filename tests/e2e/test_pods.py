"""Pods on a real API server as an EKS cluster: what the webhook gives them, and kubelet's token at STS."""

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.model import RoleSpec
from tests.scenarios.conftest import real_stage
from tests.support.fixtures import RealCluster
from tests.support.kubeclient import Json
from tests.support.stage import ROLE_ARN, Stage, made

POD = {"serviceAccountName": "reader", "containers": [{"name": "app", "image": "app"}]}


@pytest.fixture
def stage(sandbox: Sandbox, real: RealCluster, tmp_path: Path) -> Stage:
    return real_stage(sandbox, real, tmp_path)


def kubelet_token(stage: Stage, pod: Json) -> str:
    """The token that kubelet would put into the pod's volume, bound to the pod."""
    metadata = pod["metadata"]
    (volume,) = [item for item in pod["spec"]["volumes"] if item["name"] == "aws-iam-token"]
    projected = volume["projected"]["sources"][0]["serviceAccountToken"]
    spec = {
        "audiences": [projected["audience"]],
        "expirationSeconds": projected["expirationSeconds"],
        "boundObjectRef": {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }
    account = (
        f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{pod['spec']['serviceAccountName']}"
    )
    answer = made(stage.kube.create(f"{account}/token", {"spec": spec}))
    return str(answer.body["status"]["token"])


def env(pod: Json) -> dict[str, str]:
    (container,) = pod["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}


def sts(stage: Stage) -> Any:
    config = Config(signature_version=UNSIGNED)
    return boto3.client("sts", endpoint_url=stage.sandbox.url, region_name=stage.region, config=config)


def test_a_pod_becomes_its_role(stage: Stage, unique: str) -> None:
    ran = stage.create_sa("reader", unique, "--associate-oidc")
    assert ran.code == 0, ran.err
    pods = f"/api/v1/namespaces/{unique}/pods"
    pod = made(stage.kube.create(pods, {"metadata": {"name": "web"}, "spec": POD})).body
    account = stage.account(unique, "reader")
    assert account is not None
    role = env(pod)["AWS_ROLE_ARN"]
    assert role == account["annotations"][ROLE_ARN]
    assert env(pod)["AWS_REGION"] == stage.region
    answer = sts(stage).assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="web", WebIdentityToken=kubelet_token(stage, pod)
    )
    assert answer["SubjectFromWebIdentityToken"] == f"system:serviceaccount:{unique}:reader"


def test_an_association_comes_first(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    role = "arn:aws:iam::111122223333:role/reader"
    stage.make_account(unique, "reader", annotations={ROLE_ARN: role})
    user = stage.env()
    eks: Any = boto3.client(
        "eks",
        endpoint_url=stage.sandbox.url,
        region_name=stage.region,
        aws_access_key_id=user["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=user["AWS_SECRET_ACCESS_KEY"],
    )
    pods = f"/api/v1/namespaces/{unique}/pods"
    body = {"metadata": {"name": "web"}, "spec": POD}
    assert env(made(stage.kube.create(pods, body, dryRun="All")).body)["AWS_ROLE_ARN"] == role
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    stage.sandbox.put_roles([RoleSpec("reader", {"Version": "2012-10-17", "Statement": [trust]})])
    eks.create_pod_identity_association(
        clusterName=stage.cluster, namespace=unique, serviceAccount="reader", roleArn=role
    )
    shown = env(made(stage.kube.create(pods, body, dryRun="All")).body)
    assert "AWS_ROLE_ARN" not in shown
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in shown
