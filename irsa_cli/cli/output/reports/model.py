"""A report as values: what a command has to say, with what of it matters how much.

Texts are as they were found; each form makes them safe for itself. What a result says is read in
`irsa_cli.cli.output.reports.of_results` and `of_checks`, how it looks is `markdown`'s and `annotations`'
business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Rank(IntEnum):
    """What is told first, and kept longest where there is no room for all."""

    FAILED = 0
    REFUSED = 1
    DELETED = 2
    TRUST = 3
    """A trust policy that is there is changed."""
    UPDATED = 4
    CREATED = 5
    WARNING = 6
    OPEN = 7
    """What is not known."""
    GOOD = 8


class Level(str, Enum):
    """How loudly a CI system shows it; the value is the name of GitHub's command."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True)
class SourcePlace:
    """A place in a file, counted from 1; 0 where it is not known."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])


@dataclass(frozen=True)
class Document:
    """Lines that are folded: a policy, a difference. `language` is what colours them."""

    title: str
    lines: tuple[str, ...]
    language: str = "text"


@dataclass(frozen=True)
class Line:
    """One thing that is said of an entry: a change, a finding. `name` stands for it where it is cut.

    `word` is what comes before it (`create`, `critical`), `about` a name to be copied.
    """

    text: str
    rank: Rank
    word: str = ""
    about: str = ""
    name: str = ""
    documents: tuple[Document, ...] = ()
    level: Level | None = None
    place: SourcePlace | None = None

    @property
    def short(self) -> str:
        """What it is called where it is cut."""
        return self.name or " ".join(filter(None, (self.word, self.about, self.text)))


@dataclass(frozen=True)
class Entry:
    """What is said of one ServiceAccount, of what several build on, or of a place in a file.

    `message` are the lines of an error and what to do next; `level` is that of the whole, None where there is
    nothing to be told beside the files. `names` are what the entry is about, where its title does not say it.
    """

    title: str
    state: str
    rank: Rank
    lines: tuple[Line, ...] = ()
    message: tuple[str, ...] = ()
    level: Level | None = None
    place: SourcePlace | None = None


@dataclass(frozen=True)
class PipelineReport:
    """What a command has to say. `is_good`: nothing is wrong, None: not known.

    `facts` are pairs of a name and a value to be copied; `uneventful` says how many there are of what is not
    named, as there is nothing to say of it.
    """

    title: str
    verdict: str
    is_good: bool | None
    exit_code: int
    facts: tuple[tuple[str, str], ...] = ()
    entries: tuple[Entry, ...] = ()
    uneventful: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What was not read or judged, and so is not called fine."""

    @property
    def in_order(self) -> tuple[Entry, ...]:
        """The entries, the most important first; what matters as much stays in its order."""
        return tuple(sorted(self.entries, key=lambda item: item.rank))
