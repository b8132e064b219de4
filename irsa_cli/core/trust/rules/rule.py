"""A rule, and a risk: one place where it is broken, with how bad that is and what ends it.

The rules themselves are in `irsa_cli.core.trust.rules.table`, judging in `irsa_cli.core.trust.rules.judge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar


class Severity(str, Enum):
    """How bad it is. The role's permissions raise it by one: see `Risk.behind`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


ORDER = tuple(Severity)


class Area(str, Enum):
    """What a rule is about, and so what has to be read to judge by it."""

    TRUST = "trust"
    """A trust policy; some rules ask for what is known of the account besides."""
    BINDING = "binding"
    """ServiceAccounts and pods, and what they are admitted to."""
    POWER = "permissions"
    """What roles that pods can assume may do."""
    DRIFT = "drift"
    """What nobody uses any more, or what is not as irsa made it."""


@dataclass(frozen=True)
class Rule:
    """One rule. `reason` is one sentence that says why, `fix` what ends it; `source` is the page behind it.

    `before` breaks the rule and `after` does not: trust policies for rules about those, else the objects that
    matter. `{issuer}` in the fix stands for the issuer without `https://`.
    """

    id: str
    severity: Severity
    title: str
    reason: str
    fix: str
    source: str
    area: Area
    before: Mapping[str, Any] = field(hash=False, compare=False, repr=False)
    after: Mapping[str, Any] = field(hash=False, compare=False, repr=False)
    broken: bool = False
    """Whether pods get no credentials by it: a scale of its own, beside how dangerous it is."""


@dataclass(frozen=True)
class RuleTable:
    """Rules of one subject, in the order in which they are added; `after` is what breaks none of them."""

    area: Area
    after: Mapping[str, Any]
    rules: list[Rule] = field(default_factory=list)

    def add(
        self, name: str, severity: Severity, title: str, reason: str, fix: str, source: str, **more: Any
    ) -> Rule:
        """The rule, added: `more` are its example `before`, and its area and `after` if they are others."""
        rule = Rule(
            name, severity, title, reason, fix, source, **{"area": self.area, "after": self.after, **more}
        )
        self.rules.append(rule)
        return rule


SHOWN = 3
"""How many of many things a sentence names."""


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


@dataclass(frozen=True)
class FilePlace:
    """A place in a file, counted from 1. `subject` is what of the file is meant: a resource, an object."""

    file: str
    line: int
    column: int
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Risk:
    """One place where a rule is broken: the reason in one sentence, and what ends it.

    `statement` names the statement of the trust policy whose subject the reason goes on with; for other rules
    it names what the sentence is about. `path` leads to it in the document: keys, and places in lists
    (counted from 0; one statement alone counts as a list of one). `role` is the ARN of the role, `cluster`
    and `account` (namespace/name of a ServiceAccount) whom it concerns, '' where that is not known.
    """

    rule: Rule
    severity: Severity
    statement: str
    reason: str
    suggestion: str
    role: str = ""
    path: tuple[str | int, ...] = ()
    cluster: str = ""
    account: str = ""
    evidence: tuple[str, ...] = ()
    """What was compared, a line each."""
    pattern: str = ""
    """What of the policy breaks the rule, where that can get wider without breaking another one."""
    place: FilePlace | None = None
    """Where it stands, of what was read from a file before it is live."""
    command: str = ""
    """What ends it, to paste; '' where there is no such command, or nobody asked."""
    corrected: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    """The trust policy without it, where one is known and was asked for."""

    def behind(self, power: str) -> Risk:
        """The same with what the role may do, where that is much: then it is worse."""
        if not power:
            return self
        worse = ORDER[min(ORDER.index(self.severity) + 1, len(ORDER) - 1)]
        return replace(self, severity=worse, reason=f"{self.reason}, and behind it is {power}")

    @property
    def sentence(self) -> str:
        """What is wrong, without how bad it is."""
        return f"{self.statement} {self.reason}"

    @property
    def text(self) -> str:
        """The risk for people."""
        return f"{self.severity.value}: {self.sentence}"

    @property
    def named(self) -> str:
        """The risk for people, with its rule."""
        return f"{self.severity.value} {self.rule.id}: {self.sentence}"

    @property
    def explained_by(self) -> str:
        """The command that explains its rule."""
        return f"irsa audit --explain {self.rule.id}"

    @property
    def told(self) -> str:
        """The risk with the role that it is about, what to do, and where it is explained."""
        whose = f"the trust policy of {self.role}" if self.role else "the trust policy"
        return f"{whose} is wide ({self.text}); {self.suggestion}; {self.explained_by}"

    def to_json(self) -> dict[str, Any]:
        """The risk as `-o json` shows it among warnings."""
        return {
            "id": self.rule.id,
            "severity": self.severity.value,
            "role": {"arn": self.role} if self.role else None,
            "statement": self.statement,
            "reason": self.reason,
            "suggestion": self.suggestion,
        }


def in_one_line(found: Sequence[Risk]) -> str:
    """The risks for a line of a list: the worst ones, and how many more there are; '' for none."""
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([*(item.named for item in found[:SHOWN]), *more])


def risk(rule: Rule, statement: str, reason: str, suggestion: str = "", **more: Any) -> Risk:
    """A risk, as bad as its rule says; without a suggestion the rule's own."""
    return Risk(rule, rule.severity, statement, reason, suggestion or rule.fix, **more)


Graded = TypeVar("Graded", Rule, Risk)


def worst_first(found: Iterable[Graded]) -> tuple[Graded, ...]:
    """By severity; what is equally bad stays in its order."""
    return tuple(sorted(found, key=lambda item: -ORDER.index(item.severity)))
