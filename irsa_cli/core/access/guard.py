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
        named = {Who.account(*account) for account in self.accounts}
        named |= {Who.principal("AWS", role) for role in self.roles}
        for document in self.trusts:
            named.update(named_by(document, clusters))
        return {replace(who, given=()) for who in named}


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
        if not guard.losses and self.change.losses:
            taken = self._of(adds).losses
            if taken:
                raise self._refused("the plan would take a role from others", taken, guard)
            used = [loss for loss in self.change.losses if guard.uses(*loss.key)]
            if used:
                raise self._refused("the plan would take a role from someone who uses it", used, guard)
        if guard.gains:
            return
        beyond = self._beyond(guard)
        if beyond:
            raise self._refused(
                "the plan would give a role to others than the command names", beyond, guard, gain=True
            )

    def _beyond(self, guard: Guard) -> list[Shift]:
        """The gains of others than the command names."""
        in_command = guard.names(by_issuer((*self.there.clusters, self.cluster)))
        beyond = [gain for gain in self.change.gains if replace(gain.who, given=()) not in in_command]
        if not beyond:
            return []
        # Whoever gets a provider, or an audience of one, gets it for all tokens of its cluster.
        of_all = {gain.key for gain in self._of(_is_for_all).gains}
        return [gain for gain in beyond if gain.key not in of_all]

    def _of(self, chosen: Callable[[Change], bool]) -> AccessChange:
        """The access that the chosen changes alone would change."""
        changes = [change for change in self.changes if chosen(change)]
        if len(changes) == len(self.changes):
            return self.change
        if not changes:
            return AccessChange()
        return AccessChange.of(self.there, changes, self.cluster)

    def _refused(self, why: str, shifts: Sequence[Shift], guard: Guard, *, gain: bool = False) -> Refused:
        flag = guard.gain_flag if gain else guard.loss_flag

        def details(shift: Shift) -> str:
            text = f"{sentence(shift, gain=gain, home=self.cluster.arn)} ({shift.role})"
            if shift.conditions:
                text += f", if {'; '.join(shift.conditions)}"
            use = "" if gain else guard.uses(*shift.key)
            if use:
                text += f": {use}"
            return text

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
