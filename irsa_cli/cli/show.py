"""`irsa show`: a saved plan, as its dry run has shown it.

What is in its file is in `irsa_cli.usecases.plans.saved_plan`.
"""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.helping import HelpedCommand
from irsa_cli.cli.options import reported_output_options

_EPILOG = """
\b
Examples:
  irsa show plan.json
  irsa show plan.json -o markdown > comment.md
"""


@click.command("show", cls=HelpedCommand, epilog=_EPILOG)
@click.argument("plan_file", metavar="PLANFILE", type=click.Path(exists=True, dir_okay=False))
@click.option("--detailed-exitcode", is_flag=True, help="Exit 6 when there is something to do in it.")
@reported_output_options
def command(**options: Any) -> int:
    """Show a saved plan.

    Nobody is asked whether it is still what would be done: `irsa apply PLANFILE --dry-run` finds that out.
    """
    from irsa_cli.cli.applied import finish_applied
    from irsa_cli.cli.saved_plan import read_plan
    from irsa_cli.cli.session import Speaking
    from irsa_cli.cli.wording import say

    plan = read_plan(options["plan_file"])
    speaking = Speaking.take(options)
    done = plan.shown()
    done.detailed = options["detailed_exitcode"]
    if not speaking.quiet:
        say(f"Plan of irsa {plan.command}, made {plan.made} by irsa {plan.version}, {plan.digest}", err=True)
    return finish_applied(done, speaking, dry_run=True)
