"""`irsa doctor` where EKS Pod Identity gives a role, or was to: pods it missed, other names, its agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Rule, Sandbox
from tests.scenarios.breaking import NAME, Binding, Break, make
from tests.scenarios.breaks import (
    BY_POD_IDENTITY,
    IN_FRONT,
    NO_ANSWER,
    SERVICE,
    SKIP,
    anew,
    annotated,
    associate,
    associated,
    each,
    next_second,
    pod,
    values,
    webhook,
)
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.curing import is_by_hand
from tests.scenarios.doctoring import Case, cases, diagnose, examine
from tests.scenarios.uncreating import add_pod
from tests.support.eks_states import describe_cluster_as
from tests.support.stage import made

AGENT = "eks-pod-identity-agent"
NODE, OTHER_NODE = "ip-10-0-0-1.ec2.internal", "ip-10-0-0-2.ec2.internal"
ON_A_NODE = each(annotated(None), associated, pod(f'{{"nodeName": "{NODE}"}}'))


@pytest.fixture
def back(sandbox: Sandbox, tmp_path: Path) -> Binding:
    """A binding in the sandbox: associations and the agent are EKS's, and alike on both APIs."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("back")
    return make(stage, "back")


def agent(node: str, ready: str) -> Break:
    """A pod of the agent, as its node tells of it."""

    def run(binding: Binding) -> None:
        pods = "/api/v1/namespaces/kube-system/pods"
        spec = {"nodeName": node, "containers": [{"name": "agent", "image": f"eks/{AGENT}:v0.1.15"}]}
        name = f"{AGENT}-{node}"
        made(binding.stage.kube.create(pods, {"metadata": {"name": name}, "spec": spec}))
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
        assert binding.stage.kube.patch(f"{pods}/{name}/status", {"status": status}).status == 200

    return run


def auto_mode(binding: Binding) -> None:
    """A cluster that runs the agent by itself."""
    describe_cluster_as(binding.stage.sandbox, binding.stage.cluster, computeConfig={"enabled": True})


def other(name: str, namespace: str = "back", condition: str = "{}") -> Break:
    """An association for another ServiceAccount, and pods without anything."""

    def make_it(binding: Binding) -> None:
        role = binding.make_role("other", {**json.loads(SERVICE), "Condition": json.loads(condition)})
        associate(binding, name=name, namespace=namespace, role=role)
        each(values(IN_FRONT), anew(None))(binding)

    return make_it


def used(name: str, namespace: str = "back") -> Break:
    """A ServiceAccount with a pod."""

    def use(binding: Binding) -> None:
        if namespace != binding.namespace:
            binding.stage.make_namespace(namespace)
        binding.stage.make_account(namespace, name)
        add_pod(binding, "theirs", name, namespace)

    return use


@cases(
    Case(
        "pods that ask to be passed over are not to be restarted",
        each(BY_POD_IDENTITY, next_second, pod(SKIP)),
        "pod-identity-missed",
        "hand",
    ),
    Case(
        "its agent is not ready, and another one is",
        each(ON_A_NODE, agent(NODE, "False"), agent(OTHER_NODE, "True")),
        "pod-identity-agent-down",
        code=5,
        says=f'{{"name": "nodes", "value": "{NODE}"}}',
    ),
    Case("auto mode has no pods of the agent", each(ON_A_NODE, auto_mode), code=0),
    *(
        Case(
            f"an association for {namespace}/{name} is made for this one",
            other(name, namespace),
            "pod-identity-other-name",
            "fix",
            fix="arn:aws:iam::111122223333:role/back-other",
            says=f'{{"name": "association for", "value": "{namespace}/{name}"}}',
        )
        for namespace, name in (("back", f"{NAME}-sa"), ("front", NAME))
    ),
    Case(
        "a role that would not serve this one is not associated",
        other(
            f"{NAME}-sa",
            condition=f'{{"StringEquals": {{"aws:RequestTag/kubernetes-service-account": "{NAME}-sa"}}}}',
        ),
        "pod-identity-other-name",
        "hand",
    ),
    Case(
        "an association that somebody of a near name uses",
        each(used(f"{NAME}-sa"), other(f"{NAME}-sa")),
        "annotation-missing",
        untold="pod-identity-other-name",
    ),
    Case(
        "an association that a namesake uses",
        each(used(NAME, "front"), other(NAME, "front")),
        "annotation-missing",
        untold="pod-identity-other-name",
    ),
    Case(
        "an association of another application",
        each(used("billing"), other("billing")),
        "annotation-missing",
        told="pod-identity-other-name",
    ),
)
def test_what_pod_identity_is_found_to_lack(case: Case, back: Binding) -> None:
    case.play(back)


@pytest.mark.parametrize(
    ("change", "text"),
    [(NO_ANSWER, ""), ('{"namespaceSelector": {"matchLabels": {"irsa": "on"}}}', "namespaceSelector")],
)
def test_a_webhook_that_gives_nothing_now_either_is_not_cured_by_a_restart(
    change: str, text: str, back: Binding
) -> None:
    each(BY_POD_IDENTITY, next_second, webhook(change))(back)
    diagnosis = diagnose(back)
    # The association is new: for a minute the webhook may not know of it yet, which is no problem.
    assert diagnosis.code in (1, 5)
    assert "pod-identity-missed" in {*diagnosis.untold, *diagnosis.problems}
    missed = diagnosis.of("pod-identity-missed")
    assert (text in missed["text"], "delete pod" in missed["fix"]) == (True, False)
    assert not text or is_by_hand(missed["fix"])


def test_agents_that_may_not_be_seen_are_not_none(back: Binding) -> None:
    each(ON_A_NODE, agent(NODE, "False"))(back)
    user = back.stage.restricted()
    rules = [Rule(("get", "list"), ("serviceaccounts", "namespaces")), Rule(("create",), ("pods",))]
    back.stage.sandbox.grant("demo", user, rules=rules)
    diagnosis = diagnose(back, user=user)
    assert diagnosis.problems == []
    assert "pod-identity-agent-down" in diagnosis.untold


def test_of_a_namespace_those_with_an_association_are_looked_at(back: Binding) -> None:
    each(ON_A_NODE, agent(NODE, "False"))(back)
    assert examine(back.stage, "-n", "back").accounts == {NAME: ["pod-identity-agent-down"]}
