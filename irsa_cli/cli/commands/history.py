"""`irsa history`: the transactions in the journals of this machine."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.help.environment import state_dir
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound, group
from irsa_cli.cli.options.outputs import OutputFlags, no_headers_flag
from irsa_cli.cli.options.running import state_dir_flag
from irsa_cli.cli.output.results.recovered import of_journals
from irsa_cli.cli.output.speaking import deliver
from irsa_cli.usecases.recovery.history import all_of


@dataclass(frozen=True, kw_only=True)
class HistoryOptions:
    """The journals, and how their transactions are printed."""

    no_headers: bool = no_headers_flag()
    state_dir: str | None = state_dir_flag()
    output: OutputFlags = group(OutputFlags)


@click.command("history", cls=HelpedCommand)
@bound(HistoryOptions)
def command(options: HistoryOptions) -> int:
    """List the transactions of this machine.

    The list comes from the journals, without calls to AWS or Kubernetes. It shows the outcome of each
    transaction, the newest last. For an unfinished one, it shows whether its process is running.

    Examples:
      irsa history
      irsa history -o json
    """
    speaking = options.output.speaking()
    stories = all_of(state_dir(options.state_dir))
    none = "No transactions on this machine."
    return deliver(of_journals(stories, none=none, headers=not options.no_headers), speaking)
