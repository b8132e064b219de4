"""Reports of commands that only read, and the scope of their answers.

A scope is the question, what was examined, and what was not and why.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome, whole
from irsa_cli.core.values.errors import ExitCode, exit_code_of
from irsa_cli.core.values.shown import plural


class WhyNot(str, Enum):
    """Why something was not examined, as in JSON."""

    NOT_READ = "not-read"
    """Not readable: no permission, no answer, or no file."""
    UNREADABLE = "unreadable"
    """Read, but malformed."""
    WHEN_DEPLOYED = "known-when-deployed"
    BY_DESIGN = "by-design"
    """The command never reads this."""


@dataclass(frozen=True)
class NotExamined:
    """Something that was not examined. `matters`: it could change the answer."""

    text: str
    why: WhyNot = WhyNot.NOT_READ
    matters: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"what": self.text, "why": self.why.value, "couldChangeAnswer": self.matters}


def not_read(lines: Iterable[str], *, matters: bool = True) -> tuple[NotExamined, ...]:
    return tuple(NotExamined(line, matters=matters) for line in lines)


def by_design(*texts: str) -> tuple[NotExamined, ...]:
    """Items that a command never reads, and whose content can't change its answer."""
    return tuple(NotExamined(text, WhyNot.BY_DESIGN, matters=False) for text in texts)


@dataclass(frozen=True)
class AnswerScope:
    """The scope. `examined` counts by singular nouns; `nothing` says what irsa looked for in vain."""

    question: str = ""
    examined: Mapping[str, int] = field(default_factory=dict)
    not_examined: tuple[NotExamined, ...] = ()
    nothing: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether nothing was omitted that could change the answer."""
        return not any(gap.matters for gap in self.not_examined)

    @property
    def counts(self) -> str:
        """How much was examined: `56 roles, 2 clusters`."""
        return ", ".join(plural(number, noun) for noun, number in self.examined.items()) or "nothing"

    @property
    def checked(self) -> str:
        return f"Checked: {self.counts}."

    @property
    def left_out(self) -> str:
        """The parts that were not examined, in one line. Unreadable items have their own notes."""
        texts = [gap.text for gap in self.not_examined if gap.why is WhyNot.BY_DESIGN]
        in_notes = [gap for gap in self.not_examined if gap.why is not WhyNot.BY_DESIGN]
        deciding = sum(gap.matters for gap in in_notes)
        if deciding:
            texts.append(f"{plural(deciding, 'item')} in the notes, which could change this answer")
        if len(in_notes) > deciding:
            texts.append(f"{plural(len(in_notes) - deciding, 'item')} that can't change it")
        if not texts:
            return ""
        return f"Not checked: {', '.join(texts)}."

    @property
    def sentence(self) -> str:
        """The scope in one line, for the end of a text."""
        return " ".join(filter(None, (self.checked, self.nothing, self.left_out)))

    def to_json(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "complete": self.is_complete,
            "examined": [{"what": noun, "count": number} for noun, number in self.examined.items()],
            "notExamined": [gap.to_json() for gap in self.not_examined],
        }


def unanswered(question: str, error: Exception | None) -> AnswerScope:
    return AnswerScope(question, not_examined=not_read([str(error or "the command was interrupted")]))


@dataclass(frozen=True)
class Allowance:
    """Accepted gaps: an incomplete scope (`partial`), or an empty one (`empty`)."""

    partial: bool = False
    empty: bool = False

    def exit_code(self, scope: AnswerScope) -> ExitCode:
        """The exit code without findings: 0 only if everything, and anything, was examined."""
        if not scope.is_complete and not self.partial:
            return ExitCode.FAILED
        if scope.nothing and not self.empty:
            return ExitCode.EMPTY
        return ExitCode.DONE


def accounts_asked(namespace: str = "", selector: str = "") -> str:
    """The asked ServiceAccounts, after 'No ServiceAccount'; '' for all of a cluster."""
    text = ""
    if selector:
        text += f" with the labels {selector}"
    if namespace:
        text += f" in namespace {namespace}"
    return text


@dataclass(frozen=True, kw_only=True)
class Reading(ABC):
    """The report of a command that only reads; with an `error` or a `signal` it did not come to its end."""

    error: Exception | None = None
    signal: int = 0
    allow: Allowance = field(default_factory=Allowance)

    @property
    @abstractmethod
    def scope(self) -> AnswerScope:
        """The parts that were examined and those that were not."""

    @property
    def found_code(self) -> int:
        return ExitCode.DONE

    @property
    def exit_code(self) -> int:
        """A failure's, else that of what was found, else the scope's: 0 only if all that matters was read."""
        if self.signal or self.error is not None:
            return exit_code_of(self.error, self.signal)
        return self.found_code or self.allow.exit_code(self.scope)

    def document(
        self, kind: DocumentKind, *, facts: Mapping[str, Any] | None = None, **more: Any
    ) -> Envelope:
        """The document that `-o json` and `-o yaml` print, with these `facts`, and `more` of its fields."""
        fields = {"outcome": ReadOutcome.of(self.error), "errors": whole(self.error), **more}
        facts = {"scope": self.scope.to_json(), **(facts or {})}
        return Envelope(kind, exit_code=self.exit_code, facts=facts, **fields)
