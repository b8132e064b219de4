"""Write and print why a command did not start, in the forms that the user wants."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from itertools import takewhile

import click

from irsa_cli.cli.output.forms import REPORTS
from irsa_cli.cli.output.reports.model import Entry, Level, PipelineReport, Rank
from irsa_cli.cli.output.speaking import FILES, ReportFiles, in_form, tell, write_files
from irsa_cli.cli.output.text import show_document
from irsa_cli.core.results.envelope import DocumentKind, failed
from irsa_cli.core.trust.rules.rule import FilePlace
from irsa_cli.core.values.errors import IrsaError

_PLACED = re.compile(r"(?P<file>[^\s:][^:]*):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<said>.+)", re.S)


def show_failure(
    error: IrsaError, exit_code: int, arguments: Sequence[str], output: str, command: str
) -> None:
    """Write and print why a command did not start; `output` is '' for text, which is already printed."""
    envelope = failed(DocumentKind.RESULTS, error, exit_code)
    made = partial(of_lines, (error.message, *error.details), exit_code, f"irsa {command}".strip())
    for failure in write_files(lambda: envelope, made, named_files(arguments), command):
        tell(failure)
    if output in REPORTS:
        click.echo(in_form(made(), output))
    elif output:
        show_document(envelope, output, command)


def named_files(arguments: Sequence[str]) -> ReportFiles:
    """The files named on the command line and in the environment."""
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
    return ReportFiles(named["summary_file"], named["json_file"])


def of_lines(lines: Sequence[str], exit_code: int, title: str) -> PipelineReport:
    """The report of a command that did not start: each problem, at its place if the text has one."""
    entries, said = [], []
    for line in lines:
        if found := _PLACED.match(line):
            place = FilePlace(found["file"], int(found["line"]), int(found["column"] or 0))
            message = (found["said"],)
            entries.append(Entry(place.file, "problem", Rank.FAILED, (), message, Level.ERROR, place))
        else:
            said.append(line)
    if said and not entries:
        entries = [Entry(title, "not begun", Rank.FAILED, message=tuple(said), level=Level.ERROR)]
    verdict = lines[0] if said else "not begun"
    return PipelineReport(title, verdict, False, exit_code, entries=tuple(entries))
