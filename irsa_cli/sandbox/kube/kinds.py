"""The kinds of objects that the API serves: names, fields, defaults and checks, one value for each kind.

The table is kinds.yaml. Some are objects like any other and no more: a Lease that has expired is nobody's
lock here, who may do what is set in the sandbox (`access`) and not read from roles and bindings, and
nothing runs pods: they stay Pending until somebody writes another status. `admission` changes new pods.
Objects that irsa only reads (bindings, webhook configurations, events) are stored as they are sent.
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.schema import FILE, JsonObject, dns_problems
from irsa_cli.sandbox.model import table


def _fill_in_pod(pod: JsonObject) -> None:
    spec = pod.setdefault("spec", {})
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec |= {"serviceAccountName": name, "serviceAccount": name}
    pod["spec"] = {**table("pod defaults"), **spec}
    for container in containers_of(pod):
        image = container.get("image", "")
        newest = image.rpartition("/")[2].partition(":")[2] in ("", "latest") and "@" not in image
        pull = {"imagePullPolicy": "Always" if newest else "IfNotPresent"}
        _set_defaults(container, {**table("container defaults"), **pull})
    for volume in spec.get("volumes", []):
        projected = volume.get("projected", {})
        projected.setdefault("defaultMode", 0o644)
        for source in projected.get("sources", []):
            source.get("serviceAccountToken", {}).setdefault("expirationSeconds", 3600)
    pod.setdefault("status", {"phase": "Pending"})


def containers_of(pod: JsonObject) -> Iterator[JsonObject]:
    """Init containers, then the others."""
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"].get("containers", [])


def _pod_problems(pod: JsonObject) -> list[status.FieldError]:
    spec = pod["spec"]
    if not spec.get("containers"):
        return [status.required_value("spec.containers")]
    volumes = [volume.get("name", "") for volume in spec.get("volumes", [])]
    errors = _name_errors(volumes, "spec.volumes") + _token_errors(spec.get("volumes", []))
    for part in ("initContainers", "containers"):
        containers = spec.get(part, [])
        errors += _name_errors([container.get("name", "") for container in containers], f"spec.{part}")
        for index, container in enumerate(containers):
            errors += _container_errors(container, volumes, f"spec.{part}[{index}]")
    return errors


def _name_errors(names: Sequence[str], field: str) -> list[status.FieldError]:
    errors = []
    for index, name in enumerate(names):
        where = f"{field}[{index}].name"
        if not name:
            errors.append(status.required_value(where))
        elif name in names[:index]:
            text = f"Duplicate value: {json.dumps(name)}"
            errors.append(status.FieldError(where, "FieldValueDuplicate", text))
        else:
            errors += [status.invalid_value(where, name, why) for why in dns_problems(name, label=True)]
    return errors


def _container_errors(container: JsonObject, volumes: list[str], field: str) -> list[status.FieldError]:
    errors = [] if container.get("image") else [status.required_value(f"{field}.image")]
    paths: list[str] = []
    for index, mount in enumerate(container.get("volumeMounts", [])):
        where = f"{field}.volumeMounts[{index}]"
        path = mount.get("mountPath", "")
        if mount.get("name", "") not in volumes:
            text = f"Not found: {json.dumps(mount.get('name', ''))}"
            errors.append(status.FieldError(f"{where}.name", "FieldValueNotFound", text))
        if not path:
            errors.append(status.required_value(f"{where}.mountPath"))
        elif path in paths:
            errors.append(status.invalid_value(f"{where}.mountPath", path, "must be unique"))
        paths.append(path)
    for index, variable in enumerate(container.get("env", [])):
        if not variable.get("name"):
            errors.append(status.required_value(f"{field}.env[{index}].name"))
    return errors


def _token_errors(volumes: list[JsonObject]) -> list[status.FieldError]:
    """A projected token lives for 10 minutes at least, and has a path."""
    errors = []
    for index, volume in enumerate(volumes):
        for place, source in enumerate(volume.get("projected", {}).get("sources", [])):
            token: dict[str, Any] | None = source.get("serviceAccountToken")
            if token is None:
                continue
            where = f"spec.volumes[{index}].projected.sources[{place}].serviceAccountToken"
            if token.get("expirationSeconds", 3600) < 600:
                why = "may not specify a duration less than 10 minutes"
                found = token["expirationSeconds"]
                errors.append(status.invalid_value(f"{where}.expirationSeconds", found, why))
            if not token.get("path"):
                errors.append(status.required_value(f"{where}.path"))
    return errors


_RBAC = "rbac.authorization.k8s.io"
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_WEBHOOK = table("webhook defaults")


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of object: its name in bodies, its fields, and what it lives in.

    `answers_deleted`: a DELETE answers the object, not a Status. `kept` are fields that only the server (or a
    subresource) writes, `frozen` those that nobody changes, with the reason given to those who try.
    `selectable` are the fields that a fieldSelector may use besides name and namespace. `made_by_put`: a PUT
    creates a missing object; `versioned`: a PUT needs the resourceVersion that it replaces. `noted`: its
    managedFields are kept. `freely_named`: a name need not be one of DNS.
    """

    kind: str
    schema: Mapping[str, Any]
    namespaced: bool = True
    group: str = ""
    short_names: Sequence[str] = ()
    answers_deleted: bool = False
    kept: Sequence[str] = ()
    frozen: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    selectable: Sequence[str] = ()
    made_by_put: bool = False
    versioned: bool = False
    noted: bool = False
    freely_named: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def resource(self) -> str:
        return f"{self.singular}s"

    def fill_in(self, obj: JsonObject) -> None:
        _set_defaults(obj, self.defaults)
        if self.kind in _FILL_IN:
            _FILL_IN[self.kind](obj)

    def problems(self, obj: JsonObject) -> list[status.FieldError]:
        return _PROBLEMS[self.kind](obj) if self.kind in _PROBLEMS else []


def _set_defaults(obj: JsonObject, defaults: Mapping[str, Any]) -> None:
    for key, value in copy.deepcopy(dict(defaults)).items():
        obj.setdefault(key, value)


def _data_problems(obj: JsonObject) -> list[status.FieldError]:
    return [
        status.invalid_value(f"data[{key}]", key, "may have letters, digits, '-', '_' and '.'")
        for key in obj.get("data", {})
        if not _DATA_KEY.fullmatch(key)
    ]


def _lease_problems(lease: JsonObject) -> list[status.FieldError]:
    """Errors of the numbers; what is no number, or no time, is no Lease at all."""
    rules = (
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    )
    return [
        status.invalid_value(f"spec.{key}", lease["spec"][key], why)
        for key, least, why in rules
        if lease["spec"].get(key, least) < least
    ]


def _fill_in_binding(binding: JsonObject) -> None:
    binding.setdefault("roleRef", {}).setdefault("apiGroup", _RBAC)
    for subject in binding.get("subjects", []):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _RBAC)


def _fill_in_account(account: JsonObject) -> None:
    """Of references to Secrets, the API server keeps the names only."""
    for secret in account.get("secrets", []):
        for key in secret.keys() - {"name"}:
            del secret[key]


def _fill_in_webhooks(configuration: JsonObject) -> None:
    for webhook in configuration.get("webhooks", []):
        _set_defaults(webhook, _WEBHOOK)
        for rule in webhook.get("rules", []):
            rule.setdefault("scope", "*")


_FILL_IN: Mapping[str, Callable[[JsonObject], None]] = {
    "Pod": _fill_in_pod,
    "ServiceAccount": _fill_in_account,
    "MutatingWebhookConfiguration": _fill_in_webhooks,
    "RoleBinding": _fill_in_binding,
    "ClusterRoleBinding": _fill_in_binding,
}
_PROBLEMS: Mapping[str, Callable[[JsonObject], list[status.FieldError]]] = {
    "Pod": _pod_problems,
    "ConfigMap": _data_problems,
    "Secret": _data_problems,
    "Lease": _lease_problems,
}
_OBJECT = {"kind, apiVersion": "string", "metadata": "Metadata"}


def _read_kinds(table_name: str) -> dict[str, Kind]:
    return {
        name: Kind(name, {**_OBJECT, **entry.pop("fields")}, **entry)
        for name, entry in FILE[table_name].items()
    }


REQUESTS = _read_kinds("requests")
BY_NAME = _read_kinds("kinds")
KINDS = {(kind.group, kind.resource): kind for kind in BY_NAME.values()}
CONFIG_MAPS = BY_NAME["ConfigMap"]
NAMESPACES = BY_NAME["Namespace"]
PODS = BY_NAME["Pod"]
SERVICE_ACCOUNTS = BY_NAME["ServiceAccount"]
WEBHOOKS = BY_NAME["MutatingWebhookConfiguration"]
