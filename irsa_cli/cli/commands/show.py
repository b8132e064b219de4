"""`irsa show`: a saved plan, as its dry run showed it, and the request that it carries out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import argument, bound, group, switch
from irsa_cli.cli.options.kinds import FILE
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.values import wrong_usage
from irsa_cli.cli.output.results.applied import of_applied
from irsa_cli.cli.output.speaking import deliver
from irsa_cli.cli.terminal.screen import say

if TYPE_CHECKING:
    from irsa_cli.usecases.plans.saved_plan import SavedPlan


@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    """The saved plan, and how it is shown."""

    plan_file: str = argument(metavar="PLANFILE", kind=FILE, required=True)
    detailed_exitcode: bool = switch("--detailed-exitcode", help="Exit 6 if the plan has changes.")
    output: ReportedOutputFlags = group(ReportedOutputFlags)


@click.command("show", cls=HelpedCommand)
@bound(ShowOptions)
def command(options: ShowOptions) -> int:
    """Show a saved plan.

    irsa show calls neither AWS nor Kubernetes. To check whether the plan still applies, run
    irsa apply PLANFILE --dry-run.

    Examples:
      irsa show plan.json
      irsa show plan.json -o markdown > comment.md
    """
    from irsa_cli.usecases.plans.reading import shown

    plan = read_plan(options.plan_file)
    speaking = options.output.speaking()
    results = shown(plan)
    results.detailed = options.detailed_exitcode
    if not speaking.quiet:
        say(f"Plan of irsa {plan.command}, saved {plan.made} by irsa {plan.version}, {plan.digest}", err=True)
        for place in dict.fromkeys(transaction.cluster.place for transaction in plan.items):
            say(place, err=True)
    return deliver(of_applied(results, speaking, dry_run=True), speaking, only_shows=True)


def read_plan(path: str) -> SavedPlan:
    """A saved plan; an invalid one ends the command with exit code 2."""
    from irsa_cli.usecases.plans.reading import load

    with wrong_usage():
        return load(Path(path))
