"""EKS Pod Identity in files: the documented forms of eksctl, and irsa's own, through their whole life.

https://docs.aws.amazon.com/eks/latest/eksctl/pod-identity-associations.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import make_role, trust_of, write_trust
from tests.support.acts import BINDINGS, EKSCTL, client, put, strike, writes
from tests.support.documents import doc
from tests.support.eks_states import add_addon
from tests.support.rows import Row, rows
from tests.support.stage import Stage

PODS = (
    '{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, '
    '"Action": ["sts:AssumeRole", "sts:TagSession"]}'
)
DOCUMENT = "{Version: '2012-10-17', Statement: [{Effect: Allow, Action: ['s3:Get*'], Resource: '*'}]}"
SESSION = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}]}'
)
HEAD = f"{EKSCTL}managedNodeGroups: [{{name: mng1}}]\naddons: [{{name: eks-pod-identity-agent}}]\n"
ENTRY = "{namespace: $ns, serviceAccountName: app, MORE}"
OWN = "{metadata: {name: app, namespace: $ns}, MORE}"
APPLY, DIFF, DELETE = "apply -f f.yaml", "diff -f f.yaml", "delete -f f.yaml --yes"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path, unique: str) -> Stage:
    """A cluster with the agent, and the roles and policies that the documented files name."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    for name in ("role-1", "role-2"):
        make_role(stage, name, doc(PODS))
    for name in ("permission-policy-1", "permission-boundary"):
        stage.iam().create_policy(PolicyName=name, PolicyDocument=SESSION)
    role = "arn:aws:iam::111122223333:role/role-"
    stage.words |= {
        "ns": unique,
        "one": f"'{role}1'",
        "two": f"'{role}2'",
        "target": "'arn:aws:iam::444455556666:role/role-b'",
        "policy": "'arn:aws:iam::111122223333:policy/permission-policy-1'",
        "boundary": "'arn:aws:iam::111122223333:policy/permission-boundary'",
        "document": DOCUMENT,
        "other": DOCUMENT.replace("Get", "List"),
        "session": f"'{SESSION}'",
    }
    stage.make_namespace(unique)
    return stage


def eksctl(stage: Stage, *fields: str, more: str = "") -> None:
    """Write a ClusterConfig with an association of such fields each."""
    entries = ", ".join(ENTRY.replace("MORE", text) for text in fields)
    put(stage, "f.yaml", f"{HEAD}iam: {{podIdentityAssociations: [{entries}]}}\n{more}")


def own(stage: Stage, fields: str) -> None:
    """Write irsa's own kind with one entry."""
    put(stage, "f.yaml", f"{BINDINGS}serviceAccounts: [{OWN.replace('MORE', fields)}]")


def associations(stage: Stage) -> list[Any]:
    """The associations of the namespace, described."""
    eks, cluster = client(stage, "eks"), {"clusterName": stage.cluster}
    listed = eks.list_pod_identity_associations(**cluster, namespace=stage.words["ns"])["associations"]
    return [
        eks.describe_pod_identity_association(**cluster, associationId=item["associationId"])["association"]
        for item in listed
    ]


READ = "permissionPolicyARNs: [$S3]"
CREATED = {
    "an existing role and a ServiceAccount": (
        "createServiceAccount: true, roleARN: $one",
        "createServiceAccount: true, roleARN: $two",
    ),
    "a role by name, policies and boundary": (
        "roleName: cache, permissionPolicyARNs: [$policy, $S3], permissionsBoundaryARN: $boundary, "
        "wellKnownPolicies: {autoScaler: true, externalDNS: true}",
        "roleName: cache, permissionPolicyARNs: [$SQS], permissionsBoundaryARN: $boundary, "
        "wellKnownPolicies: {autoScaler: true, externalDNS: false}",
    ),
    "another role by name": (
        "roleName: one, permissionPolicyARNs: [$policy]",
        "roleName: other, permissionPolicyARNs: [$policy]",
    ),
    "an inline policy": ("permissionPolicy: $document", "permissionPolicy: $other"),
    "an inline policy by name": (
        "permissionPolicy: $document, permissionPolicyName: scaling",
        "permissionPolicy: $document, permissionPolicyName: scaler",
    ),
    "a target role of an existing role": (
        "createServiceAccount: true, roleARN: $one, targetRoleARN: $target, disableSessionTags: true",
        "createServiceAccount: true, roleARN: $one, disableSessionTags: false",
    ),
    "a target role of a new role": (
        "wellKnownPolicies: {certManager: true}, targetRoleARN: $target",
        "wellKnownPolicies: {certManager: true}, targetRoleARN: 'arn:aws:iam::444455556666:role/role-c'",
    ),
    "a session policy and no session tags": (
        f"{READ}, policy: $session, disableSessionTags: true",
        f"{READ}, disableSessionTags: true",
    ),
    "tags": (f"{READ}, tags: {{team: a}}", f"{READ}, tags: {{team: b}}"),
    "roleName, which roleARN makes meaningless": (
        "roleARN: $one, roleName: unused",
        "roleARN: $two, roleName: unused",
    ),
    "irsa's own kind": (
        "attachPolicyARNs: [$S3], podIdentity: true",
        "attachPolicyARNs: [$S3], podIdentity: "
        "{sessionPolicy: $document, disableSessionTags: true, createServiceAccount: true}",
    ),
    "irsa's own kind, both ways": (
        "attachPolicyARNs: [$S3], also: pod-identity",
        "attachPolicyARNs: [$S3], also: pod-identity, "
        "podIdentity: {sessionPolicy: $document, disableSessionTags: true}",
    ),
    "irsa's own kind, an existing role with a target": (
        "attachRoleARN: $one, targetRole: $target, podIdentity: {disableSessionTags: true}",
        "attachRoleARN: $one, podIdentity: true",
    ),
}


@pytest.mark.parametrize("form", CREATED)
def test_created_again_changed_and_deleted(form: str, stage: Stage) -> None:
    stage.run("associate-oidc")
    before = stage.world()
    for text, more in zip(CREATED[form], ("", " --prune --yes --include $ns/*"), strict=True):
        (own if form.startswith("irsa's") else eksctl)(stage, text)
        stage.run(DIFF, code=6, changes="")
        stage.run(APPLY + more)
        assert len(associations(stage)) == 1
        unchanged(stage)
    stage.run(DELETE)
    assert stage.world() == before


def unchanged(stage: Stage) -> None:
    """A second run, alone or atomic, and a diff find nothing to write."""
    stage.sandbox.calls.clear()
    for line in (APPLY, f"{APPLY} --atomic"):
        stage.run(f"{line} -o json", says='"outcome": "unchanged"', changes="")
    stage.run(DIFF, changes="")
    assert not writes(stage)


def test_names_are_enough_to_delete(stage: Stage) -> None:
    before = stage.world()
    eksctl(stage, READ)
    stage.run(APPLY)
    put(stage, "f.yaml", f"{HEAD}iam: {{podIdentityAssociations: [{ENTRY.replace(', MORE', '')}]}}")
    stage.run(APPLY, code=2, says="has no role", changes="")
    stage.run(DELETE)
    assert stage.world() == before


def test_what_create_sa_made_is_as_desired(stage: Stage) -> None:
    stage.run("create-sa app -n $ns --pod-identity --attach-policy-arn $S3 --role-name own")
    eksctl(stage, READ)
    unchanged(stage)


def theirs(stage: Stage, account: str = "app") -> None:
    """An association of others."""
    role = stage.words["one"].strip("'")
    where = {"clusterName": stage.cluster, "namespace": stage.words["ns"], "serviceAccount": account}
    client(stage, "eks").create_pod_identity_association(**where, roleArn=role)


def test_prune_deletes_associations_of_irsa_only(stage: Stage) -> None:
    theirs(stage, "theirs")
    before = stage.world()
    eksctl(stage, "roleARN: $one", READ)
    put(stage, "f.yaml", (stage.folder / "f.yaml").read_text().replace("app, permission", "b, permission"))
    stage.run(APPLY)
    eksctl(stage)
    stage.run(f"{APPLY} --prune --yes --include $ns/*", says="$ns/app")
    assert stage.world() == before


def test_an_association_that_irsa_did_not_create(stage: Stage) -> None:
    theirs(stage)
    eksctl(stage, "roleARN: $one")
    unchanged(stage)
    eksctl(stage, "roleARN: $two")
    stage.run(APPLY, code=4, says="has an association that irsa did not create", changes="")
    stage.run(f"{APPLY} --override-existing-serviceaccounts")
    assert [item["roleArn"][-6:] for item in associations(stage)] == ["role-2"]
    stage.run(DELETE)
    assert len(associations(stage)) == 1


def test_a_role_that_pods_still_get_by_the_annotation(stage: Stage) -> None:
    stage.run("associate-oidc")
    own(stage, "attachPolicyARNs: [$S3]")
    stage.run(APPLY)
    eksctl(stage, READ)
    says = ("still gets its role by the annotation", "irsa migrate app -n $ns")
    stage.run(APPLY, code=4, says=says, changes="")
    for more in ("", " --finish"):
        stage.run(f"migrate app -n $ns --to pod-identity --yes{more}")
    unchanged(stage)
    own(stage, "attachPolicyARNs: [$S3]")
    stage.run(APPLY)
    unchanged(stage)
    assert len(associations(stage)) == 1, "removed by migrate --to irsa --finish"


def test_a_trust_policy_that_somebody_has_restricted(stage: Stage) -> None:
    eksctl(stage, f"{READ}, roleName: own")
    stage.run(APPLY)
    (statement,) = trust_of(stage, "own")["Statement"]
    statement["Condition"]["StringEquals"]["aws:SourceVpc"] = "vpc-1"
    write_trust(stage, "own", statement)
    stage.run(APPLY, code=4, says="was changed by someone else", changes="")
    stage.run(f"{APPLY} --force")


def test_a_saved_plan(stage: Stage) -> None:
    before = stage.world()
    for text in CREATED["a session policy and no session tags"]:
        eksctl(stage, text)
        stage.run(f"{APPLY} --dry-run --out plan.json", changes="")
        stage.run("apply plan.json --yes")
        unchanged(stage)
    stage.run(f"{DELETE} --dry-run --out plan.json".replace(" --yes", ""))
    stage.run("apply plan.json --yes")
    assert stage.world() == before


def test_no_agent(sandbox: Sandbox, tmp_path: Path) -> None:
    bare = sandbox_stage(sandbox, "demo", tmp_path)
    bare.words["ns"] = "backend"
    eksctl(bare, READ)
    irsa = "or use IRSA (an entry of serviceAccounts without podIdentity), which needs no agent"
    bare.run(APPLY, code=4, says=("aws eks create-addon", irsa), changes="")


def test_associations_that_can_not_be_read_are_not_called_missing(stage: Stage) -> None:
    eksctl(stage, READ)
    stage.run(APPLY)
    strike(stage, "eks ListPodIdentityAssociations error", code="AccessDeniedException")
    stage.run(APPLY, code=1, changes="")


def test_audit_knows_the_statement(stage: Stage) -> None:
    eksctl(stage, f"{READ}, roleName: own")
    stage.run(APPLY)
    stage.run("audit -o json --fail-on never", says="/own", silent="changed-since-irsa")


def test_what_add_ons_get_stays_as_it_is(stage: Stage) -> None:
    eksctl(stage, READ, more="addonsConfig: {autoApplyPodIdentityAssociations: true}")
    text = (stage.folder / "f.yaml").read_text()
    add_ons = (
        "addons: [{name: vpc-cni, podIdentityAssociations: [{serviceAccountName: aws-node, "
        "permissionPolicyARNs: [$S3]}]}, {name: aws-efs-csi-driver, useDefaultPodIdentityAssociations: true}, "
    )
    put(stage, "f.yaml", text.replace("addons: [", add_ons))
    says = (
        "addons vpc-cni: podIdentityAssociations",
        "addons aws-efs-csi-driver: useDefaultPodIdentityAssociations",
        "addonsConfig: autoApplyPodIdentityAssociations",
    )
    stage.run(APPLY, says=says)
    assert [item["serviceAccount"] for item in associations(stage)] == ["app"]


def with_boundary(stage: Stage) -> None:
    eksctl(stage, f"{READ}, permissionsBoundaryARN: $boundary")
    stage.run(APPLY)
    without(stage)


def without(stage: Stage) -> None:
    eksctl(stage, READ)


def without_own(stage: Stage) -> None:
    own(stage, "attachPolicyARNs: [$S3], podIdentity: true")


def no_role(stage: Stage) -> None:
    eksctl(stage, "roleARN: 'arn:aws:iam::111122223333:role/role-11'")


REQUIRED = {"IRSA_REQUIRE_PERMISSIONS_BOUNDARY": "1"}
FIELD = "permissionsBoundaryARN in the "


@rows(
    Row("demanded", APPLY, 4, f"{FIELD}file", "", "permissionsBoundary in", without, options=REQUIRED),
    Row("removed", APPLY, 4, f"{FIELD}entry", given=with_boundary),
    Row("no role", APPLY, 4, "in files roleARN", silent="attachRoleARN", given=no_role),
    Row("irsa's own", APPLY, 4, "permissionsBoundary in the file", given=without_own, options=REQUIRED),
)
def test_hints_name_the_fields_of_the_file(row: Row, stage: Stage) -> None:
    """`permissionsBoundary` is no field of an association, nor `attachRoleARN`: the file would be refused."""
    row.play(stage)
