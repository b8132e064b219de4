"""EKS Pod Identity in files: the documented forms of eksctl, and irsa's own, through their whole life.

https://docs.aws.amazon.com/eks/latest/eksctl/pod-identity-associations.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon
from tests.support.sandbox_clients import administrator
from tests.support.stage import ACCOUNT, READ_ONLY, Json, Ran, Stage

AGENT = "eks-pod-identity-agent"
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
TARGET = "arn:aws:iam::444455556666:role/role-b"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/role-1"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/permission-policy-1"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/permission-boundary"
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["autoscaling:DescribeTags"], "Resource": "*"}],
}
SERVICE = {
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}
NAME = "app"
WRITES = ("Create", "Put", "Attach", "Detach", "Update", "Delete", "Tag", "Untag", "POST", "PATCH", "DELETE")


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent, and the roles and policies that the documented files name."""
    add_addon(sandbox, "demo", AGENT)
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [SERVICE]})
    for name in ("role-1", "role-2"):
        stage.iam().create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    for name in ("permission-policy-1", "permission-boundary"):
        stage.iam().create_policy(PolicyName=name, PolicyDocument=json.dumps(DOCUMENT))
    return stage


def eksctl(*entries: Json, **more: Any) -> Json:
    """A ClusterConfig with associations."""
    return {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "demo", "region": "eu-west-1"},
        "managedNodeGroups": [{"name": "mng1"}],
        "addons": [{"name": AGENT, "tags": {"team": "eks"}}],
        "iam": {"podIdentityAssociations": list(entries), **more},
    }


def bindings(**entry: Any) -> Json:
    """irsa's own kind with one entry."""
    return {
        "apiVersion": "irsa/v1",
        "kind": "Bindings",
        "metadata": {"name": "demo", "region": "eu-west-1"},
        "serviceAccounts": [{"metadata": {"name": NAME, "namespace": "NS"}, **entry}],
    }


def entry(**more: Any) -> Json:
    """An entry of `iam.podIdentityAssociations`."""
    return {"namespace": "NS", "serviceAccountName": NAME, **more}


def write(stage: Stage, namespace: str, document: Json) -> str:
    """The file, for this namespace."""
    path = stage.folder / "cluster.json"
    path.write_text(json.dumps(document).replace('"NS"', f'"{namespace}"'), encoding="utf-8")
    return str(path)


def associations(stage: Stage, namespace: str) -> list[Json]:
    """The associations of a namespace, described."""
    eks = administrator(stage.sandbox, "eks", stage.account_id, stage.region)
    listed = eks.list_pod_identity_associations(clusterName="demo", namespace=namespace)["associations"]
    return [
        eks.describe_pod_identity_association(clusterName="demo", associationId=item["associationId"])[
            "association"
        ]
        for item in listed
    ]


def state(stage: Stage, namespace: str) -> tuple[Any, list[Json]]:
    """The whole state of AWS and the cluster."""
    return stage.world(), associations(stage, namespace)


def apply(stage: Stage, file: str, *more: str) -> Ran:
    ran = stage.irsa("apply", "-f", file, *more)
    assert ran.code == 0, ran.err + ran.out
    return ran


CREATED: dict[str, tuple[Json, Json]] = {
    "an existing role and a ServiceAccount": (
        eksctl(entry(createServiceAccount=True, roleARN=ROLE)),
        eksctl(entry(createServiceAccount=True, roleARN=ROLE.replace("role-1", "role-2"))),
    ),
    "a role by name, policies and boundary": (
        eksctl(
            entry(
                roleName="pod-identity-role-app-cache",
                permissionPolicyARNs=[POLICY, READ_ONLY],
                wellKnownPolicies={"autoScaler": True, "externalDNS": True},
                permissionsBoundaryARN=BOUNDARY,
            )
        ),
        eksctl(
            entry(
                roleName="pod-identity-role-app-cache",
                permissionPolicyARNs=[SQS],
                wellKnownPolicies={"autoScaler": True, "externalDNS": False},
                permissionsBoundaryARN=BOUNDARY,
            )
        ),
    ),
    "another role by name": (
        eksctl(entry(roleName="one", permissionPolicyARNs=[POLICY])),
        eksctl(entry(roleName="other", permissionPolicyARNs=[POLICY])),
    ),
    "an inline policy": (
        eksctl(entry(permissionPolicy=DOCUMENT)),
        eksctl(entry(permissionPolicy={**DOCUMENT, "Id": "second"})),
    ),
    "an inline policy by name": (
        eksctl(entry(permissionPolicy=DOCUMENT, permissionPolicyName="scaling")),
        eksctl(entry(permissionPolicy=DOCUMENT, permissionPolicyName="scaler")),
    ),
    "a target role of an existing role": (
        eksctl(entry(createServiceAccount=True, roleARN=ROLE, targetRoleARN=TARGET, disableSessionTags=True)),
        eksctl(entry(createServiceAccount=True, roleARN=ROLE, disableSessionTags=False)),
    ),
    "a target role of a new role": (
        eksctl(entry(wellKnownPolicies={"certManager": True}, targetRoleARN=TARGET)),
        eksctl(entry(wellKnownPolicies={"certManager": True}, targetRoleARN=TARGET + "2")),
    ),
    "a session policy and no session tags": (
        eksctl(entry(permissionPolicyARNs=[READ_ONLY], policy=json.dumps(DOCUMENT), disableSessionTags=True)),
        eksctl(entry(permissionPolicyARNs=[READ_ONLY], disableSessionTags=True)),
    ),
    "tags": (
        eksctl(entry(permissionPolicyARNs=[READ_ONLY], tags={"team": "a"})),
        eksctl(entry(permissionPolicyARNs=[READ_ONLY], tags={"team": "b"})),
    ),
    "roleName, which roleARN makes meaningless": (
        eksctl(entry(roleARN=ROLE, roleName="unused")),
        eksctl(entry(roleARN=ROLE.replace("role-1", "role-2"), roleName="unused")),
    ),
    "irsa's own kind": (
        bindings(attachPolicyARNs=[READ_ONLY], podIdentity=True),
        bindings(
            attachPolicyARNs=[READ_ONLY],
            podIdentity={"sessionPolicy": DOCUMENT, "disableSessionTags": True, "createServiceAccount": True},
        ),
    ),
    "irsa's own kind, both ways": (
        bindings(attachPolicyARNs=[READ_ONLY], also="pod-identity"),
        bindings(
            attachPolicyARNs=[READ_ONLY],
            also="pod-identity",
            podIdentity={"sessionPolicy": DOCUMENT, "disableSessionTags": True},
        ),
    ),
    "irsa's own kind, an existing role with a target": (
        bindings(attachRoleARN=ROLE, targetRole=TARGET, podIdentity={"disableSessionTags": True}),
        bindings(attachRoleARN=ROLE, podIdentity=True),
    ),
}


@pytest.mark.parametrize("form", CREATED)
def test_created_again_changed_and_deleted(form: str, stage: Stage, namespace: str) -> None:
    stage.irsa("associate-oidc", "-c", "demo", "-r", "eu-west-1")
    first, edited = CREATED[form]
    nothing = state(stage, namespace)
    file = write(stage, namespace, first)
    assert stage.irsa("diff", "-f", file).code == 6
    assert state(stage, namespace) == nothing
    apply(stage, file)
    assert len(associations(stage, namespace)) == 1
    unchanged(stage, namespace, file)
    file = write(stage, namespace, edited)
    assert stage.irsa("diff", "-f", file).code == 6
    apply(stage, file, "--prune", "--yes", "--include", f"{namespace}/*")
    assert len(associations(stage, namespace)) == 1
    unchanged(stage, namespace, file)
    ran = stage.irsa("delete", "-f", file, "--yes")
    assert ran.code == 0, ran.err
    assert state(stage, namespace) == nothing


def unchanged(stage: Stage, namespace: str, file: str) -> None:
    """A second run, alone or atomic, and a diff find nothing to write."""
    before = state(stage, namespace)
    stage.sandbox.calls.clear()
    again = apply(stage, file, "-o", "json")
    assert again.metadata["outcome"] == "unchanged", again.out
    assert not writes(stage)
    assert apply(stage, file, "--atomic", "-o", "json").metadata["outcome"] == "unchanged"
    assert stage.irsa("diff", "-f", file).code == 0
    assert state(stage, namespace) == before


def writes(stage: Stage) -> list[str]:
    """The calls of AWS that write."""
    return [call.operation for call in stage.sandbox.calls if call.operation.startswith(WRITES)]


PLAIN = eksctl(entry(permissionPolicyARNs=[READ_ONLY]))


def test_names_are_enough_to_delete(stage: Stage, namespace: str) -> None:
    nothing = state(stage, namespace)
    apply(stage, write(stage, namespace, PLAIN))
    file = write(stage, namespace, eksctl(entry()))
    ran = stage.irsa("apply", "-f", file)
    assert ran.code == 2
    assert "has no role" in ran.err
    assert stage.irsa("delete", "-f", file, "--yes").code == 0
    assert state(stage, namespace) == nothing


def test_what_create_sa_made_is_as_desired(stage: Stage, namespace: str) -> None:
    words = ("create-sa", NAME, "-n", namespace, "-c", "demo", "--pod-identity")
    assert stage.irsa(*words, "--attach-policy-arn", READ_ONLY, "--role-name", "own").code == 0
    unchanged(stage, namespace, write(stage, namespace, PLAIN))


def test_prune_deletes_associations_of_irsa_only(stage: Stage, namespace: str) -> None:
    nothing = state(stage, namespace)
    entries = (entry(roleARN=ROLE), entry(serviceAccountName="b", permissionPolicyARNs=[READ_ONLY]))
    apply(stage, write(stage, namespace, eksctl(*entries)))
    eks = administrator(stage.sandbox, "eks", stage.account_id, stage.region)
    eks.create_pod_identity_association(
        clusterName="demo", namespace=namespace, serviceAccount="theirs", roleArn=ROLE
    )
    file = write(stage, namespace, eksctl())
    ran = apply(stage, file, "--prune", "--yes", "--include", f"{namespace}/*")
    assert f"{namespace}/{NAME}" in ran.err
    (left,) = associations(stage, namespace)
    assert left["serviceAccount"] == "theirs"
    assert stage.world()["roles"] == nothing[0]["roles"]


def test_an_association_that_irsa_did_not_create(stage: Stage, namespace: str) -> None:
    eks = administrator(stage.sandbox, "eks", stage.account_id, stage.region)
    eks.create_pod_identity_association(
        clusterName="demo", namespace=namespace, serviceAccount=NAME, roleArn=ROLE
    )
    unchanged(stage, namespace, write(stage, namespace, eksctl(entry(roleARN=ROLE))))
    file = write(stage, namespace, eksctl(entry(roleARN=ROLE.replace("role-1", "role-2"))))
    before = state(stage, namespace)
    ran = stage.irsa("apply", "-f", file)
    assert ran.code == 4
    assert "has an association that irsa did not create" in ran.err
    assert state(stage, namespace) == before
    apply(stage, file, "--override-existing-serviceaccounts")
    (found,) = associations(stage, namespace)
    assert found["roleArn"].endswith("role-2")
    ran = stage.irsa("delete", "-f", file, "--yes")
    assert ran.code == 0
    assert len(associations(stage, namespace)) == 1


def test_a_role_that_pods_still_get_by_the_annotation(stage: Stage, namespace: str) -> None:
    stage.irsa("associate-oidc", "-c", "demo", "-r", "eu-west-1")
    apply(stage, write(stage, namespace, bindings(attachPolicyARNs=[READ_ONLY])))
    before = state(stage, namespace)
    file = write(stage, namespace, PLAIN)
    ran = stage.irsa("apply", "-f", file)
    assert ran.code == 4, ran.err
    assert "still gets its role by the annotation" in ran.err
    assert f"irsa migrate {NAME} -n {namespace}" in ran.err
    assert state(stage, namespace) == before
    for more in ((), ("--finish",)):
        words = ("migrate", NAME, "-n", namespace, "-c", "demo", "--to", "pod-identity", "--yes")
        assert stage.irsa(*words, *more).code == 0
    unchanged(stage, namespace, file)
    back = write(stage, namespace, bindings(attachPolicyARNs=[READ_ONLY]))
    apply(stage, back)
    unchanged(stage, namespace, back)
    assert len(associations(stage, namespace)) == 1, "removed by migrate --to irsa --finish"


def test_a_trust_policy_that_somebody_has_restricted(stage: Stage, namespace: str) -> None:
    file = write(stage, namespace, PLAIN)
    apply(stage, file)
    role = associations(stage, namespace)[0]["roleArn"].rsplit("/", 1)[-1]
    trust = stage.iam().get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"]["StringEquals"]["aws:SourceVpc"] = "vpc-1"
    stage.iam().update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    before = state(stage, namespace)
    ran = stage.irsa("apply", "-f", file)
    assert ran.code == 4, ran.err
    assert "was changed by someone else" in ran.err
    assert state(stage, namespace) == before
    apply(stage, file, "--force")


def test_a_saved_plan(stage: Stage, namespace: str) -> None:
    nothing = state(stage, namespace)
    first, edited = CREATED["a session policy and no session tags"]
    plan = str(stage.folder / "plan.json")
    for document in (first, edited):
        ran = stage.irsa("apply", "-f", write(stage, namespace, document), "--dry-run", "--out", plan)
        assert ran.code == 0, ran.err
        assert stage.irsa("apply", plan, "--yes").code == 0
        unchanged(stage, namespace, write(stage, namespace, document))
    file = write(stage, namespace, edited)
    assert stage.irsa("delete", "-f", file, "--dry-run", "--out", plan).code == 0
    assert stage.irsa("apply", plan, "--yes").code == 0
    assert state(stage, namespace) == nothing


def test_no_agent(sandbox: Sandbox, tmp_path: Path) -> None:
    stage, namespace = sandbox_stage(sandbox, "demo", tmp_path), "backend"
    before = state(stage, namespace)
    ran = stage.irsa("apply", "-f", write(stage, namespace, PLAIN))
    assert ran.code == 4
    assert "aws eks create-addon" in ran.err
    assert "or use IRSA (an entry of serviceAccounts without podIdentity), which needs no agent" in ran.err
    assert state(stage, namespace) == before


def test_associations_that_can_not_be_read_are_not_called_missing(stage: Stage, namespace: str) -> None:
    file = write(stage, namespace, PLAIN)
    apply(stage, file)
    before = state(stage, namespace)
    stage.sandbox.faults.add(
        Fault("eks", "ListPodIdentityAssociations", "error", status=403, code="AccessDeniedException")
    )
    ran = stage.irsa("apply", "-f", file)
    assert ran.code != 0
    assert state(stage, namespace) == before


def test_audit_knows_the_statement(stage: Stage, namespace: str) -> None:
    apply(stage, write(stage, namespace, PLAIN))
    ran = stage.irsa("audit", "-c", "demo", "-o", "json", "--fail-on", "never")
    role = associations(stage, namespace)[0]["roleArn"]
    assert role in ran.out
    assert "changed-since-irsa" not in ran.out


def test_what_add_ons_get_stays_as_it_is(stage: Stage, namespace: str) -> None:
    document = eksctl(entry(permissionPolicyARNs=[READ_ONLY]))
    own = {"serviceAccountName": "aws-node", "permissionPolicyARNs": [READ_ONLY]}
    document["addons"] += [
        {"name": "vpc-cni", "podIdentityAssociations": [own]},
        {"name": "aws-efs-csi-driver", "useDefaultPodIdentityAssociations": True},
    ]
    document["addonsConfig"] = {"autoApplyPodIdentityAssociations": True}
    ran = apply(stage, write(stage, namespace, document))
    for words in (
        "addons vpc-cni: podIdentityAssociations",
        "addons aws-efs-csi-driver: useDefaultPodIdentityAssociations",
        "addonsConfig: autoApplyPodIdentityAssociations",
    ):
        assert words in ran.err
    assert [item["serviceAccount"] for item in associations(stage, namespace)] == [NAME]


def test_hints_name_the_fields_of_the_file(stage: Stage, unique: str) -> None:
    """`permissionsBoundary` is no field of an association, nor `attachRoleARN`: the file would be refused."""
    required = {"IRSA_REQUIRE_PERMISSIONS_BOUNDARY": "1"}
    file = write(stage, unique, eksctl(entry(permissionPolicyARNs=[POLICY])))
    ran = stage.irsa("apply", "-f", file, **required)
    assert ran.code == 4, ran.err
    assert "permissionsBoundaryARN in the file" in ran.err
    assert "permissionsBoundary in" not in ran.err
    file = write(stage, unique, eksctl(entry(permissionPolicyARNs=[POLICY], permissionsBoundaryARN=BOUNDARY)))
    assert stage.irsa("apply", "-f", file, **required).code == 0
    ran = stage.irsa("apply", "-f", write(stage, unique, eksctl(entry(permissionPolicyARNs=[POLICY]))))
    assert ran.code == 4, ran.err
    assert "permissionsBoundaryARN in the entry" in ran.err
    other = ROLE.replace("role-1", "role-11")
    ran = stage.irsa("apply", "-f", write(stage, f"{unique}-b", eksctl(entry(roleARN=other))))
    assert ran.code == 4, ran.err
    assert "in files roleARN" in ran.err
    assert "attachRoleARN" not in ran.err
    own = stage.irsa(
        "apply", "-f", write(stage, f"{unique}-c", bindings(attachPolicyARNs=[POLICY])), **required
    )
    assert "permissionsBoundary in the file" in own.err
