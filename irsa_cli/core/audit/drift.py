"""What is left over: providers and roles of clusters that are gone, roles that nobody uses or has changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.reach import Reachable
from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG
from irsa_cli.core.trust.principal_flaws import trusted_providers
from irsa_cli.core.trust.rules import binding_rules as rules
from irsa_cli.core.trust.rules.rule import Risk, risk
from irsa_cli.core.trust.rules.statements import allowing, name_of, principals
from irsa_cli.core.trust.shared_statement import read

UNUSED_DAYS = 90
_EKS = re.compile(r"oidc[.-]eks\.(?P<region>[a-z0-9-]+)\.")


@dataclass
class Drift:
    """The judge of what is left over. `unused_days`: when a role counts as unused."""

    estate: Estate
    reach: Reachable
    unused_days: int = UNUSED_DAYS

    def risks(self) -> Iterator[Risk]:
        """The risks of all providers and roles."""
        for arn in sorted(self.estate.providers or ()):
            if self._is_orphan(arn):
                reason = f"is the provider of no cluster of {self._where}"
                yield risk(rules.PROVIDER_WITHOUT_CLUSTER, f"OIDC provider {arn}", reason)
        for role in self.estate.roles:
            yield from self._dead(role)
            yield from self._changed(role)
            yield from self._unused(role)

    @property
    def _where(self) -> str:
        return f"{', '.join(sorted(self.estate.accounts))} in {', '.join(sorted(self.estate.regions))}"

    def _is_orphan(self, provider: str) -> bool:
        """Whether it is EKS', of a region whose clusters are all known, and none of theirs."""
        match = _EKS.match(provider.partition("oidc-provider/")[2])
        if match is None or match["region"] not in self.estate.regions:
            return False
        return self.estate.cluster_of(provider) is None

    def _dead(self, role: BoundRole) -> Iterator[Risk]:
        for provider in sorted(trusted_providers(role.trust)):
            if provider in (self.estate.providers or ()) and self._is_orphan(provider):
                for index, item in allowing(role.trust):
                    if provider in principals(item, "Federated"):
                        issuer = provider.partition("oidc-provider/")[2]
                        yield risk(
                            rules.DEAD_ISSUER,
                            name_of(index, item),
                            f"trusts {issuer}, the issuer of no cluster of {self._where}",
                            role=role.arn,
                            path=("Statement", index, "Principal"),
                        )

    def _changed(self, role: BoundRole) -> Iterator[Risk]:
        """A role that irsa created, complete, with a statement that irsa does not write."""
        if not (role.tags.get(CLUSTER_TAG) and role.tags.get(SERVICE_ACCOUNT_TAG)):
            return
        if "irsa/spec-hash" not in role.tags or not lifecycle.of(role.tags, named=True).is_over:
            return  # Adopted: irsa has not made its trust policy.
        for index, item in allowing(role.trust):
            if not trusted_providers({"Statement": [item]}) or _has_more_principals(item):
                reason = "does not have the form that irsa writes: it admits others than ServiceAccounts"
                yield self._was_changed(role, index, name_of(index, item), reason)
            elif read(item) is None and not item.get("Condition"):
                yield self._was_changed(role, index, name_of(index, item), "has lost its condition")

    def _was_changed(self, role: BoundRole, index: int, name: str, reason: str) -> Risk:
        return risk(rules.CHANGED, name, reason, role=role.arn, path=("Statement", index))

    def _unused(self, role: BoundRole) -> Iterator[Risk]:
        now = self.estate.now
        if now is None or role.arn not in self.reach.ways:
            return
        since = now - timedelta(days=self.unused_days)
        if role.created > since or (role.last_used is not None and role.last_used > since):
            return
        last = f"on {role.last_used:%Y-%m-%d}" if role.last_used else "never, as far as IAM knows (400 days)"
        yield risk(rules.UNUSED, "the role", f"was last used {last}, and pods can become it", role=role.arn)


def _has_more_principals(item: object) -> bool:
    principal = item.get("Principal") if isinstance(item, dict) else None
    return not isinstance(principal, dict) or set(principal) != {"Federated"}
