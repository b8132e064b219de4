"""What is unsafe in the trust policy of each role, with what is known of the account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.reach import size_of
from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.trust.principal_flaws import trusted_providers
from irsa_cli.core.trust.rules.context import KnownCluster, TrustContext, cluster_providers
from irsa_cli.core.trust.rules.judge import LARGEST, judge
from irsa_cli.core.trust.rules.power import Granted, granted, power_of
from irsa_cli.core.trust.rules.rule import Risk


@dataclass
class Trusts:
    """The judge of all trust policies: what roles share is looked at once."""

    estate: Estate
    _granted: dict[str, Granted] = field(default_factory=dict)

    def risks(self) -> Iterator[Risk]:
        """The risks of all roles."""
        for role in self.estate.roles:
            if size_of(role) <= LARGEST:
                yield from self.of(role)

    def too_large(self) -> Iterator[str]:
        """The roles whose trust policies are not judged, a line each."""
        for role in self.estate.roles:
            if size_of(role) > LARGEST:
                yield f"the trust policy of {role.arn} is larger than IAM takes: it was not judged"

    def context(self, role: BoundRole) -> TrustContext:
        """What is known around the trust policy of a role."""
        providers = cluster_providers(role.trust, self._clusters)
        clusters = {arn: self._clusters[arn] for arn in providers if arn in self._clusters}
        return TrustContext(
            providers,
            role=role.arn,
            existing=self.estate.providers,
            clusters=clusters if self.estate.clusters else None,
        )

    def of(self, role: BoundRole) -> tuple[Risk, ...]:
        """The risks of one role."""
        if not (found := judge(role.trust, self.context(role))):
            return ()
        much = self.power(role)
        return tuple(item.behind(much) for item in found)

    @cached_property
    def _clusters(self) -> Mapping[str, KnownCluster]:
        """The clusters by the ARN of each provider that trust policies name for them."""
        named = {arn for role in self.estate.roles for arn in trusted_providers(role.trust)}
        found = {arn: self.estate.cluster_of(arn) for arn in named | set(self.estate.providers or ())}
        return {arn: cluster.known for arn, cluster in found.items() if cluster is not None}

    def power(self, role: BoundRole) -> str:
        """What is much of what a role may do, in words; '' where nothing is."""
        documents = {name: granted(document) for name, document in sorted(role.documents.items())}
        for arn in role.attached:
            documents[arn] = self._of_policy(arn)
        known = role.boundary in self.estate.policies
        limit = self._of_policy(role.boundary) if known else None
        return power_of(role.attached, documents, role.boundary, limit)

    def _of_policy(self, arn: str) -> Granted:
        if arn not in self._granted:
            self._granted[arn] = granted(self.estate.policies.get(arn))
        return self._granted[arn]
