"""The risks of each role's trust policy in its account, and fixes: a command or a corrected trust policy."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

from irsa_cli.core.audit.estate import AuditedAccount, Estate
from irsa_cli.core.audit.reach import Reachable, SubjectIndex, size_of
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.statements import allowing, principals, trusted_providers
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.correction import CORRECTIONS, Meant, corrected_together
from irsa_cli.core.trust.rules.escalations import PASSES_ROLE
from irsa_cli.core.trust.rules.judge import LARGEST, judge
from irsa_cli.core.trust.rules.power import Granted, Power, PowerLevel, RolePower, granted, of_managed
from irsa_cli.core.trust.rules.providers import AccountContext, KnownCluster, cluster_providers
from irsa_cli.core.trust.rules.rule import Risk, Rule, some
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.names import subject


@dataclass
class Trusts:
    """The judge of all trust policies; shared policies are evaluated once."""

    estate: Estate
    _granted: dict[str, Granted] = field(default_factory=dict)
    _powers: dict[str, Power] = field(default_factory=dict)

    def risks(self) -> Iterator[Risk]:
        for role in self.estate.roles:
            if size_of(role) > LARGEST:
                continue
            for risk in judge(role.trust, self.context(role)):
                yield risk.behind(self.powers(role).much)

    def context(self, role: Role) -> AccountContext:
        providers = cluster_providers(role.trust, self._clusters)
        known = {arn: self._clusters[arn] for arn in providers if arn in self._clusters}
        clusters = known if self.estate.clusters else None
        return AccountContext(providers, role=role.arn, existing=self.estate.providers, clusters=clusters)

    @cached_property
    def _clusters(self) -> Mapping[str, KnownCluster]:
        providers = set(self.estate.providers or ())
        for role in self.estate.roles:
            providers |= trusted_providers(role.trust)
        clusters = {arn: self.estate.cluster_of(arn) for arn in providers}
        return {arn: KnownCluster(cluster.name) for arn, cluster in clusters.items() if cluster is not None}

    def powers(self, role: Role) -> Power:
        """How powerful a role is, comparable with others."""
        if role.arn not in self._powers:
            self._powers[role.arn] = self.holder(role, lambda: self.administrators).power
        return self._powers[role.arn]

    def weight(self, arn: str) -> int:
        """How powerful a role is as a number; 0 if it is not, or was not read."""
        role = self.estate.roles_by_arn.get(arn)
        if role is None:
            return 0
        power = self.powers(role)
        return power.level if power.much else 0

    def worst(self, arns: Iterable[str]) -> str:
        """The permissions and ARN of the most powerful of some roles; '' if none is powerful."""
        known = self.estate.roles_by_arn
        powers = ((self.powers(known[arn]), arn) for arn in dict.fromkeys(arns) if arn in known)
        power, arn = max(powers, key=lambda ranked: ranked[0], default=(Power(), ""))
        return f"{power.much} ({arn})" if power.much else ""

    @cached_property
    def administrators(self) -> Mapping[str, frozenset[str]]:
        """The roles that lead to administrator permissions, each with what it trusts: services, providers."""
        known = self._leading({}, self.estate.roles)
        passing = [role for role in self.estate.roles if self._passes_roles(role)]
        while further := self._leading(known, passing):
            known = {**known, **further}
        return known

    def _leading(
        self, known: Mapping[str, frozenset[str]], roles: Iterable[Role]
    ) -> dict[str, frozenset[str]]:
        """Those of the roles that lead to administrator permissions, maybe by known ones."""
        further: dict[str, frozenset[str]] = {}
        for role in roles:
            if role.arn in known or self.holder(role, lambda: known).power.level < PowerLevel.ESCALATION:
                continue
            names: set[str] = set()
            for _, statement in allowing(role.trust):
                names.update(principals(statement, "Service"), principals(statement, "Federated"))
            further[role.arn] = frozenset(names)
        return further

    def _passes_roles(self, role: Role) -> bool:
        grants = chain.from_iterable(self.holder(role).policies.values())
        return any(PASSES_ROLE in grant.actions and not grant.denies for grant in grants)

    def holder(
        self, role: Role, administrators: Callable[[], Mapping[str, frozenset[str]]] = dict
    ) -> RolePower:
        attached = tuple(sorted(role.attached))
        grants = {name: granted(document) for name, document in sorted(role.inline.items())}
        grants |= {arn: self._of_policy(arn) for arn in attached}
        limit = self._of_policy(role.boundary) if role.boundary in self.estate.policies else None
        return RolePower(grants, role.arn, attached, role.boundary, limit, administrators, role.tags)

    def _of_policy(self, arn: str) -> Granted:
        if arn not in self._granted:
            self._granted[arn] = of_managed(arn, self.estate.policies.get(arn))
        return self._granted[arn]


_FOR_DOCTOR = ("admitted-not-annotated", "annotated-refused", "role-gone", "shadowed-by-pod-identity")
"""Rules without a known fix: an audit can't know whether a ServiceAccount should have a role."""


def command_of(risk: Risk) -> str:
    """The command that diagnoses a risk; '' if there is none, or a name is unknown."""
    namespace, slash, name = risk.account.partition("/")
    if not (risk.rule.id in _FOR_DOCTOR and slash and risk.cluster):
        return ""
    region, _, cluster = risk.cluster.rpartition("/")
    where = f"-n {shlex.quote(namespace)} -c {shlex.quote(cluster)}"
    if region:
        where += f" -r {shlex.quote(region)}"
    return f"irsa doctor {shlex.quote(name)} {where}"


@dataclass(frozen=True)
class Fixes:
    """The fixes of the risks of one account."""

    trusts: Trusts
    _indexes: dict[str, SubjectIndex] = field(default_factory=dict, compare=False)

    def of(self, risks: Iterable[Risk]) -> tuple[Risk, ...]:
        """The risks with their fixes; all risks of a role get the same corrected policy."""
        fixed = [replace(risk, command=command_of(risk)) for risk in risks]
        by_role: dict[str, list[Risk]] = {}
        for risk in fixed:
            if risk.path:
                by_role.setdefault(risk.role, []).append(risk)
        documents = {arn: self._corrected(arn, those) for arn, those in by_role.items()}
        for place, risk in enumerate(fixed):
            fix = documents.get(risk.role) if risk.path and risk.rule in CORRECTIONS else None
            if fix is not None and risk.rule not in fix[2]:
                fixed[place] = replace(risk, corrected=fix[0], evidence=(*risk.evidence, fix[1]))
        return tuple(fixed)

    def _corrected(
        self, arn: str, risks: Collection[Risk]
    ) -> tuple[Mapping[str, Any], str, frozenset[Rule]] | None:
        """The corrected trust policy of a role, its effect in words, and the rules that it breaks."""
        role = self.trusts.estate.roles_by_arn.get(arn)
        if role is None or size_of(role) > LARGEST:
            return None
        context = self.trusts.context(role)
        document = corrected_together(role.trust, risks, context, self._meant(role))
        if document is None:
            return None
        lost = sorted(self._admitted(role) - self._admitted(role.with_trust(document)))
        excluded = some(lost) if lost else "nobody who can assume the role today"
        still_broken = frozenset(risk.rule for risk in judge(document, context))
        effect = f"the corrected trust policy excludes {excluded}, as far as is known"
        return document, effect, still_broken

    def _admitted(self, role: Role) -> frozenset[str]:
        """The ServiceAccounts that can assume a role, with their clusters."""
        estate = replace(self.trusts.estate, roles=(role,))
        admitted: set[str] = set()
        for way in Reachable(estate, self._indexes).ways.get(role.arn, ()):
            admitted |= {f"{name} of cluster {way.cluster}" for name in way.accounts}
        return frozenset(admitted)

    @cached_property
    def _annotated(self) -> Mapping[tuple[str, str], list[AuditedAccount]]:
        accounts: dict[tuple[str, str], list[AuditedAccount]] = {}
        for cluster in self.trusts.estate.clusters:
            for account in cluster.annotated:
                accounts.setdefault((cluster.name, account.role_arn), []).append(account)
        return accounts

    def _meant(self, role: Role) -> Meant:
        """The tokens of ServiceAccounts annotated with the role, or to be annotated in Git.

        They are complete if all clusters are known.
        """
        tokens: list[WebIdentity] = []
        complete = True
        for provider in self.trusts.context(role).providers:
            cluster = self.trusts.estate.cluster_of(provider)
            if cluster is None or isinstance(cluster.accounts, Unreadable):
                complete = False
                continue
            for account in self._annotated.get((cluster.name, role.arn), ()):
                name = subject(account.namespace, account.name)
                tokens.append(WebIdentity(provider, cluster.issuer, name, account.audience))
            waiting = lifecycle.account_of(role.tags)
            if cluster.waits_for_git(role, waiting):
                name = subject(*waiting.split("/"))
                tokens.append(WebIdentity(provider, cluster.issuer, name, DEFAULT_AUDIENCE))
        return Meant(tuple(tokens), complete, self._pods(role))

    def _pods(self, role: Role) -> tuple[tuple[str, str, str], ...]:
        """The ServiceAccounts that are associated with the role; none if an association is unknown."""
        pods: list[tuple[str, str, str]] = []
        for cluster in self.trusts.estate.clusters:
            if isinstance(cluster.associations, Unreadable):
                return ()
            for association in cluster.associations:
                if not association.role_arn:
                    return ()
                if association.role_arn == role.arn:
                    pods.append((cluster.arn, association.namespace, association.name))
        if not all(arn for arn, _, _ in pods):
            return ()
        return tuple(pods)
