"""How powerful a role's policies are: administrator, privilege escalation, access to all data. Pure.

Denies, the permissions boundary and conditions count as far as they are known; an unknown condition leads to
"might". A limit that the role can remove itself is none. The known ways to escalate are in `escalations.py`,
the rule for services that irsa does not know is in `doors.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import lru_cache
from itertools import chain
from typing import Any

from irsa_cli.core.policies.iam_kinds import iam_kind
from irsa_cli.core.policies.operators import first_failing, like
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import Statement, can_be, conditions_of, covers, does, statements
from irsa_cli.core.policies.web_identity import UNKNOWN, Context, PresentKey
from irsa_cli.core.trust.assuming import context_of_session
from irsa_cli.core.trust.rules.doors import may_use_a_role, prefixes_of
from irsa_cli.core.trust.rules.escalations import (
    ESCALATIONS,
    LIMITS,
    PASSES_ROLE,
    READING,
    RUNNING,
    Escalation,
    EscalationTarget,
)
from irsa_cli.core.values.errors import Refused


class PowerLevel(IntEnum):
    """How powerful: not, under conditions, if something exists, by escalation, as administrator."""

    NONE = 0
    CONDITIONAL = 1
    DEPENDING = 2
    ESCALATION = 3
    ADMINISTRATOR = 4


ACTIONS = frozenset().union(
    *(way.actions for way in (*ESCALATIONS, *RUNNING)), *READING.values(), *LIMITS.values()
)
ASSUME = "sts:AssumeRole"
_ALL = {"*", "*:*", "iam:*"}
_CORE = ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:CreatePolicyVersion")
"""Actions of an IAM administrator; each one is enough to get the rest."""
_MANAGED = re.compile(r"arn:[\w-]+:iam::aws:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)")
_OF_AWS: dict[str, Statement] = {
    "AdministratorAccess": {"Action": "*"},
    "PowerUserAccess": {"NotAction": ["iam:*", "organizations:*", "account:*"]},
    "IAMFullAccess": {"Action": "iam:*"},
}
_OF_PROVIDERS = (EscalationTarget.PROVIDER, EscalationTarget.UNKNOWN_PROVIDER)
_REMOVING = frozenset(chain.from_iterable(LIMITS.values()))
SHOWN_WAYS = 2
"""The most ways to escalate that are listed."""
ANY = ""
EVERY = "*"
"""Targets of an action besides ARNs: any resource, and every one of its kind."""


@dataclass(frozen=True, order=True)
class Power:
    """How powerful a role is, comparable; `data` are the kinds of data that it can read in full."""

    level: PowerLevel = PowerLevel.NONE
    data: tuple[str, ...] = ()
    words: str = field(default="", compare=False)

    @property
    def much(self) -> str:
        """The powerful permissions in words; '' if there are none, or unknown conditions decide."""
        return self.words if self.level >= PowerLevel.DEPENDING else ""


def check_power(role_arn: str, who: str, much: str, policies: Iterable[str]) -> None:
    """Raise `Refused` if a role is powerful, or its permissions are not known."""
    if much:
        raise Refused(
            f"{role_arn} is too powerful for {who}: {much}",
            reason="every pod with that identity would get all of its permissions",
            details=[f"policy {name}" for name in policies],
            next_steps=("if this is intended, run this again with --allow-wide-trust",),
        )


@dataclass(frozen=True)
class PowerGrant:
    """A statement that allows or denies actions; `much`: patterns of all actions, or all of IAM.

    `actions` are those that are listed here, `patterns` its own.
    """

    item: Statement
    actions: frozenset[str]
    much: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def denies(self) -> bool:
        return self.item.get("Effect") == "Deny"

    @property
    def resources(self) -> tuple[str, ...]:
        """Its Resource or NotResource."""
        patterns = self.item.get("NotResource", self.item.get("Resource", []))
        return tuple(map(str, as_list(patterns)))

    def includes(self, action: str) -> bool:
        """Whether it is about an action, or a pattern of actions."""
        if action in ACTIONS:
            return action in self.actions
        return does(self.item, action)

    def writes(self, prefix: str) -> Iterator[str]:
        """The actions, or patterns of actions, of a service that it lists and that might use a role."""
        if "NotAction" in self.item:
            yield f"{prefix}:*"
        for pattern in self.patterns:
            service, colon, name = pattern.lower().partition(":")
            if like(prefix, service) and (colon or service == "*"):
                action = f"{prefix}:{name or '*'}"
                if may_use_a_role(action):
                    yield pattern if service == prefix else action

    def is_about(self, target: str, kind: str, account: str) -> bool:
        """Whether it covers a target; a Deny must surely do."""
        excluding = "NotResource" in self.item
        patterns = self.resources
        if target == ANY and (excluding or not self.denies):
            can_be_any = excluding or any(can_be(kind, pattern) for pattern in patterns)
            return bool(patterns) and not self.denies and can_be_any
        if target in (ANY, EVERY):
            return any(_is_every(pattern, kind, account) for pattern in patterns) != excluding
        own = [pattern.replace("${aws:PrincipalAccount}", account) for pattern in patterns]
        return any(like(target, pattern) for pattern in own) != excluding

    def condition(self, context: Context) -> str | None:
        """The unknown condition, '' for none; None if its condition does not match."""
        if self.item.get("Condition") in (None, {}):
            return ""
        unknown = {key.lower(): UNKNOWN for _, key, _ in conditions_of(self.item)}
        tested = first_failing(self.item["Condition"], {**unknown, **context}, variables=True)
        if tested is None:
            return ""
        if tested.truth is False:
            return None
        needed = f"{tested.operator} {tested.key} {' or '.join(tested.wanted[:3])}"
        return needed.strip() or "its condition matches"


Granted = tuple[PowerGrant, ...]


def granted(document: Any) -> Granted:
    """The grants of a policy; nothing for an invalid document."""
    grants = []
    for statement in statements(document):
        if statement.get("Effect") not in ("Allow", "Deny"):
            continue
        patterns = tuple(map(str, as_list(statement.get("Action", []))))
        actions = frozenset().union(*map(_listed, patterns))
        if "NotAction" in statement:
            spared = map(_listed, map(str, as_list(statement["NotAction"])))
            actions = ACTIONS.difference(*spared)
        if patterns or "NotAction" in statement:
            much = tuple(pattern for pattern in patterns if pattern.lower() in _ALL)
            grants.append(PowerGrant(statement, actions, much, patterns))
    return tuple(grants)


@lru_cache(maxsize=16384)
def _listed(pattern: str) -> frozenset[str]:
    service = pattern.lower().partition(":")[0]
    if not any(sign in service for sign in "*?") and service not in _SERVICES:
        return frozenset()
    return frozenset(action for action in ACTIONS if covers((pattern,), action))


_SERVICES = frozenset(action.partition(":")[0] for action in ACTIONS)
_EVERY = re.compile(r"(?:(?!s3:)[^:]+:[^:]*:[^:]*:(?:[\w-]+[:/])?|s3:[^:]*:[^:]*:)[*:/]*\*")
"""After the partition: all resources of a service or type, or all objects in S3."""
_PROBE = "x9q7z-k3w8v"
"""A random name: a pattern that matches it matches every name."""


@lru_cache(maxsize=16384)
def _is_every(pattern: str, kind: str, account: str) -> bool:
    """Whether a pattern matches every resource of a kind in the account, or of a service's type."""
    if not pattern.strip("*"):
        return bool(pattern)
    # Complete an ARN of less than six fields with stars.
    components = [*pattern.replace("${aws:PrincipalAccount}", "*").split(":", 5), *"*****"][:6]
    head, _, service, _, of_account, resource = components
    if head != "arn":
        return False
    if not kind:
        return _EVERY.fullmatch(":".join(components[2:])) is not None
    is_own = like("iam", service) and (not account or like(account, of_account))
    return is_own and like(f"{kind}/{_PROBE}", resource)


@dataclass(frozen=True)
class RolePower:
    """A role as far as it is known: its ARN ('' if unknown) and the grants of its policies by name.

    `limit` are the grants of its permissions boundary, None if there is none or it is unknown.
    `administrators` returns the ARNs of powerful roles, each with the services and providers that it trusts.
    `chooses_tags`: it can give itself any tags.
    """

    policies: Mapping[str, Granted]
    arn: str = ""
    attached: tuple[str, ...] = ()
    boundary: str = ""
    limit: Granted | None = None
    administrators: Callable[[], Mapping[str, frozenset[str]]] = dict
    tags: Mapping[str, str] = field(default_factory=dict)
    chooses_tags: bool = False

    @property
    def power(self) -> Power:
        held = frozenset().union(*(grant.actions for grant in self._grants if not grant.denies))
        if not held:
            return Power()
        level, words = max(self._administrator(), self._escalation(held), key=_level_of)
        if level is PowerLevel.NONE and PASSES_ROLE in held:
            level, words = self._through_a_service()
        if self.boundary and words:
            words = f"{words} (limited by its permissions boundary)"
            if self.limit is None:
                level = min(level, PowerLevel.DEPENDING)
        if level < PowerLevel.ESCALATION:
            level, words = max((level, words), self._without_limits(held), key=_level_of)
        return Power(level, tuple(self._data(held)), words)

    @property
    def _grants(self) -> Iterator[PowerGrant]:
        return chain.from_iterable(self.policies.values())

    @property
    def _account(self) -> str:
        return self.arn.split(":")[4] if self.arn.count(":") > 4 else ""

    def can(self, action: str, target: str, passed: tuple[str, ...] = ()) -> tuple[str, ...] | None:
        """The unknown conditions under which the role can do something; None if it can't."""
        conditions = self._conditions(self._grants, action, target, passed)
        if conditions is None or self.limit is None:
            return conditions
        limit = self._conditions(self.limit, action, target, passed)
        return None if limit is None else (*conditions, *limit)

    def _conditions(
        self, grants: Iterable[PowerGrant], action: str, target: str, passed: tuple[str, ...]
    ) -> tuple[str, ...] | None:
        kind = iam_kind(action)
        context = self._context(passed)
        best: tuple[str, ...] | None = None
        unless: list[str] = []
        for grant in grants:
            if not grant.includes(action) or not grant.is_about(target, kind, self._account):
                continue
            condition = grant.condition(context)
            if condition is None:
                continue
            if grant.denies:
                if not condition:
                    return None
                unless.append(f"not {condition}")
            elif not condition:
                best = ()
            elif best is None:
                best = (condition,)
        return None if best is None else (*best, *unless)

    def _context(self, passed: tuple[str, ...]) -> Context:
        """The known condition keys of a pod's request, its policy to attach and its service to pass to."""
        partition = self.arn.split(":")[1] if self._account else "aws"
        admin = f"arn:{partition}:iam::aws:policy/AdministratorAccess"
        policies = PresentKey((admin, f"arn:{partition}:iam::{self._account}:policy/{_PROBE}"))
        context: dict[str, Any] = {"aws:securetransport": ("true",)}
        if self._account:
            context = {**context_of_session(self.arn), "aws:resourceaccount": (self._account,)}
        if not self.chooses_tags:
            context |= {f"aws:principaltag/{key.lower()}": (value,) for key, value in self.tags.items()}
        if passed:
            context["iam:passedtoservice"] = PresentKey(passed)
        context["iam:policyarn"] = policies
        return context

    def _administrator(self) -> tuple[PowerLevel, str]:
        unknown = _fewest(self.can(action, EVERY) for action in _CORE)
        if unknown is None:
            return PowerLevel.NONE, ""
        context = self._context(())
        certain: list[str] = []
        conditional: list[str] = []
        for name, grants in self._named_grants().items():
            conditions = [grant.condition(context) for grant in grants]
            if "" in conditions:
                certain.append(name)
            if any(conditions):
                conditional.append(name)
        much = certain
        if not much and unknown:
            much = conditional
        if not much:
            return PowerLevel.NONE, ""
        # All actions under a condition still count as powerful.
        level = PowerLevel.DEPENDING if unknown else PowerLevel.ADMINISTRATOR
        return level, " and ".join(much) + _if(unknown)

    def _named_grants(self) -> dict[str, list[PowerGrant]]:
        """The grants of all actions, or all of IAM, on everything, named by their policy."""
        by_name: dict[str, list[PowerGrant]] = {}
        for policy, grants in sorted(self.policies.items()):
            of_aws = _MANAGED.fullmatch(policy)
            for grant in grants:
                if grant.denies or not grant.is_about(EVERY, "role", self._account):
                    continue
                for pattern in grant.much:
                    name = of_aws[1] if of_aws else f"{pattern} in policy {policy}"
                    by_name.setdefault(name, []).append(grant)
        return by_name

    def _escalation(self, held: frozenset[str]) -> tuple[PowerLevel, str]:
        """The ways to escalate that the policies allow; the surest ones are listed."""
        best_ways: dict[str, tuple[PowerLevel, str]] = {}
        for way in self._known_ways(held):
            conditions = self._way(way)
            if conditions is None:
                continue
            needs = () if way.target in _OF_PROVIDERS or not way.needs else (way.needs,)
            level = PowerLevel.ESCALATION
            if conditions:
                level = PowerLevel.CONDITIONAL
            elif needs:
                level = PowerLevel.DEPENDING
            words = f"{' with '.join(way.actions)} (by {way.by}{_if((*conditions, *needs))})"
            known_level, _ = best_ways.get(way.by, (level, ""))
            if known_level <= level:
                best_ways[way.by] = (level, words)
        best = max((level for level, _ in best_ways.values()), default=PowerLevel.NONE)
        if best is PowerLevel.NONE:
            return best, ""
        return best, self._described([words for level, words in best_ways.values() if level is best])

    @property
    def _trusted_by_others(self) -> frozenset[str]:
        """The services and providers that other powerful roles trust."""
        others = (trusted for arn, trusted in self.administrators().items() if arn != self.arn)
        return frozenset(chain.from_iterable(others))

    def _through_a_service(self) -> tuple[PowerLevel, str]:
        """Passing a powerful role to a service that it trusts, with any write action of that service."""
        for arn, trusted in self.administrators().items():
            if arn == self.arn:
                continue
            for principal in sorted(trusted):
                action = self._write_action(arn, principal)
                if action:
                    needs = f"if {action} uses {arn}, which trusts {principal}"
                    words = f"{PASSES_ROLE} with {action} (by passing a role to a service, {needs})"
                    return PowerLevel.CONDITIONAL, words
        return PowerLevel.NONE, ""

    def _write_action(self, role: str, principal: str) -> str:
        """An action that might use a role which it can pass to the service principal; '' for none."""
        prefixes = prefixes_of(principal)
        if not prefixes or self.can(PASSES_ROLE, role, (principal,)) is None:
            return ""
        every = (*self._grants, *(self.limit or ()))
        for prefix in prefixes:
            actions = chain.from_iterable(grant.writes(prefix) for grant in every)
            for action in dict.fromkeys(actions):
                if self.can(action, ANY) is not None:
                    return action
        return ""

    def _without_limits(self, held: frozenset[str]) -> tuple[PowerLevel, str]:
        """Its power after it removed its own boundary, Denies, or the tags that a condition asks for."""
        best: tuple[PowerLevel, str] = (PowerLevel.NONE, "")
        if not self.arn or held.isdisjoint(_REMOVING):
            return best
        for action, target, what, after in self._released():
            conditions = self.can(action, target)
            if conditions is None:
                continue
            if self.boundary and self.limit is None:
                conditions = (*conditions, "its permissions boundary, which was not read, allows it")
            power = after.power
            level = min(power.level, PowerLevel.CONDITIONAL if conditions else PowerLevel.ESCALATION)
            if level > best[0]:
                best = level, f"{action} (by {what}{_if(conditions)}), then {power.words}"
        return best

    def _released(self) -> Iterator[tuple[str, str, str, RolePower]]:
        """The actions that remove a limit, each with its resource, words, and the role afterwards."""
        if self.boundary:
            unbounded = replace(self, boundary="", limit=None)
            for action in LIMITS["boundary"]:
                yield action, self.arn, "removing its permissions boundary", unbounded
            if ":iam::aws:" not in self.boundary:
                for action in LIMITS["policy"]:
                    yield action, self.boundary, "changing its permissions boundary", unbounded
        for name, grants in self.policies.items():
            if any(grant.denies for grant in grants):
                yield from self._without_policy(name)
        if self.tags and not self.chooses_tags:
            yield LIMITS["tags"][0], self.arn, "changing its own tags", replace(self, chooses_tags=True)

    def _without_policy(self, name: str) -> Iterator[tuple[str, str, str, RolePower]]:
        """The actions that remove a policy of its own with a Deny."""
        others = {other: grants for other, grants in self.policies.items() if other != name}
        after = replace(self, policies=others)
        for action in LIMITS["attached" if name in self.attached else "inline"]:
            yield action, self.arn, f"removing the Deny of policy {name}", after
        if name in self.attached and ":iam::aws:" not in name:
            for action in LIMITS["policy"]:
                yield action, name, f"changing the Deny of policy {name}", after

    def _known_ways(self, held: frozenset[str]) -> Iterator[Escalation]:
        """The ways whose actions it has on some resource."""
        for way in ESCALATIONS:
            if held.issuperset(way.actions):
                yield way
        for way in RUNNING:
            if held.issuperset(way.actions) and not self._trusted_by_others.isdisjoint(way.passed):
                yield way

    def _described(self, ways: list[str]) -> str:
        """The first ways, and the number of others; AWS's own policies say it in a name instead."""
        managed = [_MANAGED.fullmatch(name) for name in sorted(self.policies)]
        described = [match[1] for match in managed if match is not None] or ways
        shown = described[:SHOWN_WAYS]
        if len(described) > SHOWN_WAYS:
            shown.append(f"{len(described) - SHOWN_WAYS} more ways")
        return " and ".join(shown)

    def _way(self, way: Escalation) -> tuple[str, ...] | None:
        best: tuple[str, ...] | None = None
        for target in self._targets(way):
            conditions = self._conditions_on(way, target)
            if conditions is not None and target == EVERY and way.target in _OF_PROVIDERS:
                conditions = (*conditions, way.needs)
            if conditions == ():
                return ()
            if conditions is not None and (best is None or len(conditions) < len(best)):
                best = conditions
        return best

    def _conditions_on(self, way: Escalation, target: str) -> tuple[str, ...] | None:
        """The unknown conditions of all actions of a way on a target; None if one is not allowed."""
        every: list[str] = []
        for action in way.actions:
            conditions = self.can(action, *self._on(way, action, target))
            if conditions is None:
                return None
            every += conditions
        return tuple(every)

    def _on(self, way: Escalation, action: str, target: str) -> tuple[str, tuple[str, ...]]:
        """The resource of an action in a way, and the services that a role is passed to."""
        kind = iam_kind(action)
        if not kind:
            return (ANY if PASSES_ROLE in way.actions else EVERY), ()
        passed = way.passed if action == PASSES_ROLE else ()
        if target == EVERY or f":{kind}/" in target:
            return target, passed
        return ANY, passed

    def _targets(self, way: Escalation) -> Iterator[str]:
        """The resources of which each one is enough, the surest first."""
        yield EVERY
        if way.target is EscalationTarget.SELF:
            yield from self._changeable((self.arn,))
        elif way.target is EscalationTarget.POLICY:
            yield from self._changeable(self.attached)
        elif way.target is EscalationTarget.ADMINISTRATOR:
            for arn, services in self.administrators().items():
                if arn != self.arn and (not way.passed or not services.isdisjoint(way.passed)):
                    yield arn
        elif way.target is EscalationTarget.PROVIDER:
            trusted = sorted(self._trusted_by_others)
            yield from (principal for principal in trusted if ":saml-provider/" in principal)
        elif way.target is EscalationTarget.SAME:
            yield from self._listed(way.actions[-1])

    def _changeable(self, arns: Iterable[str]) -> Iterator[str]:
        """Those of its own that it can give itself permissions by; a boundary limits them."""
        return (arn for arn in arns if arn and ":iam::aws:" not in arn and self.limit is None)

    def _listed(self, action: str) -> Iterator[str]:
        """The resources of an action's kind that its policies list one by one."""
        arns: dict[str, None] = {}
        for grant in self._grants:
            if action in grant.actions:
                arns.update(dict.fromkeys(grant.resources))
        kind = f":{iam_kind(action)}/"
        return (arn for arn in arns if kind in arn and "*" not in arn)

    def _data(self, held: frozenset[str]) -> Iterator[str]:
        for data, actions in READING.items():
            conditions = _fewest(self.can(action, EVERY) for action in actions if action in held)
            if conditions is not None:
                yield data + _if(conditions)


def _level_of(ranked: tuple[PowerLevel, str]) -> PowerLevel:
    return ranked[0]


def _fewest(answers: Iterable[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """The answer with the fewest conditions; None if none of them is a yes."""
    return min((answer for answer in answers if answer is not None), key=len, default=None)


def _if(conditions: tuple[str, ...]) -> str:
    return f", if {'; '.join(conditions)}" if conditions else ""


def of_managed(arn: str, document: Any = None) -> Granted:
    """The grants of a managed policy; for some of AWS's own the ARN is enough."""
    of_aws = _MANAGED.fullmatch(arn)
    if document is None and of_aws is not None:
        document = {"Statement": {"Effect": "Allow", "Resource": "*", **_OF_AWS[of_aws[1]]}}
    return granted(document)


def power(
    attached: Iterable[str],
    inline: Mapping[str, Any] | None = None,
    boundary: str = "",
    limit: Mapping[str, Any] | None = None,
) -> str:
    """The powerful permissions of a role's policies in words, '' if there are none.

    `attached` are ARNs of managed policies, `inline` documents by name or ARN, `limit` the document of the
    permissions boundary if it is known.
    """
    arns = tuple(attached)
    known = None if limit is None else granted(limit)
    grants = {arn: of_managed(arn) for arn in arns}
    # An unread document is empty: for AWS's own policies the ARN is enough.
    grants |= {name: granted(document) for name, document in sorted((inline or {}).items()) if document}
    return RolePower(grants, "", arns, boundary, known).power.much
