"""Causes and the findings of their checks: verdict, evidence, and a fix."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain
from typing import TypeVar

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.values.errors import CannotTell
from irsa_cli.core.values.placeholders import placeholder
from irsa_cli.core.values.shown import visible

_IRSA_READS = ("audit", "describe-sa", "diff", "doctor", "get-sa", "history", "verify", "who-can")
_KUBECTL_READS = ("api-resources", "auth", "describe", "events", "explain", "get", "logs", "version")
_AWS_READS = ("describe-", "get-", "list-", "lookup-", "simulate-")
_UNFILLED = re.compile(r"(.*/)?(ACCOUNT|ARN|ID|NAME|NAMESPACE|VALUE)")


class Proposal(str, Enum):
    """The kind of a fix; the value is `fixKind` in `-o json`."""

    COMMAND = "command"
    """It corrects the problem, and is safe to paste."""
    EDIT = "edit"
    """It opens an editor, in which a person corrects."""
    FILL_IN = "fill-in"
    """Something in it has to be filled in first."""
    CHOICE = "choice"
    """Comments only: a person has to decide, or to do something first."""
    LOOK = "look"
    """It only shows what is wrong: of a problem, that is a choice."""

    @property
    def label(self) -> str:
        return _LABELS.get(self, "to fix")


_LABELS = {Proposal.FILL_IN: "to fill in", Proposal.CHOICE: "to decide", Proposal.LOOK: "to look at"}


def kind_of(fix: str) -> Proposal:
    """The effect of pasting these lines."""
    commands = list(filter(None, map(_words, fix.splitlines())))
    if not commands:
        return Proposal.CHOICE
    if any(map(_is_unfilled, chain.from_iterable(commands))):
        return Proposal.FILL_IN
    verbs = {_verb(*words) for words in commands} - {Proposal.LOOK.value}
    if not verbs:
        return Proposal.LOOK
    if verbs == {Proposal.EDIT.value}:
        return Proposal.EDIT
    return Proposal.COMMAND


def _is_unfilled(word: str) -> bool:
    if not word:
        return False
    return _UNFILLED.fullmatch(word) is not None or placeholder(word) == word


def comment(text: str) -> str:
    """A line that does nothing if it is pasted, whatever is in it."""
    return f"# {visible(text)}"


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # A part of a name with a line end in it.
        return line.split()


def _verb(tool: str, *words: str) -> str:
    """The kubectl command, `look` in place of whatever only reads."""
    if tool == "kubectl":
        while words and words[0].startswith("-"):
            is_pair = "=" in words[0]
            words = words[1:] if is_pair else words[2:]
    if tool == "aws" and len(words) > 1:
        words = words[1:]
    verb = words[0] if words else ""
    reads = {
        "aws": verb.startswith(_AWS_READS),
        "curl": True,
        "irsa": verb in _IRSA_READS,
        "kubectl": verb in _KUBECTL_READS,
    }
    return Proposal.LOOK.value if reads.get(tool) else verb


class Verdict(str, Enum):
    """The result of a check, as in `-o json`."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


class Group(str, Enum):
    """Where a cause sits on the way from the cluster to the pod's credentials."""

    CLUSTER = "cluster"
    SERVICE_ACCOUNT = "service-account"
    ROLE = "role"
    WEBHOOK = "webhook"
    PODS = "pods"
    STS = "sts"


Signs = TypeVar("Signs", bound=Sized)
Evidence = tuple[tuple[str, str], ...]
"""The compared values, as pairs of a name and a value."""


@dataclass(frozen=True)
class Judgement:
    """The result of one check. `text` is one sentence, `fix` the proposal for a problem.

    `decides`: unknown, and it may be the problem. `hints`: unknown but usually right; check it if the
    application fails. `follows`: unknown because of another problem.
    """

    verdict: Verdict
    text: str
    evidence: Evidence = ()
    fix: str = ""
    decides: bool = False
    follows: bool = False
    hints: bool = False

    @property
    def proposal(self) -> Proposal | None:
        if not self.fix:
            return None
        return kind_of(self.fix)


def ok(text: str, **evidence: str) -> Judgement:
    return Judgement(Verdict.OK, text, _pairs(evidence))


def problem(text: str, *, fix: str, **evidence: str) -> Judgement:
    """Something is wrong, and this is what puts it right; what only shows it is no fix but a decision."""
    if kind_of(fix) is Proposal.LOOK:
        lines = ("to see it:", *fix.splitlines(), "what to do then is a decision: see the remedy")
        fix = "\n".join(line if line.startswith("#") else comment(line) for line in lines)
    return Judgement(Verdict.PROBLEM, text, _pairs(evidence), fix)


def unknown(why: str, **evidence: str) -> Judgement:
    return Judgement(Verdict.UNKNOWN, why, _pairs(evidence))


def suspect(why: str, **evidence: str) -> Judgement:
    """Unknown, and it may be the problem."""
    return Judgement(Verdict.UNKNOWN, why, _pairs(evidence), decides=True)


def hint(why: str, **evidence: str) -> Judgement:
    """Unknown but usually right: check it if the application fails."""
    return Judgement(Verdict.UNKNOWN, why, _pairs(evidence), hints=True)


def _pairs(evidence: dict[str, str]) -> Evidence:
    return tuple((name.replace("_", " "), value) for name, value in evidence.items())


class Decided(Exception):
    """Ends a check with a judgement, from a function that it calls."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.text)
        self.judgement = judgement


def some(signs: Signs, otherwise: str, /, **evidence: str) -> Signs:
    """The signs of the cause; if there is none, the check ends: this is not the cause."""
    if not signs:
        raise Decided(ok(otherwise, **evidence))
    return signs


Check = Callable[[Facts], Judgement]


@dataclass(frozen=True)
class Cause:
    """One reason why IRSA doesn't work.

    `looks_at` is what the check reads, `source` the documentation. Among problems of one step, the one with
    the greatest `weight` (0 to 100) comes first. `of_cluster`: it needs no ServiceAccount.
    """

    id: str
    group: Group
    weight: int
    check: Check
    of_cluster: bool
    title: str
    symptom: str
    looks_at: str
    remedy: str
    source: str

    def judge(self, facts: Facts) -> Judgement:
        """Run the check; an unreadable value is also an answer."""
        try:
            return self.check(facts)
        except Decided as end:
            return end.judgement
        except CannotTell as error:
            return replace(unknown(error.why), follows=error.follows)


@dataclass(frozen=True)
class Finding:
    """A cause and what its check found."""

    cause: Cause
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


@dataclass(frozen=True)
class CauseCheck:
    """A check with the group and weight of its cause: all of a `Cause` but its texts."""

    check: Check
    group: Group
    weight: int
    of_cluster: bool = False


CHECKS: dict[str, CauseCheck] = {}
"""The checks of all causes by their identifiers; each module of causes adds its own when imported."""


def check_of(
    identifier: str, group: Group, weight: int, *, of_cluster: bool = False
) -> Callable[[Check], Check]:
    """Register a function as the check of a cause, whose texts are in `data/causes.json`."""

    def register(check: Check) -> Check:
        if identifier in CHECKS:
            raise ValueError(f"two checks of the cause {identifier}")
        CHECKS[identifier] = CauseCheck(check, group, weight, of_cluster)
        return check

    return register
