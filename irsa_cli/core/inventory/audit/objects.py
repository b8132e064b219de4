"""Kubernetes' JSON as an audit looks at it: ServiceAccounts, and how many pods each has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from irsa_cli.core.inventory.audit.estate import AuditedAccount
from irsa_cli.core.inventory.bindings import annotation_of
from irsa_cli.core.objects import parsing
from irsa_cli.core.objects.injection import Injection


def audited_account(body: parsing.Json) -> AuditedAccount:
    """A ServiceAccount; raises TypeError (or what comes of it) for what Kubernetes gives nobody."""
    found = parsing.service_account(body)
    if not all(isinstance(text, str) for text in found.annotations.values()):
        raise TypeError
    audience = Injection.read(found.annotations).audience
    return AuditedAccount(found.namespace, found.name, annotation_of(found) or "", audience)


def pods_of(bodies: Iterable[parsing.Json]) -> dict[str, int]:
    """How many living pods each ServiceAccount has, by its full name."""
    return dict(Counter(_alive(bodies)))


def _alive(bodies: Iterable[parsing.Json]) -> Iterator[str]:
    for body in bodies:
        found = parsing.pod(body)
        if found.is_alive:
            yield f"{found.namespace}/{found.service_account}"
