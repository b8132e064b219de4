"""What makes pods, and with which ServiceAccount: Kubernetes' JSON as values; pure.

So a ServiceAccount counts as used whose pods come and go: a CronJob between two runs, a Deployment
scaled to nothing. Whether it may be deleted is decided in `irsa_cli.core.planning.deletion_checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

KINDS: Mapping[str, str] = {
    "cronjobs": "CronJob",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "jobs": "Job",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "statefulsets": "StatefulSet",
}
"""The built-in kinds that make pods, by their resource. What custom kinds make them by is not known here."""
BUILT_IN = ("", "apps", "batch", "extensions")
"""The API groups of these kinds."""
_ENDED = ("Complete", "Failed")


@dataclass(frozen=True)
class Workload:
    """Something with a template for pods. `ended`: it makes no pod any more.

    `owner` is what made it itself, as `Kind/name`; '' where it stands by itself.
    """

    kind: str
    name: str
    service_account: str
    owner: str = ""
    ended: bool = False

    @property
    def full_name(self) -> str:
        """Kind and name."""
        return f"{self.kind}/{self.name}"

    @property
    def is_counted(self) -> bool:
        """Whether it counts by itself: what one of the known kinds has made is told by that one."""
        return not self.ended and self.owner.partition("/")[0] not in KINDS.values()


def workload(kind: str, body: Json) -> Workload:
    """An object of one of the kinds."""
    metadata, spec = body["metadata"], body.get("spec") or {}
    owner = next((item for item in metadata.get("ownerReferences") or [] if item.get("controller")), None)
    template = ((spec.get("jobTemplate") or {}).get("spec") or {}) if kind == "CronJob" else spec
    pod = (template.get("template") or {}).get("spec") or {}
    conditions = (body.get("status") or {}).get("conditions") or []
    return Workload(
        kind,
        metadata["name"],
        pod.get("serviceAccountName") or pod.get("serviceAccount") or "default",
        f"{owner['kind']}/{owner['name']}" if owner else "",
        ended=kind == "Job"
        and any(item.get("type") in _ENDED and item.get("status") == "True" for item in conditions),
    )
