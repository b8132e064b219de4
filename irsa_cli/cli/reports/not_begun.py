"""A command that could not begin: its command line is wrong, or a file that it needs.

It is told in the forms and files that were asked for, as far as its command line can be read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import takewhile

import click

from irsa_cli.cli.outputs import REPORTS
from irsa_cli.cli.render import show_document
from irsa_cli.cli.reports.delivering import in_form, tell, write_files
from irsa_cli.cli.reports.files import FILES, ReportFiles
from irsa_cli.cli.reports.making import Unbegun


def show_failure(found: Unbegun, arguments: Sequence[str], output: str, command: str) -> None:
    """Write and print what is known of it; `output` is '' where that is said by text."""
    for error in write_files(found, named_files(arguments), command):
        tell(error)
    if output in REPORTS:
        click.echo(in_form(found, output, command))
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
