"""`irsa recover`: its options; what it does is in `irsa_cli.usecases.recover`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.options import Checked, Once, output_options, state_dir_option

if TYPE_CHECKING:
    from irsa_cli.usecases.connect import Target


@click.command("recover")
@click.argument("transaction", required=False)
@click.option(
    "-p",
    "--profile",
    cls=Once,
    metavar="PROFILE",
    help="Profile to use instead of the one that the run used.",
)
@click.option(
    "--assume-role",
    cls=Once,
    type=Checked("arn", "arn.check_role"),
    help="Role to become instead of the one that the run became.",
)
@state_dir_option
@output_options
def command(**options: Any) -> int:
    """Take back a transaction that was cut off.

    Without TRANSACTION the unfinished transactions of this machine are listed.
    """
    from irsa_cli.cli.progress import Progress
    from irsa_cli.cli.render import show_stories
    from irsa_cli.cli.session import Speaking, finish, state_dir
    from irsa_cli.usecases.recover import list_unfinished, recover

    speaking = Speaking.take(options)
    folder = state_dir(options["state_dir"])
    if not options["transaction"]:
        show_stories(
            list_unfinished(folder), speaking.output, none="No unfinished transactions on this machine."
        )
        return 0

    def override(target: Target) -> Target:
        given = {key: options[key] for key in ("profile", "assume_role") if options[key]}
        return replace(target, **given)

    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    return finish(
        lambda: recover(options["transaction"], folder, override, progress.listen, progress.wire),
        speaking,
        progress,
    )
