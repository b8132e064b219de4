"""`irsa diff`: what `irsa apply` would do; its options."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.commands.apply import apply_options, run, verify_option
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, files
from irsa_cli.cli.options.types import switch

_EPILOG = """
\b
Examples:
  irsa diff -f cluster.yaml
  irsa diff -f bindings/ -c prod --prune
  irsa diff -f cluster.yaml --changed-by -q      # on a schedule: says nothing while all is as desired
  irsa diff -f cluster.yaml --out plan.json      # to be reviewed; irsa apply plan.json does exactly this
"""


@click.command("diff", cls=HelpedCommand, epilog=_EPILOG)
@files.file_options()
@files.place_options
@common.kube_options
@apply_options
@verify_option
@switch("--changed-by", help="Say who has changed what differs, as far as CloudTrail may be read.")
@common.out_option
@switch("--detailed-exitcode", help="As it is always: exit 6 when there is something to change.")
@common.reported_output_options
def command(**options: Any) -> int:
    """Show what `irsa apply` would change, with policies as textual differences; changes nothing.

    Exit code 6 when there is something to change, 0 when there is nothing.
    """
    return run(
        {
            **options,
            "dry_run": True,
            "detailed_exitcode": True,
            "yes": False,
            "lock_timeout": None,
            "lock_namespace": None,
            "lock": None,
            "state_dir": None,
            "timeout": 300.0,
            "rollback_timeout": 60.0,
        },
        verify=options.pop("verify"),
    )
