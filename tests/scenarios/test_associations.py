"""What commands that write say of EKS Pod Identity, which takes ServiceAccounts over whatever they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.binding import make_binding
from tests.scenarios.conftest import sandbox_stage
from tests.support.sandbox_clients import administrator
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Ran, Stage

LIST = "ListPodIdentityAssociations"
NAME = "reader"
OTHER = "pods get the credentials of EKS Pod Identity"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's API is enough: associations are EKS' business."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def associate(stage: Stage, namespace: str, role: str = "", name: str = NAME) -> str:
    """An association, by default with a role of its own; returns that role.

    A role that is given keeps its trust policy, which it may have had otherwise when it was associated.
    """
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam, before = stage.iam(), ""
    if role:
        before = json.dumps(
            iam.get_role(RoleName=role.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
        )
        iam.update_assume_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyDocument=document)
    else:
        made = iam.create_role(RoleName=f"{namespace}-pi", AssumeRolePolicyDocument=document)
        role = str(made["Role"]["Arn"])
    eks = administrator(stage.sandbox, "eks", stage.account_id, stage.region)
    eks.create_pod_identity_association(
        clusterName=stage.cluster, namespace=namespace, serviceAccount=name, roleArn=role
    )
    if before:
        iam.update_assume_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyDocument=before)
    return role


def make_another(stage: Stage, namespace: str, name: str, arn: str) -> None:
    """Another ServiceAccount with a role like the one of this ARN, whose trust policy names it."""
    iam = stage.iam()
    trust = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    document = json.dumps(trust).replace(f"{namespace}:{NAME}", f"{namespace}:{name}")
    role = iam.create_role(RoleName=f"{namespace}-{name}", AssumeRolePolicyDocument=document)["Role"]
    stage.make_account(namespace, name, annotations={ROLE_ARN: role["Arn"]})


def create(stage: Stage, namespace: str, *more: str, user: str = "admin") -> Ran:
    policy = ("--associate-oidc", "--attach-policy-arn", READ_ONLY)
    return stage.irsa("create-sa", NAME, "-n", namespace, "-c", stage.cluster, *policy, *more, user=user)


def asked(stage: Stage) -> int:
    """How often the associations were asked for since the calls were forgotten."""
    return [call.operation for call in stage.sandbox.calls].count(LIST)


def last(ran: Ran) -> str:
    return ran.out.splitlines()[-1]


def test_create_sa_says_where_pods_get_their_credentials(stage: Stage, namespace: str) -> None:
    other = associate(stage, namespace)
    stage.sandbox.calls.clear()
    ran = create(stage, namespace, "--verify")
    assert ran.code == 0, ran.err
    assert OTHER in last(ran)
    assert other in last(ran)
    assert OTHER in ran.err
    assert asked(stage) == 1
    document = create(stage, namespace, "--verify", "-o", "json").item
    assert document["outcome"] == "unchanged"
    assert document["podIdentity"]["role"] == {"arn": other}


def test_create_sa_with_the_same_role_on_both_sides(stage: Stage, namespace: str) -> None:
    role = create(stage, namespace, "-o", "json").item["role"]["arn"]
    associate(stage, namespace, role)
    ran = create(stage, namespace, "--verify")
    assert f"{namespace}/{NAME} has the role {role}; EKS Pod Identity gives it to pods" in last(ran)
    assert OTHER not in ran.out + ran.err


def test_without_verify_the_same_is_said_of_what_is_planned_and_done(stage: Stage, namespace: str) -> None:
    other = associate(stage, namespace)
    planned = create(stage, namespace, "--dry-run")
    assert (planned.code, OTHER in planned.err, other in planned.err) == (0, True, True)
    done = create(stage, namespace)
    assert (done.code, OTHER in last(done), other in last(done)) == (0, True, True)
    again = create(stage, namespace)
    assert (again.code, other in last(again)) == (0, True)


def test_a_saved_plan_says_it_when_it_is_made_and_when_it_is_applied(stage: Stage, namespace: str) -> None:
    other = associate(stage, namespace)
    plan = str(stage.folder / f"{namespace}.json")
    planned = create(stage, namespace, "--dry-run", "--out", plan)
    assert (planned.code, other in planned.err) == (0, True), planned.err
    applied = stage.irsa("apply", plan, "--yes")
    assert (applied.code, other in applied.out + applied.err) == (0, True), applied.err


def test_create_sa_claims_no_more_than_it_did(stage: Stage, namespace: str) -> None:
    stage.sandbox.calls.clear()
    ran = create(stage, namespace)
    assert ran.code == 0, ran.err
    assert asked(stage) == 1
    assert f"{namespace}/{NAME} has the role arn:" in last(ran)
    assert last(ran).endswith(". Pods that start from now on use it.")
    document = create(stage, namespace, "--verify", "-o", "json").item
    assert document["podIdentity"] is None
    assert document["notes"] == []
    assert asked(stage) == 2


FAULTS = {
    "forbidden": {"kind": "error", "status": 403, "code": "AccessDeniedException"},
    "failing": {"kind": "error", "status": 500, "code": "ServerException"},
    "silent": {"kind": "hang", "seconds": 30.0},
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_can_not_be_asked_is_said_and_fails_nothing(what: str, stage: Stage, namespace: str) -> None:
    fault: Json = FAULTS[what]
    stage.sandbox.faults.add(Fault("eks", LIST, **fault, times=None))
    ran = create(stage, namespace, "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["verifications"][0]["roleSession"]
    assert "podIdentity" not in ran.item
    assert "did not check whether EKS Pod Identity takes precedence" in str(ran.item["notes"])


def test_a_run_that_fails_says_nothing_of_associations(stage: Stage, namespace: str) -> None:
    associate(stage, namespace)
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    ran = create(stage, namespace, "--verify", "-o", "json")
    assert ran.code == 1
    assert "podIdentity" not in ran.item
    assert OTHER not in ran.err


def test_update_sa_says_where_pods_get_their_credentials(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    update = ("update-sa", NAME, "-n", namespace, "-c", stage.cluster, "--token-expiration")
    stage.sandbox.calls.clear()
    plain = stage.irsa(*update, "3600")
    assert last(plain).endswith("Restart running pods for the change to take effect.")
    assert asked(stage) == 1
    other = associate(stage, namespace)
    ran = stage.irsa(*update, "7200", "--verify")
    assert ran.code == 0, ran.err
    assert OTHER in last(ran)
    assert other in last(ran)
    assert "restarted" not in last(ran)
    assert asked(stage) == 2


def test_adopt_says_where_pods_get_their_credentials(stage: Stage, namespace: str) -> None:
    make_binding(stage, namespace)
    other = associate(stage, namespace)
    stage.sandbox.calls.clear()
    for more in (["--dry-run"], []):
        ran = stage.irsa("adopt", NAME, "-n", namespace, "-c", stage.cluster, *more)
        assert ran.code == 0, ran.err
        assert OTHER in ran.err
    assert f"; but {OTHER}" in last(ran)
    assert other in last(ran)
    assert asked(stage) == 2


def test_adopt_of_all_asks_once(stage: Stage, namespace: str) -> None:
    arn = make_binding(stage, namespace)
    for name in ("other", "third"):
        make_another(stage, namespace, name, arn)
    other = associate(stage, namespace)
    stage.sandbox.calls.clear()
    ran = stage.irsa("adopt", "--all", "-n", namespace, "-c", stage.cluster, "-o", "json")
    assert ran.code == 0, ran.err
    found = {item["serviceAccount"]["name"]: item["podIdentity"] for item in ran.items}
    assert (found["other"], found["third"]) == (None, None)
    assert found[NAME]["role"] == {"arn": other}
    assert f"{namespace}/{NAME}: {OTHER}" in ran.err
    assert asked(stage) == 2, "all at once, then the one with its role"


@pytest.mark.parametrize("more", [(), ("--atomic",)])
def test_apply_notes_what_takes_over(more: tuple[str, ...], stage: Stage, namespace: str) -> None:
    accounts = "".join(
        f"    - metadata: {{name: {name}, namespace: {namespace}}}\n      attachPolicyARNs: [{READ_ONLY}]\n"
        for name in (NAME, "other")
    )
    file = stage.folder / f"{namespace}.yaml"
    file.write_text(
        "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: demo, region: eu-west-1}\n"
        f"iam:\n  withOIDC: true\n  serviceAccounts:\n{accounts}",
        encoding="utf-8",
    )
    associate(stage, namespace)
    stage.sandbox.calls.clear()
    ran = stage.irsa("apply", "-f", str(file), "--verify", *more)
    assert ran.code == 0, ran.err
    assert ran.err.count(OTHER) == 1
    assert asked(stage) == 2, "all at once, then the one with its role"
    for command in (("apply", *more), ("diff",)):
        again = stage.irsa(command[0], "-f", str(file), *command[1:])
        assert (again.code, again.err.count(OTHER)) == (0, 1), again.err


@pytest.mark.parametrize("which", [("--all",), (NAME,)], ids=["of all", "by name"])
@pytest.mark.parametrize("same", [True, False], ids=["the same role", "another role"])
def test_verify_does_not_call_pods_right_whose_role_is_not_told(
    same: bool, which: tuple[str, ...], stage: Stage, namespace: str
) -> None:
    role = create(stage, namespace, "-o", "json").item["role"]["arn"]
    other = associate(stage, namespace, role if same else "")
    verify = ("verify", *which, "-n", namespace, "-c", stage.cluster)
    seen = stage.irsa(*verify)
    assert seen.code == (0 if same else 5), seen.out
    assert same or other in seen.out
    fault: Json = FAULTS["forbidden"]
    stage.sandbox.faults.add(Fault("eks", "DescribePodIdentityAssociation", **fault, times=None))
    hidden = stage.irsa(*verify)
    assert hidden.code == 1, hidden.out
    assert "undetermined" in hidden.out.lower()
    assert "EKS did not return its role" in hidden.out
