"""`irsa adopt` of an EKS Pod Identity association that others created: tags at both ends only."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon
from tests.support.sandbox_clients import administrator, trust
from tests.support.stage import ACCOUNT, READ_ONLY, Json, Ran, Stage

NAME = "app"
ACTIONS = ["sts:AssumeRole", "sts:TagSession"]
SERVICE = "pods.eks.amazonaws.com"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def eks(stage: Stage) -> Any:
    return administrator(stage.sandbox, "eks", stage.account_id, stage.region)


def associate(stage: Stage, namespace: str, name: str = NAME, **trusted: Any) -> str:
    """A role and an association that somebody made by hand; the association's id."""
    document = trust({"Service": SERVICE}, **{"action": ACTIONS, **trusted})
    role = f"theirs-{namespace}"
    if role not in stage.world()["roles"]:
        stage.iam().create_role(RoleName=role, AssumeRolePolicyDocument=document)
        stage.iam().attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    made = eks(stage).create_pod_identity_association(
        clusterName=stage.cluster,
        namespace=namespace,
        serviceAccount=name,
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        tags={"team": "shop"},
    )
    return str(made["association"]["associationId"])


def adopt(stage: Stage, namespace: str, *more: str) -> Ran:
    return stage.irsa("adopt", NAME, "-n", namespace, "-c", stage.cluster, *more)


def world(stage: Stage) -> Json:
    return copy.deepcopy({**stage.world(), "associations": stage.sandbox.world()["associations"]})


def test_both_ends_get_two_tags(stage: Stage, namespace: str) -> None:
    number = associate(stage, namespace)
    before = world(stage)
    stage.sandbox.calls.clear()
    planned = adopt(stage, namespace, "--dry-run")
    assert planned.code == 0, planned.err
    assert f"RoleTags         theirs-{namespace}" in planned.out
    assert f"~ PodIdentity      {namespace}/{NAME} uses theirs-{namespace}" in planned.out
    assert world(stage) == before
    ran = adopt(stage, namespace, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["podIdentity"]["association"] == number
    assert any(number in note for note in ran.item["adoption"]["kept"])
    assert ran.item["adoption"]["others"] == []
    desired = copy.deepcopy(before)
    marks = {
        "irsa/cluster": f"arn:aws:eks:{stage.region}:{ACCOUNT}:cluster/demo",
        "irsa/service-account": f"{namespace}/{NAME}",
    }
    desired["roles"][f"theirs-{namespace}"]["tags"] |= {**marks, "irsa/commit": "done"}
    (key,) = desired["associations"]
    desired["associations"][key]["tags"] |= marks
    assert world(stage) == desired
    # EKS' answer has no fields, and is an answer all the same.
    assert [call.operation for call in stage.sandbox.calls].count("TagResource") == 1
    assert adopt(stage, namespace, "-o", "json").metadata["outcome"] == "unchanged"


def test_what_was_adopted_can_be_changed_and_deleted(stage: Stage, namespace: str) -> None:
    associate(stage, namespace)
    where = (NAME, "-n", namespace, "-c", stage.cluster)
    assert stage.irsa("update-sa", *where, "--detach-policy-arn", READ_ONLY).code == 4
    assert adopt(stage, namespace).code == 0
    assert stage.irsa("update-sa", *where, "--detach-policy-arn", READ_ONLY).code == 0
    assert "others may also use" in stage.irsa("delete-sa", *where).err
    ran = stage.irsa("delete-sa", *where, "--force")
    assert ran.code == 0, ran.err
    assert not world(stage)["associations"]
    assert f"theirs-{namespace}" not in stage.world()["roles"]


@pytest.mark.parametrize(
    ("service", "operation"), [("iam", "TagRole"), ("eks", "TagResource")], ids=lambda text: text
)
def test_a_failure_rolls_both_ends_back(stage: Stage, namespace: str, service: str, operation: str) -> None:
    associate(stage, namespace)
    before = world(stage)
    code = "AccessDenied" if service == "iam" else "AccessDeniedException"
    stage.sandbox.faults.add(Fault(service, operation, kind="error", status=403, code=code))
    ran = adopt(stage, namespace)
    assert ran.code == 1, ran.err
    assert world(stage) == before


def test_an_association_of_an_add_on(stage: Stage, namespace: str) -> None:
    number = associate(stage, namespace)
    where = f"arn:aws:eks:{stage.region}:{ACCOUNT}:cluster/demo"
    owner = f"arn:aws:eks:{stage.region}:{ACCOUNT}:addon/demo/vpc-cni/x"
    stage.sandbox._front.clusters.associations._of[where][number]["ownerArn"] = owner
    before = world(stage)
    ran = adopt(stage, namespace)
    assert ran.code == 4, ran.err
    assert f"{owner} owns it" in ran.err
    assert "aws eks update-addon" in ran.err
    assert world(stage) == before


def test_a_role_that_does_not_trust_eks(stage: Stage, namespace: str) -> None:
    associate(stage, namespace)
    other = trust({"Service": "ec2.amazonaws.com"})
    stage.iam().update_assume_role_policy(RoleName=f"theirs-{namespace}", PolicyDocument=other)
    before = world(stage)
    ran = adopt(stage, namespace)
    assert ran.code == 4, ran.err
    assert f"does not allow EKS Pod Identity for {namespace}/{NAME}" in ran.err
    assert world(stage) == before


def test_a_role_of_several_associations(stage: Stage, namespace: str) -> None:
    associate(stage, namespace)
    associate(stage, namespace, "other")
    before = world(stage)
    ran = adopt(stage, namespace)
    assert ran.code == 4, ran.err
    assert f"also used by other ServiceAccounts: {namespace}/other" in ran.err
    assert world(stage) == before


def test_a_run_that_was_cut_off_between_both_ends_goes_on(stage: Stage, namespace: str) -> None:
    associate(stage, namespace)
    stage.iam().tag_role(
        RoleName=f"theirs-{namespace}",
        Tags=[
            {"Key": "irsa/cluster", "Value": f"arn:aws:eks:{stage.region}:{ACCOUNT}:cluster/demo"},
            {"Key": "irsa/service-account", "Value": f"{namespace}/{NAME}"},
            {"Key": "irsa/commit", "Value": "done"},
        ],
    )
    ran = adopt(stage, namespace)
    assert ran.code == 0, ran.err
    (found,) = world(stage)["associations"].values()
    assert found["tags"]["irsa/service-account"] == f"{namespace}/{NAME}"
    assert json.dumps(found["tags"]).count("team") == 1
