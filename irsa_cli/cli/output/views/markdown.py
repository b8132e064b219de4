"""A report as Markdown for comments and job summaries, within a length; omitted parts are listed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from irsa_cli.cli.output.report import Entry, Line, Rank, Report
from irsa_cli.cli.output.views.escaping import code, fence, plain, shortened

LENGTH = 65_000
"""Characters of a comment on GitHub (65,536), less some for what surrounds it."""
SUMMARY_LENGTH = 1024 * 1024 - 4096
"""Bytes of a job's summary on GitHub: 1 MiB for all steps together."""
LEAST = 1_000
_LONGEST_LINE = 2_000
_LONGEST_MESSAGE = 8_000
_LONGEST_NAME = 200
_LARGEST = 100
"""Texts per section: of more, not all names may fit."""
_CUT = "**Cut, as there is no room for it** (`--max-length`; `-o json` has it all):"
_MARKS = {True: "✅", False: "❌", None: "⚠️"}
_MESSAGE, _LINE, _NOTE, _DOCUMENT = range(4)
"""The order in which parts get room."""
_BETWEEN = ", "


@dataclass(frozen=True)
class Fragment:
    """A text, and its name in the list of omitted parts; `phase` and `rank` decide who gets room first."""

    text: str
    name: str
    phase: int
    rank: int


@dataclass(frozen=True)
class Section:
    """Pieces under a heading; `name` is used in the list of omitted parts."""

    heading: str
    name: str
    rank: int
    pieces: Sequence[Fragment]


def as_markdown(report: Report, most: int | None = None) -> str:
    """The report in `most` characters: the least important pieces are left out, and named."""
    max_length = most or LENGTH
    head = _head(report)
    sections = list(_sections(report))
    ordered: list[tuple[int, int, tuple[int, int]]] = []
    for number, section in enumerate(sections):
        for place, piece in enumerate(section.pieces):
            ordered.append((piece.phase, piece.rank, (number, place)))
    places = [place for _, _, place in sorted(ordered)]

    def with_first(count: int) -> str:
        return f"{head}\n{_text(sections, set(places[:count]))}"

    whole = with_first(len(places))
    if len(whole) <= max_length:
        return whole
    count = bisect_right(range(len(places)), max_length, key=lambda number: len(with_first(number)))
    if count == 0:
        return f"{head}\n{_names(sections, max_length - len(head))}"
    return with_first(count - 1)


def _text(sections: Sequence[Section], chosen: Container[tuple[int, int]]) -> str:
    """The kept pieces under their headings, then the names of all others."""
    shown: list[str] = []
    cut: list[str] = []
    whole: list[str] = []
    for number, section in enumerate(sections):
        inside: list[str] = []
        names: dict[str, None] = {}
        for place, piece in enumerate(section.pieces):
            if (number, place) in chosen:
                inside.append(piece.text)
            else:
                names[piece.name] = None
        if not inside:
            whole.append(section.name)
            continue
        shown.append("\n".join(filter(None, [section.heading, *inside])) + "\n")
        if names:
            cut.append(f"- {section.name}: {_BETWEEN.join(names)}")
    if whole:
        cut.append(f"- {_BETWEEN.join(whole)}")
    end = [f"\n{_CUT}\n", *cut, ""] if cut else []
    return "\n".join(shown) + "\n".join(end)


def _names(sections: Iterable[Section], room: int) -> str:
    """As many names as have room, the most important first, and how many more there are."""
    names = [section.name for section in sorted(sections, key=lambda section: section.rank)]
    shown: list[str] = []
    room -= len(f"\n\n{_CUT}\n\n- and {len(names)} more\n")
    for name in names:
        room -= len(name) + len(_BETWEEN)
        if room < 0:
            break
        shown.append(name)
    return f"\n{_CUT}\n\n- {_BETWEEN.join([*shown, f'and {len(names) - len(shown)} more'])}\n"


def _head(report: Report) -> str:
    facts = [f"{plain(name)} {code(shortened(value, 300))}" for name, value in report.facts]
    facts.append(f"exit code {report.exit_code}")
    lines = [
        f"## {_MARKS[report.is_good]} {plain(report.title)}: {plain(shortened(report.verdict, 400))}",
        "",
        " · ".join(facts),
    ]
    if report.uneventful:
        lines += ["", f"Not listed: {', '.join(map(plain, report.uneventful))}."]
    return "\n".join([*lines, ""])


def _sections(report: Report) -> Iterator[Section]:
    for entry in report.in_order:
        yield from _entry(entry)
    for title, notes, rank in (
        ("Not known", report.unchecked, Rank.OPEN),
        ("Notes", report.notes, Rank.GOOD),
    ):
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
    heading = f"### {plain(entry.state)}: {code(title)}"
    name = f"{plain(entry.state)} {plain(title)}"
    pieces = list(_pieces(entry)) or [Fragment("", "", _LINE, entry.rank)]
    if len(pieces) <= _LARGEST:
        yield Section(f"{heading}{place}\n", name, entry.rank, pieces)
        return
    for start in range(0, len(pieces), _LARGEST):
        inside = pieces[start : start + _LARGEST]
        which = f"{start + 1} to {start + len(inside)} of {len(pieces)}"
        yield Section(f"{heading}{place}, {which}\n", f"{name} ({which})", entry.rank, inside)


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
            shown = fence(document.lines, document.language)
            title = plain(_line(document.title))
            # Markdown within HTML begins after an empty line.
            text = f"\n<details><summary>{title}</summary>\n\n{shown}\n\n</details>\n"
            yield Fragment(text, name, _DOCUMENT, line.rank)


def _said(line: Line) -> str:
    place = f"{code(shortened(str(line.place), 300))}: " if line.place else ""
    word = f"**{plain(line.word)}** " if line.word else ""
    about = f"{code(_line(line.about))} " if line.about else ""
    return f"- {word}{place}{about}{plain(_line(line.text))}".rstrip()


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
