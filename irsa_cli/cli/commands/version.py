"""`irsa version`: the versions of irsa, Python and the system."""

from __future__ import annotations

import platform

import click

from irsa_cli import __version__
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.speaking import show
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome


@click.command("version", cls=HelpedCommand)
@common.output_option("text", "json", "yaml")
def command(output: str) -> int:
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
    show(Report(Envelope(DocumentKind.VERSIONS, ReadOutcome.OK, items=[facts]), [text]), output)
    return 0
