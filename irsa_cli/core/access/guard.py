"""The rule for all plans: what adds takes nothing from anybody, and gives nothing to others than it says.

A plan that removes takes nothing from anybody who uses it. The kind of a change and its states tell whether
it adds or removes: there is no list of commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from irsa_cli.core.access.difference import AccessChange, Shift
from irsa_cli.core.access.documents import Account, Documents
from irsa_cli.core.access.texts import sentence
from irsa_cli.core.access.who import Who, by_issuer, named_by
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ServiceAccountState, State
from irsa_cli.core.plan.traits import Decides
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.shown import listed

ANY_CHANGE = "--allow-access-change"
"""The flag of all commands that write, for those that have no other for it."""


@dataclass(frozen=True)
class Guard:
    """Whom a command names, and what its flags permit.

    Named are `accounts`, `roles` (ARNs), and who is named by `trusts`: what the command wants trust policies
    to say. `losses` and `gains`: whether a flag of the command permits those of others; `loss_flag` and
    `gain_flag` are that flag. `uses` says how somebody uses a role (its ARN), '' if they do not.
    """

    accounts: frozenset[Account] = frozenset()
    roles: frozenset[str] = frozenset()
    trusts: tuple[Document, ...] = ()
    losses: bool = False
    gains: bool = False
    loss_flag: str = ANY_CHANGE
    gain_flag: str = ANY_CHANGE
    uses: Callable[[Who, str], str] = lambda who, role: ""

    def names(self, clusters: Mapping[str, Cluster]) -> set[Who]:
        """Everybody who gains by what the command says itself; `clusters` by their issuers."""
        found = {Who.account(*account) for account in self.accounts}
        found |= {Who.principal("AWS", role) for role in self.roles}
        found = found.union(*(named_by(document, clusters) for document in self.trusts))
        return {replace(who, given=()) for who in found}


@dataclass(frozen=True)
class PlannedAccess:
    """The changes of a plan, and what they change of access in a state that was read."""

    there: Documents
    changes: Sequence[Change]
    cluster: Cluster

    @cached_property
    def change(self) -> AccessChange:
        return AccessChange.of(self.there, self.changes, self.cluster)

    def check(self, guard: Guard) -> None:
        """Raise `Refused`, naming who loses or gains a role against the rule."""
        found = self.change
        if not guard.losses and found.losses:
            if taken := self._of(adds).losses:
                raise self._refused("the plan would take a role from others", taken, guard)
            if used := [item for item in found.losses if guard.uses(*item.key)]:
                raise self._refused("the plan would take a role from someone who uses it", used, guard)
        if not guard.gains and (others := self._beyond(guard)):
            raise self._refused(
                "the plan would give a role to others than the command names", others, guard, gain=True
            )

    def _beyond(self, guard: Guard) -> list[Shift]:
        """The gains of others than the command names."""
        named = guard.names(by_issuer((*self.there.clusters, self.cluster)))
        others = [item for item in self.change.gains if replace(item.who, given=()) not in named]
        # Whoever gets a provider, or an audience of one, gets it for all tokens of its cluster.
        of_all = {item.key for item in self._of(_is_for_all).gains} if others else ()
        return [item for item in others if item.key not in of_all]

    def _of(self, chosen: Callable[[Change], bool]) -> AccessChange:
        """The access that the chosen changes alone would change."""
        changes = [change for change in self.changes if chosen(change)]
        if len(changes) == len(self.changes):
            return self.change
        return AccessChange.of(self.there, changes, self.cluster) if changes else AccessChange()

    def _refused(self, why: str, shifts: Sequence[Shift], guard: Guard, *, gain: bool = False) -> Refused:
        flag = guard.gain_flag if gain else guard.loss_flag

        def details(item: Shift) -> str:
            use = "" if gain else guard.uses(*item.key)
            conditions = f", if {'; '.join(item.conditions)}" if item.conditions else ""
            said = sentence(item, gain=gain, home=self.cluster.arn)
            return f"{said} ({item.role}){conditions}{f': {use}' if use else ''}"

        return Refused(
            why,
            reason="irsa compared who can assume the role before and after the plan",
            details=listed(map(details, shifts)),
            next_steps=(f"if this is intended: run this again with {flag}",),
        )


def adds(change: Change) -> bool:
    """Whether a change adds something that lets somebody in, or keeps them out, and replaces nothing."""
    return _gives(change, change.after) and not _gives(change, change.before)


def _gives(change: Change, state: State | None) -> bool:
    if change.kind.traits.decides is not Decides.SERVICE_ACCOUNT:
        return state is not None
    return isinstance(state, ServiceAccountState) and bool(state.annotations.get(ROLE_ARN_ANNOTATION))


def _is_for_all(change: Change) -> bool:
    return change.kind.traits.for_all
