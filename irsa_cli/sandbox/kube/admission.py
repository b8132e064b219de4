"""Admission of new pods: their ServiceAccount and its token, then the mutating webhooks.

As the ServiceAccount plugin and the webhook plugin of the API server do it. Of the webhooks only EKS's own
can be called: it is in this process. Others, also EKS's with another URL or CA, can't be reached, and their
failure policy decides. Of what decides whether one is asked, match conditions and other versions of a
resource are not known.
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#serviceaccount
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from irsa_cli.sandbox.kube import podwebhook, status
from irsa_cli.sandbox.kube.kinds import NAMESPACES, PODS, SERVICE_ACCOUNTS, WEBHOOKS, Kind
from irsa_cli.sandbox.kube.pods import containers_of
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import Store, random_end

_API_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
_API_TOKEN = [
    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {
        "downwardAPI": {
            "items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
            ]
        }
    },
]


class Admission:
    """Changes and refuses new objects of one cluster. Without a region the cluster has no pod webhook."""

    def __init__(
        self,
        store: Store,
        region: str = "",
        ca_pem: str = "",
        associated: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._store = store
        self._configuration = podwebhook.configuration(ca_pem=ca_pem)
        self._webhook = (
            podwebhook.PodWebhook(region, self._annotations, associated or (lambda _namespace, _name: False))
            if region
            else None
        )

    def install(self) -> None:
        """Put the configuration of EKS's webhook into the cluster."""
        if self._webhook:
            self._store.create(WEBHOOKS, "", self._configuration)

    def admit(self, kind: Kind, namespace: str, obj: JsonObject) -> JsonObject:
        """The object as it is to be created; raises ApiError where it must not be."""
        if kind is not PODS:
            return obj
        self._store.require_namespace(namespace, kind.resource, obj["metadata"].get("name", ""))
        pod = copy.deepcopy(obj)
        kind.fill_in(pod)
        self._give_account(namespace, pod)
        return self._call_webhooks(namespace, pod)

    def _give_account(self, namespace: str, pod: JsonObject) -> None:
        spec = pod["spec"]
        name = spec.setdefault("serviceAccountName", "default")
        spec["serviceAccount"] = name
        account = self._account(namespace, name)
        if account is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise status.forbidden(PODS.resource, pod["metadata"].get("name", ""), why)
        if account.get("imagePullSecrets"):
            spec.setdefault("imagePullSecrets", account["imagePullSecrets"])
        mounted = account.get("automountServiceAccountToken", True)
        if spec.get("automountServiceAccountToken", mounted):
            _mount_api_token(pod)

    def _account(self, namespace: str, name: str) -> JsonObject | None:
        try:
            return self._store.get(SERVICE_ACCOUNTS, namespace, name)
        except status.ApiError:
            return None

    def _annotations(self, namespace: str, name: str) -> dict[str, str] | None:
        account = self._account(namespace, name)
        return None if account is None else account["metadata"].get("annotations", {})

    def _call_webhooks(self, namespace: str, pod: JsonObject) -> JsonObject:
        labels = self._store.get(NAMESPACES, "", namespace)["metadata"].get("labels", {})
        for configuration in self._store.list(WEBHOOKS)[1]:
            for webhook in configuration.get("webhooks", []):
                if is_shown(webhook, (PODS.group, PODS.resource), pod, labels):
                    pod = self._call(webhook, namespace, pod)
        return pod

    def _call(self, webhook: dict[str, Any], namespace: str, pod: JsonObject) -> JsonObject:
        own = self._configuration["webhooks"][0]["clientConfig"]
        if self._webhook and webhook["clientConfig"] == own:
            return self._webhook.mutate(pod, namespace)
        if webhook["failurePolicy"] == "Ignore":
            return pod
        where = webhook["clientConfig"].get("url", "a Service")
        why = f'failed to call webhook: Post "{where}": the sandbox reaches no webhook but its own'
        cause = f'failed calling webhook "{webhook["name"]}": {why}'
        message, details = f"Internal error occurred: {cause}", {"causes": [{"message": cause}]}
        raise status.ApiError(500, "InternalError", message, details)


def is_shown(
    webhook: Mapping[str, Any],
    resource: tuple[str, str],
    obj: JsonObject,
    namespace_labels: Mapping[str, str],
) -> bool:
    """Whether a webhook is asked about the creation of `obj`; `resource` is its group and plural name."""
    group, name = resource
    ruled = any(
        {"CREATE", "*"} & set(rule.get("operations", []))
        and {group, "*"} & set(rule.get("apiGroups", []))
        and {"v1", "*"} & set(rule.get("apiVersions", []))
        and {name, "*", "*/*"} & set(rule.get("resources", []))
        and rule.get("scope") != "Cluster"
        for rule in webhook.get("rules", [])
    )
    return (
        ruled
        and selects(webhook.get("namespaceSelector", {}), namespace_labels)
        and selects(webhook.get("objectSelector", {}), obj["metadata"].get("labels", {}))
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    there = expression["key"] in labels
    listed = there and labels[expression["key"]] in expression.get("values", [])
    return {"Exists": there, "DoesNotExist": not there, "In": listed, "NotIn": not listed}.get(
        expression["operator"], False
    )


def _mount_api_token(pod: JsonObject) -> None:
    name = f"kube-api-access-{random_end()}"
    mount = {"name": name, "readOnly": True, "mountPath": _API_FOLDER}
    bare = [
        container
        for container in containers_of(pod)
        if all(mount.get("mountPath") != _API_FOLDER for mount in container.get("volumeMounts", []))
    ]
    for container in bare:
        container["volumeMounts"] = [*container.get("volumeMounts", []), mount]
    if bare:
        volume = {"name": name, "projected": {"sources": copy.deepcopy(_API_TOKEN), "defaultMode": 0o644}}
        pod["spec"]["volumes"] = [*pod["spec"].get("volumes", []), volume]
