"""`irsa history`: the transactions in the journals of this machine."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common
from irsa_cli.cli.options.types import shared
from irsa_cli.cli.output.results.recovered import of_journals
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.usecases.recovery.history import all_of


@click.command("history", cls=HelpedCommand)
@shared("no headers", "state dir")
@common.output_options
def command(**options: Any) -> int:
    """List the transactions of this machine.

    The list comes from the journals, without calls to AWS or Kubernetes. It shows the outcome of each
    transaction, the newest last. For an unfinished one, it shows whether its process is running.

    Examples:
      irsa history
      irsa history -o json
    """
    speaking = Speaking.take(options)
    found = all_of(state_dir(options["state_dir"]))
    none = "No transactions on this machine."
    return deliver(of_journals(found, none=none, headers=not options["no_headers"]), speaking)
