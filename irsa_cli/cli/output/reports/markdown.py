"""A report as Markdown for comments and job summaries, within a length; omitted parts are listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from irsa_cli.cli.output.reports.escaping import code, fence, plain, shortened
from irsa_cli.cli.output.reports.model import Document, Entry, Line, PipelineReport, Rank

LENGTH = 65_000
"""Characters of a comment on GitHub (65,536), less some for what surrounds it."""
SUMMARY_LENGTH = 1024 * 1024 - 4096
"""Bytes of a job's summary on GitHub: 1 MiB for all steps together."""
LEAST = 1_000
_LONGEST_LINE, _LONGEST_MESSAGE, _LONGEST_NAME = 2_000, 8_000, 200
_LARGEST = 100
"""Texts per section: of more, not all names may fit."""
_CUT = "**Cut, as there is no room for it** (`--max-length`; `-o json` has it all):"
_MARKS = {True: "✅", False: "❌", None: "⚠️"}
_MESSAGE, _LINE, _DOCUMENT, _NOTE = range(4)
"""The order in which parts get room."""


def as_markdown(report: PipelineReport, max_length: int = LENGTH) -> str:
    """The report in at most so many characters."""
    head, groups = _head(report), list(_groups(report))
    room = max_length - len(head) - len(f"\n\n{_CUT}\n\n\n")
    left = fit(groups, room)
    shown = "\n".join(group.text for group in groups if group.shown)
    lines = list(cut_lines(groups))
    cut = f"\n{_CUT}\n\n{_listed(lines, groups, room, left)}\n" if lines else ""
    return f"{head}\n{shown}{cut}"


def _listed(lines: Sequence[str], groups: Sequence[Section], room: int, left: int) -> str:
    """The omitted parts; if not even their names fit, how many more there are."""
    if left >= 0:
        return "\n".join(lines)
    names, length = [group.name for group in sorted(groups, key=lambda item: item.rank)], 0
    more = f"and {len(names)} more"
    for number, name in enumerate(names):
        length += len(name) + len(BETWEEN)
        if length > room - len(more) - len("- \n"):
            return f"- {BETWEEN.join([*names[:number], f'and {len(names) - number} more'])}"
    return "\n".join(lines)


def _head(report: PipelineReport) -> str:
    facts = " · ".join(f"{plain(name)} {code(shortened(value, 300))}" for name, value in report.facts)
    uneventful = ", ".join(map(plain, report.uneventful))
    lines = [
        f"## {_MARKS[report.is_good]} {plain(report.title)}: {plain(shortened(report.verdict, 400))}",
        "",
        f"{facts}{' · ' if facts else ''}exit code {report.exit_code}",
        *(("", f"Not listed: {uneventful}.") if uneventful else ()),
        "",
    ]
    return "\n".join(lines)


def _groups(report: PipelineReport) -> Iterator[Section]:
    for entry in report.in_order:
        yield from _entry(entry)
    for title, notes, rank in (("Not known", report.warnings, Rank.OPEN), ("Notes", report.notes, Rank.GOOD)):
        if notes:
            pieces = [
                Fragment(f"- {plain(_line(text))}", plain(shortened(text, _LONGEST_NAME)), _NOTE, rank)
                for text in dict.fromkeys(notes)
            ]
            yield Section(f"### {title}\n", title, rank, pieces)


def _entry(entry: Entry) -> Iterator[Section]:
    """An entry's sections: several if it is large."""
    title = shortened(entry.title, _LONGEST_LINE)
    place = f" ({code(shortened(str(entry.place), 300))})" if entry.place else ""
    heading, name = f"### {plain(entry.state)}: {code(title)}", f"{plain(entry.state)} {plain(title)}"
    pieces = list(_pieces(entry))
    if len(pieces) <= _LARGEST:
        yield Section(f"{heading}{place}\n", name, entry.rank, pieces)
        return
    for start in range(0, len(pieces), _LARGEST):
        part = pieces[start : start + _LARGEST]
        which = f"{start + 1} to {start + len(part)} of {len(pieces)}"
        yield Section(f"{heading}{place}, {which}\n", f"{name} ({which})", entry.rank, part)


def _pieces(entry: Entry) -> Iterator[Fragment]:
    if entry.message:
        name = plain(shortened(entry.message[0], _LONGEST_NAME))
        yield Fragment(f"{fence(_message(entry.message))}\n", name, _MESSAGE, entry.rank)
    for line in entry.lines:
        name = plain(shortened(line.short, _LONGEST_NAME))
        yield Fragment(_said(line), name, _LINE, line.rank)
    for line in entry.lines:
        for document in line.documents:
            name = plain(shortened(document.title, _LONGEST_NAME))
            yield Fragment(_folded(document), name, _DOCUMENT, line.rank)


def _said(line: Line) -> str:
    place = f"{code(shortened(str(line.place), 300))}: " if line.place else ""
    word = f"**{plain(line.word)}** " if line.word else ""
    about = f"{code(_line(line.about))} " if line.about else ""
    return f"- {word}{place}{about}{plain(_line(line.text))}".rstrip()


def _folded(document: Document) -> str:
    """A folded document; Markdown within HTML begins after an empty line."""
    shown = fence(document.lines, document.language)
    return f"\n<details><summary>{plain(_line(document.title))}</summary>\n\n{shown}\n\n</details>\n"


def _message(lines: Sequence[str]) -> Iterator[str]:
    """The lines of an error, up to a readable length."""
    length = 0
    for number, line in enumerate(lines):
        shown = _line(line)
        length += len(shown) + 1
        if length > _LONGEST_MESSAGE:
            yield f"… {len(lines) - number} lines more (-o json has them)"
            return
        yield shown


def _line(text: str) -> str:
    return shortened(text, _LONGEST_LINE)


BETWEEN = ", "


@dataclass(frozen=True)
class Fragment:
    """A text, and its name in the list of omitted parts; `phase` and `rank` decide who gets room first."""

    text: str
    name: str
    phase: int
    rank: int


@dataclass
class Section:
    """Pieces under a heading; `name` is used in the list of omitted parts."""

    heading: str
    name: str
    rank: int
    pieces: Sequence[Fragment] = ()
    shown: bool = False
    kept: set[int] = field(default_factory=set)

    @property
    def cut(self) -> list[str]:
        """The names of the omitted pieces, each once."""
        names = (piece.name for number, piece in enumerate(self.pieces) if number not in self.kept)
        return list(dict.fromkeys(names))

    @property
    def text(self) -> str:
        """The text that fits."""
        kept = (piece.text for number, piece in enumerate(self.pieces) if number in self.kept)
        return "\n".join([self.heading, *kept]) + "\n" if self.shown else ""


def fit(groups: Sequence[Section], room: int) -> int:
    """Select what fits, and return the room left: negative if not even all names fit."""
    left = room - sum(_cost_of_name(group) for group in groups)
    for group in sorted(groups, key=lambda item: item.rank):
        # All its pieces are named until they have room themselves.
        cost = len(group.heading) + 2 + (_cost_of_list(group) if group.pieces else 0)
        cost += sum(map(_cost_in_list, group.pieces)) - _cost_of_name(group)
        if cost <= left:
            group.shown, left = True, left - cost
    waiting = (
        (piece.phase, piece.rank, number, place)
        for number, group in enumerate(groups)
        if group.shown
        for place, piece in enumerate(group.pieces)
    )
    for _, _, number, place in sorted(waiting):
        group = groups[number]
        piece = group.pieces[place]
        is_last = len(group.kept) + 1 == len(group.pieces)
        cost = len(piece.text) + 1 - _cost_in_list(piece) - (_cost_of_list(group) if is_last else 0)
        if cost <= left:
            group.kept.add(place)
            left -= cost
    return left


def cut_lines(groups: Iterable[Section]) -> Iterator[str]:
    """The names of all omitted parts."""
    found = list(groups)
    for group in found:
        if group.shown and (names := group.cut):
            yield f"- {group.name}: {BETWEEN.join(names)}"
    if whole := [group.name for group in found if not group.shown]:
        yield f"- {BETWEEN.join(whole)}"


def _cost_of_name(group: Section) -> int:
    return len(group.name) + len(BETWEEN)


def _cost_of_list(group: Section) -> int:
    return len(f"- {group.name}: \n")


def _cost_in_list(piece: Fragment) -> int:
    return len(piece.name) + len(BETWEEN)
