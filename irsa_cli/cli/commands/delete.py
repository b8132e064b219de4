"""`irsa delete -f`: its options; the work is in `irsa_cli.usecases.files.delete_files`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import click

from irsa_cli.cli.commands.apply import run_many
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound, group, switch
from irsa_cli.cli.options.files import NeededFileFlags, PlaceFlags, read_files
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.roles import ignore_maker_flag
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.session import Writing


@dataclass(frozen=True, kw_only=True)
class DeleteOptions:
    """The files, and the roles that are deleted in spite of a doubt."""

    files: NeededFileFlags = group(NeededFileFlags)
    place: PlaceFlags = group(PlaceFlags)
    force: bool = switch("--force", help="Delete roles even if they may be in use.")
    ignore_maker: bool = ignore_maker_flag()
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)


@click.command("delete", cls=HelpedCommand)
@bound(DeleteOptions)
def command(options: DeleteOptions) -> int:
    """Delete the ServiceAccounts and roles in files.

    Each ServiceAccount is one transaction, as in irsa delete-sa: irsa deletes only resources that irsa
    created. Namespaces and the OIDC provider stay.

    Examples:
      irsa delete -f cluster.yaml --dry-run
      irsa delete -f cluster.yaml --include 'backend/*' --yes
    """
    from irsa_cli.usecases.files.delete_files import Request, delete_files

    options.run.demand_yes("delete -f")
    run = Writing(options.run, options.output)
    configs, target, selection = read_files(options.files, options.place, deletes=True)
    request = Request(
        configs,
        target,
        selection,
        parallel=options.files.parallel,
        force=options.force,
        max_failures=options.files.max_failures,
        ignore_maker=options.ignore_maker,
    )
    return run_many(run, partial(delete_files, request), ("delete", request))
