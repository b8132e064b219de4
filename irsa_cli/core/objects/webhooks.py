"""Webhooks for pods, NetworkPolicies and label selectors, as far as irsa reads them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from irsa_cli.core.values.limits import moment

Json = Mapping[str, Any]

WEBHOOK_NAMES = ("pod-identity-webhook", "iam-for-pods")
"""Names of the pod identity webhook, on EKS and in its project."""

HTTPS = 443
"""The port of STS."""


@dataclass(frozen=True)
class Requirement:
    """One requirement of a label selector: `In`, `NotIn`, `Exists` or `DoesNotExist`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Webhook:
    """A webhook that is called for new pods; `service` is namespace/name, or else `url`.

    `ca_ends`: the end of its CA certificate, None if unknown.
    """

    configuration: str
    name: str
    url: str = ""
    service: str = ""
    failure_policy: str = "Fail"
    namespace_selector: tuple[Requirement, ...] = ()
    object_selector: tuple[Requirement, ...] = ()
    created: datetime | None = None
    ca_ends: datetime | None = None


@dataclass(frozen=True)
class NetworkPolicy:
    """A NetworkPolicy about egress; `ports`: for each rule, whether it has port 443, and to everybody."""

    name: str
    pods: tuple[Requirement, ...] = ()
    ports: tuple[tuple[bool, bool], ...] = ()


def webhooks(body: Json) -> list[Webhook]:
    """The webhooks of a MutatingWebhookConfiguration that inject web identities into pods."""
    name = body["metadata"]["name"]
    return [
        _webhook(name, item, moment(body["metadata"].get("creationTimestamp")))
        for item in body.get("webhooks") or []
        if any(known in name or known in item["name"] for known in WEBHOOK_NAMES)
    ]


def _webhook(configuration: str, item: Json, created: datetime | None) -> Webhook:
    client = item.get("clientConfig") or {}
    service = client.get("service") or {}
    return Webhook(
        configuration=configuration,
        name=item["name"],
        url=client.get("url", ""),
        service=f"{service['namespace']}/{service['name']}" if service else "",
        failure_policy=item.get("failurePolicy", "Fail"),
        namespace_selector=_requirements(item.get("namespaceSelector") or {}),
        object_selector=_requirements(item.get("objectSelector") or {}),
        created=created,
        ca_ends=_ends(client.get("caBundle", "")),
    )


def _ends(bundle: str) -> datetime | None:
    """When the last of a bundle's certificates expires; None when there is none to be read."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(base64.b64decode(bundle))
    except ValueError:
        return None
    return max((item.not_valid_after_utc for item in found), default=None)


def network_policy(body: Json) -> NetworkPolicy | None:
    """A NetworkPolicy about egress, None for one about ingress only."""
    spec = body.get("spec") or {}
    if "Egress" not in (spec.get("policyTypes") or (["Egress"] if "egress" in spec else [])):
        return None
    rules = tuple(
        (not rule.get("ports") or any(map(_is_https, rule["ports"])), not rule.get("to"))
        for rule in spec.get("egress") or []
    )
    return NetworkPolicy(body["metadata"]["name"], _requirements(spec.get("podSelector") or {}), rules)


def _is_https(item: Json) -> bool:
    first = item.get("port", HTTPS)
    if item.get("protocol", "TCP") != "TCP":
        return False
    if isinstance(first, str):
        return first in ("https", str(HTTPS))
    return bool(first <= HTTPS <= item.get("endPort", first))


def _requirements(selector: Json) -> tuple[Requirement, ...]:
    equal = [Requirement(key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    listed = [
        Requirement(item["key"], item["operator"], tuple(item.get("values") or ()))
        for item in selector.get("matchExpressions") or []
    ]
    return (*equal, *listed)


def selects(requirements: tuple[Requirement, ...], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches these labels; an empty one matches everything."""
    return all(_meets(item, labels) for item in requirements)


def _meets(item: Requirement, labels: Mapping[str, str]) -> bool:
    if item.operator == "Exists":
        return item.key in labels
    if item.operator == "DoesNotExist":
        return item.key not in labels
    found = item.key in labels and labels[item.key] in item.values
    return found if item.operator == "In" else not found
