"""`irsa history`: the transactions of this machine, as their journals tell them."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common
from irsa_cli.cli.output.screens.recovered import show_stories
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.usecases.recovery.history import all_of

_EPILOG = """
\b
Examples:
  irsa history
  irsa history -o json
"""


@click.command("history", cls=HelpedCommand, epilog=_EPILOG)
@common.no_headers_option
@common.state_dir_option
@common.output_options
def command(**options: Any) -> int:
    """List the transactions of this machine.

    The newest is last, each with how it ended. Nothing is asked of AWS or Kubernetes: what is listed
    is what the journals hold; of an unfinished one also whether its process is at work and holds its lock.
    """
    speaking = Speaking.take(options)
    found = all_of(state_dir(options["state_dir"]))
    none = "No transactions on this machine."
    show_stories(found, speaking.output, none=none, headers=not options["no_headers"])
    return 0
