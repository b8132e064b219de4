"""The OIDC providers that a trust policy names, and what else is known around it when it is judged.

Which of them are clusters'; which are gone, can be had by others, or are of several stages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies.statements import (
    allowing,
    name_of,
    place_of,
    principals,
    statements,
    tests_of_key,
    trusted_providers,
)
from irsa_cli.core.trust.rules.rule import Risk, risk
from irsa_cli.core.trust.rules.trust_rules import ISSUER_CAN_BE_HAD, PROVIDER_GONE, SEVERAL_STAGES
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, issuer_of

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
        or any(
            SUBJECT in value
            for _, values in tests_of_key(statements(document), f"{issuer_of(arn)}:sub")
            for value in values
        )
    )


_HAD = re.compile(
    r"(?:[^/]+\.)?s3[.-](?:[a-z0-9-]+\.)*amazonaws\.com(?:\.cn)?"
    r"|(?:[^/]+\.)?storage\.googleapis\.com"
    r"|[^/]+\.(?:blob|web)\.core\.windows\.net"
    r"|[^/]+\.(?:github\.io|gitlab\.io|pages\.dev|netlify\.app|vercel\.app|herokuapp\.com|azurewebsites\.net)"
)
"""Hosts on which a name is free again when its owner deletes it. CloudFront draws its names: not here."""
_KEPT = ("rh-oidc.s3.us-east-1.amazonaws.com", "rh-oidc-staging.s3.us-east-1.amazonaws.com")
"""Buckets of those who run clusters for others: Red Hat's, of OpenShift on AWS.

A bucket of one's own (rosa's unmanaged configuration, kOps' discovery store) is no such: whether it is still
there is not to be seen in IAM, and the tokens of its next owner are as good as those of the first.
"""


def of_providers(document: Mapping[str, Any], context: TrustContext) -> Iterator[Risk]:
    """The risks of the providers in the statements that allow something."""
    named: dict[str, None] = {}
    for index, item in allowing(document):
        for arn in principals(item, "Federated"):
            if arn not in context.providers:
                continue
            named[arn] = None
            name, path = name_of(index, item), place_of(index, "Principal")
            issuer = issuer_of(arn)
            if context.existing is not None and arn not in context.existing:
                reason = f"trusts the OIDC provider {issuer}, and the account has none of it"
                yield risk(PROVIDER_GONE, name, reason, path=path)
            if context.clusters is not None and arn not in context.clusters and can_be_had(issuer):
                reason = f"trusts {issuer}, which is no known cluster's: who has that name makes the tokens"
                yield risk(ISSUER_CAN_BE_HAD, name, reason, path=path)
    yield from _stages(named, context)


def can_be_had(issuer: str) -> bool:
    """Whether the issuer (without `https://`) is on a host where a name can be taken once it is given up."""
    host = issuer.partition("/")[0].lower()
    return host not in _KEPT and _HAD.fullmatch(host) is not None


def _stages(named: Mapping[str, Any], context: TrustContext) -> Iterator[Risk]:
    found: dict[str, str] = {}
    for arn in named:
        cluster = (context.clusters or {}).get(arn)
        if cluster is not None and cluster.stage:
            found.setdefault(cluster.stage, cluster.name)
    if len(found) > 1:
        clusters = " and ".join(f"{name} ({stage})" for stage, name in sorted(found.items()))
        yield risk(
            SEVERAL_STAGES, "the trust policy", f"admits ServiceAccounts of {clusters}", path=("Statement",)
        )


_STAGES = {
    "production": "prod production prd live",
    "pre-production": "preprod preproduction staging stage stg uat qa integration int",
    "development": "dev development develop nonprod test testing sandbox playground lab demo",
}
"""By stage: the words of cluster names that say it."""


def stage_of(name: str) -> str:
    """The stage that a cluster's name says, '' where it says none or several."""
    words = set(re.split(r"[^a-z]+", re.sub(r"(pre|non)[-_](prod)", r"\1\2", name.lower())))
    found = [stage for stage, said in _STAGES.items() if words & set(said.split())]
    return found[0] if len(found) == 1 else ""
