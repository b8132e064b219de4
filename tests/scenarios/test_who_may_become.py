"""Who may become a ServiceAccount, by RBAC and by EKS: describe-sa and audit, on both Kubernetes APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_cli.sandbox.model import RoleSpec
from tests.scenarios.breaking import NAME, Binding
from tests.support.eks_states import describe_cluster_as
from tests.support.sandbox_clients import EC2_TRUST, administrator
from tests.support.stage import ACCOUNT, EVERYTHING, Json, Ran, Stage

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
DEV = f"arn:aws:iam::{ACCOUNT}:role/Dev"
EDIT = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
EC2 = json.loads(EC2_TRUST)
POLICIES = "arn:aws:eks::aws:cluster-access-policy"


def put(stage: Stage, kind: str, body: Json, namespace: str = "") -> None:
    """Make one of RBAC's objects."""
    path = f"{RBAC}/namespaces/{namespace}/{kind}" if namespace else f"{RBAC}/{kind}"
    answer = stage.kube.create(path, body)
    assert answer.status == 201, answer.text


def bind(stage: Stage, namespace: str, name: str, subject: Json, *rules: Json) -> None:
    """A Role of these rules, and the binding of it."""
    if rules:
        put(stage, "roles", {"metadata": {"name": name}, "rules": list(rules)}, namespace)
    body = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name},
        "subjects": [subject],
    }
    put(stage, "rolebindings", body, namespace)


def rule(verb: str, resource: str, group: str = "") -> Json:
    return {"verbs": [verb], "apiGroups": [group], "resources": [resource]}


def group(name: str) -> Json:
    return {"apiGroup": GROUP, "kind": "Group", "name": name}


def describe(stage: Stage, namespace: str, *arguments: str, user: str = "admin") -> Ran:
    return stage.irsa("describe-sa", NAME, "-n", namespace, "-c", stage.cluster, *arguments, user=user)


def takers(found: Json, namespace: str) -> dict[str, Json]:
    """Who may become it by a binding of the namespace, by the subject's name."""
    told = found["whoMayBecome"]
    return {item["subject"]["name"]: item for item in told if item["binding"]["namespace"] == namespace}


def eks(stage: Stage) -> Any:
    return administrator(stage.sandbox, "eks", stage.account_id, stage.region)


def test_from_an_iam_principal_to_the_role(stage: Stage, binding: Binding) -> None:
    space = binding.namespace
    bind(stage, space, "devs", group(f"{space}-devs"), rule("create", "pods"))
    bind(
        stage, space, "own", {"kind": "ServiceAccount", "namespace": space, "name": NAME}, rule("get", "pods")
    )
    client = eks(stage)
    stage.sandbox.put_roles([RoleSpec(DEV.rsplit("/", 1)[-1], EC2)])
    client.create_access_entry(
        clusterName=stage.cluster, principalArn=DEV, kubernetesGroups=[f"{space}-devs"]
    )
    found = describe(stage, space, "-o", "json").item["kubernetes"]
    assert found["unseen"] == []
    (taker,) = takers(found, space).values()
    assert taker["subject"] == {"kind": "Group", "namespace": None, "name": f"{space}-devs"}
    assert taker["principals"] == [{"arn": DEV, "by": "access entry"}]
    assert taker["role"] == {"kind": "Role", "name": "devs"}
    assert [(item["way"], item["rule"], item["if"]) for item in taker["rights"]] == [("create-pod", 1, [])]
    (own,) = [item for item in found["permissions"] if item["binding"]["namespace"] == space]
    assert (own["state"], own["rules"][0]["verbs"]) == ("ok", ["get"])
    text = " ".join(describe(stage, space).out.split())
    role = binding.role_arn.rsplit("/", 1)[-1]
    chain = f"{DEV} (access entry) -> Group {space}-devs -> {space}/{NAME} -> role {role}: create pods"
    assert f"{chain} (RoleBinding {space}/devs, Role devs rule 1)" in text
    assert f"in {space}: get pods (RoleBinding {space}/own, Role own)" in text
    audit = stage.irsa("audit", "-c", stage.cluster, "--service-account", f"{space}/{NAME}")
    assert chain in " ".join(audit.out.split())


def test_access_policies_hold_in_their_namespaces(stage: Stage, binding: Binding) -> None:
    space, client = binding.namespace, eks(stage)
    for name, scope in (("Here", f"{space[:-1]}*"), ("There", f"{space}-2")):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        stage.sandbox.put_roles([RoleSpec(name, EC2)])
        client.create_access_entry(clusterName=stage.cluster, principalArn=arn)
        client.associate_access_policy(
            clusterName=stage.cluster,
            principalArn=arn,
            policyArn=EDIT,
            accessScope={"type": "namespace", "namespaces": [scope]},
        )
    new = f"{POLICIES}/AmazonEKSOfTomorrowPolicy"
    client.associate_access_policy(
        clusterName=stage.cluster, principalArn=arn, policyArn=new, accessScope={"type": "cluster"}
    )
    ran = describe(stage, space, "-o", "json")
    found = ran.item["kubernetes"]
    policies = [item for item in found["whoMayBecome"] if item["binding"]["kind"] == "AccessPolicy"]
    ways = {
        item["subject"]["name"].rpartition("/")[2]: {right["way"] for right in item["rights"]}
        for item in policies
    }
    assert "create-pod" in ways.pop("Here")
    # From another namespace a pod of it can be reached by the files of its node only.
    assert set().union(*ways.values()) <= {"mount-host"}
    assert found["unseen"] == ["irsa does not know the access policy AmazonEKSOfTomorrowPolicy"]
    assert any("AmazonEKSOfTomorrowPolicy" in note for note in ran.metadata["notes"])


def test_the_parts_of_kubernetes_are_counted_only(stage: Stage, binding: Binding) -> None:
    body = {
        "metadata": {
            "name": f"system:{binding.namespace}",
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        },
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": f"r-{binding.namespace}"},
        "subjects": [
            {"kind": "ServiceAccount", "namespace": "kube-system", "name": "replicaset-controller-2"}
        ],
    }
    put(
        stage,
        "clusterroles",
        {"metadata": {"name": f"r-{binding.namespace}"}, "rules": [rule("create", "pods")]},
    )
    put(stage, "clusterrolebindings", body)
    found = describe(stage, binding.namespace, "-o", "json").item["kubernetes"]["whoMayBecome"]
    (part,) = [item for item in found if item["subject"]["name"] == "replicaset-controller-2"]
    assert part["partOfKubernetes"]
    text = describe(stage, binding.namespace).out
    assert "replicaset-controller-2" not in text
    assert "of Kubernetes itself" in text


def test_what_may_not_be_read_is_never_nobody(stage: Stage, binding: Binding) -> None:
    user = stage.restricted((("get", "list"), ("serviceaccounts", "pods")))
    denied = {"Effect": "Deny", "Action": "eks:ListAccessEntries", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [EVERYTHING["Statement"], denied]}
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=json.dumps(policy))
    ran = describe(stage, binding.namespace, "-o", "json", user=user)
    assert (ran.code, ran.item["status"]) == (1, "ok")
    unseen = ran.item["kubernetes"]["unseen"]
    assert len(unseen) == 5
    assert "Roles were not read: missing RBAC permission: list roles" in unseen
    assert any("eks:ListAccessEntries" in line for line in unseen)
    assert "who can act as it: Roles were not read" in " ".join(ran.metadata["notes"])
    text = describe(stage, binding.namespace, user=user).out
    assert text.count("not all is known") == 2
    assert "nobody" not in text


@pytest.mark.parametrize("mode", ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"])
def test_aws_auth_counts_where_the_cluster_looks_at_it(stage: Stage, binding: Binding, mode: str) -> None:
    space = binding.namespace
    describe_cluster_as(stage.sandbox, stage.cluster, accessConfig={"authenticationMode": mode})
    bind(stage, space, "devs", group(f"{space}-devs"), rule("create", "serviceaccounts/token"))
    bind(stage, space, "bob", {"apiGroup": GROUP, "kind": "User", "name": "bob"}, rule("create", "pods"))
    data = {
        "mapRoles": f"- rolearn: {DEV}\n  username: dev:{{{{SessionName}}}}\n  groups: [{space}-devs]\n",
        "mapUsers": f"- userarn: arn:aws:iam::{ACCOUNT}:user/bob\n  username: bob\n  groups:\n",
    }
    path = "/api/v1/namespaces/kube-system/configmaps"
    stage.kube.delete(f"{path}/aws-auth")
    assert stage.kube.create(path, {"metadata": {"name": "aws-auth"}, "data": data}).status == 201
    found = takers(describe(stage, space, "-o", "json").item["kubernetes"], space)
    stage.kube.delete(f"{path}/aws-auth")
    behind = {name: [(p["arn"], p["by"]) for p in item["principals"]] for name, item in found.items()}
    roles, users = [(DEV, "aws-auth mapRoles")], [(f"arn:aws:iam::{ACCOUNT}:user/bob", "aws-auth mapUsers")]
    looked = mode != "API"
    assert behind == {f"{space}-devs": roles if looked else [], "bob": users if looked else []}
