"""Reports of commands that only read, and the scope of their answers.

A scope is the question, what was examined, and what was not and why. A report knows some gaps by itself: a
part that is malformed, an account without credentials. All others come from the client's own record of
refused and failed reads (`irsa_cli.core.results.unread`), and are added here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar

from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome, whole
from irsa_cli.core.results.unread import UnreadCall
from irsa_cli.core.values.errors import ExitCode, IrsaError, exit_code_of
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
    """Something that was not examined.

    `matters`: it could change a line of the answer. `decides`: and also the exit code. `recorded`: only the
    client's record tells of it, so that no line of the report does.
    """

    text: str
    why: WhyNot = WhyNot.NOT_READ
    matters: bool = True
    decides: bool = True
    recorded: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "what": self.text,
            "why": self.why.value,
            "couldChangeAnswer": self.matters,
            "couldChangeExitCode": self.matters and self.decides,
        }

    def with_unread(self, call: UnreadCall) -> NotExamined:
        """The gap; if it names a read on the record, it could change the answer."""
        if not call.is_named_in(self.text):
            return self
        decided = self.matters and self.decides
        return replace(self, matters=True, decides=decided or not call.is_optional)


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
    def is_decided(self) -> bool:
        """Whether nothing was omitted that could change the exit code."""
        return not any(gap.matters and gap.decides for gap in self.not_examined)

    def with_unread(self, calls: Iterable[UnreadCall], *, decide: bool = True) -> AnswerScope:
        """The scope with the reads on the client's record; `decide`: gaps could change the exit code."""
        gaps = list(self.not_examined)
        for call in calls:
            if any(call.is_named_in(gap.text) for gap in gaps):
                gaps = [gap.with_unread(call) for gap in gaps]
            else:
                gaps.append(NotExamined(call.text, decides=not call.is_optional, recorded=True))
        if not decide:
            gaps = [replace(gap, decides=False) for gap in gaps]
        return replace(self, not_examined=tuple(gaps))

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
        if not scope.is_decided and not self.partial:
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


R = TypeVar("R", bound="Reading")


@dataclass(frozen=True, kw_only=True)
class Reading(ABC):
    """The report of a command that only reads; with an `error` or a `signal` it did not come to its end."""

    error: Exception | None = None
    signal: int = 0
    allow: Allowance = field(default_factory=Allowance)
    unread_calls: tuple[UnreadCall, ...] = ()
    """The client's record of reads that were refused or failed."""

    @property
    @abstractmethod
    def own_scope(self) -> AnswerScope:
        """The parts that were examined and those that were not, as far as the report itself knows."""

    @property
    def gaps_decide(self) -> bool:
        """Whether a gap could change the exit code."""
        return True

    @property
    def scope(self) -> AnswerScope:
        """The parts that were examined, and all that were not."""
        return self.own_scope.with_unread(self.unread_calls, decide=self.gaps_decide)

    @property
    def recorded_notes(self) -> tuple[str, ...]:
        """The reads on the client's record that the report does not tell of by itself, a line each."""
        return self._recorded(optional=False)

    @property
    def optional_notes(self) -> tuple[str, ...]:
        """The same of optional reads, for texts."""
        return self._recorded(optional=True)

    def _recorded(self, *, optional: bool) -> tuple[str, ...]:
        unsaid = {gap.text for gap in self.scope.not_examined if gap.recorded}
        calls = [call for call in self.unread_calls if call.is_optional is optional and call.text in unsaid]
        return tuple(dict.fromkeys(f"not read: {call.text}" for call in calls))

    def with_unread(self: R, calls: tuple[UnreadCall, ...]) -> R:
        """The report with the client's record; an error also tells of reads that may have led to it."""
        error = self.error
        if isinstance(error, IrsaError):
            said = "\n".join((str(error), *error.details))
            others = [f"not read: {call.text}" for call in calls if not call.is_named_in(said)]
            error = error.but(details=(*error.details, *dict.fromkeys(others))) if others else error
        return replace(self, error=error, unread_calls=calls)

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
