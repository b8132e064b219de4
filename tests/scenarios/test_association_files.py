"""EKS Pod Identity in files: the documented forms of eksctl, and irsa's own, through their whole life.

https://docs.aws.amazon.com/eks/latest/eksctl/pod-identity-associations.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import make_role, trust_of, write_trust
from tests.support.acts import (
    BINDINGS,
    EKSCTL,
    Deed,
    after,
    changed,
    client,
    fault,
    put,
    refused,
    there_and_back,
    unchanged,
    writes,
    written,
)
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


def eksctl(*fields: str, more: str = "") -> Deed:
    """A ClusterConfig with an association of such fields each."""
    entries = ", ".join(f"{{namespace: $ns, {text}}}" for text in fields)
    return written("f.yaml", f"{HEAD}iam: {{podIdentityAssociations: [{entries}]}}\n{more}")


def own(*fields: str) -> Deed:
    """Irsa's own kind with an entry of such fields each."""
    entries = (
        f"{{metadata: {{name: app{number or ''}, namespace: $ns}}, {text}}}"
        for number, text in enumerate(fields)
    )
    return written("f.yaml", f"{BINDINGS}serviceAccounts: [{', '.join(entries)}]")


def all_of_eksctl(*fields: str) -> Deed:
    return eksctl(*(f"serviceAccountName: app{number}, {text}" for number, text in enumerate(fields)))


APP = "serviceAccountName: app"


def app(fields: str, **more: str) -> Deed:
    """A ClusterConfig with an association of app."""
    return eksctl(f"{APP}, {fields}", **more)


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
}
OWN_KIND = {
    "plain": (
        "attachPolicyARNs: [$S3], podIdentity: true",
        "attachPolicyARNs: [$S3], podIdentity: "
        "{sessionPolicy: $document, disableSessionTags: true, createServiceAccount: true}",
    ),
    "both ways": (
        "attachPolicyARNs: [$S3], also: pod-identity",
        "attachPolicyARNs: [$S3], also: pod-identity, "
        "podIdentity: {sessionPolicy: $document, disableSessionTags: true}",
    ),
    "an existing role with a target": (
        "attachRoleARN: $one, targetRole: $target, podIdentity: {disableSessionTags: true}",
        "attachRoleARN: $one, podIdentity: true",
    ),
}


@pytest.mark.parametrize(
    ("file", "forms"), [(all_of_eksctl, CREATED), (own, OWN_KIND)], ids=["eksctl", "own"]
)
def test_created_again_changed_and_deleted(file: Any, forms: dict[str, Any], stage: Stage) -> None:
    stage.run("associate-oidc")
    before = stage.world()
    for texts, more in zip(zip(*forms.values(), strict=True), ("", PRUNE), strict=True):
        file(*texts)(stage)
        stage.run(DIFF, code=6, changes="")
        stage.run(APPLY + more)
        assert len(associations(stage)) == len(forms)
        as_desired(stage)
    stage.run(DELETE)
    assert stage.world() == before


PRUNE = " --prune --yes --include $ns/*"


def as_desired(stage: Stage) -> None:
    """A second run, alone or atomic, and a diff find nothing to write."""
    stage.sandbox.calls.clear()
    for line in (APPLY, f"{APPLY} --atomic"):
        unchanged(stage, f"{line} -o json", '"outcome": "unchanged"')
    unchanged(stage, DIFF)
    assert not writes(stage)


PLAIN = app(READ)


def test_names_are_enough_to_delete(stage: Stage) -> None:
    before = stage.world()
    after(PLAIN, APPLY, eksctl(APP))(stage)
    stage.run(APPLY, code=2, says="has no role", changes="")
    stage.run(DELETE)
    changed(stage, before, "")


def test_what_create_sa_made_is_as_desired(stage: Stage) -> None:
    after("create-sa app -n $ns --pod-identity --attach-policy-arn $S3 --role-name own", PLAIN)(stage)
    as_desired(stage)


def theirs(stage: Stage, account: str = "app") -> None:
    """An association of others."""
    where = {"clusterName": stage.cluster, "namespace": stage.words["ns"], "serviceAccount": account}
    client(stage, "eks").create_pod_identity_association(**where, roleArn=stage.words["one"].strip("'"))


def test_prune_deletes_associations_of_irsa_only(stage: Stage) -> None:
    theirs(stage, "theirs")
    two = eksctl(f"{APP}, roleARN: $one", f"serviceAccountName: b, {READ}")
    there_and_back(stage, two, APPLY, eksctl(), f"{APPLY} --prune --yes --include $ns/*")


def test_an_association_that_irsa_did_not_create(stage: Stage) -> None:
    after(theirs, app("roleARN: $one"))(stage)
    as_desired(stage)
    app("roleARN: $two")(stage)
    refused(stage, APPLY, "has an association that irsa did not create")
    stage.run(f"{APPLY} --override-existing-serviceaccounts")
    before = associations(stage)
    assert [item["roleArn"][-6:] for item in before] == ["role-2"]
    stage.run(DELETE)
    assert len(associations(stage)) == 1


def test_a_role_that_pods_still_get_by_the_annotation(stage: Stage) -> None:
    by_annotation = own("attachPolicyARNs: [$S3]")
    after("associate-oidc", by_annotation, APPLY, PLAIN)(stage)
    says = ("still gets its role by the annotation", "irsa migrate app -n $ns")
    refused(stage, APPLY, says)
    migrate = "migrate app -n $ns --to pod-identity --yes"
    after(migrate, f"{migrate} --finish", as_desired, by_annotation, APPLY, as_desired)(stage)
    assert len(associations(stage)) == 1, "removed by migrate --to irsa --finish"


def test_a_trust_policy_that_somebody_has_restricted(stage: Stage) -> None:
    after(app(f"{READ}, roleName: own"), APPLY)(stage)
    (statement,) = trust_of(stage, "own")["Statement"]
    statement["Condition"]["StringEquals"]["aws:SourceVpc"] = "vpc-1"
    write_trust(stage, "own", statement)
    refused(stage, APPLY, "was changed by someone else")
    stage.run(f"{APPLY} --force")


def test_a_saved_plan(stage: Stage) -> None:
    before = stage.world()
    for text in CREATED["a session policy and no session tags"]:
        app(text)(stage)
        unchanged(stage, f"{APPLY} --dry-run --out plan.json")
        stage.run("apply plan.json --yes")
        as_desired(stage)
    after("delete -f f.yaml --dry-run --out plan.json", "apply plan.json --yes")(stage)
    changed(stage, before, "")


def test_no_agent(sandbox: Sandbox, tmp_path: Path) -> None:
    bare = sandbox_stage(sandbox, "demo", tmp_path)
    bare.words["ns"] = "backend"
    PLAIN(bare)
    irsa = "or use IRSA (an entry of serviceAccounts without podIdentity), which needs no agent"
    refused(bare, APPLY, ("aws eks create-addon", irsa))


ADD_ONS = """addons:
- {name: vpc-cni, podIdentityAssociations: [{serviceAccountName: aws-node, permissionPolicyARNs: [$S3]}]}
- {name: aws-efs-csi-driver, useDefaultPodIdentityAssociations: true}
"""
NOT_MANAGED = (
    "addons vpc-cni: podIdentityAssociations",
    "addons aws-efs-csi-driver: useDefaultPodIdentityAssociations",
    "addonsConfig: autoApplyPodIdentityAssociations",
)


def test_what_add_ons_get_stays_as_it_is(stage: Stage) -> None:
    app(READ, more="addonsConfig: {autoApplyPodIdentityAssociations: true}")(stage)
    text = (stage.folder / "f.yaml").read_text()
    put(stage, "f.yaml", re.sub("addons: .*\n", ADD_ONS, text))
    stage.run(APPLY, says=NOT_MANAGED)
    assert [item["serviceAccount"] for item in associations(stage)] == ["app"]


BOUND = app(f"{READ}, permissionsBoundaryARN: $boundary")
OWN = own("attachPolicyARNs: [$S3], podIdentity: true")
NO_ROLE = app("roleARN: 'arn:aws:iam::111122223333:role/role-11'")
UNREAD = fault("eks ListPodIdentityAssociations error", code="AccessDeniedException")
AUDIT = "audit -o json --fail-on never"
REQUIRED = {"IRSA_REQUIRE_PERMISSIONS_BOUNDARY": "1"}
FIELD = "permissionsBoundaryARN in the "


@rows(
    Row("demanded", APPLY, 4, f"{FIELD}file", "", "permissionsBoundary in", PLAIN, options=REQUIRED),
    Row("removed", APPLY, 4, f"{FIELD}entry", given=after(BOUND, APPLY, PLAIN)),
    Row("no role", APPLY, 4, "in files roleARN", silent="attachRoleARN", given=NO_ROLE),
    Row("unreadable is not missing", APPLY, 1, given=after(PLAIN, APPLY, UNREAD)),
    Row(
        "audit",
        AUDIT,
        0,
        "/own",
        silent="changed-since-irsa",
        given=after(app(f"{READ}, roleName: own"), APPLY),
    ),
    Row("irsa's own", APPLY, 4, "permissionsBoundary in the file", given=OWN, options=REQUIRED),
)
def test_hints_name_the_fields_of_the_file(row: Row, stage: Stage) -> None:
    """`permissionsBoundary` is no field of an association, nor `attachRoleARN`: the file would be refused."""
    row.play(stage)
