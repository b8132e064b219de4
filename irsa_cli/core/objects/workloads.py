"""Workloads, the objects that create pods: Kubernetes' own, and Argo's Rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from irsa_cli.core.objects.kinds import KINDS, Pod

Json = Mapping[str, Any]


@dataclass(frozen=True)
class RefusedPod:
    """A workload that lacks pods because the API server refuses them.

    `maker` is its kind and name, `root` its owner, `service_account` that of its template (None: `hidden`
    says why), `why` and `last` are the API server's words and time.
    """

    namespace: str
    maker: str
    why: str
    root: str = ""
    service_account: str | None = None
    hidden: str = ""
    last: datetime | None = None
    pods: str = ""


_ENDED = ("Complete", "Failed")
_PREFIX = 57
"""The most characters of a name that the API server keeps before the five that it adds."""
ROLLED = ("Deployment", "StatefulSet", "DaemonSet")
"""The kinds that `kubectl rollout restart` supports."""
ROLLOUT = "Rollout"
"""Of Argo Rollouts, which marks its pods itself: their ReplicaSet does not say its group."""
_HASHES = {"pod-template-hash": "Deployment", "rollouts-pod-template-hash": ROLLOUT}


@dataclass(frozen=True)
class Workload:
    """A workload with a pod template; `ended`: it creates no more pods. `owner` is `Kind/name`, or ''.

    `former`: a ReplicaSet without pods of an owner, which may be an earlier revision. `new_pod` is the pod
    that it creates, before admission.
    """

    kind: str
    name: str
    service_account: str
    owner: str = ""
    ended: bool = False
    former: bool = False
    new_pod: Json = field(default_factory=dict, compare=False, repr=False)

    @property
    def full_name(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def is_counted(self) -> bool:
        """Whether it counts: known kinds stand for the workloads that they own."""
        return not self.ended and self.owner.partition("/")[0] not in KINDS.values()


def workload(kind: str, body: Json) -> Workload:
    """An object of one of the kinds."""
    metadata = body["metadata"]
    spec = body.get("spec") or {}
    owner = next((item for item in metadata.get("ownerReferences") or [] if item.get("controller")), None)
    creates = ((spec.get("jobTemplate") or {}).get("spec") or {}) if kind == "CronJob" else spec
    new_pod = _new_pod(metadata, creates)
    pod = new_pod["spec"]
    conditions = (body.get("status") or {}).get("conditions") or []
    return Workload(
        kind,
        metadata["name"],
        pod.get("serviceAccountName") or pod.get("serviceAccount") or "default",
        f"{owner['kind']}/{owner['name']}" if owner else "",
        ended=kind == "Job"
        and any(item.get("type") in _ENDED and item.get("status") == "True" for item in conditions),
        former=kind == "ReplicaSet" and owner is not None and spec.get("replicas") == 0,
        new_pod=new_pod,
    )


def _new_pod(metadata: Json, creates: Json) -> dict[str, Any]:
    """A pod of a workload's template; a StatefulSet adds a volume for each of its claims."""
    template = creates.get("template") or {}
    name = metadata["name"]
    given = template.get("metadata") or {}
    spec = dict(template.get("spec") or {})
    claims = [item["metadata"]["name"] for item in creates.get("volumeClaimTemplates") or []]
    volumes = [item for item in spec.get("volumes") or [] if item["name"] not in claims]
    claimed = [
        {"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{name}-0"}} for claim in claims
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": metadata.get("namespace", ""),
            "generateName": f"{name[:_PREFIX]}-",
            "labels": given.get("labels") or {},
            "annotations": given.get("annotations") or {},
        },
        "spec": {**spec, "volumes": [*volumes, *claimed]},
    }


def holds_pods(body: Json) -> str:
    """Why a workload keeps its pods although its template has changed, '' if it replaces all of them."""
    spec = body["spec"]
    strategy = spec.get("updateStrategy") or {}
    if spec.get("paused"):
        return "paused"
    if (strategy.get("rollingUpdate") or {}).get("partition"):
        return "with a partition"
    return "OnDelete" if strategy.get("type") == "OnDelete" else ""


def owner_of(pod: Pod) -> tuple[str, str]:
    """Kind and name of the pod's owner, '' without one; for a ReplicaSet, its Deployment or Rollout."""
    kind, _, name = pod.owner.partition("/")
    for label, root in _HASHES.items():
        end = f"-{pod.labels.get(label)}"
        if kind == "ReplicaSet" and label in pod.labels and name.endswith(end):
            return root, name.removesuffix(end)
    return kind, name
