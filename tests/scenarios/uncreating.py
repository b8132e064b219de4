"""What makes pods and can't: as controllers do it, with the API server's own refusal in the event."""

from __future__ import annotations

from typing import Any

from tests.scenarios.breaking import NAME, WEBHOOK, Binding
from tests.support.kubeclient import Answer
from tests.support.podwebhook import PATH as WEBHOOKS
from tests.support.stage import Json, made

GROUPS = {"Job": "batch/v1", "CronJob": "batch/v1"}
TOLD = "2026-11-01T10:00:00Z"
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
PODS_FOLDER = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"


def uncreated(
    binding: Binding,
    name: str = NAME,
    account: str = NAME,
    *,
    kind: str = "Deployment",
    status: Json | None = None,
    metadata: Json | None = None,
    **spec: Any,
) -> str:
    """Make a workload whose pods the API server refuses, and the event that tells of it; returns its words.

    A Deployment has a ReplicaSet, whose event it is.
    """
    containers = [{"name": "app", "image": "app:1"}]
    whole = {"serviceAccountName": account, "containers": containers, **spec}
    template = {"metadata": {"labels": {"app": name}, **(metadata or {})}, "spec": whole}
    maker = make_workload(binding, kind, name, template)
    if kind == "Deployment":
        kind = "ReplicaSet"
        maker = make_workload(binding, kind, f"{name}-5d4f7c", template, owner=maker)
    answer = try_pod(binding, f"{maker['metadata']['name']}-", template)
    assert answer.status not in (200, 201), answer.text
    if status:
        say_status(binding, kind, maker["metadata"]["name"], status)
    why = str(answer.body["message"])
    tell(binding, kind, maker, f"Error creating: {why}")
    return why


def make_workload(binding: Binding, kind: str, name: str, template: Json, owner: Json | None = None) -> Json:
    """Something that makes pods, which nobody does here."""
    restart = {"restartPolicy": "Never" if kind == "Job" else "Always"}
    spec: Json = {"template": {**template, "spec": {**restart, **template["spec"]}}}
    if kind != "Job":
        spec["selector"] = {"matchLabels": template["metadata"]["labels"]}
    if kind in ("Deployment", "ReplicaSet", "StatefulSet"):
        spec["replicas"] = 1
    metadata: Json = {"name": name}
    if owner is not None:
        head = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}
        metadata["ownerReferences"] = [
            {**head, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        ]
    return made(binding.stage.kube.create(path_of(binding, kind), {"metadata": metadata, "spec": spec})).body


def path_of(binding: Binding, kind: str) -> str:
    """The path of a kind's objects in the namespace."""
    return f"/apis/{GROUPS.get(kind, 'apps/v1')}/namespaces/{binding.namespace}/{kind.lower()}s"


def try_pod(binding: Binding, prefix: str, template: Json) -> Answer:
    """What the API server answers to a pod of a template."""
    metadata = {**template["metadata"], "generateName": prefix}
    body = {"metadata": metadata, "spec": template["spec"]}
    return binding.stage.kube.create(f"/api/v1/namespaces/{binding.namespace}/pods", body)


def say_status(binding: Binding, kind: str, name: str, status: Json) -> None:
    """Write the status of a workload, as its controller does."""
    path = f"{path_of(binding, kind)}/{name}"
    answer = binding.stage.kube.patch(f"{path}/status", {"status": status})
    if answer.status == 404:  # The sandbox keeps it with the rest.
        answer = binding.stage.kube.patch(path, {"status": status})
    assert answer.status == 200, answer.text


def tell(binding: Binding, kind: str, maker: Json, message: str, *, at: str = TOLD) -> None:
    """Write an event, as a controller does."""
    metadata = maker["metadata"]
    about = {"kind": kind, "name": metadata["name"], "namespace": binding.namespace, "uid": metadata["uid"]}
    body = {
        "metadata": {"name": f"{metadata['name']}.{metadata['uid'][:8]}"},
        "involvedObject": {**about, "apiVersion": GROUPS.get(kind, "apps/v1")},
        "reason": "FailedCreate",
        "message": message,
        "type": "Warning",
        "count": 7,
        "firstTimestamp": TOLD,
        "lastTimestamp": at,
        "source": {"component": f"{kind.lower()}-controller"},
    }
    made(binding.stage.kube.create(f"/api/v1/namespaces/{binding.namespace}/events", body))


def no_pod(binding: Binding) -> None:
    """Take the ServiceAccount's pod away."""
    path = f"/api/v1/namespaces/{binding.namespace}/pods/{NAME}-0"
    binding.stage.kube.delete(path, {"gracePeriodSeconds": 0})


def add_pod(binding: Binding, name: str, account: str, namespace: str = "", **labels: str) -> None:
    """A running pod of a ServiceAccount."""
    path = f"/api/v1/namespaces/{namespace or binding.namespace}/pods"
    spec = {"serviceAccountName": account, "containers": [{"name": "app", "image": "app:1"}]}
    made(binding.stage.kube.create(path, {"metadata": {"name": name, "labels": labels}, "spec": spec}))
    status = {"status": {"phase": "Running"}}
    assert binding.stage.kube.patch(f"{path}/{name}/status", status).status == 200


def no_account(binding: Binding) -> None:
    """Take the ServiceAccount away."""
    binding.stage.kube.delete(f"/api/v1/namespaces/{binding.namespace}/serviceaccounts/{NAME}")


def mounted_twice(folder: str = FOLDER) -> Json:
    """The spec of a pod that mounts a token of its own where the webhook mounts its one."""
    token = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "token"}}
    mount = {"name": "own", "mountPath": folder}
    return {
        "containers": [{"name": "app", "image": "app:1", "volumeMounts": [mount]}],
        "volumes": [{"name": "own", "projected": {"sources": [token]}}],
    }


def failing_webhook(binding: Binding, name: str = "mesh.example.com") -> None:
    """Another webhook for the pods of the namespace, which does not answer and is not to be passed over."""
    known = binding.stage.kube.get(WEBHOOK).body["webhooks"][0]
    webhook = {
        **{key: known[key] for key in ("rules", "sideEffects", "admissionReviewVersions")},
        "name": name,
        "clientConfig": {"url": "https://127.0.0.1:1/inject"},
        "failurePolicy": "Fail",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": binding.namespace}},
    }
    body = {"metadata": {"name": f"{name}-{binding.namespace}"}, "webhooks": [webhook]}
    made(binding.stage.kube.create(WEBHOOKS, body))
    binding.wait_until(lambda shown: shown.status == 500)
