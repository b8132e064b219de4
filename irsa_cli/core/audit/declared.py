"""The judges of annotations against trust policies, and of leftovers: providers, unused or changed roles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from irsa_cli.core.audit.estate import AuditedAccount, AuditedCluster, Estate
from irsa_cli.core.audit.reach import Reachable, size_of
from irsa_cli.core.audit.ways import By
from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG
from irsa_cli.core.policies.statements import allowing, name_of, principals, trusted_providers
from irsa_cli.core.results.scope import plural
from irsa_cli.core.trust.rules import table as rules
from irsa_cli.core.trust.rules.judge import LARGEST
from irsa_cli.core.trust.rules.rule import Risk, Rule, risk, some
from irsa_cli.core.trust.rules.width import Look
from irsa_cli.core.trust.trust_policy import read_statement
from irsa_cli.core.values.arn import check_role
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

SYSTEM = "kube-system"
"""The namespace of node components, which use the node's role on purpose."""


@dataclass
class Declared:
    """The judge of annotations, associations and subjects."""

    estate: Estate
    reach: Reachable

    def risks(self) -> Iterator[Risk]:
        """The risks of all clusters' ServiceAccounts and of all roles' subjects."""
        for cluster in self.estate.clusters:
            yield from self._of_cluster(cluster)
        for role in self.estate.roles:
            if size_of(role) <= LARGEST:
                yield from self._gone(role)
        yield from self._undeclared()

    def _of_cluster(self, cluster: AuditedCluster) -> Iterator[Risk]:
        if isinstance(cluster.accounts, Unreadable):
            return
        known = not isinstance(cluster.associations, Unreadable)
        associations = () if isinstance(cluster.associations, Unreadable) else cluster.associations
        taken = {item.full_name: item for item in associations}
        admitted = self._admitted(cluster)
        for account in cluster.accounts:
            if not account.role_arn:
                continue
            yield from self._annotated(cluster, account, admitted)
            if (over := taken.get(account.full_name)) is not None and over.role_arn != account.role_arn:
                other = over.role_arn or "another role, which was not read"
                reason = f"is annotated with {account.role_arn}, but its association uses {other}"
                found = self._risk(rules.SHADOWED, cluster, account, reason)
                yield replace(found, evidence=(f"association {over.id}",))
        if known and cluster.accounts:
            yield from self._without(cluster, {*taken})

    def _admitted(self, cluster: AuditedCluster) -> dict[tuple[str, str], frozenset[str]]:
        """The audiences with which a ServiceAccount can assume a role, by ServiceAccount and role."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        annotated = {
            item.full_name
            for item in (() if isinstance(cluster.accounts, Unreadable) else cluster.accounts)
            if item.role_arn
        }
        for arn, ways in self.reach.ways.items():
            for way in ways:
                if way.cluster == cluster.name and way.by is By.WEB_IDENTITY:
                    for name in way.accounts & annotated:
                        found[name, arn] = found.get((name, arn), frozenset()) | {*way.audiences}
        return found

    def _annotated(
        self,
        cluster: AuditedCluster,
        account: AuditedAccount,
        admitted: dict[tuple[str, str], frozenset[str]],
    ) -> Iterator[Risk]:
        try:
            check_role(account.role_arn)
        except InvalidInput as error:
            reason = f"has a wrong annotation: {error.message}"
            yield replace(self._risk(rules.NO_ROLE_NAMED, cluster, account, reason), role="")
            return
        parts = account.role_arn.split(":")
        if len(parts) < 6 or parts[4] not in self.estate.accounts:
            return
        role = self.estate.roles_by_arn.get(account.role_arn)
        if role is None:
            reason = f"is annotated with {account.role_arn}, which does not exist"
            yield self._risk(rules.ROLE_GONE, cluster, account, reason)
            return
        if not cluster.issuer or size_of(role) > LARGEST:
            return
        if account.audience not in admitted.get((account.full_name, account.role_arn), ()):
            reason = f"is annotated with {account.role_arn}, which does not trust it"
            yield self._risk(rules.ANNOTATED_REFUSED, cluster, account, reason)

    def _without(self, cluster: AuditedCluster, associated: set[str]) -> Iterator[Risk]:
        """One risk for all ServiceAccounts whose pods have only the node's role."""
        if isinstance(cluster.pods, Unreadable) or isinstance(cluster.accounts, Unreadable):
            return
        own = {item.full_name for item in cluster.accounts if item.role_arn} | associated
        bare = sorted(
            name
            for name, count in cluster.pods.items()
            if count and name not in own and not name.startswith(f"{SYSTEM}/")
        )
        if bare:
            pods = plural(sum(cluster.pods[name] for name in bare), "pod")
            reason = f"runs {pods} without an IAM role, of {some(bare)}"
            yield risk(rules.NODE_ROLE, f"cluster {cluster.name}", reason, cluster=cluster.name)

    def _risk(self, rule: Rule, cluster: AuditedCluster, account: AuditedAccount, reason: str) -> Risk:
        return risk(
            rule,
            f"ServiceAccount {account.full_name} of cluster {cluster.name}",
            reason,
            role=account.role_arn,
            cluster=cluster.name,
            account=account.full_name,
        )

    def _gone(self, role: BoundRole) -> Iterator[Risk]:
        """The risks of a role's subjects that are not existing ServiceAccounts."""
        for provider in sorted(trusted_providers(role.trust)):
            cluster = self.estate.cluster_of(provider)
            if cluster is None or isinstance(cluster.accounts, Unreadable):
                continue
            if self.estate.providers is not None and provider not in self.estate.providers:
                continue
            there = self.reach.index(cluster).accounts
            look = Look(role.trust, provider, DEFAULT_AUDIENCE)
            for index, item in allowing(role.trust):
                for subject in dict.fromkeys(look.exact(index)):
                    if subject not in there:
                        namespace, _, name = subject.removeprefix("system:serviceaccount:").partition(":")
                        yield risk(
                            rules.SUBJECT_GONE,
                            name_of(index, item),
                            f"allows ServiceAccount {namespace}/{name}, missing in cluster {cluster.name}",
                            role=role.arn,
                            path=("Statement", index, "Condition"),
                            cluster=cluster.name,
                            account=f"{namespace}/{name}",
                        )

    def _undeclared(self) -> Iterator[Risk]:
        """The risks of ServiceAccounts that a role lists but that are not annotated with it."""
        declared = {
            (cluster.name, item.full_name, item.role_arn)
            for cluster in self.estate.clusters
            if not isinstance(cluster.accounts, Unreadable)
            for item in cluster.accounts
            if item.role_arn
        }
        for arn, ways in self.reach.ways.items():
            for way in ways:
                if way.by is not By.WEB_IDENTITY or not way.named:
                    continue
                for name in sorted(way.accounts):
                    if (way.cluster, name, arn) not in declared:
                        yield risk(
                            rules.ADMITTED_NOT_ANNOTATED,
                            way.statement,
                            f"allows {name} of cluster {way.cluster}, which is not annotated with it",
                            role=arn,
                            cluster=way.cluster,
                            account=name,
                        )


UNUSED_DAYS = 90
_EKS = re.compile(r"oidc[.-]eks\.(?P<region>[a-z0-9-]+)\.")


@dataclass
class Drift:
    """The judge of leftovers and changes; `unused_days`: after which a role counts as unused."""

    estate: Estate
    reach: Reachable
    unused_days: int = UNUSED_DAYS

    def risks(self) -> Iterator[Risk]:
        """The risks of all providers and roles."""
        for arn in sorted(self.estate.providers or ()):
            if self._is_orphan(arn):
                reason = f"belongs to no cluster in {self._where}"
                yield risk(rules.PROVIDER_WITHOUT_CLUSTER, f"OIDC provider {arn}", reason)
        for role in self.estate.roles:
            yield from self._dead(role)
            yield from self._changed(role)
            yield from self._unused(role)

    @property
    def _where(self) -> str:
        return ", ".join(sorted(self.estate.regions))

    def _is_orphan(self, provider: str) -> bool:
        """Whether it is a provider of EKS in a fully known region, but of none of its clusters."""
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
                            f"trusts {issuer}, which belongs to no cluster in {self._where}",
                            role=role.arn,
                            path=("Statement", index, "Principal"),
                        )

    def _changed(self, role: BoundRole) -> Iterator[Risk]:
        """The risks of a complete role created by irsa with a statement that irsa does not write."""
        if not (role.tags.get(CLUSTER_TAG) and role.tags.get(SERVICE_ACCOUNT_TAG)):
            return
        if "irsa/spec-hash" not in role.tags or not lifecycle.of(role.tags, named=True).is_over:
            return  # Adopted: irsa did not write its trust policy.
        for index, item in allowing(role.trust):
            if not trusted_providers({"Statement": [item]}) or _has_more_principals(item):
                reason = "was changed since irsa wrote it: it allows principals other than ServiceAccounts"
                yield self._was_changed(role, index, name_of(index, item), reason)
            elif read_statement(item) is None and not item.get("Condition"):
                yield self._was_changed(role, index, name_of(index, item), "no longer has its condition")

    def _was_changed(self, role: BoundRole, index: int, name: str, reason: str) -> Risk:
        return risk(rules.CHANGED, name, reason, role=role.arn, path=("Statement", index))

    def _unused(self, role: BoundRole) -> Iterator[Risk]:
        now = self.estate.now
        if now is None or role.arn not in self.reach.ways:
            return
        since = now - timedelta(days=self.unused_days)
        if role.created > since or (role.last_used is not None and role.last_used > since):
            return
        last = f"last used on {role.last_used:%Y-%m-%d}" if role.last_used else "not used in 400 days"
        yield risk(rules.UNUSED, "the role", f"was {last}, but pods can assume it", role=role.arn)


def _has_more_principals(item: object) -> bool:
    principal = item.get("Principal") if isinstance(item, dict) else None
    return not isinstance(principal, dict) or set(principal) != {"Federated"}
