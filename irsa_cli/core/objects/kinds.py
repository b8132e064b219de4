"""Kubernetes' objects as far as irsa looks at them, and what makes pods with which ServiceAccount.

They are made of Kubernetes' JSON in `irsa_cli.core.objects.parsing`. A ServiceAccount counts as used also if
its pods come and go: a CronJob between two runs, a Deployment scaled to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from irsa_cli.core.objects.variables import Environment
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class ServiceAccount(Namespaced):
    """A ServiceAccount. `annotated`: when the owner of the role's annotation last wrote, as far as known.

    `managers` are those who have written it, by its managedFields.
    """

    namespace: str
    name: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    annotated: datetime | None = None
    uid: str = ""
    managers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Container:
    """A container of a pod.

    `sources` are the Secrets and ConfigMaps that whole environments come from, as `secret/name`. `init`: it
    runs, and ends, before the others begin. `mounts` are by volume, and so are `parts`: the path in a volume
    of which alone something is mounted.
    """

    name: str
    image: str = ""
    env: Environment = field(default_factory=Environment)
    sources: tuple[str, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    user: int | None = None
    init: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Volume:
    """A volume of a pod; the audience of the ServiceAccount token that it projects, None without one.

    `path` is the token's file in it, `config_maps` and `secrets` are the names of those that it shows.
    """

    name: str
    audience: str | None = None
    path: str = "token"
    config_maps: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pod:
    """A pod. `owner` is the kind and name of what made it (`ReplicaSet/app-5d4f`), `node` where it runs.

    `controlled`: its owner creates it again; others only have it deleted with them.

    `containers` are those that begin it, too. `ending`: it was told to end. `ready`: whether its probes are
    answered, None where nobody has said; `waiting`: why a container of it does not run (CrashLoopBackOff).
    """

    namespace: str
    name: str
    service_account: str = "default"
    created: datetime | None = None
    phase: str = "Running"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    host_network: bool = False
    os: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    fs_group: int | None = None
    user: int | None = None
    owner: str = ""
    controlled: bool = True
    node: str = ""
    ending: bool = False
    ready: bool | None = None
    waiting: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, and was not told to."""
        return self.phase not in ("Succeeded", "Failed") and not self.ending


@dataclass(frozen=True)
class RefusedPod:
    """Something that makes pods and lacks some, since the API server refuses them.

    `maker` is its kind and name (`ReplicaSet/app-5d4f`), `root` what that belongs to (`Deployment/app`).
    `service_account` is that of its template, None where that could not be read, for the reason in `hidden`.
    `why` are the API server's words, `last` when they were told last, `pods` how many it has of how many.
    """

    namespace: str
    maker: str
    why: str
    root: str = ""
    service_account: str | None = None
    hidden: str = ""
    last: datetime | None = None
    pods: str = ""


@dataclass(frozen=True)
class Requirement:
    """One requirement of a label selector: `In`, `NotIn`, `Exists` or `DoesNotExist`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Webhook:
    """One webhook of a MutatingWebhookConfiguration that is called when pods are created.

    `service` is namespace/name where it runs in the cluster, `url` where it doesn't. `ca_ends`: until when
    the authority is good by which the API server knows it, None where that can't be read.
    """

    configuration: str
    name: str
    url: str = ""
    service: str = ""
    failure_policy: str = "Fail"
    namespace_selector: tuple[Requirement, ...] = ()
    object_selector: tuple[Requirement, ...] = ()
    created: datetime | None = None
    ca_ends: datetime | None = None


@dataclass(frozen=True)
class NetworkPolicy:
    """A NetworkPolicy that limits what pods may call.

    `ports` are, for each of its rules, whether TCP port 443 is in it, and whether it is so to everybody.
    """

    name: str
    pods: tuple[Requirement, ...] = ()
    ports: tuple[tuple[bool, bool], ...] = ()


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
"""The built-in kinds that create pods, by their resource."""
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
