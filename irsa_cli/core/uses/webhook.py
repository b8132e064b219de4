"""Changes of a new pod by EKS's pod identity webhook, by its published rules. Pure.

With an association it adds what EKS Pod Identity needs, and nothing of IRSA, whatever the annotation says.
Regions are left out, as they give no credentials; a container that sets a variable of the way, of the region
and of the STS endpoints itself gets nothing, also no mount.
https://github.com/aws/amazon-eks-pod-identity-webhook (pkg/handler/handler.go)
"""

from __future__ import annotations

import copy
import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.uses.ways import AGENT_TOKEN_FILE, CREDENTIALS_URI, ROLE, TOKEN_FILE, IdentitySource

Json = Mapping[str, Any]

SKIPPED_PODS = "eks.amazonaws.com/skip-pod-identity-webhook"
"""A label of pods that EKS's own webhook is not called for."""
SKIPPED_CONTAINERS = "eks.amazonaws.com/skip-containers"
_REGIONS = {"AWS_REGION", "AWS_DEFAULT_REGION"}
_ENDPOINTS = "AWS_STS_REGIONAL_ENDPOINTS"
_OS = ("kubernetes.io/os", "beta.kubernetes.io/os")


@dataclass(frozen=True)
class _Added:
    """The additions for a way: a projected token, its mount, and variables that lead to it."""

    volume: str
    folder: str
    file: str
    audience: str
    variables: Mapping[str, str]
    """Set together, or not at all if the container sets one of them; '' is the token's file."""


_ADDED = {
    IdentitySource.IRSA: _Added(
        "aws-iam-token",
        "/var/run/secrets/eks.amazonaws.com/serviceaccount",
        "token",
        "sts.amazonaws.com",
        {ROLE: "the annotated role", TOKEN_FILE: ""},
    ),
    IdentitySource.POD_IDENTITY: _Added(
        "eks-pod-identity-token",
        "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
        "eks-pod-identity-token",
        "pods.eks.amazonaws.com",
        {CREDENTIALS_URI: "http://169.254.170.23/v1/credentials", AGENT_TOKEN_FILE: ""},
    ),
}


def injected(pod: Json, way: IdentitySource) -> Json:
    """A new pod with what the webhook adds if its ServiceAccount gets the role by this way."""
    metadata = pod["metadata"]
    added = _ADDED[way]
    if SKIPPED_PODS in (metadata.get("labels") or {}):
        return pod
    pod = copy.deepcopy(pod)
    spec: dict[str, Any] = pod["spec"]
    skipped = _skipped((metadata.get("annotations") or {}).get(SKIPPED_CONTAINERS))
    path = f"{added.folder}/{added.file}"
    selector = spec.get("nodeSelector") or {}
    if "windows" in map(selector.get, _OS):
        path = "C:" + path.replace("/", "\\")
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    for container in containers:
        if container["name"] not in skipped:
            _equip(container, added, path)
    volumes = spec.get("volumes") or []
    if all(volume["name"] != added.volume for volume in volumes):
        token = {"serviceAccountToken": {"audience": added.audience, "path": added.file}}
        spec["volumes"] = [{"name": added.volume, "projected": {"sources": [token]}}, *volumes]
    return pod


def _skipped(text: str | None) -> list[str]:
    """The containers that the annotation names as CSV; none if it can't be read."""
    try:
        return next(csv.reader([text or ""], strict=True), [])
    except csv.Error:
        return []


def _equip(container: dict[str, Any], added: _Added, path: str) -> None:
    variables = container.get("env") or []
    names = {variable["name"] for variable in variables}
    sets_own = not names.isdisjoint(added.variables)
    if sets_own and names & _REGIONS and _ENDPOINTS in names:
        return
    if not sets_own:
        own = [{"name": str(name), "value": value or path} for name, value in added.variables.items()]
        container["env"] = [*variables, *own]
    mounts = container.get("volumeMounts") or []
    if all(mount["name"] != added.volume for mount in mounts):
        container["volumeMounts"] = [*mounts, {"name": added.volume, "mountPath": added.folder}]
