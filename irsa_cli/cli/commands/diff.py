"""`irsa diff`: its options; the work is a dry run of `irsa apply`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.commands.apply import apply_files, apply_options, verify_option
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common
from irsa_cli.cli.options.types import shared, switch


@click.command("diff", cls=HelpedCommand)
@shared("needed files")
@shared("place", more=", if the files have none")
@shared("kube")
@apply_options
@verify_option
@switch("--changed-by", help="Show who changed a resource, from CloudTrail.")
@shared("out")
@shared("access change")
@switch("--detailed-exitcode", help="Exit 6 if there are changes (the default of diff).")
@common.reported_output_options
def command(**options: Any) -> int:
    """Show the changes that irsa apply would make.

    Policies are shown as textual differences. Exit code 6: there are changes; 0: there are none.

    Examples:
      irsa diff -f cluster.yaml
      irsa diff -f bindings/ -c prod --prune
      irsa diff -f cluster.yaml --out plan.json   # then: irsa apply plan.json
      irsa diff -f cluster.yaml --changed-by -q   # prints nothing without changes
    """
    fixed = {
        "dry_run": True,
        "detailed_exitcode": True,
        "yes": False,
        "timeout": 300.0,
        "rollback_timeout": 60.0,
    }
    unset = dict.fromkeys(("lock_timeout", "lock_namespace", "lock", "state_dir"))
    return apply_files({**options, **fixed, **unset}, verify=options.pop("verify"))
