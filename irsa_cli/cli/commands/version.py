"""`irsa version`: the versions of irsa, Python and the system."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import click

from irsa_cli import __version__
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound
from irsa_cli.cli.options.outputs import output_flag
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import show
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome


@dataclass(frozen=True, kw_only=True)
class VersionOptions:
    """The form of the versions."""

    output: str = output_flag("text", "json", "yaml")


@click.command("version", cls=HelpedCommand)
@bound(VersionOptions)
def command(options: VersionOptions) -> int:
    """Show the version of irsa.

    It also shows the versions of Python and the system.

    Examples:
      irsa version
      irsa version -o json
    """
    facts = {
        "version": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    text = f"irsa {__version__} (Python {platform.python_version()}, {platform.system()})"
    show(Report(Envelope(DocumentKind.VERSIONS, ReadOutcome.OK, items=[facts]), [text]), options.output)
    return 0
