"""`irsa disassociate-oidc`: its options; what it does is in `irsa_cli.usecases.write.disassociate_oidc`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import role_account_options
from irsa_cli.cli.options.common import cluster_options, reported_output_options, run_options
from irsa_cli.cli.options.taking import take_settings, take_target
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.saved_plan import plan_saver
from irsa_cli.cli.session import finish
from irsa_cli.cli.terminal.progress import Progress

_EPILOG = """
\b
Examples:
  irsa disassociate-oidc -c prod --dry-run
  irsa disassociate-oidc -c prod
"""


@click.command("disassociate-oidc", cls=HelpedCommand, epilog=_EPILOG)
@cluster_options
@role_account_options
@click.option(
    "--force",
    is_flag=True,
    help="Delete it even if irsa did not make it, or roles trust it or may trust it.",
)
@run_options
@reported_output_options
def command(**options: Any) -> int:
    """Delete the cluster's OIDC provider from IAM.

    Refused when irsa did not make it, and while roles trust it: they are listed. Without a provider
    there is nothing to do. For a cluster that is gone already, name its issuer: --issuer-url and --account.
    """
    from irsa_cli.usecases.write.disassociate_oidc import Request, disassociate_oidc

    speaking = Speaking.take(options)
    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    settings, detailed = take_settings(options, progress)
    request = Request(take_target(options), force=options["force"])
    return finish(
        lambda: disassociate_oidc(request, settings, progress.wire),
        speaking,
        progress,
        detailed=detailed,
        save=plan_saver(options, "disassociate-oidc", request),
    )
