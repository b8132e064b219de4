"""What is known around a trust policy when it is judged: its role, the account's providers and clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust.principal_flaws import trusted_providers
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

SUBJECT = "system:serviceaccount:"
_EKS = ("oidc-provider/oidc.eks.", "oidc-provider/oidc-eks.")


@dataclass(frozen=True)
class KnownCluster:
    """A cluster, by the provider of its issuer. `stage` is what its name says, '' where it says none."""

    name: str
    stage: str = ""


@dataclass(frozen=True)
class TrustContext:
    """What a trust policy is judged with. What is None was not read: nothing follows from it.

    `providers` are the ARNs of the clusters' OIDC providers whose tokens are judged; for any document
    `cluster_providers` finds them. `existing` are the audiences of each OIDC provider that the account has,
    by its ARN (None: not known), `clusters` those that are there, by the same. `power` is what the role may
    do, where that is much (`irsa_cli.core.trust.rules.power`).
    """

    providers: tuple[str, ...] = ()
    audience: str = DEFAULT_AUDIENCE
    role: str = ""
    power: str = ""
    existing: Mapping[str, tuple[str, ...] | None] | None = None
    clusters: Mapping[str, KnownCluster] | None = None


def cluster_providers(document: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The OIDC providers in a trust policy that are a cluster's: EKS', a known one, one of ServiceAccounts.

    GitHub's or another provider's is none: its subjects are no ServiceAccounts.
    """
    found = sorted(trusted_providers(document))
    return tuple(
        arn
        for arn in found
        if any(host in arn for host in _EKS)
        or arn in (known or {})
        or any(SUBJECT in value for value in _subjects(document, arn))
    )


def _subjects(document: Mapping[str, Any], provider: str) -> Iterator[str]:
    key = f"{provider.partition('oidc-provider/')[2]}:sub".lower()
    for item in as_list(document.get("Statement", [])):
        block = item.get("Condition") if isinstance(item, dict) else None
        for keys in block.values() if isinstance(block, dict) else ():
            for name, values in keys.items() if isinstance(keys, dict) else ():
                if str(name).lower() == key:
                    yield from map(str, as_list(values))
