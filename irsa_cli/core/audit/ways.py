"""Ways of ServiceAccounts to assume a role, and hops of roles to other roles by sts:AssumeRole.

Within one account a trust policy that lists the role itself is enough for a hop; otherwise the role's own
policies must also allow it.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from heapq import nsmallest
from itertools import chain

from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.statements import (
    ANY,
    Allowed,
    Policies,
    allowed,
    allowing,
    does,
    name_of,
    principals,
)
from irsa_cli.core.policies.web_identity import Context, PresentKey
from irsa_cli.core.trust.assuming import ASSUME, context_of_session, decide, names_role
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.trust.rules.judge import LARGEST
from irsa_cli.core.trust.rules.rule import SHOWN
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import InvalidInput


class By(str, Enum):
    """How a pod assumes a role, as in `-o json`."""

    WEB_IDENTITY = "web-identity"
    POD_IDENTITY = "pod-identity"


@dataclass(frozen=True)
class Way:
    """ServiceAccounts of a cluster (namespace/name) that can assume a role the same way.

    `statement` allows them under unknown `conditions`, with tokens for `audiences`; `named`: it lists them.
    """

    role: str
    cluster: str
    by: By
    accounts: frozenset[str]
    statement: str
    conditions: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    named: bool = False

    @property
    def who(self) -> str:
        """The first ServiceAccounts, and the number of others."""
        first = ", ".join(nsmallest(SHOWN, self.accounts))
        if len(self.accounts) <= SHOWN:
            return first
        return f"{first} and {len(self.accounts) - SHOWN} more"

    def __str__(self) -> str:
        text = f"{self.statement} allows {self.who} of cluster {self.cluster} ({self.by.value})"
        if not self.conditions:
            return text
        return f"{text} if {'; '.join(self.conditions)}"


@dataclass(frozen=True)
class Hop:
    """A role that can assume another one: by its policies, and by the other's trust policy."""

    source: str
    target: str
    allowed_by: str
    admitted_by: str
    conditions: tuple[str, ...] = ()


def conditions_of(hops: Iterable[Hop]) -> tuple[str, ...]:
    """The conditions of all hops that are not known."""
    return tuple(chain.from_iterable(hop.conditions for hop in hops))


@dataclass(frozen=True)
class RolePath:
    """A way to assume a role, and the hops from it to the last one."""

    way: Way
    hops: tuple[Hop, ...] = ()

    @property
    def role(self) -> str:
        """The last role."""
        return self.hops[-1].target if self.hops else self.way.role

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.way.role, *(hop.target for hop in self.hops))

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that are not known."""
        return (*self.way.conditions, *conditions_of(self.hops))


EVERYBODY = "*"


def policies_of(estate: Estate, role: Role) -> Policies:
    """All policies of a role by name; None for unknown documents."""
    documents: dict[str, object] = {arn: estate.policies.get(arn) for arn in sorted(role.attached)}
    documents |= {name: role.inline.get(name) for name in role.inline_names}
    if role.unread:
        documents[f"(not read: {role.unread})"] = None
    return documents


def may(estate: Estate, role: Role, action: str, resource: str = ANY) -> Allowed | None:
    """The permission of a role for an action, within its permissions boundary."""
    boundary = estate.policies.get(role.boundary) if role.boundary else None
    policies = policies_of(estate, role)
    return allowed(policies, action, resource, boundary=boundary, has_boundary=bool(role.boundary))


@dataclass
class Hops:
    """The hops between the roles of an estate, evaluated on demand."""

    estate: Estate
    _of: dict[str, tuple[Hop, ...]] = field(default_factory=dict)

    @cached_property
    def _targets(self) -> Mapping[str, tuple[Role, ...]]:
        """The roles by their principals: a role's ARN, an account's id, or everyone."""
        targets: dict[str, dict[str, Role]] = {}
        for role in self.estate.roles:
            if len(str(role.trust)) > LARGEST:
                continue
            for _, statement in allowing(role.trust):
                if not does(statement, ASSUME):
                    continue
                names = principals(statement, "AWS")
                if statement.get("Principal") == EVERYBODY:
                    names = (EVERYBODY,)
                for name in names:
                    targets.setdefault(_whom(name), {})[role.arn] = role
        return {name: tuple(roles.values()) for name, roles in targets.items()}

    def of(self, arn: str) -> tuple[Hop, ...]:
        if arn not in self._of:
            role = self.estate.roles_by_arn.get(arn)
            self._of[arn] = () if role is None else tuple(self._from(role))
        return self._of[arn]

    def _from(self, role: Role) -> Iterator[Hop]:
        targets = {target.arn: target for target in self._targets.get(role.arn, ())}
        policies = policies_of(self.estate, role)
        if allowed(policies, ASSUME) is not None:
            for name in (_account_of(role), EVERYBODY):
                targets |= {target.arn: target for target in self._targets.get(name, ())}
        for target in targets.values():
            if target.arn != role.arn:
                yield from self._hop(role, policies, target)

    def _hop(self, role: Role, policies: Policies, target: Role) -> Iterator[Hop]:
        try:
            source = Arn.parse(role.arn)
        except InvalidInput:
            return
        # It can pass any external ID.
        context: Context = {**context_of_session(role.arn), "sts:externalid": PresentKey()}
        answer = decide(target.trust, names_role(source, role.arn), context, ASSUME)
        if answer.answer is Answer.NO:
            return
        admitted_by = _statement(role, target)
        conditions: tuple[str, ...] = ()
        if answer.answer is Answer.UNKNOWN:
            conditions = (f"{target.name}: {answer.why}",)
        permission = may(self.estate, role, ASSUME, target.arn)
        if permission is not None:
            every = (*conditions, *permission.conditions)
            yield Hop(role.arn, target.arn, permission.by, admitted_by, every)
            return
        is_listed = any(role.arn in principals(statement, "AWS") for _, statement in allowing(target.trust))
        if is_listed and _account_of(role) == _account_of(target) and not _denies(policies, target.arn):
            yield Hop(role.arn, target.arn, "the trust policy alone", admitted_by, conditions)

    @cached_property
    def into(self) -> Mapping[str, tuple[Hop, ...]]:
        """The hops to each role that others can assume."""
        by_target: dict[str, list[Hop]] = {}
        for role in self.estate.roles:
            for hop in self.of(role.arn):
                by_target.setdefault(hop.target, []).append(hop)
        return {arn: tuple(hops) for arn, hops in by_target.items()}

    def to(self, arn: str, depth: int) -> Iterator[tuple[Hop, ...]]:
        """The shortest chain of hops from each role; after one with conditions also the shortest sure one."""
        chains: list[tuple[Hop, ...]] = [()]
        reached: set[tuple[str, bool]] = set()
        for shorter in chains:  # Grows by the chains of one more hop.
            if len(shorter) == depth:
                continue
            first = shorter[0].source if shorter else arn
            for hop in self.into.get(first, ()):
                longer = (hop, *shorter)
                is_sure = not conditions_of(longer)
                if hop.source != arn and reached.isdisjoint({(hop.source, is_sure), (hop.source, True)}):
                    reached.add((hop.source, is_sure))
                    chains.append(longer)
                    yield longer


def _denies(policies: Policies, resource: str) -> bool:
    """Whether a policy denies it, even if another one allowed everything."""
    everything = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    known = {name: document for name, document in policies.items() if document is not None}
    return allowed({**known, "": everything}, ASSUME, resource) is None


def _whom(name: str) -> str:
    """The key of a principal: its ARN, or the account's id."""
    if name.endswith(":root") and name.count(":") == 5:
        return name.split(":")[4]
    return name


def _statement(role: Role, target: Role) -> str:
    callers = {role.arn, _account_of(role), EVERYBODY}
    for index, statement in allowing(target.trust):
        names = {_whom(name) for name in principals(statement, "AWS")}
        is_allowed = statement.get("Principal") == EVERYBODY or not names.isdisjoint(callers)
        if does(statement, ASSUME) and is_allowed:
            return name_of(index, statement)
    return ""


def _account_of(role: Role) -> str:
    return role.arn.split(":")[4]
