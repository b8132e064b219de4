"""The risks of the permissions of pod roles: by their own policies, and by roles that they can assume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.reach import DEPTH, Reachable, size_of
from irsa_cli.core.audit.trusts import Trusts
from irsa_cli.core.audit.ways import Hop
from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.statements import allowing
from irsa_cli.core.trust.rules import table as rules
from irsa_cli.core.trust.rules.judge import LARGEST, is_for_pods
from irsa_cli.core.trust.rules.power import ASSUME, Power, PowerLevel
from irsa_cli.core.trust.rules.rule import Risk, Severity, risk, some

Chain = tuple[Hop, ...]


@dataclass
class Powerful:
    """The judge of pod roles' permissions."""

    estate: Estate
    reach: Reachable
    trusts: Trusts

    @cached_property
    def roles(self) -> tuple[BoundRole, ...]:
        """The roles that pods can assume, or that are meant for pods."""
        return tuple(role for role in self.estate.roles if self._is_for_pods(role))

    def _is_for_pods(self, role: BoundRole) -> bool:
        if role.arn in self.reach.ways or size_of(role) > LARGEST:
            return role.arn in self.reach.ways
        providers = self.trusts.context(role).providers
        return any(is_for_pods(item, providers) for _, item in allowing(role.trust))

    def risks(self) -> Iterator[Risk]:
        """The risks of all pod roles."""
        for role in self.roles:
            power = self.trusts.powers(role)
            if power.level is PowerLevel.ADMINISTRATOR:
                reason = f"is an administrator: {power.words}"
                yield risk(rules.ADMINISTRATOR, "the role", reason, role=role.arn)
                continue
            yield from self._by_its_policies(role, power)
            if role.arn in self._chains:
                yield self._by_roles(role, *self._chains[role.arn])

    def _by_its_policies(self, role: BoundRole, power: Power) -> Iterator[Risk]:
        if power.level:
            sure = power.level is PowerLevel.ESCALATION
            reason = f"{'can' if sure else 'might'} gain administrator permissions: {power.words}"
            found = risk(rules.ESCALATION, "the role", reason, role=role.arn)
            yield found if sure else replace(found, severity=Severity.MEDIUM)
        if power.data:
            found = risk(rules.ALL_DATA, "the role", f"can read {' and '.join(power.data)}", role=role.arn)
            sure = any(", if " not in text for text in power.data)
            yield found if sure else replace(found, severity=Severity.LOW)

    def _by_roles(self, role: BoundRole, chain: Chain, power: Power) -> Risk:
        unknown = [text for hop in chain for text in hop.conditions]
        through = " -> ".join(hop.target for hop in chain)
        verb, more = ("might", f", if {'; '.join(unknown)}") if unknown else ("can", "")
        found = risk(
            rules.ESCALATION,
            f"the role, by assuming {through},",
            f"{verb} gain administrator permissions: {power.words}{more}",
            role=role.arn,
            evidence=tuple(
                f"{hop.source} -> {hop.target}: {hop.allowed_by}; {hop.admitted_by}" for hop in chain
            ),
        )
        return replace(found, severity=Severity.MEDIUM) if unknown else found

    @cached_property
    def _chains(self) -> Mapping[str, tuple[Chain, Power]]:
        """The hops of each role to the most powerful role with administrator permissions, sure ones first."""
        found: dict[str, tuple[Chain, Power]] = {}
        ranks: dict[str, tuple[bool, Power, int]] = {}
        for target in self.estate.roles:
            power = self.trusts.powers(target)
            for chain in (
                self.reach.hops.to(target.arn, DEPTH) if power.level >= PowerLevel.ESCALATION else ()
            ):
                rank = (not any(hop.conditions for hop in chain), power, -len(chain))
                source = chain[0].source
                if source not in ranks or rank > ranks[source]:
                    ranks[source], found[source] = rank, (chain, power)
        return found

    def unread(self) -> Iterator[str]:
        """The roles and policies that were not read and might add permissions to a pod role."""
        arns = [role.arn for role in self.roles]
        seen = set(arns)
        for arn in arns:  # Grows by the roles that it can assume.
            further = {hop.target for hop in self.reach.hops.of(arn)} - seen
            seen |= further
            arns += sorted(further)
        roles = [self.estate.roles_by_arn[arn] for arn in arns]
        foreign: dict[str, list[str]] = {}
        for who, arn in (*self._named(), *(pair for role in roles for pair in self._assumed(role))):
            account = [*arn.split(":"), *"....."][4]
            if (account.isdecimal() and account not in self.estate.accounts) or "*" in account:
                name = f"account {account}" if account.isdecimal() else "other accounts"
                foreign.setdefault(name, []).append(f"{who} -> {arn}")
        for name, pairs in sorted(foreign.items()):
            yield f"roles of {name} that pods can assume were not read: {some(pairs)}"
        if unread := [role.arn for role in roles if self._is_unread(role)]:
            yield f"some policies of these pod roles were not read: {some(unread)}"

    def _is_unread(self, role: BoundRole) -> bool:
        documents = [*map(self.estate.policies.get, role.attached), *map(role.documents.get, role.inline)]
        return bool(role.hidden) or None in documents

    def _named(self) -> Iterator[tuple[str, str]]:
        """The ServiceAccounts with the roles of their annotations and associations."""
        for cluster in self.estate.clusters:
            for found in (cluster.accounts, cluster.associations):
                for item in () if isinstance(found, Unreadable) else found:
                    yield f"{item.full_name} of {cluster.name}", item.role_arn

    def _assumed(self, role: BoundRole) -> Iterator[tuple[str, str]]:
        """A role with each role that its policies list and allow it to assume."""
        holder = self.trusts.holder(role)
        for grant in (grant for found in holder.policies.values() for grant in found):
            if ASSUME in grant.actions and not grant.denies and "NotResource" not in grant.item:
                yield from ((role.arn, arn) for arn in grant.resources if holder.can(ASSUME, arn) is not None)
