"""Where what a command has found goes: standard output in one form, and the files that were asked for.

One place for all commands: whatever form is wanted, and however many, they are made of one result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.outputs import REPORTS
from irsa_cli.cli.render import running
from irsa_cli.cli.reports.files import ReportFiles

if TYPE_CHECKING:
    from irsa_cli.cli.speaking import Speaking


def deliver(found: Any, speaking: Speaking, show: Callable[[], None]) -> None:
    """Write the files, then print; `show` prints other forms, and what goes to standard error.

    What can't be written keeps the rest from nothing: it is told, and raised in the end.
    """
    failures = list(write_files(found, speaking.files, running()))
    if speaking.output in REPORTS:
        click.echo(in_form(found, speaking.output, running(), speaking.files.max_length))
    show()
    for error in failures[:-1]:
        tell(error)
    for error in failures[-1:]:
        raise error


def in_form(found: Any, output: str, command: str, max_length: int | None = None) -> str:
    """A result in a form that is made of its report, without the end of its last line."""
    from irsa_cli.cli.reports.annotations import as_annotations
    from irsa_cli.cli.reports.making import markdown_of, report_of
    from irsa_cli.cli.reports.markdown import LENGTH

    title = f"irsa {command}".strip()
    if output == "github":
        return as_annotations(report_of(found, title))
    return markdown_of(found, max_length or LENGTH, title).removesuffix("\n")


def write_files(found: Any, files: ReportFiles, command: str) -> Iterator[OSError]:
    """Write what was asked for; what can't be written."""
    if not files.is_asked_for:
        return
    from irsa_cli.cli.reports.making import markdown_of

    title = f"irsa {command}".strip()
    document = found.envelope().to_json(command)
    yield from files.write(document, lambda length: markdown_of(found, length, title))


def tell(error: OSError) -> None:
    """Say which file can't be written."""
    from irsa_cli.cli.wording import say

    say(f"Error: {error.filename}: {error.strerror}", err=True)
