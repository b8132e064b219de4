"""Roles that pods get by EKS Pod Identity: `create-sa --pod-identity`, and their deletion."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon, add_fargate_profile, describe_cluster_as
from tests.support.sandbox_clients import administrator
from tests.support.stage import ACCOUNT, READ_ONLY, Json, Ran, Stage

NAME = "reader"
AGENT = "eks-pod-identity-agent"
POLICY = ("--attach-policy-arn", READ_ONLY)
TARGET = "arn:aws:iam::444455556666:role/data"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent; the sandbox's API is enough: associations are EKS' business."""
    add_addon(sandbox, "demo", AGENT)
    return sandbox_stage(sandbox, "demo", tmp_path)


def eks(stage: Stage) -> Any:
    return administrator(stage.sandbox, "eks", stage.account_id, stage.region)


def association(stage: Stage, namespace: str, name: str = NAME) -> Json | None:
    """The association of a ServiceAccount, described."""
    asked = {"clusterName": stage.cluster, "namespace": namespace, "serviceAccount": name}
    found = eks(stage).list_pod_identity_associations(**asked)["associations"]
    if not found:
        return None
    (one,) = found
    described = eks(stage).describe_pod_identity_association(
        clusterName=stage.cluster, associationId=one["associationId"]
    )
    answer: Json = described["association"]
    return answer


def there(stage: Stage, namespace: str) -> Json:
    found = association(stage, namespace)
    assert found is not None
    return found


def create(stage: Stage, namespace: str, *more: str, user: str = "admin") -> Ran:
    words = ("create-sa", NAME, "-n", namespace, "-c", stage.cluster, "--pod-identity", *more)
    return stage.irsa(*words, user=user)


def delete(stage: Stage, namespace: str, *more: str) -> Ran:
    return stage.irsa("delete-sa", NAME, "-n", namespace, "-c", stage.cluster, *more)


def role_of(stage: Stage, namespace: str) -> Json:
    """The role of the association."""
    name = there(stage, namespace)["roleArn"].rsplit("/", 1)[-1]
    found: Json = stage.world()["roles"][name]
    return found


def test_a_role_an_association_and_nothing_else(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = create(stage, namespace, *POLICY)
    assert ran.code == 0, ran.err
    found, role = there(stage, namespace), role_of(stage, namespace)
    assert found["disableSessionTags"] is False
    assert found["tags"]["irsa/service-account"] == f"{namespace}/{NAME}"
    assert role["attached"] == [READ_ONLY]
    (statement,) = role["trust"]["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert statement["Condition"] == {
        "StringEquals": {
            "aws:SourceAccount": ACCOUNT,
            "aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo",
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/kubernetes-service-account": NAME,
        },
        "ArnEquals": {"aws:SourceArn": f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo"},
    }
    after = stage.world()
    assert after["oidc_providers"] == before["oidc_providers"]
    assert after["kubernetes"] == before["kubernetes"]


def test_again_changes_nothing(stage: Stage, namespace: str) -> None:
    assert create(stage, namespace, *POLICY).code == 0
    before = stage.world(), there(stage, namespace)
    ran = create(stage, namespace, *POLICY, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.metadata["outcome"] == "unchanged"
    assert (stage.world(), there(stage, namespace)) == before


def test_what_is_there_and_differs_is_never_overwritten(stage: Stage, namespace: str) -> None:
    assert create(stage, namespace, *POLICY).code == 0
    before = stage.world(), there(stage, namespace)
    ran = create(stage, namespace, *POLICY, "--target-role", TARGET)
    assert ran.code == 4, ran.err
    assert f"association {before[1]['associationId']}, target role: none" in ran.err
    assert (stage.world(), there(stage, namespace)) == before


def test_an_association_with_another_role_gets_this_one_if_asked(stage: Stage, namespace: str) -> None:
    arn = shared(stage)
    more = ("--attach-role-arn", arn, "--update-trust", "--target-role", TARGET, "--tags", "team=a")
    assert create(stage, namespace, *more).code == 0
    before = there(stage, namespace)
    assert (before["targetRoleArn"], before["tags"]["team"]) == (TARGET, "a")
    ran = create(stage, namespace, *POLICY)
    assert ran.code == 4, ran.err
    ran = create(stage, namespace, *POLICY, "--override-existing-serviceaccounts")
    assert ran.code == 0, ran.err
    found = there(stage, namespace)
    assert found["associationId"] == before["associationId"]
    assert found["roleArn"] != arn
    assert not found.get("targetRoleArn")


def test_the_service_account_and_its_namespace_are_created_if_asked(stage: Stage, unique: str) -> None:
    ran = create(stage, unique, *POLICY, "--create-service-account", "--label", "team=a")
    assert ran.code == 0, ran.err
    account = stage.account(unique, NAME)
    assert account is not None
    assert account["labels"]["team"] == "a"
    assert "eks.amazonaws.com/role-arn" not in account["annotations"]
    assert there(stage, unique)
    assert create(stage, unique, *POLICY, "--create-service-account", "--label", "team=a").code == 0


def test_a_service_account_that_is_there_stays_as_it_is(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, NAME, labels={"app": "x"})
    before = stage.account(namespace, NAME)
    ran = create(stage, namespace, *POLICY, "--create-service-account")
    assert ran.code == 0, ran.err
    assert stage.account(namespace, NAME) == before


def test_session_policy_and_tags(stage: Stage, namespace: str) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    (stage.folder / "less.json").write_text(json.dumps(document))
    refused = create(stage, namespace, *POLICY, "--session-policy", "less.json")
    assert refused.code == 2, refused.err
    assert "only with --disable-session-tags" in refused.err
    words = (*POLICY, "--session-policy", "less.json", "--disable-session-tags")
    ran = create(stage, namespace, *words)
    assert ran.code == 0, ran.err
    found = there(stage, namespace)
    assert json.loads(found["policy"]) == document
    assert found["disableSessionTags"] is True
    (trusted,) = role_of(stage, namespace)["trust"]["Statement"]
    assert list(trusted["Condition"]["StringEquals"]) == ["aws:SourceAccount"]
    assert create(stage, namespace, *words, "-o", "json").metadata["outcome"] == "unchanged"


def test_a_target_role_in_another_account(stage: Stage, namespace: str) -> None:
    ran = create(stage, namespace, *POLICY, "--target-role", TARGET)
    assert ran.code == 0, ran.err
    found = there(stage, namespace)
    assert found["targetRoleArn"] == TARGET
    assert found["externalId"] in ran.out + ran.err
    (policy,) = role_of(stage, namespace)["inline"].values()
    assert policy["Statement"][0]["Resource"] == TARGET
    assert policy["Statement"][0]["Action"] == ["sts:AssumeRole", "sts:TagSession"]


SHARED = "shared"


def shared(stage: Stage, *statements: Json) -> str:
    """A role that somebody else created; returns its ARN."""
    theirs = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [theirs, *statements]})
    made = stage.iam().create_role(RoleName=SHARED, AssumeRolePolicyDocument=trust)
    return str(made["Role"]["Arn"])


def test_a_role_of_another_account_is_refused(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = create(stage, namespace, "--attach-role-arn", TARGET)
    assert ran.code in (2, 4), ran.err
    assert "--target-role" in ran.err
    assert stage.world() == before


def test_an_existing_role_is_refused_without_the_statement_and_gets_it_if_asked(
    stage: Stage, namespace: str
) -> None:
    arn = shared(stage)
    before = stage.world()
    ran = create(stage, namespace, "--attach-role-arn", arn)
    assert ran.code == 4, ran.err
    assert "this statement is missing" in ran.err
    assert "--update-trust" in ran.err
    assert stage.world() == before
    ran = create(stage, namespace, "--attach-role-arn", arn, "--update-trust")
    assert ran.code == 0, ran.err
    assert there(stage, namespace)["roleArn"] == arn
    theirs, ours = stage.world()["roles"][SHARED]["trust"]["Statement"]
    assert theirs["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert ours["Condition"]["StringEquals"]["aws:RequestTag/kubernetes-namespace"] == namespace
    again = create(stage, namespace, "--attach-role-arn", arn, "--update-trust", "-o", "json")
    assert again.metadata["outcome"] == "unchanged"
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert association(stage, namespace) is None
    assert stage.world() == before


def test_an_existing_role_that_trusts_the_service_stays_as_it_is(stage: Stage, namespace: str) -> None:
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    arn = shared(stage, service)
    before = stage.world()["roles"]
    ran = create(stage, namespace, "--attach-role-arn", arn, "--update-trust")
    assert ran.code == 0, ran.err
    assert stage.world()["roles"] == before
    assert there(stage, namespace)["roleArn"] == arn


def test_delete_sa_deletes_both(stage: Stage, namespace: str) -> None:
    before = stage.world()
    assert create(stage, namespace, *POLICY).code == 0
    ran = delete(stage, namespace)
    assert ran.code == 0, ran.err
    assert association(stage, namespace) is None
    assert stage.world() == before
    assert create(stage, namespace, *POLICY).code == 0


def test_delete_sa_leaves_the_association_of_others(stage: Stage, namespace: str) -> None:
    assert create(stage, namespace, *POLICY).code == 0
    found = there(stage, namespace)
    asked = {"clusterName": stage.cluster, "namespace": namespace, "serviceAccount": NAME}
    eks(stage).delete_pod_identity_association(
        clusterName=stage.cluster, associationId=found["associationId"]
    )
    eks(stage).create_pod_identity_association(**asked, roleArn=found["roleArn"])
    before = stage.world()
    ran = delete(stage, namespace)
    assert ran.code == 4, ran.err
    assert there(stage, namespace)["associationId"] in ran.err
    assert stage.world() == before


@pytest.mark.parametrize("tagged", [True, False])
def test_a_role_whose_association_is_gone_is_listed_and_completed(
    stage: Stage, namespace: str, tagged: bool
) -> None:
    more = (*POLICY, "--create-service-account", *(() if tagged else ("--disable-session-tags",)))
    assert create(stage, namespace, *more).code == 0
    number = there(stage, namespace)["associationId"]
    eks(stage).delete_pod_identity_association(clusterName=stage.cluster, associationId=number)
    listed = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster)
    assert "role-only" in listed.out, listed.out
    assert f"no association gives it to {namespace}/{NAME}" in listed.err
    stage.sandbox.faults.add(Fault("eks", "ListPodIdentityAssociations", "error"))
    unread = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster)
    assert "role-only" in unread.out, unread.out
    assert "no association" not in unread.err
    assert stage.irsa("get-sa", "-n", "default", "-c", stage.cluster).code == 7
    shown = stage.irsa("describe-sa", NAME, "-n", namespace, "-c", stage.cluster)
    (step,) = re.findall(r"irsa (create-sa .*--pod-identity --attach-policy-arn) ARN", shown.err)
    tags = () if tagged else ("--disable-session-tags",)
    ran = stage.irsa(*step.split(), READ_ONLY, *tags)
    assert ran.code == 0, ran.err
    assert stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster).out.split()[-1] == "ok"


def test_a_failure_rolls_back_everything(stage: Stage, namespace: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(
        Fault("eks", "CreatePodIdentityAssociation", kind="error", status=403, code="AccessDeniedException")
    )
    ran = create(stage, namespace, *POLICY)
    assert ran.code == 1, ran.err
    assert "Everything was rolled back" in ran.err
    assert stage.world() == before


def test_a_role_that_eks_does_not_know_yet(stage: Stage, namespace: str) -> None:
    stage.sandbox.faults.add(
        Fault(
            "eks", "CreatePodIdentityAssociation", kind="error", status=400, times=3,
            code="InvalidParameterException", message="Role provided in the request does not exist.",
        )
    )  # fmt: skip
    ran = create(stage, namespace, *POLICY)
    assert ran.code == 0, ran.err
    assert there(stage, namespace)


@pytest.fixture
def bare(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster without the agent."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def node(stage: Stage, name: str, **labels: str) -> None:
    """A node of the cluster."""
    metadata = {"name": name, "labels": {key.replace("_", "/"): value for key, value in labels.items()}}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
    assert stage.kube.create("/api/v1/nodes", body).status == 201


def refused(stage: Stage, namespace: str) -> Ran:
    """create-sa, which has to be refused before its first write."""
    before = stage.world()
    ran = create(stage, namespace, *POLICY)
    assert ran.code == 4, ran.out + ran.err
    assert stage.world() == before
    return ran


def test_without_the_agent_it_is_refused_with_the_command_that_installs_it(bare: Stage) -> None:
    ran = refused(bare, "backend")
    assert "has no EKS Pod Identity agent" in ran.err
    command = next(line for line in ran.err.splitlines() if "create-addon" in line).removeprefix("Next:")
    words = dict(zip(*[iter(command.split()[3:])] * 2, strict=True))
    assert words["--addon-name"] == AGENT
    eks(bare).create_addon(clusterName=words["--cluster-name"], addonName=words["--addon-name"])
    assert create(bare, "backend", *POLICY).code == 0


def test_the_agent_of_auto_mode_or_of_a_chart_is_found(bare: Stage) -> None:
    describe_cluster_as(bare.sandbox, "demo", computeConfig={"enabled": True})
    assert create(bare, "backend", *POLICY).code == 0
    describe_cluster_as(bare.sandbox, "demo", computeConfig={"enabled": False})
    image = f"602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/{AGENT}:v0.1"
    body = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "mine"},
        "spec": {"template": {"spec": {"containers": [{"name": "a", "image": image}]}}},
    }
    assert bare.kube.create("/apis/apps/v1/namespaces/kube-system/daemonsets", body).status == 201
    assert create(bare, "other", *POLICY).code == 0


def test_a_namespace_on_fargate_is_refused(stage: Stage) -> None:
    add_fargate_profile(stage.sandbox, "demo", "some", {"namespace": "back*", "labels": {"a": "b"}})
    assert create(stage, "backend", *POLICY).code == 0
    add_fargate_profile(stage.sandbox, "demo", "all", {"namespace": "front*"})
    assert "Fargate (profile all)" in refused(stage, "frontend").err


def test_nodes_of_windows_only_are_refused(stage: Stage) -> None:
    node(stage, "one", kubernetes_io="x", **{"kubernetes.io_os": "windows"})
    assert "has only Windows nodes" in refused(stage, "backend").err
    node(stage, "two", **{"kubernetes.io_os": "linux"})
    assert create(stage, "backend", *POLICY).code == 0


def test_what_can_not_be_read_is_said_and_refuses_nothing(bare: Stage) -> None:
    for operation in ("ListAddons", "ListFargateProfiles"):
        bare.sandbox.faults.add(
            Fault("eks", operation, kind="error", status=403, code="AccessDeniedException", times=None)
        )
    bare.sandbox.faults.add(Fault("kubernetes", "GET nodes", kind="error", status=403, times=None))
    ran = create(bare, "backend", *POLICY)
    assert ran.code == 0, ran.err
    for what in ("the EKS Pod Identity agent", "the platform of the nodes", "the Fargate profiles"):
        assert f"not checked: {what}" in ran.out + ran.err


def test_a_saved_plan_is_carried_out_and_is_stale_afterwards(stage: Stage, namespace: str) -> None:
    plan = str(stage.folder / "plan.json")
    planned = create(stage, namespace, *POLICY, "--dry-run", "--out", plan)
    assert planned.code == 0, planned.err
    assert association(stage, namespace) is None
    applied = stage.irsa("apply", plan, "--yes")
    assert applied.code == 0, applied.err
    assert there(stage, namespace)["roleArn"].endswith(role_of(stage, namespace)["arn"].rsplit("/", 1)[-1])
    before = stage.world()
    stage.irsa("apply", plan, "--yes")
    assert stage.world() == before


ELSEWHERE = {"IRSA_STATE_DIR": "other"}


def created_elsewhere(stage: Stage, namespace: str) -> Json:
    """A binding whose journal is on another machine; the world with it."""
    words = ("create-sa", NAME, "-n", namespace, "-c", stage.cluster, "--pod-identity", *POLICY)
    ran = stage.irsa(*words, "--create-service-account", **ELSEWHERE)
    assert ran.code == 0, ran.err
    return stage.world()


def test_recover_without_the_journal_of_a_deletion_leaves_role_and_association(
    stage: Stage, namespace: str
) -> None:
    """It does not read associations: one whose role it deletes would stay for ever."""
    created_elsewhere(stage, namespace)
    stage.sandbox.faults.add(Fault("eks", "DeletePodIdentityAssociation", "error", run=stage.kill))
    assert delete(stage, namespace).code == -9
    stage.sandbox.settle()
    before = stage.world()
    recover = ("recover", "-c", stage.cluster, "--all", "--min-age", "0s")
    ran = stage.irsa(*recover, **ELSEWHERE)
    assert ran.code == 0, ran.err
    assert "skipped: irsa keeps all that is left of it" in ran.out
    assert "irsa delete-sa deletes both" in ran.out
    assert stage.world() == before
    assert delete(stage, namespace).code == 0
    assert association(stage, namespace) is None
    assert not [name for name in stage.world()["roles"] if namespace in name]


def test_recover_restores_a_deletion_and_keeps_its_service_account(stage: Stage, namespace: str) -> None:
    """The run that created the ServiceAccount is not known here, and nothing shows that it has ended."""
    before = created_elsewhere(stage, namespace)
    stage.sandbox.faults.add(Fault("kubernetes", "DELETE serviceaccounts", "error", skip=2))
    stage.sandbox.faults.add(Fault("iam", "TagRole", "error", skip=2, times=None))
    assert delete(stage, namespace).code == 3
    stage.sandbox.faults.clear()
    ran = stage.irsa("recover", "-c", stage.cluster, "--all", "--min-age", "0s")
    assert ran.code == 0, ran.err
    assert stage.world() == before
