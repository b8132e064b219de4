"""A report as annotations of GitHub Actions, at the file and line of each problem if they are known.

GitHub shows ten errors and ten warnings per step: the most important go first, the rest is counted.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from irsa_cli.cli.output.report import Level, Report
from irsa_cli.cli.output.views.escaping import command, shortened
from irsa_cli.core.trust.rules.rule import FilePlace
from irsa_cli.core.values.shown import plural

SHOWN = 10
"""Annotations of one level that GitHub shows of a step."""
_LONGEST = 4_000


def _annotation(
    level: Level, title: str, message: Iterable[str], place: FilePlace | None = None
) -> tuple[Level, str]:
    at = place if place and place.file != "-" else FilePlace("")
    lines = [shortened(line, _LONGEST) for line in message]
    facts = {"file": at.file, "line": str(at.line or ""), "col": str(at.column or "")}
    return level, command(level.value, lines, **facts, title=shortened(title, 200))


def as_annotations(report: Report, _most: int | None = None) -> str:
    """A line for each annotation, and one with the outcome and the number of hidden ones."""
    annotations = [*_of(report)]
    lines: list[str] = []
    more: list[str] = []
    for level in (Level.ERROR, Level.WARNING, Level.NOTICE):
        most = SHOWN - (level is Level.NOTICE)  # One is for the end.
        of_level = [line for its_level, line in annotations if its_level is level]
        lines += of_level[:most]
        hidden = len(of_level) - most
        if hidden > 0:
            more.append(plural(hidden, f"more {level.value}"))
    closing = [f"{report.verdict} (exit code {report.exit_code})"]
    if more:
        closing.append(f"{', '.join(more)} not shown as annotations (-o text, markdown and json have them)")
    return "\n".join([*lines, command(Level.NOTICE.value, closing, title=report.title)])


def _of(report: Report) -> Iterator[tuple[Level, str]]:
    for entry in report.in_order:
        title = f"{report.title}: {entry.state} {entry.title}".strip()
        if entry.level is not None:
            yield _annotation(entry.level, title, entry.message or (entry.state,), entry.place)
        for line in entry.lines:
            if line.level is not None:
                heading = f"{report.title}: {line.word}" if line.place and line.word else title
                text = " ".join(filter(None, (line.about, line.text)))
                yield _annotation(line.level, heading, (text,), line.place or entry.place)
    for text in report.unchecked:
        yield _annotation(Level.WARNING, report.title, (text,))
