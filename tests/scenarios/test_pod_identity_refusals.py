"""What keeps pods from EKS Pod Identity is refused before the first write, by each command that adds it.

And one answer of all commands: is the agent there, and does the ServiceAccount exist?
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.associated import AGENT, associate, make_role
from tests.support.eks_states import add_addon, add_fargate_profile, describe_cluster_as
from tests.support.rows import arguments_of
from tests.support.stage import Stage, made

CREATE = "create-sa app -n apps --pod-identity --attach-policy-arn $S3"
MOVE = "migrate app -n apps --to pod-identity"
ALSO = "update-sa app -n apps --also pod-identity"
Given = Callable[[Stage], object]


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster without the agent."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("apps")
    return stage


def given_for(stage: Stage, line: str) -> None:
    """What a command that adds an association needs."""
    if line == CREATE:
        stage.make_account("apps", "app")
    else:
        stage.run("create-sa app -n apps --associate-oidc --attach-policy-arn $S3")


def agent(stage: Stage) -> None:
    add_addon(stage.sandbox, "demo", AGENT)


def described(stage: Stage, **more: Any) -> None:
    describe_cluster_as(stage.sandbox, "demo", **more)


def pod(stage: Stage, env: str = "", image: str = "app:1", **spec: Any) -> None:
    """A running pod of the ServiceAccount, with variables as words."""
    pairs = [word.split("=") for word in env.split()]
    variables = [{"name": name, "value": value.replace("+", ", ")} for name, value in pairs]
    container = {"name": "main", "image": image, "env": variables}
    body = {"serviceAccountName": "app", "containers": [container], **spec}
    whole = {"metadata": {"name": "app-1"}, "spec": body, "status": {"phase": "Running"}}
    made(stage.kube.create("/api/v1/namespaces/apps/pods", whole))


def node(stage: Stage, system: str) -> None:
    body = {"metadata": {"name": system, "labels": {"kubernetes.io/os": system}}}
    made(stage.kube.create("/api/v1/nodes", body))


def nodes_of_two_systems(stage: Stage) -> None:
    node(stage, "windows")
    node(stage, "linux")


def fargate(stage: Stage, **selector: Any) -> None:
    add_fargate_profile(stage.sandbox, "demo", "all", {"namespace": "ap*", **selector})


def full(stage: Stage) -> None:
    """All associations that a cluster may have."""
    where = f"arn:aws:eks:eu-west-1:{stage.account_id}:cluster/demo"
    given = stage.sandbox._front.clusters.associations._of.setdefault(where, {})
    for number in range(5000):
        names = dict.fromkeys(("associationId", "associationArn", "serviceAccount"), f"a-{number:05}")
        given[f"a-{number:05}"] = {**names, "clusterName": "demo", "namespace": "full", "tags": {}}


PROXY = "HTTP_PROXY=http://proxy:3128"
REFUSALS: dict[str, tuple[str, Given, str]] = {
    "Fargate": (CREATE, fargate, "Fargate (profile all)"),
    "nodes of Windows only": (MOVE, partial(node, system="windows"), "has only Windows nodes"),
    "AWS Outposts": (
        ALSO,
        partial(described, outpostConfig={"outpostArns": ["arn:aws:outposts:x"]}),
        "has only AWS Outposts nodes",
    ),
    "a pod on Windows": (
        CREATE,
        partial(pod, os={"name": "windows"}),
        "pod apps/app-1 would get no credentials by EKS Pod Identity: it runs on Windows",
    ),
    "a proxy before the agent": (
        MOVE,
        partial(pod, env="HTTP_PROXY=http://proxy:3128 NO_PROXY=10.0.0.0/8,localhost"),
        "container main has a proxy, and its NO_PROXY does not include 169.254.170.23",
    ),
    "an image with an old CLI": (
        ALSO,
        partial(pod, image="public.ecr.aws/aws-cli/aws-cli:2.14.6"),
        "use an AWS CLI >= 1.30.0 or 2.15.0",
    ),
    "all associations that a cluster may have": (MOVE, full, "has 5000 EKS Pod Identity associations"),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_keeps_pods_from_it_is_refused(stage: Stage, reason: str) -> None:
    line, given, said = REFUSALS[reason]
    given_for(stage, line)
    agent(stage)
    given(stage)
    stage.run(line, code=4, says=said, changes="")


def test_on_ipv6_the_agent_has_another_address(stage: Stage) -> None:
    given_for(stage, CREATE)
    agent(stage)
    described(stage, kubernetesNetworkConfig={"ipFamily": "ipv6"})
    pod(stage, "HTTP_PROXY=http://proxy:3128 no_proxy=169.254.170.23")
    stage.run(CREATE, code=4, says="add fd00:ec2::23 to NO_PROXY in the pod template", changes="")


@pytest.mark.parametrize("lines", [(CREATE,), (ALSO, MOVE)], ids=["created", "added"])
def test_no_agent(stage: Stage, lines: tuple[str, ...]) -> None:
    given_for(stage, lines[0])
    command = f"aws eks create-addon --cluster-name demo --region eu-west-1 --addon-name {AGENT}"
    for line in lines:
        stage.run(line, code=4, says=("has no EKS Pod Identity agent", command), changes="")
    agent(stage)
    for line in lines:
        stage.run(line)


ALLOWED: dict[str, tuple[str, Given, str]] = {
    "exempt": (CREATE, partial(pod, env=f"NO_PROXY=localhost+169.254.170.23 {PROXY}"), ""),
    "https only": (MOVE, partial(pod, env="HTTPS_PROXY=http://proxy:3128"), ""),
    "a range": (
        ALSO,
        partial(pod, env="HTTP_PROXY=http://proxy:3128 NO_PROXY=169.254.0.0/16"),
        "cannot tell if NO_PROXY of app-1 includes 169.254.170.23",
    ),
    "nodes of two systems": (CREATE, nodes_of_two_systems, ""),
    "some pods on Fargate": (MOVE, partial(fargate, labels={"a": "b"}), ""),
}


@pytest.mark.parametrize("reason", ALLOWED)
def test_what_does_not_keep_pods_from_it(stage: Stage, reason: str) -> None:
    line, given, said = ALLOWED[reason]
    given_for(stage, line)
    agent(stage)
    given(stage)
    stage.run(line, says=said)


@pytest.mark.parametrize("line", [CREATE, MOVE])
def test_what_can_not_be_read_is_said_and_refuses_nothing(stage: Stage, line: str) -> None:
    given_for(stage, line)
    for call in ("eks ListAddons", "eks ListFargateProfiles", "kubernetes GET nodes"):
        service, _, operation = call.partition(" ")
        code = "AccessDeniedException"
        stage.sandbox.faults.add(Fault(service, operation, "error", status=403, code=code, times=None))
    what = ("the EKS Pod Identity agent", "the platform of the nodes", "the Fargate profiles")
    stage.run(line, says=[f"not checked: {part}" for part in what])


# One answer of all commands.


SYSTEM = "kube-system"


def daemon_set(stage: Stage, image: str, name: str = "own", **metadata: Any) -> None:
    template = {"spec": {"containers": [{"name": "main", "image": image}]}}
    body = {"metadata": {"name": name, **metadata}, "spec": {"template": template}}
    made(stage.kube.create(f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets", body))


def agent_pod(stage: Stage) -> None:
    container = {"name": "main", "image": f"registry/{AGENT}:v0.1"}
    body = {"metadata": {"name": "agent"}, "spec": {"containers": [container]}}
    made(stage.kube.create("/api/v1/namespaces/kube-system/pods", body))


NO_AGENTS: tuple[Given, ...] = (
    str,
    partial(daemon_set, image=f"mirror/not-{AGENT}:v1", name="other"),
    partial(described, computeConfig={"enabled": False}),
)
AGENTS: dict[str, Given] = {
    "a DaemonSet of its name": partial(daemon_set, name=AGENT, image="registry/own"),
    "a DaemonSet with its label": partial(
        daemon_set, image="own:1", labels={"app.kubernetes.io/name": AGENT}
    ),
    "an image with a tag": partial(daemon_set, image=f"registry/eks/{AGENT}:v0.1"),
    "an image with a digest": partial(daemon_set, image=f"mirror/{AGENT}@sha256:{'0' * 64}"),
    "pods alone": agent_pod,
    "Auto Mode": partial(described, computeConfig={"enabled": True}),
}
PLACES = (
    f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/own",
    f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/{AGENT}",
    f"/api/v1/namespaces/{SYSTEM}/pods/agent",
)


def has_agent(stage: Stage) -> bool:
    """By get-sa."""
    found: bool = stage.irsa(*arguments_of(stage, "get-sa reader -n apps -o json")).item["podIdentity"][
        "agent"
    ]
    return found


def test_the_agent_is_known_in_each_of_its_forms(stage: Stage) -> None:
    """None of what is no agent goes; of the others each is alone."""
    stage.make_account("apps", "reader")
    associate(stage, "apps", "reader", make_role(stage, "reader"))
    for given in NO_AGENTS:
        given(stage)
        assert not has_agent(stage), given
    for name, given in AGENTS.items():
        given(stage)
        assert has_agent(stage), name
        for path in PLACES:
            stage.kube.delete(path, {"gracePeriodSeconds": 0})


@pytest.mark.parametrize("lacks", [True, False])
def test_all_commands_have_one_answer(stage: Stage, lacks: bool) -> None:
    for name in ("reader", "writer"):
        stage.make_account("apps", name)
    associate(stage, "apps", "reader", make_role(stage, "reader"))
    if not lacks:
        agent(stage)
    created = stage.irsa(*arguments_of(stage, "create-sa writer -n apps --pod-identity --no-policy"))
    assert ("no EKS Pod Identity agent" in created.err) is lacks, created.err
    assert has_agent(stage) is not lacks
    diagnosed = stage.irsa(*arguments_of(stage, "doctor reader -n apps -v"))
    assert ("pod-identity-agent:" in diagnosed.out and "not installed" in diagnosed.out) is lacks
    verified = stage.irsa(*arguments_of(stage, "verify reader -n apps -o json"))
    steps = {step["name"]: step["status"] for step in verified.item["steps"]}
    assert (steps.get("pods") == "failed") is lacks


def test_a_name_that_does_not_exist_is_told(stage: Stage) -> None:
    agent(stage)
    stage.make_account("apps", "reader")
    for line, said in {
        "raeder -n apps": "of apps with a similar name: reader",
        "reader -n asps": "with a similar name: apps",
        "other -n apps": "there is no ServiceAccount apps/other in demo",
    }.items():
        stage.run(
            f"create-sa {line} --pod-identity --no-policy",
            says=(said, "does not exist yet"),
            silent="Pods that start from now on use it",
        )
    for words in ("reader", "new --create-service-account"):
        ran = stage.run(f"create-sa {words} -n apps --pod-identity --no-policy -o json")
        assert "exists" not in ran.item["serviceAccount"]
        assert not any("there is no" in note for note in ran.item["notes"])
