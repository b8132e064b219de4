"""A rule, a risk (one violation of a rule, with its severity and its fix), and all rules: `rules.json`.

Each rule has an example that breaks it (`before`), and one that does not (`after`). An example about trust
policies is a list of statements; one without a field has that of `statement`. In examples, `{issuer}` and
the like stand for the texts in `values`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib.resources import files
from itertools import chain
from typing import Any, TypeVar


class Severity(str, Enum):
    """The urgency of a risk: from what follows (`Consequence`) and who can cause it (`Exposure`).

    A powerful role raises it by one (`Risk.behind`). The levels are those of AWS Security Hub, which calls a
    note informational: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html
    """

    NOTE = "note"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


ORDER = tuple(Severity)


class Consequence(str, Enum):
    """The result if nobody acts on a finding; harm of today comes before what somebody could do."""

    OUTAGE = "outage"
    """Pods run without the credentials that they need."""
    FAILURE = "failure"
    """Pods that start get no credentials; none of them is known to run."""
    ACCOUNT = "account"
    """Administrator permissions of the account."""
    ROLE = "role"
    """The permissions of a role, for others than its own pods."""
    DATA = "data"
    """Reading all data of a kind, also that of other applications."""
    LEFTOVER = "leftover"
    """Nothing today: something is left over, or says what is not so."""


class Exposure(str, Enum):
    """The people and pods that can cause it, or that have it."""

    ANYONE = "anyone"
    """Everybody with a pod in a cluster, or outside of the account: no further right is needed."""
    NEIGHBOURS = "neighbours"
    """Those next to it: in the namespace, in another stage, in another service of the account."""
    OWNERS = "owners"
    """Only its own pods, and everybody who controls one of them."""
    PRIVILEGED = "privileged"
    """Those with another right that is needed, such as creating OIDC providers or associations."""


_SEVERITIES: Mapping[Consequence, Mapping[Exposure, Severity]] = {
    Consequence.OUTAGE: {Exposure.OWNERS: Severity.HIGH},
    Consequence.FAILURE: {Exposure.OWNERS: Severity.MEDIUM},
    Consequence.ACCOUNT: {
        Exposure.ANYONE: Severity.CRITICAL,
        Exposure.NEIGHBOURS: Severity.HIGH,
        Exposure.OWNERS: Severity.HIGH,
        Exposure.PRIVILEGED: Severity.MEDIUM,
    },
    Consequence.ROLE: {
        Exposure.ANYONE: Severity.HIGH,
        Exposure.NEIGHBOURS: Severity.MEDIUM,
        Exposure.PRIVILEGED: Severity.LOW,
    },
    Consequence.DATA: {Exposure.NEIGHBOURS: Severity.MEDIUM, Exposure.OWNERS: Severity.NOTE},
    Consequence.LEFTOVER: {Exposure.OWNERS: Severity.LOW, Exposure.PRIVILEGED: Severity.LOW},
}
"""The severity of each consequence by reach. That its own pods have a role is no finding."""


def severity_of(consequence: Consequence, reach: Exposure) -> Severity:
    """The severity of a consequence that somebody can cause."""
    return _SEVERITIES[consequence][reach]


def reaches_of(consequence: Consequence) -> Mapping[Exposure, Severity]:
    """The severities of a consequence by reach, as far as there are such findings."""
    return _SEVERITIES[consequence]


class Area(str, Enum):
    """The subject of a rule: trust policies, ServiceAccounts, permissions, or leftovers and changes."""

    TRUST = "trust"
    BINDING = "binding"
    POWER = "permissions"
    DRIFT = "drift"


@dataclass(frozen=True)
class Rule:
    """A rule with its documentation (`source`).

    `{issuer}` in the fix stands for the issuer without `https://`.
    """

    id: str
    consequence: Consequence
    reach: Exposure
    title: str
    reason: str
    fix: str
    source: str
    area: Area
    broken: bool = False
    """Whether pods get no credentials because of it, however dangerous it is."""
    by_hand: bool = False
    """Of a trust policy: whether a person has to decide, so that no corrected policy is proposed."""

    @property
    def severity(self) -> Severity:
        """The severity of its risks, if nothing more is known."""
        return severity_of(self.consequence, self.reach)


SHOWN = 3
"""The most items that a sentence lists."""


def some(names: Sequence[str], between: str = ", ") -> str:
    """The first names, and the number of others."""
    if len(names) <= SHOWN:
        return between.join(names)
    return f"{between.join(names[:SHOWN])} and {len(names) - SHOWN} more"


@dataclass(frozen=True)
class FilePlace:
    """A place in a file, counted from 1 (0 is unknown); `subject` is the resource or object there.

    `change` is what a plan does to it, a `PlannedChange`; '' outside of plans.
    """

    file: str
    line: int = 0
    column: int = 0
    subject: str = ""
    change: str = ""

    @property
    def whose(self) -> str:
        """The subject with what happens to it; '' for none."""
        return f"{self.subject} ({self.change})" if self.subject and self.change else self.subject

    def __str__(self) -> str:
        numbers = filter(None, (self.line, self.column))
        return ":".join([self.file, *map(str, numbers)])


@dataclass(frozen=True)
class Risk:
    """One violation of a rule: the reason and the fix.

    `statement` is the subject of the sentence, `reason` the rest of it. `path` leads to it in the document:
    keys and list indexes (a single statement counts as a list). `role` is an ARN, `account` a ServiceAccount
    (namespace/name); '' if unknown.

    Risks of one rule with the same `cause` are one matter; without a cause, those with the same sentence.
    `subject` is who has the risk, in whichever cluster ('' if there is no such name), and `extent` how far it
    goes there.
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
    pattern: str = ""
    """The part of the policy that breaks the rule, if it can get broader without breaking another rule."""
    cause: str = ""
    subject: str = ""
    extent: str = ""
    place: FilePlace | None = None
    command: str = ""
    """The command that fixes it, if one exists and was requested."""
    corrected: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    """The corrected trust policy, if one exists and was requested."""

    def behind(self, power: str) -> Risk:
        """The risk with a powerful role's permissions: more severe by one. A broken one grants nothing."""
        if not power or self.rule.broken:
            return self
        worse = ORDER[min(ORDER.index(self.severity) + 1, len(ORDER) - 1)]
        return replace(self, severity=worse, reason=f"{self.reason}; this grants {power}")

    def graded(self, consequence: Consequence, reach: Exposure) -> Risk:
        """The risk with the severity of what is known to follow in its case."""
        return replace(self, severity=severity_of(consequence, reach))

    def less_sure(self, conditions: Collection[str] = ("unknown",)) -> Risk:
        """The risk, less severe by one if it depends on conditions that are not known."""
        if not conditions:
            return self
        return replace(self, severity=ORDER[max(ORDER.index(self.severity) - 1, 0)])

    @property
    def sentence(self) -> str:
        """The risk without its severity."""
        return f"{self.statement} {self.reason}"

    @property
    def text(self) -> str:
        """The risk with its severity."""
        return f"{self.severity.value}: {self.sentence}"

    @property
    def named(self) -> str:
        """The risk with its severity and rule."""
        return f"{self.severity.value} {self.rule.id}: {self.sentence}"

    @property
    def explained_by(self) -> str:
        return f"irsa audit --explain {self.rule.id}"

    @property
    def warned(self) -> tuple[str, str]:
        """The risk with its role, and the fix with the command that explains the rule."""
        whose = f"the trust policy of {self.role}" if self.role else "the trust policy"
        return f"{whose} is too broad ({self.text})", f"{self.suggestion}; {self.explained_by}"

    @property
    def warning(self) -> str:
        """The risk as a warning in one line."""
        return "; to fix: ".join(self.warned)


def in_one_line(risks: Sequence[Risk]) -> str:
    """The worst risks in one line, and the number of others; '' for none."""
    texts = [risk.named for risk in risks[:SHOWN]]
    if len(risks) > SHOWN:
        texts.append(f"and {len(risks) - SHOWN} more")
    return "; ".join(texts)


def risk(rule: Rule, statement: str, reason: str, suggestion: str = "", **more: Any) -> Risk:
    """A risk with the severity and (by default) the fix of its rule."""
    return Risk(rule, rule.severity, statement, reason, suggestion or rule.fix, **more)


Graded = TypeVar("Graded", Rule, Risk)


def worst_first(graded: Iterable[Graded]) -> tuple[Graded, ...]:
    """Sorted by severity; equal ones keep their order."""
    return tuple(sorted(graded, key=lambda rated: -ORDER.index(rated.severity)))


_TABLE = json.loads((files(__package__) / "rules.json").read_text(encoding="utf-8"))
EXAMPLES: dict[str, str] = _TABLE["values"]


def _rules(area: Area) -> Iterator[Rule]:
    for row in _TABLE[area.value]["rules"]:
        of_rule = {key: value for key, value in row.items() if key not in ("before", "after")}
        of_rule["consequence"] = Consequence(row["consequence"])
        of_rule["reach"] = Exposure(row["reach"])
        yield Rule(**of_rule, area=area)


_BY_AREA = (worst_first(_rules(area)) for area in Area)
RULES: dict[str, Rule] = {rule.id: rule for rule in chain.from_iterable(_BY_AREA)}
TRUST_RULES = tuple(rule for rule in RULES.values() if rule.area is Area.TRUST)
NAME_THEM = RULES["no-subject"].fix
"""The fix of rules about subjects."""


def before(rule: Rule) -> Mapping[str, Any]:
    return _example(rule, "before")


def after(rule: Rule) -> Mapping[str, Any]:
    return _example(rule, "after")


def _example(rule: Rule, side: str) -> Mapping[str, Any]:
    table = _TABLE[rule.area.value]
    row = next(row for row in table["rules"] if row["id"] == rule.id)
    example = row.get(side) or table[side]
    if rule.area is Area.TRUST:
        statements = [{**_TABLE["statement"], **statement} for statement in example]
        example = {"Version": "2012-10-17", "Statement": statements}
    text = json.dumps(example)
    for name, value in EXAMPLES.items():
        text = text.replace(f"{{{name}}}", value)
    document: dict[str, Any] = json.loads(text)
    return document
