"""A command that could not begin: its command line is wrong, or a file that it needs.

It is told in the forms and files that were asked for, as far as its command line can be read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import click

from irsa_cli.cli.output.forms import REPORTS
from irsa_cli.cli.output.reports.files import FILES, ReportFiles
from irsa_cli.cli.output.reports.model import Entry, Level, PipelineReport, Rank, SourcePlace
from irsa_cli.cli.output.speaking import in_form, tell, write_files
from irsa_cli.cli.output.text import show_document
from irsa_cli.core.results.envelope import DocumentKind, Envelope, failed
from irsa_cli.core.values.errors import IrsaError

_PLACED = re.compile(r"(?P<file>[^\s:][^:]*):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<said>.+)", re.S)


@dataclass(frozen=True)
class Unbegun:
    """What is known of a command that could not begin: why, a line each, and its exit code."""

    lines: tuple[str, ...]
    code: str
    exit_code: int

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        error = IrsaError(self.lines[0], details=self.lines[1:], code=self.code)
        return failed(DocumentKind.RESULTS, error, self.exit_code)


def show_failure(found: Unbegun, arguments: Sequence[str], output: str, command: str) -> None:
    """Write and print what is known of it; `output` is '' where that is said by text."""
    made = partial(of_lines, found.lines, found.exit_code, f"irsa {command}".strip())
    for error in write_files(found, made, named_files(arguments), command):
        tell(error)
    if output in REPORTS:
        click.echo(in_form(made(), output))
    elif output:
        show_document(found.envelope(), output, command)


def named_files(arguments: Sequence[str]) -> ReportFiles:
    """The files that a command line and the environment name."""
    own = list(takewhile(lambda text: text != "--", arguments))
    named: dict[str, str] = {}
    for key in FILES:
        flag, variable = f"--{key.replace('_', '-')}", f"IRSA_{key.upper()}"
        named[key] = os.environ.get(variable, "").strip()
        for text, following in zip(own, [*own, ""][1:], strict=True):
            if text == flag:
                named[key] = following
            elif re.match(rf"{flag}=", text):
                named[key] = text.partition("=")[2]
    return ReportFiles(named["output_file"], named["summary_file"], named["json_file"])


def of_lines(lines: Sequence[str], exit_code: int, title: str) -> PipelineReport:
    """The report of a command that could not begin: each problem, at its place where the text has one."""
    first, *more = lines
    entries = [_problem(line) for line in lines if _PLACED.match(line)]
    said = tuple(line for line in (first, *more) if not _PLACED.match(line))
    if said and not entries:
        entries = [Entry(title, "not begun", Rank.FAILED, message=said, level=Level.ERROR)]
    return PipelineReport(title, first if said else "not begun", False, exit_code, entries=tuple(entries))


def _problem(line: str) -> Entry:
    found = _PLACED.match(line)
    assert found is not None
    place = SourcePlace(found["file"], int(found["line"]), int(found["column"] or 0))
    return Entry(place.file, "problem", Rank.FAILED, message=(found["said"],), level=Level.ERROR, place=place)
