"""`irsa delete -f`: its options; the work is in `irsa_cli.usecases.files.delete_files`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from irsa_cli.cli.commands.apply import outcome_of_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, files
from irsa_cli.cli.options.types import switch
from irsa_cli.cli.output.plan_text import demand_yes
from irsa_cli.cli.output.results.applied import of_applied
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.session import plan_saver


@click.command("delete", cls=HelpedCommand)
@files.file_options()
@files.place_options
@common.kube_options
@switch("--force", help="Delete roles even if they may be in use.")
@common.ignore_maker_option
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
    speaking = Speaking.take(options)
    settings, detailed = common.take_settings(options, speaking.progress)
    configs, target, selection = files.take_files(options, deletes=True)
    more = {name: options[name] for name in ("parallel", "force", "max_failures", "ignore_maker")}
    request = Request(configs, target, selection, **more)
    done = outcome_of_many(partial(delete_files, request), settings, speaking)
    done.detailed = detailed
    save = plan_saver(options, "delete", request)
    report = of_applied(done, speaking, dry_run=settings.dry_run)
    return deliver(report, speaking, only_shows=settings.dry_run, save=save)
