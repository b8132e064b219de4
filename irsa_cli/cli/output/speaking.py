"""Write a report to standard output and files, in the forms that the user wants."""

from __future__ import annotations

import os
import pkgutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from irsa_cli.cli.output.report import VIEWS, Message, Report
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.cli.terminal.screen import put, say, showing

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

    def write(self, report: Report) -> Iterator[OSError]:
        """Write all files; yields the errors of those that it can't write."""
        writers: dict[str, Callable[[Path], None]] = {
            self.json_file: lambda file: _write(file, "w", in_form(report, "json") + "\n"),
            self.summary_file: lambda file: _append(file, self._summary(file, report)),
        }
        for path, write in writers.items():
            try:
                if path:
                    write(Path(path))
            except OSError as error:
                yield OSError(error.errno, error.strerror or str(error), path)

    def _summary(self, path: Path, report: Report) -> str:
        """The report, cut to the room that is left in the file."""
        from irsa_cli.cli.output.views.markdown import LEAST, SUMMARY_LENGTH, as_markdown

        room = SUMMARY_LENGTH - _size(path)
        length = max(LEAST, min(self.max_length or room, room))
        text = as_markdown(report, length)
        size = len(text.encode())
        while size > max(LEAST, room) and length > LEAST:
            length = max(LEAST, min(length - 1_000, length * room // size))
            text = as_markdown(report, length)
            size = len(text.encode())
        return text


@dataclass(frozen=True)
class Speaking:
    """The output options."""

    output: str
    quiet: bool
    verbose: bool
    files: ReportFiles = field(default_factory=ReportFiles)

    @cached_property
    def progress(self) -> Progress:
        return Progress(quiet=self.quiet, verbose=self.verbose)


def deliver(
    report: Report, speaking: Speaking, *, only_shows: bool | None = None, save: Save | None = None
) -> int:
    """Write the files, print the report, and save its plan; returns the exit code.

    Unwritable files do not stop the rest: the last error is raised as `Unshown`. `only_shows`: the output is
    the command's only purpose.
    """
    code = report.exit_code
    with showing(code, only_shows=not code if only_shows is None else only_shows):
        failures = list(speaking.files.write(report))
        show(report, speaking.output, speaking.files.max_length)
        for line in report.messages:
            put(line, err=True)
        if save is not None:
            save(report.found)
        for error in failures[:-1]:
            tell(error)
        for error in failures[-1:]:
            raise error
    return code


def show(report: Report, output: str, most: int | None = None) -> None:
    """Print a report as text (also in its wide form), or in another form in at most so many characters."""
    if output not in ("text", "wide"):
        text = in_form(report, output, most)
        if text:
            click.echo(text)
        return
    for shown in report.parts:
        if isinstance(shown, str):
            put(shown, err=isinstance(shown, Message))
        else:
            shown.show()


def in_form(report: Report, output: str, most: int | None = None) -> str:
    """A report in a form other than text, without the end of its last line."""
    view = report.own_views.get(output) or VIEWS[output]
    text: str = pkgutil.resolve_name(view)(report, most)
    return text.removesuffix("\n")


def tell(error: OSError) -> None:
    """Print which file can't be written."""
    say(f"Error: {error.filename}: {error.strerror}", err=True)


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


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
    if _size(path):
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = f"\n{text}"
    _write(path, "a", text)
