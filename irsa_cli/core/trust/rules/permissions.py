"""Rules about the permissions of roles that pods can assume: each is one function of a role and its power."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from irsa_cli.core.trust.rules.power import Power, PowerLevel
from irsa_cli.core.trust.rules.rule import RULES, Risk, risk


def administrator(role: str, power: Power) -> Iterator[Risk]:
    """It is an administrator."""
    if power.level is PowerLevel.ADMINISTRATOR:
        reason = f"is an administrator: {power.words}"
        yield risk(RULES["administrator-role"], "the role", reason, role=role)


def escalation(role: str, power: Power) -> Iterator[Risk]:
    """It can, or might, give itself the permissions of an administrator."""
    if power.level in (PowerLevel.NONE, PowerLevel.ADMINISTRATOR):
        return
    rule = RULES["can-become-administrator"]
    gain = f"gain administrator permissions: {power.words}"
    if power.level is PowerLevel.ESCALATION:
        yield risk(rule, "the role", f"can {gain}", role=role, extent=power.words)
        return
    yield risk(rule, "the role", f"might {gain}", role=role, extent=power.words).less_sure()


def all_data(role: str, power: Power) -> Iterator[Risk]:
    """It can read all data of a kind; of an administrator that goes without saying."""
    if power.level is PowerLevel.ADMINISTRATOR or not power.data:
        return
    data = " and ".join(power.data)
    yield risk(RULES["reads-all-data"], "the role", f"can read {data}", role=role, extent=data)


RoleRule = Callable[[str, Power], Iterator[Risk]]
OF_ROLES: tuple[RoleRule, ...] = (administrator, escalation)
"""The rules that need no more than the role; that of `all_data` also depends on who can assume it."""


@dataclass(frozen=True)
class AssumedRoles:
    """Roles that a role assumes one after another; the last one has the power.

    `conditions` are unknown; `evidence` has a line for each role.
    """

    arns: Sequence[str]
    power: Power
    conditions: Sequence[str] = ()
    evidence: tuple[str, ...] = ()


def escalation_through(role: str, assumed: AssumedRoles) -> Iterator[Risk]:
    """It can assume a role that has, or can gain, administrator permissions."""
    statement = f"the role, by assuming {' -> '.join(assumed.arns)},"
    gain = f"gain administrator permissions: {assumed.power.words}"
    rule = RULES["can-become-administrator"]
    if assumed.conditions:
        reason = f"might {gain}, if {'; '.join(assumed.conditions)}"
        yield risk(rule, statement, reason, role=role, evidence=assumed.evidence).less_sure()
    else:
        yield risk(rule, statement, f"can {gain}", role=role, evidence=assumed.evidence)
