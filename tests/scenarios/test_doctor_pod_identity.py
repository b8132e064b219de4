"""`irsa doctor` where EKS Pod Identity gives a role, or was to: pods it missed, other names, its agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.sandbox import Rule, Sandbox
from tests.scenarios.breaking import NAME, Binding, make
from tests.scenarios.breaks import associate
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.curing import cure, is_by_hand, prove
from tests.scenarios.doctoring import doctor, of, problems, run_doctor, untold
from tests.support.eks_states import add_addon, describe_cluster_as
from tests.support.stage import Json, made

Output = pytest.CaptureFixture[str]
AGENT = "eks-pod-identity-agent"
NODE, OTHER_NODE = "ip-10-0-0-1.ec2.internal", "ip-10-0-0-2.ec2.internal"
SKIP = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}
PODS = {"Service": "pods.eks.amazonaws.com"}


@pytest.fixture
def one(sandbox: Sandbox, tmp_path: Path) -> Binding:
    """A binding in the sandbox: associations and the agent are EKS's, and alike on both APIs."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("back")
    return make(stage, "back")


def found(document: Json, cause: str) -> Json:
    (item,) = (item for item in document["items"][0]["findings"] if item["id"] == cause)
    return dict(item)


def agent(binding: Binding, node: str, *, ready: bool, number: int = 1) -> None:
    """A pod of the agent, as its node tells of it."""
    pods = "/api/v1/namespaces/kube-system/pods"
    spec = {"nodeName": node, "containers": [{"name": "agent", "image": f"eks/{AGENT}:v0.1.15"}]}
    name = f"{AGENT}-{number}"
    made(binding.stage.kube.create(pods, {"metadata": {"name": name}, "spec": spec}))
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    assert binding.stage.kube.patch(f"{pods}/{name}/status", {"status": status}).status == 200


def by_pod_identity(binding: Binding, **pod: object) -> None:
    binding.annotate(None)
    associate(binding)
    binding.new_pod(**pod)  # type: ignore[arg-type]


def test_pods_that_the_webhook_missed_get_their_credentials_by_a_restart(
    one: Binding, capsys: Output
) -> None:
    by_pod_identity(one)
    one.next_second()
    one.new_pod_unseen()
    document = doctor(one, capsys, *of(one))
    assert problems(document) == ["pod-identity-missed"]
    assert not is_by_hand(document["items"][0]["findings"][0]["fix"])
    cure(one, document["items"][0]["findings"][0]["fix"])
    assert problems(doctor(one, capsys, *of(one))) == []
    assert len(prove(one)) == 1


def test_pods_that_ask_to_be_passed_over_are_not_to_be_restarted(one: Binding, capsys: Output) -> None:
    by_pod_identity(one)
    one.next_second()
    one.new_pod(metadata={"labels": SKIP})
    document = doctor(one, capsys, *of(one))
    assert problems(document) == ["pod-identity-missed"]
    assert is_by_hand(document["items"][0]["findings"][0]["fix"])


def test_a_webhook_that_gives_nothing_now_either_is_not_cured_by_a_restart(
    one: Binding, capsys: Output
) -> None:
    by_pod_identity(one)
    one.next_second()
    one.change_webhook(clientConfig={"url": "https://127.0.0.1:1/mutate"})
    one.new_pod()
    document = doctor(one, capsys, *of(one))
    # The association is new: for a minute the webhook may not know of it yet, which is no problem.
    assert document["metadata"]["exitCode"] in (1, 5)
    assert "pod-identity-missed" in {*untold(document), *problems(document)}
    assert "delete pod" not in found(document, "pod-identity-missed")["fix"]


def test_a_namespace_that_the_webhook_passes_over(one: Binding, capsys: Output) -> None:
    by_pod_identity(one)
    one.next_second()
    one.change_webhook(namespaceSelector={"matchLabels": {"irsa": "on"}})
    one.new_pod()
    document = doctor(one, capsys, *of(one))
    assert "namespaceSelector" in found(document, "pod-identity-missed")["text"]
    assert is_by_hand(found(document, "pod-identity-missed")["fix"])


@pytest.mark.parametrize(
    ("agents", "code", "verdict"),
    [
        ([(NODE, True)], 0, "ok"),
        ([(NODE, True), (OTHER_NODE, False)], 0, "ok"),
        ([(NODE, False), (OTHER_NODE, True)], 5, "problem"),
        ([(OTHER_NODE, True)], 5, "problem"),
        ([], 1, "unknown"),
    ],
)
def test_the_agent_on_the_node_of_the_pod(
    one: Binding, capsys: Output, agents: list[tuple[str, bool]], code: int, verdict: str
) -> None:
    by_pod_identity(one, nodeName=NODE)
    for number, (node, ready) in enumerate(agents):
        agent(one, node, ready=ready, number=number)
    document = doctor(one, capsys, *of(one))
    item = found(document, "pod-identity-agent-down")
    assert (document["metadata"]["exitCode"], item["verdict"]) == (code, verdict)
    if verdict == "problem":
        assert {"name": "nodes", "value": NODE} in item["evidence"]


def test_auto_mode_has_no_pods_of_the_agent(one: Binding, capsys: Output) -> None:
    by_pod_identity(one, nodeName=NODE)
    describe_cluster_as(one.stage.sandbox, one.stage.cluster, computeConfig={"enabled": True})
    document = doctor(one, capsys, *of(one))
    assert (problems(document), document["metadata"]["exitCode"]) == ([], 0)


def test_agents_that_may_not_be_seen_are_not_none(one: Binding, capsys: Output) -> None:
    by_pod_identity(one, nodeName=NODE)
    agent(one, NODE, ready=False)
    user = one.stage.restricted()
    rules = [Rule(("get", "list"), ("serviceaccounts", "namespaces")), Rule(("create",), ("pods",))]
    one.stage.sandbox.grant("demo", user, rules=rules)
    document = doctor(one, capsys, *of(one), user=user)
    assert problems(document) == []
    assert "pod-identity-agent-down" in untold(document)


def other_association(binding: Binding, namespace: str, name: str, trust: Json | None = None) -> str:
    """An association for another ServiceAccount, and pods without anything; returns its role."""
    actions = ["sts:AssumeRole", "sts:TagSession"]
    statement = {"Effect": "Allow", "Principal": PODS, "Action": actions, **(trust or {})}
    role = binding.make_role("other", statement)
    binding.aws("eks").create_pod_identity_association(
        clusterName=binding.stage.cluster, namespace=namespace, serviceAccount=name, roleArn=role
    )
    add_addon(binding.stage.sandbox, binding.stage.cluster, AGENT)
    binding.values(sub="system:serviceaccount:front:web")
    binding.annotate(None)
    binding.new_pod()
    return role


@pytest.mark.parametrize(("namespace", "name"), [("back", f"{NAME}-sa"), ("front", NAME)])
def test_an_association_for_another_name_is_made_for_this_one(
    one: Binding, capsys: Output, namespace: str, name: str
) -> None:
    role = other_association(one, namespace, name)
    document = doctor(one, capsys, *of(one))
    assert problems(document) == ["pod-identity-other-name"]
    item = document["items"][0]["findings"][0]
    assert {"name": "association for", "value": f"{namespace}/{name}"} in item["evidence"]
    assert role in item["fix"]
    cure(one, item["fix"])
    assert problems(doctor(one, capsys, *of(one))) == []
    assert len(prove(one)) == 1


def test_a_role_that_would_not_serve_this_one_is_not_associated(one: Binding, capsys: Output) -> None:
    only = {"StringEquals": {"aws:RequestTag/kubernetes-service-account": f"{NAME}-sa"}}
    other_association(one, "back", f"{NAME}-sa", {"Condition": only})
    document = doctor(one, capsys, *of(one))
    assert problems(document) == ["pod-identity-other-name"]
    assert is_by_hand(document["items"][0]["findings"][0]["fix"])


@pytest.mark.parametrize(
    ("namespace", "name"), [("back", f"{NAME}-sa"), ("front", NAME), ("back", "billing")]
)
def test_an_association_that_somebody_uses_is_evidence_at_most(
    one: Binding, capsys: Output, namespace: str, name: str
) -> None:
    if namespace != "back":
        one.stage.make_namespace(namespace)
    one.stage.make_account(namespace, name)
    other_association(one, namespace, name)
    spec = {"serviceAccountName": name, "containers": [{"name": "app", "image": "app:1"}]}
    path = f"/api/v1/namespaces/{namespace}/pods"
    made(one.stage.kube.create(path, {"metadata": {"name": "theirs"}, "spec": spec}))
    document = doctor(one, capsys, *of(one))
    assert problems(document) == ["annotation-missing"]
    verdict = found(document, "pod-identity-other-name")["verdict"]
    assert verdict == ("ok" if name == "billing" else "unknown")


def test_of_a_namespace_those_with_an_association_are_looked_at(one: Binding, capsys: Output) -> None:
    by_pod_identity(one, nodeName=NODE)
    agent(one, NODE, ready=False)
    document = run_doctor(one.stage, capsys, "-n", one.namespace)
    (account,) = document["items"][1:]
    wrong = [item["id"] for item in account["findings"] if item["verdict"] == "problem"]
    assert (account["serviceAccount"]["name"], wrong) == (NAME, ["pod-identity-agent-down"])
