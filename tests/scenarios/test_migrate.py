"""`irsa migrate`: there and back between IRSA and EKS Pod Identity; everything else stays as it was."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.sandbox_clients import administrator
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

NAME = "app"
PODS = "pods.eks.amazonaws.com"
THEIRS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
GITHUB = {
    "Effect": "Allow",
    "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:org/app:*"}},
}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's API is enough: associations are EKS' business."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def eks(stage: Stage) -> Any:
    return administrator(stage.sandbox, "eks", stage.account_id, stage.region)


def associations(stage: Stage) -> dict[str, Json]:
    """All associations, without what EKS chooses anew for each."""
    client, found = eks(stage), {}
    for item in client.list_pod_identity_associations(clusterName=stage.cluster)["associations"]:
        number = item["associationId"]
        answer = client.describe_pod_identity_association(clusterName=stage.cluster, associationId=number)
        whole = answer["association"]
        kept = ("roleArn", "targetRoleArn", "policy", "disableSessionTags", "tags")
        tags = {key: text for key, text in whole["tags"].items() if key != "irsa/transaction"}
        found[f"{item['namespace']}/{item['serviceAccount']}"] = {
            **{key: whole[key] for key in kept if key in whole},
            "tags": tags,
        }
    return found


def world(stage: Stage) -> Json:
    found = copy.deepcopy(stage.world())
    return {**found, "associations": associations(stage)}


def migrate(stage: Stage, to: str, *arguments: str, **how: Any) -> Ran:
    return stage.irsa("migrate", "--to", to, *arguments, "-c", stage.cluster, **how)


def create(stage: Stage, namespace: str, name: str = NAME, *more: str) -> None:
    policy = ("--associate-oidc", "--attach-policy-arn", READ_ONLY)
    ran = stage.irsa("create-sa", name, "-n", namespace, "-c", stage.cluster, *policy, *more)
    assert ran.code == 0, ran.err


def trust(stage: Stage, namespace: str, name: str = NAME) -> list[Json]:
    found: list[Json] = stage.role_of(namespace, name)["trust"]["Statement"]
    return found


def test_there_and_back_is_the_identity(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    added = migrate(stage, "pod-identity", NAME, "-n", namespace)
    assert added.code == 0, added.err
    both = world(stage)
    (given,) = both["associations"].values()
    assert given["roleArn"] == stage.role_of(namespace, NAME)["arn"]
    assert [item["Principal"].get("Service") for item in trust(stage, namespace)] == [None, PODS]
    assert both["kubernetes"] == before["kubernetes"]
    finished = migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish")
    assert finished.code == 0, finished.err
    alone = world(stage)
    account = alone["kubernetes"]["serviceaccounts"][f"{namespace}/{NAME}"]
    assert not [key for key in account["annotations"] if "role-arn" in key]
    assert migrate(stage, "irsa", NAME, "-n", namespace).code == 0
    back = migrate(stage, "irsa", NAME, "-n", namespace, "--finish")
    assert back.code == 0, back.err
    assert world(stage) == before
