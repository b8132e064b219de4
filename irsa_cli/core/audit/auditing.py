"""The audit of what was read: all risks, the worst first, and what keeps it from being complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import nsmallest

from irsa_cli.core.audit.declared import Declared
from irsa_cli.core.audit.drift import UNUSED_DAYS, Drift
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.in_cluster import InCluster
from irsa_cli.core.audit.reach import Reachable
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.audit.ways import Way
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.rbac.report import InKubernetes
from irsa_cli.core.trust.rules.rule import ORDER, Area, Risk


@dataclass(frozen=True)
class AuditScope:
    """What is asked about: one ServiceAccount (namespace/name), one role (ARN), or all of it."""

    account: str = ""
    role: str = ""
    unused_days: int = UNUSED_DAYS


@dataclass(frozen=True)
class Audit:
    """An estate, judged."""

    estate: Estate
    scope: AuditScope = AuditScope()
    _gets: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def reach(self) -> Reachable:
        """Who becomes which role."""
        return Reachable(self.estate)

    @cached_property
    def risks(self) -> tuple[Risk, ...]:
        """All risks in the scope: by severity, then by rule, role and place."""
        found = [self._whom(item) for item in self._all() if self._is_asked(item)]
        found += self.in_cluster.risks(self.scope.account, self.scope.role)
        return tuple(sorted(found, key=_place))

    @cached_property
    def in_cluster(self) -> InCluster:
        """Who may become which ServiceAccount by rights in its cluster."""
        return InCluster(self.estate, self.reach, self._trusts)

    @cached_property
    def _trusts(self) -> Trusts:
        return Trusts(self.estate)

    @cached_property
    def in_kubernetes(self) -> Mapping[str, InKubernetes]:
        """The ServiceAccount that is asked about in each cluster that has it, by the cluster's name."""
        subject = "system:serviceaccount:" + self.scope.account.replace("/", ":", 1)
        return {
            cluster.name: self.in_cluster.of(cluster, self.scope.account)
            for cluster in self.estate.clusters
            if subject in self.reach.index(cluster).accounts
        }

    def _all(self) -> Iterator[Risk]:
        yield from self._trusts.risks()
        yield from Declared(self.estate, self.reach).risks()
        yield from Drift(self.estate, self.reach, self.scope.unused_days).risks()

    def _is_asked(self, item: Risk) -> bool:
        scope = self.scope
        if scope.role:
            return item.role == scope.role
        if not scope.account:
            return True
        return item.account == scope.account or (not item.account and item.role in self._roles_of_account)

    @cached_property
    def _roles_of_account(self) -> frozenset[str]:
        return frozenset(path.role for path in self.reach.paths_of("", self.scope.account))

    def _whom(self, item: Risk) -> Risk:
        """The risk of a trust policy with who gets the role today, as evidence."""
        if item.rule.area is not Area.TRUST:
            return item
        if item.role not in self._gets:
            self._gets[item.role] = tuple(map(_line, self.reach.ways.get(item.role, ())))
        return replace(item, evidence=(*item.evidence, *self._gets[item.role]))

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """What was not read, and so is not called fine."""
        lines = [*self.estate.unseen, *self._unread(), *self._rights_unread(), *self._trusts.too_large()]
        return tuple(dict.fromkeys(lines))

    def _rights_unread(self) -> Iterator[str]:
        for cluster in self.estate.clusters:
            principals = cluster.access.unseen if self.scope.account else ()
            for line in (*cluster.rbac.unseen, *principals):
                yield f"cluster {cluster.name}: {line}"

    def _unread(self) -> Iterator[str]:
        if self.estate.providers is None:
            yield "the OIDC providers were not read: whether one is gone is not known"
        for arn, audiences in sorted((self.estate.providers or {}).items()):
            if audiences is None:
                yield f"the audiences of the OIDC provider {arn} are not known"
        for cluster in self.estate.clusters:
            associations = () if isinstance(cluster.associations, Unreadable) else cluster.associations
            if lacking := [item.full_name for item in associations if not item.role_arn]:
                yield f"associations of cluster {cluster.name} whose roles are not known: {len(lacking)}"
            if not cluster.issuer:
                yield f"the issuer of cluster {cluster.name} is not known: which roles its tokens get neither"
            for what, found in (
                ("ServiceAccounts", cluster.accounts),
                ("pods", cluster.pods),
                ("EKS Pod Identity associations", cluster.associations),
            ):
                if isinstance(found, Unreadable):
                    yield f"the {what} of cluster {cluster.name} were not read: {found.why}"


SHOWN = 3
"""ServiceAccounts that are named of a way in."""


def _place(item: Risk) -> tuple[int, str, str, str, str]:
    return -ORDER.index(item.severity), item.rule.id, item.role, item.cluster, item.sentence


def _line(way: Way) -> str:
    more = f" and {len(way.accounts) - SHOWN} more" if len(way.accounts) > SHOWN else ""
    conditions = f" if {'; '.join(way.conditions)}" if way.conditions else ""
    names = f"{', '.join(nsmallest(SHOWN, way.accounts))}{more} of cluster {way.cluster}"
    return f"{way.statement} gives it to {names} ({way.by.value}){conditions}"
