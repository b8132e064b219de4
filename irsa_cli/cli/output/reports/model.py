"""A report as values. Texts are unescaped: each form escapes them itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from irsa_cli.core.trust.rules.rule import FilePlace


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
    """One ServiceAccount, shared part, or place in a file; `level` is None without an annotation."""

    title: str
    state: str
    rank: Rank
    lines: tuple[Line, ...] = ()
    message: tuple[str, ...] = ()
    level: Level | None = None
    place: FilePlace | None = None


@dataclass(frozen=True)
class PipelineReport:
    """A report; `is_good` is None if unknown, `facts` are to copy, `uneventful` counts unlisted entries."""

    title: str
    verdict: str
    is_good: bool | None
    exit_code: int
    facts: tuple[tuple[str, str], ...] = ()
    entries: tuple[Entry, ...] = ()
    uneventful: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Parts that irsa did not read or check."""

    @property
    def in_order(self) -> tuple[Entry, ...]:
        """The entries, the most important first."""
        return tuple(sorted(self.entries, key=lambda item: item.rank))
