"""The kinds of objects that the API serves: names, fields, defaults and checks, one value for each kind.

How objects are stored is in `store`, how they are listed for clients in `discovery`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.objects import leases, pods, rbac, webhooks
from irsa_cli.sandbox.kube.objects.schema import BYTES, OBJECT, RAW, JsonObject, ListOf, MapOf, Schema

_REFERENCE_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_REFERENCE: Schema = dict.fromkeys(_REFERENCE_FIELDS, str)
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")


def _nothing(_: JsonObject) -> None:
    """No defaults."""


def _no_problems(_: JsonObject) -> list[status.FieldError]:
    return []


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of object: its name in bodies, its name in paths, its fields, and what it lives in.

    `answers_deleted`: a DELETE answers the object, not a Status. `kept` are fields that only the server (or
    a subresource) writes, `frozen` those that nobody changes, with the reason given to those who try.
    `fill_in` sets defaults, `problems` tells what is wrong beyond the metadata. `selectable` are the fields
    that a fieldSelector may name beside the object's name and namespace. `replaced`: a PUT is served, which
    makes the object where there is none; `noted`: its managedFields are kept. `freely_named`: a name need
    not be one of DNS.
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
    fill_in: Callable[[JsonObject], None] = _nothing
    problems: Callable[[JsonObject], list[status.FieldError]] = _no_problems
    selectable: tuple[str, ...] = ()
    replaced: bool = False
    noted: bool = False
    freely_named: bool = False

    @property
    def version(self) -> str:
        """The version of the API that it is served in."""
        return "v1"

    @property
    def api_version(self) -> str:
        """As in bodies: group and version."""
        return f"{self.group}/{self.version}" if self.group else self.version

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


def _fill_in_secret(secret: JsonObject) -> None:
    secret.setdefault("type", "Opaque")


def _event_problems(event: JsonObject) -> list[status.FieldError]:
    about = event.get("involvedObject", {}).get("namespace", "")
    if about == event["metadata"]["namespace"]:
        return []
    return [status.invalid_value("involvedObject.namespace", about, "does not match event.namespace")]


def _fill_in_event(event: JsonObject) -> None:
    """Parts that the API answers even where nobody has written them."""
    event.setdefault("involvedObject", {})
    event.setdefault("source", {})


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
    fill_in=_fill_in_secret,
    problems=_data_problems,
)
LEASES = Kind(
    "Lease",
    "leases",
    leases.LEASE,
    group=leases.GROUP,
    fill_in=leases.fill_in,
    problems=leases.problems,
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
    fill_in=_fill_in_event,
    problems=_event_problems,
    selectable=(*_OBJECT_FIELDS, "reason", "reportingComponent", "source", "type"),
)
"""What controllers tell of an object. Here nobody writes them but those who call the API."""
WEBHOOKS = Kind(
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    webhooks.CONFIGURATION,
    namespaced=False,
    group=webhooks.GROUP,
    fill_in=webhooks.fill_in,
    problems=webhooks.problems,
)
_WORKLOAD: Schema = {**OBJECT, "spec": RAW, "status": RAW}
"""What makes pods: kept as it is sent. Nothing here makes the pods."""
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
    Kind("Role", "roles", rbac.ROLE, group=rbac.GROUP, freely_named=True),
    Kind("ClusterRole", "clusterroles", rbac.ROLE, namespaced=False, group=rbac.GROUP, freely_named=True),
    *(
        Kind(
            kind,
            f"{kind.lower()}s",
            rbac.BINDING,
            namespaced=kind == "RoleBinding",
            group=rbac.GROUP,
            fill_in=rbac.fill_in_binding,
            problems=rbac.binding_problems,
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
