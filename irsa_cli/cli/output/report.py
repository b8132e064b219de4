"""The result of a command as values: every form of output is a view of a `Report`.

The module of each result creates its report. Only `parts` and `messages` are ready to print: all other texts
are unescaped, and each view escapes them itself. Iterators are values that only some views show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import click

from irsa_cli.cli.help.helping import command_of

if TYPE_CHECKING:
    from irsa_cli.core.results.envelope import Envelope
    from irsa_cli.core.results.result import Result
    from irsa_cli.core.results.result_document import Documented
    from irsa_cli.core.trust.rules.rule import FilePlace, Risk

_VIEWS = "irsa_cli.cli.output.views"
DOCUMENTS = {"json": f"{_VIEWS}.documents:as_json", "yaml": f"{_VIEWS}.documents:as_yaml"}
"""Forms that are documents, even with only errors."""
REPORTS = {"markdown": f"{_VIEWS}.markdown:as_markdown", "github": f"{_VIEWS}.annotations:as_annotations"}
"""Forms for pipelines, for every command."""
RISKS = {
    "csv": f"{_VIEWS}.csv:as_csv",
    "sarif": f"{_VIEWS}.sarif:as_sarif",
    "junit": f"{_VIEWS}.junit:as_junit",
}
"""Forms of `audit` and `lint`."""
VIEWS: dict[str, str] = {
    **DOCUMENTS,
    **REPORTS,
    **RISKS,
    "name": f"{_VIEWS}.documents:as_names",
    "arn": f"{_VIEWS}.documents:as_arns",
    "env": f"{_VIEWS}.documents:as_variables",
}
"""A view gets the report, and the longest text that the user wants; it returns the text."""


class Rank(IntEnum):
    """The order of importance: the last ones are omitted first."""

    FAILED = 0
    REFUSED = 1
    DELETED = 2
    TRUST = 3
    """An existing trust policy changes."""
    UPDATED = 4
    CREATED = 5
    WARNING = 6
    OPEN = 7
    """Unknown."""
    GOOD = 8


class Level(str, Enum):
    """The level of an annotation; the value is the name of GitHub's command."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True)
class Document:
    """Folded lines, such as a policy or a difference; `language` is for highlighting."""

    title: str
    lines: tuple[str, ...]
    language: str = "text"


@dataclass(frozen=True)
class Line:
    """A change or finding; `word` precedes it, `about` is to copy, `name` stands for it if it is omitted."""

    text: str
    rank: Rank
    word: str = ""
    about: str = ""
    name: str = ""
    documents: tuple[Document, ...] = ()
    level: Level | None = None
    place: FilePlace | None = None

    @property
    def short(self) -> str:
        """Its name in the list of omitted parts."""
        return self.name or " ".join(filter(None, (self.word, self.about, self.text)))


@dataclass(frozen=True)
class Entry:
    """A ServiceAccount, part or file, or all ('' as title); `level` is None without an annotation."""

    title: str
    state: str
    rank: Rank
    lines: tuple[Line, ...] = ()
    message: tuple[str, ...] = ()
    level: Level | None = None
    place: FilePlace | None = None


@dataclass(frozen=True)
class FoundRisk:
    """A risk, and its `fingerprint` in every run; `accepted` is the reason, None if it is not accepted."""

    risk: Risk
    fingerprint: str
    accepted: str | None = None


def whose(risk: Risk) -> str:
    """The place or role of a risk as the beginning of a line."""
    if risk.place is not None:
        subject = risk.place.whose
        return f"{risk.place}: {subject}: " if subject else f"{risk.place}: "
    return f"{risk.role}: " if risk.role and risk.role not in risk.sentence else ""


@dataclass(frozen=True)
class Case:
    """A check. `element`: failure, error, skipped, or '' if it passed; `kind` is its type."""

    classname: str
    name: str
    element: str = ""
    message: str = ""
    text: str | None = None
    kind: str = ""


@dataclass(frozen=True)
class Suite:
    """Checks of one object, '' for the whole command; `seconds` they took, and what to add in `lines`."""

    name: str
    cases: Iterable[Case]
    seconds: float | None = None
    lines: tuple[str, ...] = ()


class Message(str):
    """A line for standard error."""


class Shown(Protocol):
    """A part that prints itself, such as a table."""

    def show(self) -> None: ...


Part = str | Shown
"""A part of a text for standard output, or a `Message`."""


def running() -> str:
    """The running command, as the user typed it, without `irsa`; '' without one."""
    context = click.get_current_context(silent=True)
    return "" if context is None else command_of(context)


@dataclass(frozen=True)
class Report:
    """A result; `found` has its exit code and document. `is_good` is None if that is unknown."""

    found: Result | Documented | Envelope
    parts: Iterable[Part] = ()
    """The text for people."""
    messages: Iterable[str] = ()
    """Lines for standard error, after every form."""
    verdict: str = ""
    is_good: bool | None = None
    facts: Iterable[tuple[str, str]] = ()
    """Names and values to copy."""
    entries: Iterable[Entry] = ()
    uneventful: tuple[str, ...] = ()
    """The number of entries that are not listed, by their state."""
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Parts that irsa did not read or check."""
    findings: Iterable[FoundRisk] = ()
    suites: Iterable[Suite] = ()
    error: Exception | None = None
    """The error that ended the command as a whole."""
    command: str = field(default_factory=running)
    own_views: Mapping[str, str] = field(default_factory=dict)
    """Views of this result alone, as `VIEWS` has those of all: commands that write never load them."""

    @property
    def title(self) -> str:
        return f"irsa {self.command}".strip()

    @property
    def exit_code(self) -> int:
        return int(self.found.exit_code)

    @property
    def document(self) -> Envelope:
        from irsa_cli.core.results.envelope import Envelope
        from irsa_cli.core.results.result_document import document_of

        return self.found if isinstance(self.found, Envelope) else document_of(self.found)

    @cached_property
    def in_order(self) -> tuple[Entry, ...]:
        """The entries, the most important first; one without a title is about the whole command."""
        titled = (entry if entry.title else replace(entry, title=self.title) for entry in self.entries)
        return tuple(sorted(titled, key=lambda entry: entry.rank))
