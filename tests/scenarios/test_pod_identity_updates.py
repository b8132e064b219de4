"""`update-sa` of ServiceAccounts that get their role by EKS Pod Identity alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon
from tests.support.sandbox_clients import administrator
from tests.support.stage import READ_ONLY, Json, Ran, Stage

NAME = "app"
AGENT = "eks-pod-identity-agent"
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
TARGET = "arn:aws:iam::444455556666:role/data"
LESS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    add_addon(sandbox, "demo", AGENT)
    return sandbox_stage(sandbox, "demo", tmp_path)


def eks(stage: Stage) -> Any:
    return administrator(stage.sandbox, "eks", stage.account_id, stage.region)


def create(stage: Stage, namespace: str, *more: str) -> None:
    words = ("create-sa", NAME, "-n", namespace, "-c", stage.cluster, "--pod-identity", *more)
    ran = stage.irsa(*words, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 0, ran.err


def update(stage: Stage, namespace: str, *more: str) -> Ran:
    return stage.irsa("update-sa", NAME, "-n", namespace, "-c", stage.cluster, *more)


def world(stage: Stage) -> Json:
    return {**stage.world(), "associations": json.loads(json.dumps(stage.sandbox.world()["associations"]))}


def association(stage: Stage, namespace: str) -> Json:
    """The association of the ServiceAccount."""
    found: Json = next(
        item for key, item in world(stage)["associations"].items() if f"{namespace}/{NAME}" in key
    )
    return found


def role(stage: Stage, namespace: str) -> Json:
    """The role of the association."""
    found: Json = stage.world()["roles"][association(stage, namespace)["roleArn"].rsplit("/", 1)[-1]]
    return found


def refused(stage: Stage, namespace: str, *more: str) -> str:
    before = world(stage)
    ran = update(stage, namespace, *more)
    assert ran.code == 4, ran.out + ran.err
    assert world(stage) == before
    return ran.err


def test_policies_and_tags_of_the_role(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    words = ("--attach-policy-arn", SQS, "--detach-policy-arn", READ_ONLY, "--tags", "team=a")
    ran = update(stage, namespace, *words, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["podIdentity"]["role"] == {"arn": association(stage, namespace)["roleArn"]}
    assert "annotation" not in ran.err
    found = role(stage, namespace)
    assert found["attached"] == [SQS]
    assert found["tags"]["team"] == "a"
    after = world(stage)
    assert after["kubernetes"] == before["kubernetes"]
    assert after["associations"] == before["associations"]
    assert update(stage, namespace, *words, "-o", "json").metadata["outcome"] == "unchanged"
    back = ("--attach-policy-arn", READ_ONLY, "--detach-policy-arn", SQS, "--remove-tag", "team")
    assert update(stage, namespace, *back).code == 0
    assert world(stage) == before


def test_a_target_role_comes_and_goes(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    ran = update(stage, namespace, "--target-role", TARGET)
    assert ran.code == 0, ran.err
    found = association(stage, namespace)
    assert found["targetRoleArn"] == TARGET
    (policy,) = role(stage, namespace)["inline"].values()
    assert policy["Statement"][0]["Resource"] == TARGET
    assert policy["Statement"][0]["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert f"to {TARGET}: its trust policy may require it" in ran.out + ran.err
    assert "444455556666" in ran.out + ran.err
    assert update(stage, namespace, "--target-role", TARGET, "-o", "json").metadata["outcome"] == "unchanged"
    ran = update(stage, namespace, "--remove-target-role")
    assert ran.code == 0, ran.err
    assert world(stage) == before


def test_a_target_role_that_does_not_trust_the_role(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    made = stage.iam().create_role(RoleName="data", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert f"the trust policy of {made} does not allow" in refused(stage, namespace, "--target-role", made)


def test_a_session_policy_comes_and_goes(stage: Stage, namespace: str) -> None:
    (stage.folder / "less.json").write_text(json.dumps(LESS))
    create(stage, namespace, "--disable-session-tags")
    before = world(stage)
    ran = update(stage, namespace, "--session-policy", "less.json")
    assert ran.code == 0, ran.err
    assert json.loads(association(stage, namespace)["policy"]) == LESS
    assert world(stage)["roles"] == before["roles"]
    assert update(stage, namespace, "--remove-session-policy").code == 0
    assert world(stage) == before


def test_a_session_policy_needs_an_association_without_session_tags(stage: Stage, namespace: str) -> None:
    (stage.folder / "less.json").write_text(json.dumps(LESS))
    create(stage, namespace)
    said = refused(stage, namespace, "--session-policy", "less.json")
    assert "has session tags" in said
    assert "irsa docs how-to/pod-identity" in said


def test_a_session_policy_without_an_association(stage: Stage, namespace: str) -> None:
    (stage.folder / "less.json").write_text(json.dumps(LESS))
    words = ("create-sa", NAME, "-n", namespace, "-c", stage.cluster, "--associate-oidc")
    assert stage.irsa(*words, "--attach-policy-arn", READ_ONLY).code == 0
    said = refused(stage, namespace, "--session-policy", "less.json")
    assert "has no EKS Pod Identity association" in said
    assert f"irsa update-sa {NAME} -n {namespace} -c demo -r eu-west-1 --also pod-identity" in said


@pytest.mark.parametrize(
    "words",
    [
        ("--audience", "vault"),
        ("--token-expiration", "1h"),
        ("--no-sts-regional-endpoints",),
        ("--target-role", TARGET, "--external-id", "xx"),
        ("--target-role", TARGET, "--aws-config-map", "x"),
        ("--attach-policy-arn", SQS, "--verify"),
    ],
    ids=lambda words: words[-2] if words[-1][0] != "-" else words[-1],
)
def test_options_of_irsa_are_refused(stage: Stage, namespace: str, words: tuple[str, ...]) -> None:
    create(stage, namespace)
    said = refused(stage, namespace, *words)
    assert "can't be used with EKS Pod Identity" in said
    assert f"irsa migrate --to irsa {NAME} -n {namespace}" in said


def test_labels_need_a_service_account(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    said = refused(stage, namespace, "--label", "team=a")
    assert "create it first, or leave out labels and annotations" in said
    stage.make_account(namespace, NAME)
    assert update(stage, namespace, "--label", "team=a").code == 0
    found = stage.account(namespace, NAME)
    assert found is not None
    assert found["labels"]["team"] == "a"


def test_a_failure_rolls_back_everything(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    stage.sandbox.faults.add(
        Fault("eks", "UpdatePodIdentityAssociation", kind="error", status=403, code="AccessDeniedException")
    )
    ran = update(stage, namespace, "--target-role", TARGET, "--attach-policy-arn", SQS)
    assert ran.code == 1, ran.err
    assert "Everything was rolled back" in ran.err
    assert world(stage) == before


def test_a_later_failure_gives_the_association_back(stage: Stage, namespace: str) -> None:
    create(stage, namespace, "--target-role", TARGET)
    before = world(stage)
    stage.sandbox.faults.add(Fault("iam", "DeleteRolePolicy", kind="error", status=403, code="AccessDenied"))
    ran = update(stage, namespace, "--remove-target-role")
    assert ran.code == 1, ran.err
    assert "Everything was rolled back" in ran.err
    assert world(stage) == before


def test_the_association_of_others_is_not_changed(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    there = association(stage, namespace)
    where = {"clusterName": stage.cluster, "namespace": namespace, "serviceAccount": NAME}
    (item,) = eks(stage).list_pod_identity_associations(**where)["associations"]
    eks(stage).delete_pod_identity_association(clusterName=stage.cluster, associationId=item["associationId"])
    eks(stage).create_pod_identity_association(**where, roleArn=there["roleArn"])
    said = refused(stage, namespace, "--target-role", TARGET)
    assert "is not managed by irsa" in said
    assert f"irsa adopt {NAME} -n {namespace}" in said


def test_a_saved_plan(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    planned = update(stage, namespace, "--target-role", TARGET, "--dry-run", "--out", "plan.json")
    assert planned.code == 0, planned.err
    ran = stage.irsa("apply", "plan.json")
    assert ran.code == 0, ran.err
    assert association(stage, namespace)["targetRoleArn"] == TARGET


def test_a_dry_run_shows_both_ends(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    before = world(stage)
    ran = update(stage, namespace, "--target-role", TARGET, "--dry-run")
    assert ran.code == 0, ran.err
    assert "~ PodIdentity      " in ran.out
    assert ", target role data" in ran.out
    assert world(stage) == before
