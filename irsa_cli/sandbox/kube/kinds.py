"""The kinds of objects that the API serves: names, fields, defaults and checks, one value for each kind.

Some are objects like any other and no more: a Lease that has expired is nobody's lock here, and who may do
set in the sandbox (`authorizer`), not read from roles and bindings.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.sandbox.kube import pods, status
from irsa_cli.sandbox.kube.schema import (
    BYTES,
    INT32,
    METADATA,
    MICRO_TIME,
    OBJECT,
    RAW,
    JsonObject,
    ListOf,
    MapOf,
    Schema,
)

_REFERENCE_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_REFERENCE: Schema = dict.fromkeys(_REFERENCE_FIELDS, str)
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of object: its name in bodies, its name in paths, its fields, and what it lives in.

    `answers_deleted`: a DELETE answers the object, not a Status. `kept` are fields that only the server (or a
    subresource) writes, `frozen` those that nobody changes, with the reason given to those who try. `fill_in`
    sets defaults, `problems` tells what is wrong beyond the metadata. `selectable` are the fields that a
    fieldSelector may use besides the object's name and namespace. `replaced`: a PUT is served, which creates
    a missing object; `noted`: its managedFields are kept. `freely_named`: a name need not be one of DNS.
    """

    kind: str
    resource: str
    schema: Schema
    namespaced: bool = True
    group: str = ""
    short_names: tuple[str, ...] = ()
    answers_deleted: bool = False
    kept: tuple[str, ...] = ()
    frozen: Mapping[str, str] = field(default_factory=dict)
    fill_in: Callable[[JsonObject], None] = lambda _: None
    problems: Callable[[JsonObject], list[status.FieldError]] = lambda _: []
    selectable: tuple[str, ...] = ()
    replaced: bool = False
    noted: bool = False
    freely_named: bool = False

    @property
    def api_version(self) -> str:
        """As in bodies: group and version, which is v1 for all."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def singular(self) -> str:
        """As kubectl's users say it."""
        return self.kind.lower()


def _data_problems(obj: JsonObject) -> list[status.FieldError]:
    return [
        status.invalid_value(f"data[{key}]", key, "may have letters, digits, '-', '_' and '.'")
        for key in obj.get("data", {})
        if not _DATA_KEY.fullmatch(key)
    ]


def _defaults(**defaults: Any) -> Callable[[JsonObject], None]:
    """A function that sets fields that nobody has written."""

    def fill_in(obj: JsonObject) -> None:
        for key, value in copy.deepcopy(defaults).items():
            obj.setdefault(key, value)

    return fill_in


def _event_problems(event: JsonObject) -> list[status.FieldError]:
    about = event.get("involvedObject", {}).get("namespace", "")
    if about == event["metadata"]["namespace"]:
        return []
    return [status.invalid_value("involvedObject.namespace", about, "does not match event.namespace")]


_LEASE: Schema = {
    **OBJECT,
    "metadata": {**METADATA, "managedFields": RAW},
    "spec": {
        "holderIdentity": str,
        "leaseDurationSeconds": INT32,
        "acquireTime": MICRO_TIME,
        "renewTime": MICRO_TIME,
        "leaseTransitions": INT32,
    },
}


def _lease_problems(lease: JsonObject) -> list[status.FieldError]:
    """Errors of the numbers; what is no number, or no time, is no Lease at all."""
    spec = lease["spec"]
    errors = []
    if spec.get("leaseDurationSeconds", 1) <= 0:
        seconds = spec["leaseDurationSeconds"]
        errors.append(status.invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if spec.get("leaseTransitions", 0) < 0:
        why = "must be greater than or equal to 0"
        errors.append(status.invalid_value("spec.leaseTransitions", spec["leaseTransitions"], why))
    return errors


_RBAC = "rbac.authorization.k8s.io"
_ROLE_RULE = dict.fromkeys(
    ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), ListOf(str)
)
_SUBJECT = dict.fromkeys(("kind", "apiGroup", "name", "namespace"), str)
_ROLE: Schema = {**OBJECT, "rules": ListOf(_ROLE_RULE), "aggregationRule": RAW}
_BINDING: Schema = {
    **OBJECT,
    "roleRef": dict.fromkeys(("apiGroup", "kind", "name"), str),
    "subjects": ListOf(_SUBJECT),
}


def _fill_in_binding(binding: JsonObject) -> None:
    """The groups that kinds belong to."""
    binding.setdefault("roleRef", {}).setdefault("apiGroup", _RBAC)
    for subject in binding.get("subjects", []):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _RBAC)


def _binding_problems(binding: JsonObject) -> list[status.FieldError]:
    errors = []
    reference = binding["roleRef"]
    if reference.get("kind") not in ("Role", "ClusterRole"):
        found = reference.get("kind", "")
        errors.append(status.FieldError("roleRef.kind", "FieldValueNotSupported", f"unsupported: {found}"))
    if not reference.get("name"):
        errors.append(status.required_value("roleRef.name", "a role has a name"))
    for place, subject in enumerate(binding.get("subjects", [])):
        where = f"subjects[{place}]"
        if not subject.get("name"):
            errors.append(status.required_value(f"{where}.name", "a subject has a name"))
        # In a RoleBinding it is the binding's own namespace.
        everywhere = "namespace" not in binding["metadata"]
        if everywhere and subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            errors.append(status.required_value(f"{where}.namespace", "a ServiceAccount has a namespace"))
    return errors


_SELECTOR = {
    "matchLabels": MapOf(str),
    "matchExpressions": ListOf({"key": str, "operator": str, "values": ListOf(str)}),
}
_WEBHOOK_RULE = {
    **dict.fromkeys(("operations", "apiGroups", "apiVersions", "resources"), ListOf(str)),
    "scope": str,
}
_WEBHOOK = {
    "name": str,
    "clientConfig": {"url": str, "service": RAW, "caBundle": BYTES},
    "rules": ListOf(_WEBHOOK_RULE),
    "namespaceSelector": _SELECTOR,
    "objectSelector": _SELECTOR,
    "admissionReviewVersions": ListOf(str),
    "timeoutSeconds": int,
    "matchConditions": RAW,
    **dict.fromkeys(("failurePolicy", "matchPolicy", "sideEffects", "reinvocationPolicy"), str),
}
_CONFIGURATION: Schema = {**OBJECT, "webhooks": ListOf(_WEBHOOK)}


_fill_in_webhook = _defaults(
    failurePolicy="Fail",
    matchPolicy="Equivalent",
    namespaceSelector={},
    objectSelector={},
    timeoutSeconds=10,
    reinvocationPolicy="Never",
)


def _fill_in_webhooks(configuration: JsonObject) -> None:
    for webhook in configuration.get("webhooks", []):
        _fill_in_webhook(webhook)
        for rule in webhook.get("rules", []):
            rule.setdefault("scope", "*")


def _webhook_problems(configuration: JsonObject) -> list[status.FieldError]:
    errors = []
    for index, webhook in enumerate(configuration.get("webhooks", [])):
        field = f"webhooks[{index}]"
        name = webhook.get("name", "")
        if name.count(".") < 2:
            why = "should be a domain with at least three segments separated by dots"
            errors.append(status.invalid_value(f"{field}.name", name, why))
        client = webhook.get("clientConfig", {})
        errors += [
            status.required_value(f"{field}.{part}", why)
            for part, why, given in (
                ("sideEffects", "must specify one of None, NoneOnDryRun", webhook.get("sideEffects")),
                (
                    "clientConfig",
                    "exactly one of url or service is required",
                    ("url" in client) != ("service" in client),
                ),
                (
                    "admissionReviewVersions",
                    "must specify one of v1, v1beta1",
                    webhook.get("admissionReviewVersions"),
                ),
            )
            if not given
        ]
    return errors


NAMESPACES = Kind(
    "Namespace",
    "namespaces",
    {**OBJECT, "spec": {"finalizers": ListOf(str)}, "status": {"phase": str}},
    namespaced=False,
    short_names=("ns",),
    answers_deleted=True,
    kept=("spec", "status"),
)
SERVICE_ACCOUNTS = Kind(
    "ServiceAccount",
    "serviceaccounts",
    {
        **OBJECT,
        "secrets": ListOf(_REFERENCE),
        "imagePullSecrets": ListOf({"name": str}),
        "automountServiceAccountToken": bool,
    },
    short_names=("sa",),
    answers_deleted=True,
)
PODS = Kind(
    "Pod",
    "pods",
    pods.POD,
    short_names=("po",),
    answers_deleted=True,
    kept=("status",),
    frozen={"spec": "FieldValueForbidden"},
    fill_in=pods.fill_in,
    problems=pods.problems,
)
CONFIG_MAPS = Kind(
    "ConfigMap",
    "configmaps",
    {**OBJECT, "data": MapOf(str), "binaryData": MapOf(BYTES), "immutable": bool},
    short_names=("cm",),
    problems=_data_problems,
)
SECRETS = Kind(
    "Secret",
    "secrets",
    {**OBJECT, "data": MapOf(BYTES), "type": str, "immutable": bool},
    frozen={"type": "FieldValueInvalid"},
    fill_in=_defaults(type="Opaque"),
    problems=_data_problems,
)
LEASES = Kind(
    "Lease",
    "leases",
    _LEASE,
    group="coordination.k8s.io",
    fill_in=_defaults(spec={}),
    problems=_lease_problems,
    replaced=True,
    noted=True,
)
_OBJECT_FIELDS = tuple(f"involvedObject.{part}" for part in _REFERENCE_FIELDS)
EVENTS = Kind(
    "Event",
    "events",
    {
        **OBJECT,
        "involvedObject": _REFERENCE,
        **dict.fromkeys(("reason", "message", "type", "action", "reportingComponent"), str),
        **dict.fromkeys(("reportingInstance", "firstTimestamp", "lastTimestamp", "eventTime"), str),
        "source": {"component": str, "host": str},
        "count": int,
        "series": RAW,
    },
    short_names=("ev",),
    fill_in=_defaults(involvedObject={}, source={}),
    problems=_event_problems,
    selectable=(*_OBJECT_FIELDS, "reason", "reportingComponent", "source", "type"),
)
"""Statuses that controllers write. Here only callers of the API write them."""
WEBHOOKS = Kind(
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    _CONFIGURATION,
    namespaced=False,
    group="admissionregistration.k8s.io",
    fill_in=_fill_in_webhooks,
    problems=_webhook_problems,
)
_WORKLOAD: Schema = {**OBJECT, "spec": RAW, "status": RAW}
"""Workloads that create pods: kept as sent. Nothing here creates the pods."""
_OF_APPS = {"DaemonSet": "ds", "Deployment": "deploy", "ReplicaSet": "rs", "StatefulSet": "sts"}
WORKLOADS = (
    *(
        Kind(kind, f"{kind.lower()}s", _WORKLOAD, group="apps", short_names=(short,))
        for kind, short in _OF_APPS.items()
    ),
    Kind("CronJob", "cronjobs", _WORKLOAD, group="batch", short_names=("cj",)),
    Kind("Job", "jobs", _WORKLOAD, group="batch"),
    Kind("ReplicationController", "replicationcontrollers", _WORKLOAD, short_names=("rc",)),
)
RBAC = (
    Kind("Role", "roles", _ROLE, group=_RBAC, freely_named=True),
    Kind("ClusterRole", "clusterroles", _ROLE, namespaced=False, group=_RBAC, freely_named=True),
    *(
        Kind(
            kind,
            f"{kind.lower()}s",
            _BINDING,
            namespaced=kind == "RoleBinding",
            group=_RBAC,
            fill_in=_fill_in_binding,
            problems=_binding_problems,
            frozen={"roleRef": "FieldValueInvalid"},
            freely_named=True,
        )
        for kind in ("RoleBinding", "ClusterRoleBinding")
    ),
)
KINDS = {
    (kind.group, kind.resource): kind
    for kind in (
        NAMESPACES,
        SERVICE_ACCOUNTS,
        PODS,
        CONFIG_MAPS,
        SECRETS,
        LEASES,
        EVENTS,
        WEBHOOKS,
        *WORKLOADS,
        *RBAC,
    )
}
