"""Risks of a trust policy by its OIDC providers, where the account's, and its clusters, are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies import statements
from irsa_cli.core.trust.rules.judge import TrustContext
from irsa_cli.core.trust.rules.rule import RULES, Risk, risk
from irsa_cli.core.trust.rules.width import SERVICE_ACCOUNT
from irsa_cli.core.values.arn import issuer_of


@dataclass(frozen=True)
class KnownCluster:
    """A cluster."""

    name: str

    @property
    def stage(self) -> str:
        """The stage in its name, '' for none or several."""
        words = set(re.split(r"[^a-z]+", re.sub(r"(pre|non)[-_](prod)", r"\1\2", self.name.lower())))
        stages = [stage for stage, of_stage in _STAGES.items() if words & set(of_stage.split())]
        return stages[0] if len(stages) == 1 else ""


_HAD = re.compile(
    r"(?:[^/]+\.)?s3[.-](?:[a-z0-9-]+\.)*amazonaws\.com(?:\.cn)?"
    r"|(?:[^/]+\.)?storage\.googleapis\.com"
    r"|[^/]+\.(?:blob|web)\.core\.windows\.net"
    r"|[^/]+\.(?:github\.io|gitlab\.io|pages\.dev|netlify\.app|vercel\.app|herokuapp\.com|azurewebsites\.net)"
)
"""Hosts that release a name when its owner deletes it. CloudFront's names are random: not listed."""
_KEPT = ("rh-oidc.s3.us-east-1.amazonaws.com", "rh-oidc-staging.s3.us-east-1.amazonaws.com")
"""Red Hat's buckets (OpenShift on AWS). Users' own buckets are not safe: IAM can't show a deleted one."""


def can_be_had(issuer: str) -> bool:
    """Whether others could claim the issuer's host name (issuer without `https://`)."""
    host = issuer.partition("/")[0].lower()
    return host not in _KEPT and _HAD.fullmatch(host) is not None


_STAGES = {
    "production": "prod production prd live",
    "pre-production": "preprod preproduction staging stage stg uat qa integration int",
    "development": "dev development develop nonprod test testing sandbox playground lab demo",
}
"""The words in cluster names by stage."""


def cluster_providers(document: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The OIDC providers in a trust policy that belong to a cluster: EKS, known, or with ServiceAccounts."""

    def is_of_cluster(arn: str) -> bool:
        if any(host in arn for host in _EKS) or arn in (known or {}):
            return True
        subjects = statements.values_of_key(document, f"{issuer_of(arn)}:sub")
        return any(SERVICE_ACCOUNT in subject for subject in subjects)

    return tuple(filter(is_of_cluster, sorted(statements.trusted_providers(document))))


_EKS = ("oidc-provider/oidc.eks.", "oidc-provider/oidc-eks.")


@dataclass(frozen=True)
class AccountContext(TrustContext):
    """The context in an account: `clusters` by their provider (`cluster_providers`), None if not read."""

    clusters: Mapping[str, KnownCluster] | None = None

    def of_providers(self, document: Mapping[str, Any]) -> Iterator[Risk]:
        """See `TrustContext`: also of clusters of several stages."""
        trusted: dict[str, None] = {}
        for index, statement in statements.allowing(document):
            for arn in statements.principals(statement, "Federated"):
                if arn not in self.providers:
                    continue
                trusted[arn] = None
                name = statements.name_of(index, statement)
                path = statements.place_of(index, "Principal")
                issuer = issuer_of(arn)
                if self.existing is not None and arn not in self.existing:
                    reason = f"trusts OIDC provider {issuer}, which does not exist"
                    yield risk(RULES["provider-gone"], name, reason, path=path)
                if self.clusters is not None and arn not in self.clusters and can_be_had(issuer):
                    reason = f"trusts {issuer}, which is of no known cluster: its owner can sign tokens"
                    yield risk(RULES["issuer-can-be-had"], name, reason, path=path)
        yield from self._of_stages(trusted)

    def _of_stages(self, providers: Iterable[str]) -> Iterator[Risk]:
        """One risk if the providers belong to clusters of several stages."""
        stages: dict[str, str] = {}
        for arn in providers:
            cluster = (self.clusters or {}).get(arn)
            if cluster is not None and cluster.stage:
                stages.setdefault(cluster.stage, cluster.name)
        if len(stages) > 1:
            clusters = " and ".join(f"{name} ({stage})" for stage, name in sorted(stages.items()))
            reason = f"allows ServiceAccounts of {clusters}"
            yield risk(RULES["several-stages"], "the trust policy", reason, path=("Statement",))
