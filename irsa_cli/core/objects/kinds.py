"""Kubernetes objects, as far as irsa reads them, and the kinds that create pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.variables import Environment
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class ServiceAccount(Namespaced):
    """A ServiceAccount; `annotated`: the last write of the role annotation's owner, if known.

    `managers` are those in its managedFields.
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
    """A container. `sources` are Secrets and ConfigMaps of its environment, as `secret/name`.

    `init`: it ends before the others begin. `mounts` and `parts` (mounted paths) are by volume.
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
    """A volume; the audience of its projected token, None without one.

    `path` is the token's file, `config_maps` and `secrets` are names.
    """

    name: str
    audience: str | None = None
    path: str = "token"
    config_maps: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pod:
    """A pod; `owner` is the kind and name of its creator (`ReplicaSet/app-5d4f`), `node` its node.

    `controlled`: its owner recreates it. `ready`: its probes, None if unknown; `waiting`: why a container
    does not run. `ending`: its deletion has begun. `containers` include init containers.
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
        """Whether it runs and its deletion has not begun."""
        return self.phase not in ("Succeeded", "Failed") and not self.ending


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


def is_agent(pod: Pod) -> bool:
    """Whether a pod of kube-system is one of EKS Pod Identity's agent: by its label, or by its image."""
    name = pod.labels.get("app.kubernetes.io/name", "")
    return name == AGENT or any(f"/{AGENT}:" in f"/{item.image}" for item in pod.containers)
