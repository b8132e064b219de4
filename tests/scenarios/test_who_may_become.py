"""Who may become a ServiceAccount, by RBAC and by EKS: describe-sa and audit, on both Kubernetes APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_cli.sandbox.model import RoleSpec
from tests.scenarios.breaking import Binding
from tests.support.documents import policy
from tests.support.eks_states import describe_cluster_as
from tests.support.sandbox_clients import EC2_TRUST, administrator
from tests.support.stage import ACCOUNT, Json, Stage, made

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
DEV = f"arn:aws:iam::{ACCOUNT}:role/Dev"
POLICIES = "arn:aws:eks::aws:cluster-access-policy"
DESCRIBE = "describe-sa doctor-reader -n $ns"


def bind(stage: Stage, name: str, subject: Json, right: str) -> None:
    """A Role of one rule (`create pods`), and the binding of it, in the namespace."""
    verb, resource = right.split()
    path = f"{RBAC}/namespaces/{stage.words['ns']}"
    rules = [{"verbs": [verb], "apiGroups": [""], "resources": [resource]}]
    made(stage.kube.create(f"{path}/roles", {"metadata": {"name": name}, "rules": rules}))
    role = {"apiGroup": GROUP, "kind": "Role", "name": name}
    body = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    made(stage.kube.create(f"{path}/rolebindings", body))


def of_kind(kind: str, name: str) -> Json:
    return {"apiGroup": GROUP, "kind": kind, "name": name}


def become(stage: Stage) -> Json:
    """What describe-sa tells of Kubernetes."""
    found: Json = stage.run(f"{DESCRIBE} -o json").item["kubernetes"]
    return found


def takers(stage: Stage) -> dict[str, Json]:
    """Who may become it by a binding of the namespace, by the subject's name."""
    told = become(stage)["whoMayBecome"]
    return {
        item["subject"]["name"]: item for item in told if item["binding"]["namespace"] == stage.words["ns"]
    }


def enter(stage: Stage, name: str, policy: str = "", namespace: str = "", **more: Any) -> None:
    """An access entry for a role, with an access policy."""
    eks = administrator(stage.sandbox, "eks", stage.account_id, stage.region)
    who = {"clusterName": stage.cluster, "principalArn": f"arn:aws:iam::{ACCOUNT}:role/{name}"}
    if not policy or namespace:
        stage.sandbox.put_roles([RoleSpec(name, json.loads(EC2_TRUST))])
        eks.create_access_entry(**who, **more)
    if policy:
        scope = {"type": "namespace", "namespaces": [namespace]} if namespace else {"type": "cluster"}
        eks.associate_access_policy(policyArn=f"{POLICIES}/{policy}", accessScope=scope, **who)


def test_from_an_iam_principal_to_the_role(stage: Stage, binding: Binding) -> None:
    space = binding.namespace
    bind(stage, "devs", of_kind("Group", f"{space}-devs"), "create pods")
    account = {"kind": "ServiceAccount", "namespace": space, "name": "doctor-reader"}
    bind(stage, "own", account, "get pods")
    enter(stage, "Dev", kubernetesGroups=[f"{space}-devs"])
    found = become(stage)
    assert found["unseen"] == []
    (taker,) = takers(stage).values()
    assert taker["subject"] == {"kind": "Group", "namespace": None, "name": f"{space}-devs"}
    assert taker["principals"] == [{"arn": DEV, "by": "access entry"}]
    assert taker["role"] == {"kind": "Role", "name": "devs"}
    assert [(item["way"], item["rule"], item["if"]) for item in taker["rights"]] == [("create-pod", 1, [])]
    (own,) = [item for item in found["permissions"] if item["binding"]["namespace"] == space]
    assert (own["state"], own["rules"][0]["verbs"]) == ("ok", ["get"])
    text = " ".join(stage.run(DESCRIBE).out.split())
    role = binding.role_arn.rsplit("/", 1)[-1]
    chain = f"{DEV} (access entry) -> Group {space}-devs -> {space}/doctor-reader -> role {role}: create pods"
    assert f"{chain} (RoleBinding {space}/devs, Role devs rule 1)" in text
    assert f"in {space}: get pods (RoleBinding {space}/own, Role own)" in text
    audit = stage.irsa("audit", "-c", stage.cluster, "--service-account", f"{space}/doctor-reader")
    assert chain in " ".join(audit.out.split())


def test_access_policies_hold_in_their_namespaces(stage: Stage, binding: Binding) -> None:
    space = binding.namespace
    enter(stage, "Here", "AmazonEKSEditPolicy", f"{space[:-1]}*")
    enter(stage, "There", "AmazonEKSEditPolicy", f"{space}-2")
    enter(stage, "There", "AmazonEKSEventPolicy")
    ran = stage.run(f"{DESCRIBE} -o json", code=1)
    found = ran.item["kubernetes"]
    ways = {
        item["subject"]["name"].rpartition("/")[2]: {right["way"] for right in item["rights"]}
        for item in found["whoMayBecome"]
        if item["binding"]["kind"] == "AccessPolicy"
    }
    assert "create-pod" in ways.pop("Here")
    # From another namespace a pod of it can be reached by the files of its node only.
    assert set().union(*ways.values()) <= {"mount-host"}
    assert found["unseen"] == ["irsa does not know the access policy AmazonEKSEventPolicy"]
    assert any("AmazonEKSEventPolicy" in note for note in ran.metadata["notes"])


def test_the_parts_of_kubernetes_are_counted_only(stage: Stage, binding: Binding) -> None:
    name, part = f"r-{binding.namespace}", "replicaset-controller-2"
    rules = [{"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]}]
    made(stage.kube.create(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules}))
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    body = {
        "metadata": {"name": f"system:{binding.namespace}", "labels": labels},
        "roleRef": of_kind("ClusterRole", name),
        "subjects": [{"kind": "ServiceAccount", "namespace": "kube-system", "name": part}],
    }
    made(stage.kube.create(f"{RBAC}/clusterrolebindings", body))
    found = [item for item in become(stage)["whoMayBecome"] if item["subject"]["name"] == part]
    assert [item["partOfKubernetes"] for item in found] == [True]
    stage.run(DESCRIBE, says="of Kubernetes itself", silent=part)


def test_what_may_not_be_read_is_never_nobody(stage: Stage, binding: Binding) -> None:
    user = stage.restricted((("get", "list"), ("serviceaccounts", "pods")))
    rights = json.dumps(policy("Allow * on *", "Deny eks:ListAccessEntries on *"))
    stage.iam().put_user_policy(UserName=user, PolicyName="sandbox", PolicyDocument=rights)
    ran = stage.run(f"{DESCRIBE} -o json", code=1, user=user)
    assert ran.item["status"] == "ok"
    unseen = ran.item["kubernetes"]["unseen"]
    assert len(unseen) == 5
    assert "Roles were not read: missing RBAC permission: list roles" in unseen
    assert any("eks:ListAccessEntries" in line for line in unseen)
    assert "who can act as it: Roles were not read" in " ".join(ran.metadata["notes"])
    text = stage.run(DESCRIBE, code=1, silent="nobody", user=user).out
    assert text.count("not all is known") == 2


@pytest.mark.parametrize("mode", ["CONFIG_MAP", "API"])
def test_aws_auth_counts_where_the_cluster_looks_at_it(stage: Stage, binding: Binding, mode: str) -> None:
    space, bob = binding.namespace, f"arn:aws:iam::{ACCOUNT}:user/bob"
    describe_cluster_as(stage.sandbox, stage.cluster, accessConfig={"authenticationMode": mode})
    bind(stage, "devs", of_kind("Group", f"{space}-devs"), "create serviceaccounts/token")
    bind(stage, "bob", of_kind("User", "bob"), "create pods")
    data = {
        "mapRoles": f"- {{rolearn: {DEV}, username: 'dev:{{{{SessionName}}}}', groups: [{space}-devs]}}\n",
        "mapUsers": f"- userarn: {bob}\n  username: bob\n  groups:\n",
    }
    path = "/api/v1/namespaces/kube-system/configmaps"
    stage.kube.delete(f"{path}/aws-auth")
    made(stage.kube.create(path, {"metadata": {"name": "aws-auth"}, "data": data}))
    found = takers(stage)
    stage.kube.delete(f"{path}/aws-auth")
    looked = mode != "API"
    assert {
        name: [(one["arn"], one["by"]) for one in item["principals"]] for name, item in found.items()
    } == {
        f"{space}-devs": [(DEV, "aws-auth mapRoles")] if looked else [],
        "bob": [(bob, "aws-auth mapUsers")] if looked else [],
    }
