"""How the user wants to be told of a result, and telling it: on standard output and in files.

One place for all commands: whatever form is wanted, and however many, they are made of one result.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any, TypeVar

import click

from irsa_cli.cli.output.forms import REPORTS
from irsa_cli.cli.output.reports.annotations import as_annotations
from irsa_cli.cli.output.reports.files import FILES, ReportFiles
from irsa_cli.cli.output.reports.markdown import LENGTH, as_markdown
from irsa_cli.cli.output.reports.model import Entry, Level, PipelineReport, Rank, SourcePlace
from irsa_cli.cli.output.text import EndedCommand, running, show_document
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.screen import showing
from irsa_cli.cli.terminal.wording import say
from irsa_cli.core.results.envelope import DocumentKind, Envelope, failed
from irsa_cli.core.values.errors import IrsaError

Save = Callable[[Any], None]
"""Saves the plan of a dry run, where that was asked for."""


@dataclass(frozen=True)
class Speaking:
    """How the user wants to be spoken to."""

    output: str
    quiet: bool
    verbose: bool
    files: ReportFiles = field(default_factory=ReportFiles)

    @classmethod
    def take(cls, options: dict[str, Any]) -> Speaking:
        """Take the options of `output_options` out of a command's options."""
        files = {key: options.pop(key, None) or "" for key in FILES}
        reports = ReportFiles(**files, max_length=options.pop("max_length", None))
        speaking = cls(options.pop("output"), options.pop("quiet"), options.pop("verbose", False), reports)
        named = [os.path.abspath(name) for name in files.values() if name]
        if len(set(named)) < len(named):
            raise click.UsageError("--output-file, --summary-file and --json-file have to be different files")
        if speaking.quiet and speaking.verbose:
            raise click.UsageError("--quiet and --verbose contradict each other")
        return speaking

    def progress(self) -> Progress:
        """What tells on standard error how far the command is."""
        return Progress(quiet=self.quiet, verbose=self.verbose)


F = TypeVar("F", bound=EndedCommand)


def deliver(
    found: F,
    report: Callable[[F, str], PipelineReport],
    speaking: Speaking,
    show: Callable[[], None],
    *,
    only_shows: bool | None = None,
) -> int:
    """Write the files, then print; `show` prints other forms, and what goes to standard error.

    `report` makes the report of what was found, under the name of the command that was called. Returns the
    exit code. What can't be written keeps the rest from nothing: it is told, and raised in the end as
    `Unshown`. `only_shows`: the output was all that the command was for; unless given, where it succeeded.
    """
    code = found.exit_code
    with showing(code, only_shows=not code if only_shows is None else only_shows):
        created = partial(report, found, f"irsa {running()}".strip())
        failures = list(write_files(found, created, speaking.files, running()))
        if speaking.output in REPORTS:
            click.echo(in_form(created(), speaking.output, speaking.files.max_length))
        show()
        for error in failures[:-1]:
            tell(error)
        for error in failures[-1:]:
            raise error
    return int(code)


def in_form(report: PipelineReport, output: str, max_length: int | None = None) -> str:
    """A report in a form, without the end of its last line."""
    if output == "github":
        return as_annotations(report)
    return as_markdown(report, max_length or LENGTH).removesuffix("\n")


def write_files(
    found: EndedCommand, report: Callable[[], PipelineReport], files: ReportFiles, command: str
) -> Iterator[OSError]:
    """Write what was asked for; what can't be written."""
    if not files.is_asked_for:
        return

    document = found.envelope().to_json(command)
    yield from files.write(document, lambda length: as_markdown(report(), length))


def tell(error: OSError) -> None:
    """Say which file can't be written."""
    say(f"Error: {error.filename}: {error.strerror}", err=True)


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
    entries, said = [], []
    for line in lines:
        if found := _PLACED.match(line):
            place = SourcePlace(found["file"], int(found["line"]), int(found["column"] or 0))
            message = (found["said"],)
            entries.append(Entry(place.file, "problem", Rank.FAILED, (), message, Level.ERROR, place))
        else:
            said.append(line)
    if said and not entries:
        entries = [Entry(title, "not begun", Rank.FAILED, message=tuple(said), level=Level.ERROR)]
    verdict = lines[0] if said else "not begun"
    return PipelineReport(title, verdict, False, exit_code, entries=tuple(entries))
