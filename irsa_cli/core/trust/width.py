"""How wide a trust policy is: what in it lets in more than the ServiceAccounts that somebody has named.

Pure. Rules over what the document really says to tokens of a cluster's provider: each finding is proven by
witnesses, ServiceAccounts that nobody has named and that `irsa_cli.core.trust.evaluation` says are
admitted, so a further condition or a Deny that keeps them out counts. Whom a policy lets in besides, one by
one, is `irsa_cli.core.trust.admitted`'s business; how much the role may do `irsa_cli.core.policies.power`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from irsa_cli.core.policies.conditions import Operator, operator_of
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import ACTION, WebIdentity
from irsa_cli.core.trust.evaluation import StatementVerdict, covers, explain
from irsa_cli.core.trust.subject_patterns import ONE, OTHER, SERVICE_ACCOUNT, Pair, pairs
from irsa_cli.core.trust.wide_trust import ORDER, Rule, Severity, WideTrust, finding
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

MOST_AUDIENCES = 5
"""Audiences of a policy that are tried."""


def wide_trusts(
    document: Mapping[str, Any],
    providers: Iterable[str],
    audience: str = DEFAULT_AUDIENCE,
    *,
    role: str = "",
    power: str = "",
) -> tuple[WideTrust, ...]:
    """What is wide in a trust policy for tokens of these providers (ARNs), the worst first.

    `power` is what the role may do, where that is much (`irsa_cli.core.policies.power`).
    """
    found = [*_everybody(document)]
    open_ones = {item.statement for item in found}
    for provider in providers:
        look = _Look(document, provider, audience)
        found += [item for item in look.findings() if item.statement not in open_ones]
    # What two clusters' providers have in common is said once.
    each = {(item.rule, item.statement, item.reason): item for item in reversed(found)}
    told = [replace(item, role=role).behind(power) for item in reversed(each.values())]
    return tuple(sorted(told, key=lambda item: -ORDER.index(item.severity)))


def _name(index: int, item: Mapping[str, Any]) -> str:
    return f"statement {index + 1}" + (f" ({item['Sid']})" if item.get("Sid") else "")


def _allowing(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for index, item in enumerate(as_list(document.get("Statement", []))):
        if isinstance(item, dict) and item.get("Effect") == "Allow":
            yield index, item


# Everybody as principal

_WAYS_IN = ("sts:AssumeRole", ACTION, "sts:AssumeRoleWithSAML")
_WHO = ("aws:principal", "aws:userid", "aws:username", "aws:sourceaccount", "aws:sourceorg")
"""What the condition keys begin with that tell who calls."""


def _everybody(document: Mapping[str, Any]) -> Iterator[WideTrust]:
    for index, item in _allowing(document):
        ways = [action for action in _WAYS_IN if _does(item, action)]
        if not ways or not _names_everybody(item):
            continue
        tests = [(operator, key) for operator, key, _ in _tests(item)]
        narrowed = any(_is_positive(operator) for operator, _ in tests)
        if ACTION not in ways and any(
            _is_positive(operator) and key.lower().startswith(_WHO) for operator, key in tests
        ):
            continue
        means = "all but a few" if "NotPrincipal" in item else "everybody"
        but = ", and nothing keeps anybody out"
        if tests:
            but = (
                ", and only its conditions keep anybody out"
                if narrowed
                else ", and says only whom it keeps out"
            )
        reason = f"names {means} as its principal{but}"
        found = finding(Rule.EVERYBODY, _name(index, item), reason, "name the principal in it")
        yield replace(found, severity=Severity.MEDIUM) if narrowed else found


def _does(item: Mapping[str, Any], action: str) -> bool:
    excluding = "NotAction" in item
    patterns = tuple(map(str, as_list(item["NotAction"] if excluding else item.get("Action", []))))
    return covers(patterns, action) != excluding


def _names_everybody(item: Mapping[str, Any]) -> bool:
    if "NotPrincipal" in item:
        return True
    principal = item.get("Principal")
    if not isinstance(principal, dict):
        return principal == "*"
    return any("*" in as_list(principal.get(kind, [])) for kind in ("AWS", "Federated"))


# Conditions


def _tests(item: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Operator, key and values of each test in a statement's conditions."""
    block = item.get("Condition")
    for name, keys in block.items() if isinstance(block, dict) else ():
        for key, values in keys.items() if isinstance(keys, dict) else ():
            yield name, key, tuple(map(str, as_list(values)))


def _comparing(name: str) -> Operator | None:
    """An operator that compares strings."""
    operator = operator_of(name)
    return operator if operator is not None and operator.kind.startswith("String") else None


def _is_positive(name: str) -> bool:
    operator = operator_of(name)
    return operator is not None and operator.compare is not None and not operator.negated


# Whom a provider's statements admit

_SUBJECT = re.compile(rf"{SERVICE_ACCOUNT}[a-z0-9-]+:[a-z0-9.-]+")
_NO_AUDIENCE = "audience.nobody.has.named"


@dataclass(frozen=True)
class _Look:
    """A trust policy, as tokens of one provider meet it."""

    document: Mapping[str, Any]
    provider: str
    audience: str

    @property
    def _issuer(self) -> str:
        return self.provider.partition("oidc-provider/")[2]

    def _values(
        self, claim: str, items: Iterable[Mapping[str, Any]]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        key = f"{self._issuer}:{claim}".lower()
        for item in items:
            yield from ((name, values) for name, of, values in _tests(item) if of.lower() == key)

    @cached_property
    def _statements(self) -> list[Mapping[str, Any]]:
        found = as_list(self.document.get("Statement", []))
        return [item if isinstance(item, dict) else {} for item in found]

    @cached_property
    def _audiences(self) -> tuple[str, ...]:
        named = (value for _, values in self._values("aud", self._statements) for value in values)
        return tuple(dict.fromkeys((self.audience, *named)))[:MOST_AUDIENCES]

    def _admitting(self, subject: str, audience: str = "") -> frozenset[int]:
        """The statements that admit the ServiceAccount, or may; with any audience that is named."""
        found: set[int] = set()
        for each in (audience,) if audience else self._audiences:
            identity = WebIdentity(self.provider, f"https://{self._issuer}", subject, each)
            verdicts = explain(self.document, identity).verdicts
            if not any(item.effect != "Allow" and item.failure is None for item in verdicts):
                found |= {item.index for item in verdicts if self._may(item)}
        return frozenset(found)

    def _may(self, verdict: StatementVerdict) -> bool:
        """Whether it admits, or may. How a claim compares is never what may be: there it is a riddle, no."""
        own = f"{self._issuer}:".lower()
        riddle = any(item.key.lower().startswith(own) for item in verdict.undecided)
        return verdict.effect == "Allow" and verdict.possible and not riddle

    def findings(self) -> Iterator[WideTrust]:
        """What is wide in each statement."""
        anybody = self._admitting(f"{SERVICE_ACCOUNT}{ONE}:{OTHER}")
        patterns = list(self._patterns())
        for index, item in _allowing(self.document):
            if index in anybody:
                yield from self._for_all(index, item)
                continue
            admitted = list(self._exact(index))
            for pattern, pair in patterns:
                both = pair.witnesses
                if all(index in self._admitting(subject) for subject in both):
                    admitted += both
                    yield pair.finding(_name(index, item), pattern, self._tight)
            yield from self._audience(index, item, admitted[:1])

    @property
    def _tight(self) -> str:
        return f"name the ServiceAccounts by StringEquals on {self._issuer}:sub"

    def _for_all(self, index: int, item: Mapping[str, Any]) -> Iterator[WideTrust]:
        """A statement that admits every ServiceAccount: why it does."""
        name, every = _name(index, item), "admits every ServiceAccount of the cluster"
        tests = list(self._values("sub", [item]))
        if not item.get("Condition"):
            reason = f"has no condition: it {every}, with a token for any audience"
            yield finding(Rule.NO_CONDITION, name, reason, self._tight)
            return
        if not tests:
            reason = f"does not test the token's subject: it {every}"
            yield finding(Rule.NO_SUBJECT, name, reason, self._tight)
        elif not any(_is_positive(operator) for operator, _ in tests):
            reason = f"says only whom it keeps out: it {every} but those"
            yield finding(Rule.ONLY_NEGATIVE, name, reason, self._tight)
        else:
            named = ", ".join(f"'{value}'" for _, values in tests for value in values if "*" in value)
            reason = f"{every}, by {named or 'a test that holds for all'}"
            yield finding(Rule.EVERY_SUBJECT, name, reason, self._tight)
        yield from self._audience(index, item, [f"{SERVICE_ACCOUNT}{ONE}:{OTHER}"])

    def _audience(self, index: int, item: Mapping[str, Any], admitted: Iterable[str]) -> Iterator[WideTrust]:
        for subject in admitted:
            if index in self._admitting(subject, _NO_AUDIENCE):
                reason = (
                    "takes a token for any audience that the OIDC provider accepts, also one that was"
                    " made for another service"
                )
                step = f"demand StringEquals {self._issuer}:aud {DEFAULT_AUDIENCE}"
                yield finding(Rule.NO_AUDIENCE, _name(index, item), reason, step)

    def _exact(self, index: int) -> Iterator[str]:
        """The subjects that are named as they are, of those that the statement admits."""
        for _, values in self._values("sub", [self._statements[index]]):
            named = (value for value in values if _SUBJECT.fullmatch(value))
            yield from (value for value in named if index in self._admitting(value))

    def _patterns(self) -> Iterator[tuple[str, Pair]]:
        """Each pattern of subjects in the policy, with the namespaces and names that it means.

        Also those of statements that deny all others, and of negated tests: the witnesses tell what holds.
        """
        found = {
            value: None
            for name, values in self._values("sub", self._statements)
            if (operator := _comparing(name)) is not None and operator.wild
            for value in values
        }
        for value in found:
            yield from ((value, pair) for pair in pairs(value) if pair.is_wide)
