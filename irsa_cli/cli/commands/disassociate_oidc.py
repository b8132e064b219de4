"""`irsa disassociate-oidc`: its options; the work is in `irsa_cli.usecases.write.disassociate_oidc`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import shared, switch
from irsa_cli.cli.session import Writing


@click.command("disassociate-oidc", cls=HelpedCommand)
@shared("cluster", "role account")
@switch("--force", help="Delete it even if irsa did not create it, or roles trust it.")
@common.writing_options
def command(**options: Any) -> int:
    """Delete the IAM OIDC provider of a cluster.

    irsa refuses if another tool created the provider, or if roles trust it, and lists these roles. For a
    deleted cluster, use --issuer-url and --account.

    Examples:
      irsa disassociate-oidc -c prod --dry-run
      irsa disassociate-oidc -c prod
    """
    from irsa_cli.usecases.write.disassociate_oidc import Request, disassociate_oidc

    run = Writing(options)
    request = Request(targets.take_target(options), force=options["force"])
    return run.one("disassociate-oidc", request, disassociate_oidc)
