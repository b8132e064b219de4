"""`irsa delete -f`: its options; the work is in `irsa_cli.usecases.files.delete_files`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, files
from irsa_cli.cli.options.types import shared, switch
from irsa_cli.cli.output.plan_text import demand_yes
from irsa_cli.cli.session import Writing


@click.command("delete", cls=HelpedCommand)
@shared("needed files")
@shared("place", more=", if the files have none")
@shared("kube")
@switch("--force", help="Delete roles even if they may be in use.")
@shared("ignore maker")
@common.writing_options
def command(**options: Any) -> int:
    """Delete the ServiceAccounts and roles in files.

    Each ServiceAccount is one transaction, as in irsa delete-sa: irsa deletes only resources that irsa
    created. Namespaces and the OIDC provider stay.

    Examples:
      irsa delete -f cluster.yaml --dry-run
      irsa delete -f cluster.yaml --include 'backend/*' --yes
    """
    from irsa_cli.usecases.files.delete_files import Request, delete_files

    demand_yes(options, "delete -f")
    run = Writing(options)
    configs, target, selection = files.take_files(options, deletes=True)
    more = {name: options[name] for name in ("parallel", "force", "max_failures", "ignore_maker")}
    request = Request(configs, target, selection, **more)
    return run_many(run, partial(delete_files, request), ("delete", request))
