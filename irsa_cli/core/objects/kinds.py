"""Pods, as far as irsa reads them, and the kinds that create them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from irsa_cli.core.objects.variables import Environment
from irsa_cli.core.values.limits import moment


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


Json = Mapping[str, Any]


def pod(body: Json) -> Pod:
    metadata, spec = body["metadata"], body["spec"]
    security, status = spec.get("securityContext") or {}, body.get("status") or {}
    answers = {it.get("type"): it.get("status") for it in status.get("conditions") or []}
    waiting = [(it.get("state") or {}).get("waiting") or {} for it in status.get("containerStatuses") or []]
    return Pod(
        namespace=metadata["namespace"],
        name=metadata.get("name") or metadata.get("generateName", ""),
        # The API server sets the name; a rejected pod has none.
        service_account=spec.get("serviceAccountName") or "default",
        created=moment(metadata.get("creationTimestamp")),
        phase=status.get("phase", ""),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        containers=(
            *map(_container, spec.get("containers") or []),
            *(replace(_container(item), init=True) for item in spec.get("initContainers") or []),
        ),
        volumes=tuple(map(_volume, spec.get("volumes") or [])),
        host_network=bool(spec.get("hostNetwork")),
        os=(spec.get("os") or {}).get("name", ""),
        node_selector=spec.get("nodeSelector") or {},
        fs_group=security.get("fsGroup"),
        user=security.get("runAsUser"),
        **_owner(metadata),
        node=spec.get("nodeName", ""),
        ending=bool(metadata.get("deletionTimestamp")),
        ready={"True": True, "False": False}.get(str(answers.get("Ready"))),
        waiting=next((str(item["reason"]) for item in waiting if item.get("reason")), ""),
    )


def _owner(metadata: Json) -> Json:
    """The controller of an object, or else its first owner; a foreign kind has its group."""
    owners = metadata.get("ownerReferences") or []
    found = next((item for item in owners if item.get("controller")), owners[0] if owners else None)
    if found is None:
        return {}
    group = str(found.get("apiVersion") or "").rpartition("/")[0]
    kind = found["kind"]
    if kind in KINDS.values() and group not in BUILT_IN:
        kind = f"{kind}.{group}"
    return {"owner": f"{kind}/{found['name']}", "controlled": bool(found.get("controller"))}


def _container(body: Json) -> Container:
    return Container(
        name=body["name"],
        image=body.get("image", ""),
        env=Environment(
            {
                item["name"]: None if "valueFrom" in item else str(item.get("value", ""))
                for item in body.get("env") or []
            }
        ),
        sources=tuple(_source(item) for item in body.get("envFrom") or []),
        mounts={item["name"]: item.get("mountPath", "") for item in body.get("volumeMounts") or []},
        parts={
            item["name"]: path
            for item in body.get("volumeMounts") or []
            if (path := item.get("subPath") or item.get("subPathExpr"))
        },
        arguments=(*(body.get("command") or ()), *(body.get("args") or ())),
        user=(body.get("securityContext") or {}).get("runAsUser"),
    )


def _source(item: Json) -> str:
    kind = "secret" if "secretRef" in item else "configmap"
    name = (item.get("secretRef") or item.get("configMapRef") or {}).get("name", "")
    # A prefix stands before every variable's name.
    return f"{kind}/{name}" + (f" (prefix {item['prefix']})" if item.get("prefix") else "")


def _volume(body: Json) -> Volume:
    sources = (body.get("projected") or {}).get("sources") or []
    maps = [source.get("configMap") or {} for source in (*sources, body)]
    secrets = [source.get("secret") or {} for source in (*sources, body)]
    config_maps = tuple(item["name"] for item in maps if item.get("name"))
    named = tuple(filter(None, (item.get("name") or item.get("secretName") for item in secrets)))
    for source in sources:
        token = source.get("serviceAccountToken")
        if token is not None:
            path = token.get("path", "token")
            return Volume(body["name"], token.get("audience", ""), path, config_maps, named)
    return Volume(body["name"], config_maps=config_maps, secrets=named)
