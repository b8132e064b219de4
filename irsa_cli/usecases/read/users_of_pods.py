"""Which ServiceAccount a pod, or what makes pods, uses: at night one knows a pod and nothing else."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.core.values.errors import Refused

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Connection

POD = "pod"
_SHORT = {
    "po": POD,
    "pods": POD,
    "deploy": "deployments",
    "ds": "daemonsets",
    "sts": "statefulsets",
    "rs": "replicasets",
    "rc": "replicationcontrollers",
    "cj": "cronjobs",
    "sa": "",
    "serviceaccount": "",
    "serviceaccounts": "",
    "": "",
    POD: POD,
}

_PROBE = "irsa-doctor"
# Fits into namespaces with the strictest Pod Security Standard, with quotas and with limits.
# https://kubernetes.io/docs/concepts/security/pod-security-standards/
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def kind_of(word: str) -> str | None:
    """The kind that a word names: `pod`, a resource that makes pods, '' for a ServiceAccount; else None."""
    found = word.lower().partition(".")[0]
    if found in _SHORT:
        return _SHORT[found]
    return next((resource for resource in KINDS if found in (resource, resource.removesuffix("s"))), None)


def account_used(connection: Connection, kind: str, namespace: str, name: str) -> str:
    """The name of the ServiceAccount that it uses; raises `Refused` if it does not exist."""
    if kind == POD:
        body = connection.kube.one("pods", namespace, name)
    else:
        bodies = connection.kube.workloads(namespace, kind)
        body = next((body for body in bodies if body["metadata"]["name"] == name), None)
    if body is None:
        raise Refused(
            f"there is no {kind.removesuffix('s')} {namespace}/{name}",
            rests_on=(),
        )
    spec: dict[str, Any] = body.get("spec") or {}
    spec = (spec.get("jobTemplate") or {}).get("spec") or spec
    found: dict[str, Any] = (spec.get("template") or {}).get("spec") or spec
    return str(found.get("serviceAccountName") or "default")


def probe(namespace: str, name: str) -> dict[str, Any]:
    """A pod of a ServiceAccount, to be created as a dry run: it shows what the webhook gives to new pods."""
    resources = {"cpu": "1m", "memory": "1Mi"}
    container = {
        "name": _PROBE,
        "image": "registry.k8s.io/pause:3.10",
        "securityContext": _CONTAINER_SECURITY,
        "resources": {"requests": resources, "limits": resources},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": f"{_PROBE}-{secrets.token_hex(4)}"},
        "spec": {
            "serviceAccountName": name,
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "containers": [container],
        },
    }
