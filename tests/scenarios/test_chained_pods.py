"""Pods that go on to a target role by the ConfigMap: as the page says it, by an SDK, and for doctor."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.core.trust.chain import TOKEN_FILE
from tests.scenarios.other_account import Both, Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.scenarios.test_chaining import target
from tests.support.stage import Json, Stage, made

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/cross-account.md"
WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


@pytest.fixture(autouse=True)
def chained(stage: Stage, namespace: str, elsewhere: Elsewhere) -> Both:
    """backend/reports with its target role, as on the page."""
    stage.run("associate-oidc")
    target(elsewhere)
    both = Both(stage, elsewhere)
    flags = "--external-id tenant-7 $way --update-target-trust --aws-config-map reports-aws"
    told = "AWS_WEB_IDENTITY_TOKEN_FILE to ''"
    both.run(f"create-sa reports -n $ns --target-role $data {flags}", says=told)
    return both


def spec_of_the_page() -> Json:
    (block,) = (part for part in PAGE.read_text("utf-8").split("```yaml\n")[1:] if part.startswith("spec:"))
    found: Json = yaml.safe_load(block.partition("```")[0])["spec"]
    for container in found["containers"]:
        container["image"] = "example.com/app"
    return found


def run_pod(stage: Stage, namespace: str, **spec: Any) -> Json:
    """A pod that runs, as it was admitted."""
    pods = f"/api/v1/namespaces/{namespace}/pods"
    stage.kube.delete(f"{pods}/reports-0", {"gracePeriodSeconds": 0})
    body = {"metadata": {"name": "reports-0"}, "spec": {"automountServiceAccountToken": False, **spec}}
    pod = made(stage.kube.create(pods, body)).body
    assert stage.kube.patch(f"{pods}/reports-0/status", {"status": {"phase": "Running"}}).status == 200
    return pod


def caller(stage: Stage, namespace: str, pod: Json) -> str:
    """Who the first container is for AWS, by the environment, the token and the ConfigMap that it has."""
    told = {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}
    path = f"/api/v1/namespaces/{namespace}"
    wanted = {"spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}}
    token = made(stage.kube.create(f"{path}/serviceaccounts/reports/token", wanted)).body["status"]["token"]
    file, config = stage.folder / "token", stage.folder / "config"
    file.write_text(token)
    text = stage.kube.get(f"{path}/configmaps/reports-aws").body["data"]["config"]
    config.write_text(text.replace(TOKEN_FILE, str(file)))
    places = {TOKEN_FILE: str(file), "/etc/aws/config": str(config)}
    env = {name: places.get(value, value) for name, value in told.items()}
    env |= {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": stage.sandbox.url}
    ran = subprocess.run([sys.executable, "-c", WHO], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


DOCTOR = "doctor reports -n $ns $way"
CAUSES = ("chain-pod", "pod-profile", "pod-env-partial", "pod-credentials-file", "pod-unseen")


def test_the_pod_of_the_page_is_the_target(stage: Stage, namespace: str) -> None:
    spec = spec_of_the_page()
    pod = run_pod(stage, namespace, **spec)
    assert "AWS_ROLE_ARN" not in str(pod)
    assert ":assumed-role/data/" in caller(stage, namespace, pod)
    stage.run(DOCTOR, silent=CAUSES)
    # Without the empty variable Python still goes by the profile, and others might not.
    spec["containers"][0]["env"].pop()
    pod = run_pod(stage, namespace, **spec)
    assert "AWS_ROLE_ARN" in str(pod)
    assert ":assumed-role/data/" in caller(stage, namespace, pod)
    stage.run(DOCTOR, says=("chain-pod", "use the token before the profile"), silent="pod-profile")


def test_one_that_knows_nothing_of_it_stays_with_its_role(stage: Stage, namespace: str) -> None:
    spec = {"serviceAccountName": "reports", "containers": [{"name": "app", "image": "example.com/app"}]}
    pod = run_pod(stage, namespace, **spec)
    assert ":assumed-role/data/" not in caller(stage, namespace, pod)
    stage.run(DOCTOR, code=1, says="chain-pod")
