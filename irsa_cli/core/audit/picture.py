"""The data of the picture in `irsa audit -o html`: ServiceAccount -> role -> permission, linked by number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.reach import size_of
from irsa_cli.core.audit.ways import RolePath, Way
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.trust.rules.judge import LARGEST
from irsa_cli.core.trust.rules.power import PowerLevel, RolePower, of_managed
from irsa_cli.core.trust.rules.rule import ORDER, Risk

ADMINISTRATOR = "administrator"
ESCALATION = "privilege escalation"


@dataclass(frozen=True)
class Picture:
    """The picture of an audit; `only` and `account` limit it to some roles or one ServiceAccount."""

    audit: Audit
    risks: Collection[Risk] = ()
    only: frozenset[str] | None = None
    account: str = ""

    def to_json(self) -> dict[str, Any]:
        # Each of these has its number, by the order of first use.
        accounts: dict[tuple[str, str], int] = {}
        crowds: dict[tuple[str, frozenset[str]], int] = {}
        policies: dict[tuple[str, str], int] = {}
        numbers = {arn: number for number, arn in enumerate(self.roles)}
        ways = []
        for arn, number in numbers.items():
            for way in self._ways(arn):
                crowd = crowds.setdefault((way.cluster, way.accounts), len(crowds))
                ways.append([number, crowd, way.by.value, way.statement, list(way.conditions)])
        roles = []
        for arn in numbers:
            numbers_of_policies = [
                policies.setdefault(policy, len(policies)) for policy in self._policies(arn)
            ]
            roles.append({**self._role_json(arn), "policies": numbers_of_policies})
        members = []
        for cluster, names in crowds:
            pairs = ((cluster, name) for name in sorted(names))
            members.append([accounts.setdefault(pair, len(accounts)) for pair in pairs])
        return {
            "accounts": [[cluster, *name.split("/", 1)] for cluster, name in accounts],
            "crowds": members,
            "roles": roles,
            "policies": [self._policy_json(arn, name) for arn, name in policies],
            "ways": ways,
            "hops": list(self._hops(numbers)),
        }

    def _hops(self, numbers: Mapping[str, int]) -> Iterator[list[Any]]:
        for arn, number in numbers.items():
            for hop in self.audit.reach.hops.of(arn):
                if hop.target in numbers:
                    by = f"{hop.allowed_by}; {hop.admitted_by}"
                    yield [number, numbers[hop.target], by, list(hop.conditions)]

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """The ARNs of its roles: those that pods can assume, directly or not, and those with risks."""
        known = self.audit.estate.roles_by_arn
        first = [*self.audit.reach.ways, *(risk.role for risk in self.risks if risk.role in known)]
        arns = dict.fromkeys(first)
        not_followed = [*arns]
        while not_followed:
            for hop in self.audit.reach.hops.of(not_followed.pop()):
                if hop.target not in arns:
                    arns[hop.target] = None
                    not_followed.append(hop.target)
        return tuple(sorted(arn for arn in arns if self.only is None or arn in self.only))

    def clusters_of(self, arn: str) -> list[str]:
        """The clusters that the role is for, by its trust policy or associations."""
        role = self.audit.estate.roles_by_arn.get(arn)
        names = {way.cluster for way in self.audit.reach.ways.get(arn, ())}
        if role is not None and size_of(role) <= LARGEST:
            clusters = (self.audit.estate.cluster_of(provider) for provider in trusted_providers(role.trust))
            names |= {cluster.name for cluster in clusters if cluster is not None}
        return sorted(names)

    def namespaces_of(self, arn: str) -> list[str]:
        if arn not in self._of_roles:
            namespaces = [self._namespaces(way) for way in self.audit.reach.ways.get(arn, ())]
            self._of_roles[arn] = sorted(frozenset().union(*namespaces))
        return self._of_roles[arn]

    _of_roles: dict[str, list[str]] = field(default_factory=dict, compare=False, repr=False)
    _of_sets: dict[int, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)
    """By the identity of sets, which is faster than comparing them."""

    def _namespaces(self, way: Way) -> frozenset[str]:
        known = self._of_sets.get(id(way.accounts))
        if known is None:
            known = frozenset(name.partition("/")[0] for name in way.accounts)
            self._of_sets[id(way.accounts)] = known
        return known

    def _ways(self, arn: str) -> Iterator[Way]:
        for way in self.audit.reach.ways.get(arn, ()):
            if not self.account:
                yield way
            elif self.account in way.accounts:
                mine = frozenset((self.account,))
                yield Way(way.role, way.cluster, way.by, mine, way.statement, way.conditions)

    @cached_property
    def _worst(self) -> Mapping[str, str]:
        worst: dict[str, str] = {}
        for risk in sorted(self.risks, key=lambda risk: ORDER.index(risk.severity)):
            worst[risk.role] = risk.severity.value
        return worst

    def _role_json(self, arn: str) -> dict[str, Any]:
        role = self.audit.estate.roles_by_arn.get(arn)
        return {
            "arn": arn,
            "severity": self._worst.get(arn, ""),
            "power": self.audit.trusts.powers(role).much if role else "",
            "boundary": role.boundary if role else "",
            "unread": "the role was not read" if role is None else role.unread,
            "clusters": self.clusters_of(arn),
            "namespaces": self.namespaces_of(arn),
        }

    def _policies(self, arn: str) -> Iterable[tuple[str, str]]:
        """The policies of a role: ('', ARN) of managed ones, (role, name) of inline ones."""
        role = self.audit.estate.roles_by_arn.get(arn)
        if role is None:
            return ()
        managed = [("", policy) for policy in sorted(role.attached)]
        return [*managed, *((arn, name) for name in role.inline_names)]

    def _policy_json(self, arn: str, name: str) -> dict[str, Any]:
        estate = self.audit.estate
        documents = estate.roles_by_arn[arn].inline if arn else estate.policies
        document = documents.get(name)
        power = RolePower({name: of_managed(name, document)}).power
        mark = ""
        if power.much:
            mark = ADMINISTRATOR if power.level is PowerLevel.ADMINISTRATOR else ESCALATION
        if arn:
            identity = {"name": name, "arn": "", "kind": "inline"}
        else:
            identity = {"name": name.rsplit("/", 1)[-1], "arn": name, "kind": "attached"}
        return {**identity, "mark": mark, "much": power.much, "unread": document is None}


def picture_of(audit: Audit, risks: Collection[Risk], paths: Iterable[RolePath] | None) -> Picture:
    scope = audit.scope
    if not (scope.account or scope.role):
        return Picture(audit, risks)
    arns = {scope.role} - {""}
    for path in paths or ():
        arns.update(path.roles)
    return Picture(audit, risks, frozenset(arns), scope.account)
