"""What `eksctl utils migrate-to-pod-identity` damages and `irsa migrate` leaves as it was.

Each test is one of them, as its source has it (eksctl-io/eksctl 03aee6c, pkg/actions/podidentityassociation:
migrator.go, tasks.go); eksctl itself was not run. A ServiceAccount is replaced by its metadata, all
statements with an OIDC provider are removed, the trust policy is read into a structure and written again, the
new statement has no condition, a stack is updated from a template that has no policies, an association that
is there was an error (until issue 7753), the old way is removed before the new one is there, and the role of
another account is looked for in this one.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import GITHUB, NAME, THEIRS, associations, create, eks, migrate, world
from tests.scenarios.test_migrate_clients import AGENT, STS, Fleet, sts_of
from tests.support.eks_states import add_addon
from tests.support.stage import ROLE_ARN, Json, Stage

SERVICE = "pods.eks.amazonaws.com"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """With the agent. The sandbox's API is enough: associations are EKS' business."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def role_name(stage: Stage, namespace: str) -> str:
    return str(stage.role_of(namespace, NAME)["arn"]).rsplit("/", 1)[-1]


def moved(stage: Stage, namespace: str, *more: str) -> None:
    """All of the way, in both steps."""
    for step in ((), ("--finish", *more)):
        ran = migrate(stage, "pod-identity", NAME, "-n", namespace, *step)
        assert ran.code == 0, ran.err


def add_statements(stage: Stage, namespace: str, *statements: Json) -> None:
    """Let somebody else put statements before and after irsa's."""
    name = role_name(stage, namespace)
    trust = stage.iam().get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    whole = [*statements[:1], *trust["Statement"], *statements[1:]]
    document = json.dumps({**trust, "Statement": whole})
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=document)


def statements_of(stage: Stage, name: str) -> list[Json]:
    found: list[Json] = stage.world()["roles"][name]["trust"]["Statement"]
    return found


def test_the_rest_of_the_service_account_stays(stage: Stage, namespace: str) -> None:
    """eksctl: replaced by its metadata alone, so pods can't pull their images any more."""
    stage.make_account(
        namespace, NAME, labels={"app.kubernetes.io/managed-by": "Helm"}, secrets=("registry",)
    )
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}"
    rest = {"secrets": [{"name": "token"}], "automountServiceAccountToken": False}
    assert stage.kube.patch(path, {**rest, "metadata": {"annotations": {"note": "theirs"}}}).status == 200
    create(stage, namespace, NAME, "--override-existing-serviceaccounts")
    moved(stage, namespace)
    body = stage.kube.get(path).body
    assert body["imagePullSecrets"] == [{"name": "registry"}]
    assert {key: body[key] for key in rest} == rest
    assert body["metadata"]["annotations"]["note"] == "theirs"
    assert body["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert ROLE_ARN not in body["metadata"]["annotations"]


@pytest.mark.parametrize("more", [(), ("--include-managed",)], ids=["own", "all"])
def test_other_clusters_and_github_keep_the_role(stage: Stage, namespace: str, more: tuple[str, ...]) -> None:
    """eksctl --remove-oidc-provider-trust-relationship: all statements with an OIDC provider are removed."""
    create(stage, namespace)
    name = role_name(stage, namespace)
    issuer = eks(stage).describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
    here = issuer.removeprefix("https://")
    own = json.dumps(statements_of(stage, name)[0])
    other = json.loads(own.replace(here, "oidc.eks.eu-west-1.amazonaws.com/id/OTHER"))
    add_statements(stage, namespace, GITHUB, other, THEIRS)
    moved(stage, namespace, *more)
    *kept, new = statements_of(stage, name)
    assert kept == [GITHUB, other, THEIRS]
    assert new["Principal"] == {"Service": SERVICE}


def test_statements_of_others_stay_as_they_are_written(stage: Stage, namespace: str) -> None:
    """eksctl: read into a structure that knows some elements, and written again in its own form."""
    create(stage, namespace)
    name = role_name(stage, namespace)
    account = f"arn:aws:iam::{stage.account_id}:root"
    odd = {
        "Sid": "BreakGlass",
        "Effect": "Deny",
        "Principal": {"AWS": [account]},
        "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
    }
    single = {
        **THEIRS,
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": ["a", "b"]}},
    }
    add_statements(stage, namespace, odd, single)
    moved(stage, namespace)
    assert statements_of(stage, name)[:2] == [odd, single]


def test_the_role_is_for_this_service_account_only(stage: Stage, namespace: str) -> None:
    """eksctl: the statement has no condition, so any association in the account gets the role."""
    create(stage, namespace)
    arn = stage.role_of(namespace, NAME)["arn"]
    moved(stage, namespace)
    stage.make_account(namespace, "other")
    eks(stage).create_pod_identity_association(
        clusterName=stage.cluster, namespace=namespace, serviceAccount="other", roleArn=arn
    )
    assert agent(stage, namespace, NAME) == 200
    assert agent(stage, namespace, "other") == 400


def agent(stage: Stage, namespace: str, account: str) -> int:
    """The agent's status for a token of a ServiceAccount."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    spec = {"audiences": [SERVICE], "expirationSeconds": 600}
    token = stage.kube.create(path, {"metadata": {}, "spec": spec}).body["status"]["token"]
    request = urllib.request.Request(stage.sandbox.agent_url, headers={"Authorization": token})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_policies_boundary_and_settings_of_the_role_stay(stage: Stage, namespace: str) -> None:
    """eksctl: the role's stack is updated from a template that has the trust policy alone."""
    more = ("--permissions-boundary", "arn:aws:iam::aws:policy/PowerUserAccess", "--tags", "team=a")
    create(stage, namespace, NAME, *more, "--max-session-duration", "7200")
    name = role_name(stage, namespace)
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    stage.iam().put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document))
    before = plain(stage, name)
    moved(stage, namespace)
    assert plain(stage, name) == before
    assert before["inline"]
    assert before["attached"]


def plain(stage: Stage, name: str) -> Json:
    """The role without its trust policy, and without irsa's note that it is complete."""
    role: dict[str, Any] = dict(stage.world()["roles"][name])
    tags = {key: text for key, text in role["tags"].items() if key != "irsa/commit"}
    return {**role, "trust": None, "tags": tags}


@pytest.mark.parametrize("call", ["ListPodIdentityAssociations", "CreatePodIdentityAssociation"])
def test_after_an_interruption_the_same_command_goes_on(stage: Stage, namespace: str, call: str) -> None:
    """eksctl: "Association already exists", until eksctl-io/eksctl#7753."""
    create(stage, namespace)
    stage.sandbox.faults.add(Fault("eks", call, "error-after", run=None if call[0] == "L" else stage.kill))
    migrate(stage, "pod-identity", NAME, "-n", namespace)
    stage.sandbox.faults.clear()
    stage.sandbox.settle()
    for _ in range(2):
        ran = migrate(stage, "pod-identity", NAME, "-n", namespace)
        assert ran.code == 0, ran.err
    assert set(associations(stage)) == {f"{namespace}/{NAME}"}
    services = [
        item["Principal"].get("Service") for item in statements_of(stage, role_name(stage, namespace))
    ]
    assert services.count(SERVICE) == 1


def test_running_pods_keep_their_role_until_they_are_restarted(stage: Stage, namespace: str) -> None:
    """eksctl: statement and annotation are removed before there is an association; no pod is restarted."""
    create(stage, namespace)
    pods = Fleet(stage, namespace, [NAME])
    pods.start()
    client, sts, failed = pods.clients[NAME], sts_of(stage), list[str]()
    assert client.way == STS

    def look() -> None:
        failed.append(client.fetch(sts))
        new = pods.client(NAME, 1)
        failed.append(new.fetch(sts))
        stage.kube.delete(f"/api/v1/namespaces/{namespace}/pods/{NAME}-1")

    for call in (("iam", "UpdateAssumeRolePolicy"), ("eks", "CreatePodIdentityAssociation")):
        stage.sandbox.faults.add(Fault(*call, "callback", run=look))
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    look()
    before = world(stage)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish")
    assert ran.code == 4, ran.err
    assert "running pod" in ran.err
    assert world(stage) == before
    look()
    assert failed == [""] * 8
    assert pods.client(NAME, 1).way == AGENT


def test_a_role_of_the_same_name_in_this_account_stays(stage: Stage, namespace: str) -> None:
    """eksctl: the role of another account is looked for in this one, by its name."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    stage.iam().create_role(RoleName=f"{namespace}-x", AssumeRolePolicyDocument=document)
    elsewhere = f"arn:aws:iam::999900001111:role/{namespace}-x"
    stage.make_account(namespace, NAME, annotations={ROLE_ARN: elsewhere})
    before = world(stage)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 4
    assert world(stage) == before
