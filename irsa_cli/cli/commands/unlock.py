"""`irsa unlock`: the old name of `irsa recover --unlock`, until 1.0."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.commands.recover import RecoverOptions, run_recover
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import argument, bound, group, switch
from irsa_cli.cli.options.kinds import TEXT
from irsa_cli.cli.options.outputs import OutputFlags, ReportedOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, KubeFlags, ReachFlags
from irsa_cli.cli.options.running import LockFlags, lock_namespace_flag, state_dir_flag
from irsa_cli.cli.terminal.screen import say


@dataclass(frozen=True, kw_only=True)
class UnlockOptions:
    """The cluster, and whose locks are removed."""

    holder: str | None = argument(kind=TEXT)
    dry_run: bool = switch("--dry-run", help="Show the locks to remove; change nothing.")
    yes: bool = switch("--yes", "-y", help="Skip the confirmation prompt.")
    cluster: ClusterFlags = group(ClusterFlags)
    kube: KubeFlags = group(KubeFlags)
    lock_namespace: str | None = lock_namespace_flag()
    state_dir: str | None = state_dir_flag()
    output: OutputFlags = group(OutputFlags)


@click.command("unlock", cls=HelpedCommand)
@bound(UnlockOptions)
def command(options: UnlockOptions) -> int:
    """List locks, or remove those of a dead run.

    This name is deprecated and works until irsa 1.0: use irsa recover --unlock, with the same options.

    Examples:
      irsa recover --unlock -c prod   # lists the locks and their holders
      irsa recover --unlock 20260601T120000000Z-0a1b2c3d_ci@runner-7 -c prod
    """
    output = options.output
    if not output.quiet:
        say("Note: irsa unlock is deprecated; use irsa recover --unlock", err=True)
    return run_recover(
        RecoverOptions(
            unlock=True,
            transaction=options.holder,
            dry_run=options.dry_run,
            yes=options.yes,
            reach=ReachFlags(cluster=options.cluster, kube=options.kube),
            lock=LockFlags(lock_namespace=options.lock_namespace),
            state_dir=options.state_dir,
            output=ReportedOutputFlags(output=output.output, quiet=output.quiet, verbose=output.verbose),
        )
    )
