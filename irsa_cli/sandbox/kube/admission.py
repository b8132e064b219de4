"""Admission of new pods: their ServiceAccount and its token, then the mutating webhooks.

As the ServiceAccount plugin and the webhook plugin of the API server do it. Only EKS's own webhook can be
called: it is in this process. Others, also EKS's with another URL or CA, can't be reached, and their failure
policy decides. Match conditions and other versions of a resource are not served.
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#serviceaccount
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

The EKS pod identity webhook adds to a new pod what a ServiceAccount with a role needs. The sandbox calls
`PodWebhook.mutate`, which the tests also serve to a real API server. Served are the annotations of
ServiceAccounts (role-arn, audience, token-expiration, sts-regional-endpoints) and of pods (skip-containers,
token-expiration), and that an EKS Pod Identity association comes first. Other prefixes and the webhook's
cache are not. https://github.com/aws/amazon-eks-pod-identity-webhook (README)
https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html
"""

from __future__ import annotations

import base64
import copy
import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.kinds import NAMESPACES, PODS, SERVICE_ACCOUNTS, WEBHOOKS, Kind, containers_of
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import Store, random_end
from irsa_cli.sandbox.model import table

_API_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
_API_TOKEN = table("api token")


class Webhook(NamedTuple):
    """The pod webhook of a cluster: none without its region; `associated` as in `PodWebhook`."""

    region: str = ""
    ca_pem: str = ""
    associated: Callable[[str, str], bool] = lambda _namespace, _name: False


NO_WEBHOOK = Webhook()


class Admission:
    """Changes and refuses new objects of one cluster."""

    def __init__(self, store: Store, webhook: Webhook) -> None:
        self._store = store
        self._configuration = webhook_configuration(ca_pem=webhook.ca_pem)
        own = PodWebhook(webhook.region, self._annotations, webhook.associated)
        self._webhook = own if webhook.region else None

    def install(self) -> None:
        if self._webhook:
            self._store.create(WEBHOOKS, "", self._configuration)

    def admit(self, kind: Kind, namespace: str, obj: JsonObject) -> JsonObject:
        """The object as it will be created; raises ApiError if it must not be."""
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
        bare = [container for container in containers_of(pod) if not _mounts_api(container)]
        if bare and spec.get("automountServiceAccountToken", mounted):
            volume = f"kube-api-access-{random_end()}"
            mount = {"name": volume, "readOnly": True, "mountPath": _API_FOLDER}
            for container in bare:
                container["volumeMounts"] = [*container.get("volumeMounts", []), mount]
            projected = {"sources": copy.deepcopy(_API_TOKEN), "defaultMode": 0o644}
            spec["volumes"] = [*spec.get("volumes", []), {"name": volume, "projected": projected}]

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
        own = self._configuration["webhooks"][0]["clientConfig"]
        _, configurations = self._store.list(WEBHOOKS)
        webhooks = chain.from_iterable(configuration.get("webhooks", []) for configuration in configurations)
        for webhook in webhooks:
            if not is_shown(webhook, pod, labels):
                continue
            client = webhook.get("clientConfig", {})
            if self._webhook and client == own:
                pod = self._webhook.mutate(pod, namespace)
            elif webhook["failurePolicy"] != "Ignore":
                where = client.get("url", "a Service")
                why = f'failed to call webhook: Post "{where}": the sandbox reaches no webhook but its own'
                cause = f'failed calling webhook "{webhook["name"]}": {why}'
                message = f"Internal error occurred: {cause}"
                details = {"causes": [{"message": cause}]}
                raise status.ApiError(500, "InternalError", message, details)
        return pod


def _mounts_api(container: JsonObject) -> bool:
    return any(mount.get("mountPath") == _API_FOLDER for mount in container.get("volumeMounts", []))


def is_shown(webhook: Mapping[str, Any], pod: JsonObject, namespace_labels: Mapping[str, str]) -> bool:
    """Whether a webhook is asked about the creation of a pod."""
    ruled = any(
        {"CREATE", "*"} & set(rule.get("operations", []))
        and {PODS.group, "*"} & set(rule.get("apiGroups", []))
        and {"v1", "*"} & set(rule.get("apiVersions", []))
        and {PODS.resource, "*", "*/*"} & set(rule.get("resources", []))
        and rule.get("scope") != "Cluster"
        for rule in webhook.get("rules", [])
    )
    return (
        ruled
        and selects(webhook.get("namespaceSelector", {}), namespace_labels)
        and selects(webhook.get("objectSelector", {}), pod["metadata"].get("labels", {}))
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""

    def holds(expression: Mapping[str, Any]) -> bool:
        is_set = expression["key"] in labels
        listed = is_set and labels[expression["key"]] in expression.get("values", [])
        verdicts = {"Exists": is_set, "DoesNotExist": not is_set, "In": listed, "NotIn": not listed}
        return verdicts.get(expression["operator"], False)

    labels_wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return labels_wanted.items() <= labels.items() and all(map(holds, selector.get("matchExpressions", [])))


WEBHOOK_URL = "https://127.0.0.1:23443/mutate"
"""Where EKS's own configuration leads to: a port of the control plane itself."""
_PREFIX = "eks.amazonaws.com/"
_SHORTEST = 600
_USUAL = 86_400
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True)
class _Way:
    """A way to hand an identity to a container: a projected token, and variables that lead to it.

    `variables` are set together, or, where the container has one of them already, not at all; `{path}`
    is the token's file.
    """

    volume: str
    folder: str
    file: str
    audience: str
    variables: Mapping[str, str]


_POD_IDENTITY = _Way(**table("pod identity"))


@dataclass(frozen=True)
class PodWebhook:
    """The webhook of one cluster.

    `annotations` gives those of a ServiceAccount (namespace, name), None when there is none; `associated`
    tells whether it has an EKS Pod Identity association.
    """

    region: str
    annotations: Callable[[str, str], Mapping[str, str] | None]
    associated: Callable[[str, str], bool]

    def mutate(self, pod: JsonObject, namespace: str) -> JsonObject:
        """The pod with what the webhook adds; the same as before when that is nothing."""
        name = pod["spec"].get("serviceAccountName", "")
        account_annotations = self.annotations(namespace, name) or {}
        role = account_annotations.get(f"{_PREFIX}role-arn")
        way = _POD_IDENTITY
        if not self.associated(namespace, name):
            if not role:
                return pod
            audience = account_annotations.get(f"{_PREFIX}audience", "sts.amazonaws.com")
            variables = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": "{path}"}
            folder = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
            way = _Way("aws-iam-token", folder, "token", audience, variables)
        pod = copy.deepcopy(pod)
        own: Mapping[str, str] = pod["metadata"].get("annotations", {})
        skipped = next(csv.reader([own.get(f"{_PREFIX}skip-containers", "")]), [])
        # On EKS regional endpoints are the default, and the annotation is read as Go reads a bool.
        regional = account_annotations.get(f"{_PREFIX}sts-regional-endpoints", "true") not in _FALSE
        path = f"{way.folder}/{way.file}"
        selector = pod["spec"].get("nodeSelector", {})
        if "windows" in (selector.get("kubernetes.io/os"), selector.get("beta.kubernetes.io/os")):
            path = "C:" + path.replace("/", "\\")
        for container in containers_of(pod):
            if container.get("name") not in skipped:
                self._equip(container, way, path, regional=regional)
        volumes = pod["spec"].get("volumes", [])
        if all(volume.get("name") != way.volume for volume in volumes):
            seconds = _seconds(own, _seconds(account_annotations, _USUAL))
            token = {"audience": way.audience, "expirationSeconds": seconds, "path": way.file}
            volume = {"name": way.volume, "projected": {"sources": [{"serviceAccountToken": token}]}}
            pod["spec"]["volumes"] = [volume, *volumes]
        return pod

    def _equip(self, container: JsonObject, way: _Way, path: str, *, regional: bool) -> None:
        names = {variable.get("name") for variable in container.get("env", [])}
        identity = {name: value.replace("{path}", path) for name, value in way.variables.items()}
        region = {"AWS_DEFAULT_REGION": self.region, "AWS_REGION": self.region}
        endpoint = {"AWS_STS_REGIONAL_ENDPOINTS": "regional"}
        if names & identity.keys() and names & region.keys() and names & endpoint.keys():
            return
        added: dict[str, str] = {}
        for group in (endpoint if regional else {}, region, identity):
            if not names & group.keys():
                added |= group
        variables = [{"name": name, "value": value} for name, value in added.items()]
        container["env"] = container.get("env", []) + variables
        mounts = container.get("volumeMounts", [])
        if all(mount.get("name") != way.volume for mount in mounts):
            mount = {"name": way.volume, "readOnly": True, "mountPath": way.folder}
            container["volumeMounts"] = [*mounts, mount]


def _seconds(annotations: Mapping[str, str], usual: int) -> int:
    try:
        return max(int(annotations[f"{_PREFIX}token-expiration"]), _SHORTEST)
    except (KeyError, ValueError):
        return usual


def webhook_configuration(url: str = WEBHOOK_URL, ca_pem: str = "") -> JsonObject:
    """The MutatingWebhookConfiguration as a new EKS cluster has it, leading to `url`."""
    configuration: JsonObject = table("pod webhook")
    bundle = base64.b64encode(ca_pem.encode()).decode()
    configuration["webhooks"][0]["clientConfig"] = {"url": url, "caBundle": bundle}
    return configuration
