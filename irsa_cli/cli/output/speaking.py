"""Write a result to standard output and files, in the forms that the user wants."""

from __future__ import annotations

import os
import pkgutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from irsa_cli.cli.output.forms import REPORTS
from irsa_cli.cli.output.text import Page, json_text, running, show_found
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.screen import put, say, showing

if TYPE_CHECKING:
    from irsa_cli.cli.output.reports.model import PipelineReport
    from irsa_cli.core.results.envelope import Envelope
    from irsa_cli.core.results.result import Result
    from irsa_cli.core.results.result_document import Documented

Save = Callable[[Any], None]
"""Saves the plan of a dry run, if the user wants that."""

FILES = ("summary_file", "json_file")
"""Options that name a file."""


@dataclass(frozen=True)
class ReportFiles:
    """The files for the result, '' for none; `max_length` None: each form's own."""

    summary_file: str = ""
    json_file: str = ""
    max_length: int | None = None

    @property
    def is_asked_for(self) -> bool:
        return bool(self.summary_file or self.json_file)

    def write(self, document: Mapping[str, Any], markdown: Callable[[int], str]) -> Iterator[OSError]:
        """Write all files; yields the errors of those that it can't write."""
        writers: dict[str, Callable[[Path], None]] = {
            self.json_file: lambda file: _write(file, "w", json_text(document) + "\n"),
            self.summary_file: lambda file: _append(file, self._summary(file, markdown)),
        }
        for path, write in writers.items():
            try:
                if path:
                    write(Path(path))
            except OSError as error:
                yield OSError(error.errno, error.strerror or str(error), path)

    def _summary(self, path: Path, markdown: Callable[[int], str]) -> str:
        """The report, cut to the room that is left in the file."""
        from irsa_cli.cli.output.reports.markdown import LEAST, SUMMARY_LENGTH

        room = SUMMARY_LENGTH - _size(path)
        length = max(LEAST, min(self.max_length or room, room))
        text = markdown(length)
        while (size := len(text.encode())) > max(LEAST, room) and length > LEAST:
            length = max(LEAST, min(length - 1_000, length * room // size))
            text = markdown(length)
        return text


@dataclass(frozen=True)
class Speaking:
    """The output options."""

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
            raise click.UsageError("--summary-file and --json-file have to be different files")
        if speaking.quiet and speaking.verbose:
            raise click.UsageError("--quiet and --verbose contradict each other")
        return speaking

    @cached_property
    def progress(self) -> Progress:
        return Progress(quiet=self.quiet, verbose=self.verbose)


F = TypeVar("F", bound="Result | Documented")


def deliver(
    found: F,
    speaking: Speaking,
    page: Page,
    report: Callable[[F, str], PipelineReport] | None = None,
    *,
    only_shows: bool | None = None,
    save: Save | None = None,
) -> int:
    """Write the files, print the outcome, and save its plan; returns the exit code.

    `report` creates the report, for commands with files and forms for pipelines. Unwritable files do not stop
    the rest: the last error is raised as `Unshown`. `only_shows`: the output is the command's only purpose.
    """
    code, output, failures = found.exit_code, speaking.output, list[OSError]()
    with showing(code, only_shows=not code if only_shows is None else only_shows):
        if report is not None:
            created = partial(report, found, f"irsa {running()}".strip())
            failures += write_files(partial(_document, found), created, speaking.files, running())
            if output in REPORTS:
                click.echo(in_form(created(), output, speaking.files.max_length))
        if output in page.forms:
            click.echo(pkgutil.resolve_name(page.forms[output])(found), nl=False)
        else:
            show_found(page.parts, partial(_document, found), output)
        for line in page.messages:
            put(line, err=True)
        if save is not None:
            save(found)
        for error in failures[:-1]:
            tell(error)
        for error in failures[-1:]:
            raise error
    return int(code)


def _document(found: Result | Documented) -> Envelope:
    from irsa_cli.core.results.result_document import document_of

    return document_of(found)


def in_form(report: PipelineReport, output: str, max_length: int | None = None) -> str:
    """A report in a form, without the end of its last line."""
    from irsa_cli.cli.output.reports.annotations import as_annotations
    from irsa_cli.cli.output.reports.markdown import LENGTH, as_markdown

    if output == "github":
        return as_annotations(report)
    return as_markdown(report, max_length or LENGTH).removesuffix("\n")


def write_files(
    envelope: Callable[[], Envelope], report: Callable[[], PipelineReport], files: ReportFiles, command: str
) -> Iterator[OSError]:
    """Write the files; yields the errors."""
    if files.is_asked_for:
        from irsa_cli.cli.output.reports.markdown import as_markdown

        document = envelope().to_json(command)
        yield from files.write(document, lambda length: as_markdown(report(), length))


def tell(error: OSError) -> None:
    """Print which file can't be written."""
    say(f"Error: {error.filename}: {error.strerror}", err=True)


def _size(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _opened(path: str, flags: int) -> int:
    """Open a file for writing; a pipe without a reader is an error."""
    file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    os.set_blocking(file, True)
    return file


def _write(path: Path, mode: str, text: str) -> None:
    with open(path, mode, encoding="utf-8", newline="\n", errors="backslashreplace", opener=_opened) as file:
        file.write(text)


def _append(path: Path, text: str) -> None:
    """Append it on lines of its own."""
    begun = ""
    if _size(path):
        with path.open("rb") as there:
            there.seek(-1, os.SEEK_END)
            begun = "" if there.read(1) == b"\n" else "\n"
    _write(path, "a", begun + text)
