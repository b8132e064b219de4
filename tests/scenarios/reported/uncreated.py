"""Reported failures in which pods are not created at all, and agents of EKS Pod Identity that do not run."""

from __future__ import annotations

from tests.scenarios.breaking import NAME
from tests.scenarios.reported.cases import healthy, reported
from tests.scenarios.reported.world import AGENT, World
from tests.scenarios.uncreating import failing_webhook, mounted_twice, uncreated
from tests.support.kubeclient import Json
from tests.support.stage import made

NODE = "ip-10-0-0-1.ec2.internal"
CRASHING: Json = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 1428, "ready": False}


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/159",
    "no pod: mountPath: Invalid value: /var/run/secrets/eks.amazonaws.com/serviceaccount: must be unique",
    "another mount is where the webhook puts the token's, so that the API server refuses the pod",
    "pod-not-created",
)
def token_mounted_twice(world: World) -> None:
    world.no_pod()
    uncreated(world, NAME, **mounted_twice())


@reported(
    "goauthentik/helm/issues/182",
    "no pod: error looking up service account",
    "the chart creates one ServiceAccount, and the workers use one of another name",
    "pod-not-created",
)
def workers_that_ask_for_another_name(world: World) -> None:
    world.no_pod()
    uncreated(world, f"{NAME}-worker", f"{NAME}-authentik")


@reported(
    "sagikazarmark/helm-charts/issues/154",
    "no pods of aws-node, and nodes that do not become ready",
    "a webhook of another application has no endpoint, and is not to be skipped",
    "pod-not-created",
)
def another_webhook_without_an_endpoint(world: World) -> None:
    world.no_pod()
    failing_webhook(world, "pods.kube-secrets-init.admission.doit-intl.com")
    status = {"desiredNumberScheduled": 3, "currentNumberScheduled": 0}
    uncreated(world, NAME, kind="DaemonSet", status=status)


def agent_pod(world: World, name: str, node: str, **status: object) -> None:
    """A pod of the agent on a node, with the status that its kubelet writes."""
    pods = "/api/v1/namespaces/kube-system/pods"
    spec = {"nodeName": node, "containers": [{"name": "agent", "image": f"example.com/eks/{AGENT}:v0.1.15"}]}
    metadata = {"name": name, "labels": {"app.kubernetes.io/name": AGENT}}
    made(world.stage.kube.create(pods, {"metadata": metadata, "spec": spec}))
    answer = world.stage.kube.patch(f"{pods}/{name}/status", {"status": {"phase": "Running", **status}})
    assert answer.status == 200, answer.text


def crashing(world: World, name: str, node: str) -> None:
    """A pod of the agent whose container ends again and again."""
    ready = [{"type": "Ready", "status": "False"}]
    agent_pod(world, name, node, conditions=ready, containerStatuses=[{"name": "agent", **CRASHING}])


def running(world: World, name: str, node: str) -> None:
    """A pod of the agent that answers."""
    agent_pod(world, name, node, conditions=[{"type": "Ready", "status": "True"}])


@reported(
    "aws/eks-pod-identity-agent/issues/16",
    "the agent's pods crash: bind: cannot assign requested address",
    "the agent listens on an IPv6 address that its nodes do not have",
    "pod-identity-agent-down",
)
def agent_that_runs_nowhere(world: World) -> None:
    world.by_pod_identity()
    for number in (1, 2):
        crashing(world, f"{AGENT}-{number}", f"ip-10-0-0-{number}.ec2.internal")


@reported(
    "aws/eks-pod-identity-agent/issues/26",
    "the agent's pods crash on some nodes: their probe is answered with 503",
    "the agent does not run on the pod's node, although its add-on is there",
    "pod-identity-agent-down",
)
def agent_that_crashes(world: World) -> None:
    world.by_pod_identity(nodeName=NODE)
    crashing(world, f"{AGENT}-1", NODE)
    running(world, f"{AGENT}-2", "ip-10-0-0-2.ec2.internal")


@healthy("EKS Pod Identity, with its agent on the pod's node and one that crashes on another")
def agent_where_the_pod_is(world: World) -> None:
    world.by_pod_identity(nodeName=NODE)
    running(world, f"{AGENT}-1", NODE)
    crashing(world, f"{AGENT}-2", "ip-10-0-0-2.ec2.internal")


@healthy("EKS Pod Identity, with a debug pod that opts out")
def debug_pod_beside_pod_identity(world: World) -> None:
    world.by_pod_identity()
    world.pod("debug", labels={"eks.amazonaws.com/skip-pod-identity-webhook": "true"})


@healthy("an association of another application, of nearly the same name, whose pods run")
def association_of_a_neighbour(world: World) -> None:
    world.account_named(f"{NAME}-sa")
    world.associate(world.role_of_pods(), f"{NAME}-sa")
    world.pod("neighbour", f"{NAME}-sa")


@healthy("a Deployment of another application whose pods can't be created")
def stranger_without_pods(world: World) -> None:
    uncreated(world, "cache", "cache-sa")


@healthy("pods that were refused for a while, and run by now")
def refused_for_a_while(world: World) -> None:
    uncreated(world, NAME, status={"replicas": 1}, **mounted_twice())
