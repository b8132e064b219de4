"""What the worlds of cases are made of: each word makes something, besides those of `breaks`.

Texts have the binding's words in place of `$NAME`, as there.
"""

from __future__ import annotations

from typing import Any

from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import POD_IDENTITY, anew, associate, associated, next_second
from tests.scenarios.breaks import values as trusting
from tests.scenarios.doctoring import move_role_to
from tests.scenarios.reported.cases import Make
from tests.scenarios.reported.world import AGENT, World
from tests.scenarios.uncreating import no_account, no_pod, uncreated
from tests.support.stage import ROLE_ARN, Json, made

SA = "system:serviceaccount:"
exchange, endpoint, for_hours = World.exchange, World.endpoint, World.for_hours


def each(*parts: Make) -> Make:
    """One after another; the last one may say what doctor is asked for."""

    def do(world: World) -> str | tuple[str, ...] | None:
        answers = [part(world) for part in parts]
        return answers[-1]

    return do


def asked(arguments: str) -> Make:
    """Doctor is asked for this, in the namespace."""
    return lambda world: arguments


def sub(text: str) -> Make:
    """The role trusts another subject, NAMESPACE:NAME."""
    return trusting(f"{SA}{text}")


def image(name: str) -> Make:
    """The pod has another image."""

    def do(world: World) -> None:
        world.new_pod(container={"image": name})

    return do


def variables(**values: str) -> Make:
    """The pod has variables in its template."""

    def do(world: World) -> None:
        pairs = [{"name": name, "value": world.text(text)} for name, text in values.items()]
        world.new_pod(container={"env": pairs})

    return do


def version(text: str) -> Make:
    """The cluster is of an older version of Kubernetes."""
    return lambda world: world.version(text)


def refused(code: str, words: str = "", role: str = "") -> Make:
    """CloudTrail tells of an exchange that STS refused."""
    return lambda world: world.refused(code, words, role)


def account(name: str, role: str | None = None) -> Make:
    """Another ServiceAccount of the namespace, perhaps with a role."""

    def do(world: World) -> None:
        world.account_named(name, **({} if role is None else {ROLE_ARN: world.text(role)}))

    return do


def beside(name: str, service_account: str = NAME, **pod: Any) -> Make:
    """A pod besides; see `World.pod`."""
    return lambda world: world.pod(name, service_account, **pod)


def replaced(name: str, role: str | None = None) -> Make:
    """Another ServiceAccount in place of the binding's, whose pod is gone, too."""
    return each(no_pod, no_account, account(name, role), asked(name))


def instead(name: str, role: str | None = None, pod: str = "", **spec: Any) -> Make:
    """The same, with a pod."""
    return each(replaced(name, role), beside(pod or f"{name}-0", name, **spec), asked(name))


def other(name: str, pod: str = "", **spec: Any) -> Make:
    """Another ServiceAccount without a role and its pod, of which doctor is asked."""
    return each(account(name), beside(pod or f"{name}-0", name, **spec), asked(name))


def by_pods(
    image: str = "",
    *,
    condition: Json | None = None,
    actions: tuple[str, ...] = POD_IDENTITY,
    **pod: Any,
) -> Make:
    """EKS Pod Identity gives the role, to a pod with this image: see `breaks.associate`."""

    def do(world: World) -> None:
        world.annotate(None)
        associate(world, condition=condition, actions=actions)
        world.new_pod(**({"container": {"image": image}} if image else {}), **pod)

    return do


def elsewhere(world: World) -> None:
    """The role is in another account."""
    move_role_to(world)


def not_made(name: str, service_account: str = NAME, **more: Any) -> Make:
    """A workload whose pods the API server refuses; see `uncreated`."""

    def do(world: World) -> None:
        uncreated(world, name, service_account, **more)

    return do


LATE = each(anew(None), next_second, associated)


NODE, OTHER_NODE = "ip-10-0-0-1.ec2.internal", "ip-10-0-0-2.ec2.internal"
CRASHES = """{"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}],
    "containerStatuses": [{"name": "agent", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "restartCount": 1428, "ready": false}]}"""
RUNS = '{"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}'


def agent(node: str, status: str) -> Make:
    """A pod of the agent on a node, with the status that its kubelet writes."""

    def do(world: World) -> None:
        spec = {
            "nodeName": node,
            "containers": [{"name": "agent", "image": f"eks/{AGENT}:v0.1.15"}],
        }
        metadata: Json = {"name": f"{AGENT}-{node[:11]}", "labels": {"app.kubernetes.io/name": AGENT}}
        body = {"metadata": metadata, "spec": spec}
        made(world.stage.kube.create("/api/v1/namespaces/kube-system/pods", body))
        world.say_status(metadata["name"], status, "kube-system")

    return do


def crashing(node: str) -> Make:
    """A pod of the agent whose container ends again and again."""
    return agent(node, CRASHES)


def running(node: str) -> Make:
    """A pod of the agent that answers."""
    return agent(node, RUNS)
