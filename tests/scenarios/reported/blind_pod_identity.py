"""Reported failures of EKS Pod Identity that were collected after the causes were written."""

from __future__ import annotations

from tests.scenarios.reported.cases import HINT, OUTSIDE, UNTOLD, reported
from tests.scenarios.reported.world import AGENT, World
from tests.support.stage import made


@reported(
    "awsdocs/amazon-eks-user-guide/pull/894",
    "the pods of an association have no variables",
    "the webhook's configuration was changed, and it does not answer any more",
    "webhook-failing",
    score=HINT,
)
def webhook_of_an_association_fails(world: World) -> None:
    world.annotate(None)
    world.change_webhook(clientConfig={"url": "https://127.0.0.1:1/mutate"})
    world.associate(world.role_of_pods())
    world.next_second()
    world.new_pod()


@reported(
    "vectordotdev/helm-charts/issues/452",
    "invalid full URI for ECS provider: URI did not refer to the loopback interface",
    "the SDK is older than EKS Pod Identity",
    "pod-identity-sdk",
    "sdk-too-old",
    score=HINT,
)
def pipeline_with_pod_identity(world: World) -> None:
    world.by_pod_identity(container={"image": "timberio/vector:0.44.0-distroless-libc"})


@reported(
    "runatlantis/helm-charts/issues/349",
    "invalid endpoint host, only loopback hosts are allowed",
    "the provider that the application downloads is older than EKS Pod Identity",
    "pod-identity-sdk",
    "sdk-too-old",
    score=HINT,
)
def plugin_with_pod_identity(world: World) -> None:
    world.by_pod_identity(container={"image": "ghcr.io/runatlantis/atlantis:v0.27.0"})


@reported(
    "aws/aws-sdk-js/issues/4566",
    "Missing credentials in config",
    "that SDK does not know EKS Pod Identity",
    "pod-identity-sdk",
    "sdk-too-old",
    score=HINT,
)
def sdk_of_the_second_generation(world: World) -> None:
    world.by_pod_identity(container={"image": "node:18"})


@reported(
    "n8n-io/n8n/issues/23584",
    "Service account token cannot be parsed: token is malformed",
    "the application sends the agent its token with a prefix",
    score=OUTSIDE,
    outside=True,
)
def application_that_sends_a_prefix(world: World) -> None:
    world.by_pod_identity(container={"image": "n8nio/n8n:2.1.0"})


@reported(
    "mattrobinsonsre/terrapod/pull/1546",
    "not authorized to perform: sts:TagSession on another role",
    "the tags of Pod Identity go with the session to a second role, which does not allow them",
    score=OUTSIDE,
    outside=True,
)
def tags_that_go_to_a_second_role(world: World) -> None:
    world.by_pod_identity()


def agent_on(world: World, node: str) -> None:
    """The agent's pod on a node."""
    pods = "/api/v1/namespaces/kube-system/pods"
    labels = {"app.kubernetes.io/name": AGENT}
    spec = {
        "hostNetwork": True,
        "nodeName": node,
        "containers": [{"name": AGENT, "image": "eks-pod-identity-agent:0.1.10"}],
    }
    metadata = {"name": f"{AGENT}-{node[:11]}", "labels": labels}
    made(world.stage.kube.create(pods, {"metadata": metadata, "spec": spec}))
    world.stage.kube.patch(f"{pods}/{metadata['name']}/status", {"status": {"phase": "Running"}})


@reported(
    "aws/containers-roadmap/issues/2261",
    "pods on some nodes get no credentials",
    "the agent does not tolerate those nodes' taints, and is not there",
    "pod-identity-agent-down",
)
def agent_that_is_not_on_the_node(world: World) -> None:
    world.by_pod_identity(nodeName="ip-10-0-0-2.ec2.internal")
    agent_on(world, "ip-10-0-0-1.ec2.internal")


@reported(
    "awslabs/security-hardened-amis-for-eks/issues/11",
    "credentials time out on hardened nodes; IRSA works there",
    "the node's own firewall drops the way to the agent",
    score=UNTOLD,
)
def firewall_of_the_node(world: World) -> None:
    world.by_pod_identity(nodeName="ip-10-0-0-1.ec2.internal")


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/226",
    "Unable to locate credentials; the ServiceAccount shows nothing",
    "the pod is older than the association",
    "pod-older-than-association",
)
def account_that_shows_nothing(world: World) -> None:
    world.without_annotation()
    world.next_second()
    world.associate(world.role_of_pods())
