"""The OIDC providers in a trust policy: clusters', deleted ones, claimable names, several stages."""

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
from irsa_cli.core.trust.rules.table import ISSUER_CAN_BE_HAD, PROVIDER_GONE, SEVERAL_STAGES
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, issuer_of

SUBJECT = "system:serviceaccount:"
_EKS = ("oidc-provider/oidc.eks.", "oidc-provider/oidc-eks.")


@dataclass(frozen=True)
class KnownCluster:
    """A cluster; `stage` is the stage in its name, '' if there is none."""

    name: str
    stage: str = ""


@dataclass(frozen=True)
class TrustContext:
    """The context of a trust policy; None means not read, so nothing follows from it.

    `providers` are the ARNs of the clusters' OIDC providers (see `cluster_providers`). `existing` has the
    audiences of the account's OIDC providers, `clusters` the clusters, both by provider ARN. `power` has the
    powerful permissions of the role in words.
    """

    providers: tuple[str, ...] = ()
    audience: str = DEFAULT_AUDIENCE
    role: str = ""
    power: str = ""
    existing: Mapping[str, tuple[str, ...] | None] | None = None
    clusters: Mapping[str, KnownCluster] | None = None


def cluster_providers(document: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The OIDC providers in a trust policy that belong to a cluster: EKS, known, or with ServiceAccounts."""
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
"""Hosts that release a name when its owner deletes it. CloudFront's names are random: not listed."""
_KEPT = ("rh-oidc.s3.us-east-1.amazonaws.com", "rh-oidc-staging.s3.us-east-1.amazonaws.com")
"""Red Hat's buckets (OpenShift on AWS). Users' own buckets are not safe: IAM can't show a deleted one."""


def of_providers(document: Mapping[str, Any], context: TrustContext) -> Iterator[Risk]:
    """The risks of the providers in Allow statements."""
    named: dict[str, None] = {}
    for index, item in allowing(document):
        for arn in principals(item, "Federated"):
            if arn not in context.providers:
                continue
            named[arn] = None
            name, path = name_of(index, item), place_of(index, "Principal")
            issuer = issuer_of(arn)
            if context.existing is not None and arn not in context.existing:
                reason = f"trusts OIDC provider {issuer}, which does not exist"
                yield risk(PROVIDER_GONE, name, reason, path=path)
            if context.clusters is not None and arn not in context.clusters and can_be_had(issuer):
                reason = f"trusts {issuer}, which is of no known cluster: its owner can sign tokens"
                yield risk(ISSUER_CAN_BE_HAD, name, reason, path=path)
    yield from _stages(named, context)


def can_be_had(issuer: str) -> bool:
    """Whether others could claim the issuer's host name (issuer without `https://`)."""
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
        reason = f"allows ServiceAccounts of {clusters}"
        yield risk(SEVERAL_STAGES, "the trust policy", reason, path=("Statement",))


_STAGES = {
    "production": "prod production prd live",
    "pre-production": "preprod preproduction staging stage stg uat qa integration int",
    "development": "dev development develop nonprod test testing sandbox playground lab demo",
}
"""The words in cluster names by stage."""


def stage_of(name: str) -> str:
    """The stage in a cluster's name, '' for none or several."""
    words = set(re.split(r"[^a-z]+", re.sub(r"(pre|non)[-_](prod)", r"\1\2", name.lower())))
    found = [stage for stage, said in _STAGES.items() if words & set(said.split())]
    return found[0] if len(found) == 1 else ""
