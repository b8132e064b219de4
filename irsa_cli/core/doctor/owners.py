"""How to recreate pods and edit their template, by their owner.

Only some controllers recreate a deleted pod; others lose its work. A command is proposed only if it loses no
work and has an effect; the rest are comments.
https://kubernetes.io/docs/concepts/workloads/controllers/
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import comment
from irsa_cli.core.doctor.refusals import Maker
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.values.cluster import Reach

Makers = Mapping[str, Maker]
"""The workloads of a namespace that were read, by `Kind/name`."""
ROLLED = ("Deployment", "StatefulSet", "DaemonSet")
"""The kinds that `kubectl rollout restart` supports."""
ROLLOUT = "Rollout"
"""Of Argo Rollouts, which marks its pods itself: their ReplicaSet does not say its group."""
_HASHES = {"pod-template-hash": "Deployment", "rollouts-pod-template-hash": ROLLOUT}
_REPLACED = ("ReplicaSet", "ReplicationController")
"""The kinds that recreate a deleted pod but do not roll out changes."""
_MOST = 5
"""The most workloads in one fix."""


def owner_of(pod: Pod) -> tuple[str, str]:
    """Kind and name of the pod's owner, '' without one; for a ReplicaSet, its Deployment or Rollout."""
    kind, _, name = pod.owner.partition("/")
    for label, root in _HASHES.items():
        end = f"-{pod.labels.get(label)}"
        if kind == "ReplicaSet" and label in pod.labels and name.endswith(end):
            return root, name.removesuffix(end)
    return kind, name


def makers_of(pods: Iterable[Pod], read: Callable[[str], tuple[Maker, ...] | Unreadable]) -> Makers:
    """The owners of pods, of the kinds that `read` knows; unreadable ones are left out."""
    kinds = sorted({owner_of(pod)[0] for pod in pods} & {*ROLLED, "Job"})
    found = (item for item in map(read, kinds) if not isinstance(item, Unreadable))
    return {f"{maker.kind}/{maker.name}": maker for item in found for maker in item}


def restart(facts: Facts, pods: Iterable[Pod]) -> str:
    """The commands that have pods created again, one for each workload, at most five."""
    return restarts(facts.reach, pods, facts.makers)


def restarts(reach: Reach, pods: Iterable[Pod], makers: Makers) -> str:
    """The same by what was read of workloads."""
    found = dict.fromkeys(_restart(reach, pod, makers) for pod in pods)
    return "\n".join(list(found)[:_MOST])


def _restart(reach: Reach, pod: Pod, makers: Makers) -> str:
    kind, name = owner_of(pod)
    delete = reach.kubectl(f"delete pod {shlex.quote(pod.name)}", pod.namespace)
    if kind in ROLLED:
        again = reach.kubectl(f"rollout restart {shlex.quote(f'{kind.lower()}/{name}')}", pod.namespace)
        held = _held(makers, kind, name)
        if not held:
            return again
        paused = kind == "Deployment"
        return "\n".join(map(comment, (f"{held} Then:", again if paused else delete)))
    if kind == ROLLOUT:
        return reach.plugin(f"argo rollouts restart {shlex.quote(name)}", pod.namespace)
    if kind in _REPLACED and pod.controlled:
        return delete
    return "\n".join(map(comment, (_lost(pod), delete)))


def _held(makers: Makers, kind: str, name: str) -> str:
    """Why a change of its template replaces no pods, and the next step; '' if it does."""
    maker = makers.get(f"{kind}/{name}")
    why = maker.held if maker else ""
    if not why:
        return ""
    return f"{kind} {name} {why}"


def _lost(pod: Pod) -> str:
    kind, _, name = pod.owner.partition("/")
    if kind == "Node":
        return f"pod {pod.name} is a static pod of node {name}: its manifest is on the node"
    if not (kind and pod.controlled):
        return f"pod {pod.name} has no controller to recreate it: save its manifest first"
    return (
        f"deleting pod {pod.name} stops its work: {kind} {name} may not run it again."
        " Let it finish, the next run gets the new settings. To stop it now:"
    )


def edit(facts: Facts, pod: Pod) -> str:
    """The command that edits the owner of a pod, or shows the pod."""
    kind, name = owner_of(pod)
    if not kind:
        text = f"a running pod cannot be changed: fix the manifest of pod {pod.name} and recreate the pod"
        show = facts.reach.kubectl(f"get pod {shlex.quote(pod.name)} -o yaml", pod.namespace)
        return "\n".join((comment(text), comment(show)))
    more = [restart(facts, [pod])] if kind in _REPLACED else []
    held = _held(facts.makers, kind, name)
    lines = (*map(comment, filter(None, (held, *more))),)
    return "\n".join((template(facts.reach, pod.namespace, kind, name, facts.makers), *lines))


def set_account(facts: Facts, namespace: str, kind: str, name: str) -> str:
    """The command that gives the pods of a workload the identity of the ServiceAccount."""
    what = f"{kind.lower()} {shlex.quote(name)} {shlex.quote(facts.named.name)}"
    return facts.reach.kubectl(f"set serviceaccount {what}", namespace)


def template(reach: Reach, namespace: str, kind: str, name: str, makers: Makers) -> str:
    """The command that edits a pod template; comments if it cannot be changed there."""
    maker = makers.get(f"{kind}/{name}")
    if maker is not None and maker.owner and maker.owner != f"{kind}/{name}" and kind == "Job":
        kind, _, name = maker.owner.partition("/")
    what = f"{shlex.quote(kind.lower())} {shlex.quote(name)}"
    if kind in (*ROLLED, *_REPLACED, ROLLOUT, "CronJob"):
        return reach.kubectl(f"edit {what}", namespace)
    text = f"the template of {kind} {name} cannot be changed: fix its source and recreate it"
    return "\n".join((comment(text), comment(reach.kubectl(f"get {what} -o yaml", namespace))))
