"""`irsa disassociate-oidc`: its options; what it does is in `irsa_cli.usecases.write.disassociate_oidc`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import switch
from irsa_cli.cli.session import run_writing

_EPILOG = """
\b
Examples:
  irsa disassociate-oidc -c prod --dry-run
  irsa disassociate-oidc -c prod
"""


@click.command("disassociate-oidc", cls=HelpedCommand, epilog=_EPILOG)
@common.cluster_options
@targets.role_account_options
@switch("--force", help="Delete it even if irsa did not make it, or roles trust it or may trust it.")
@common.writing_options
def command(**options: Any) -> int:
    """Delete the cluster's OIDC provider from IAM.

    Refused when irsa did not make it, and while roles trust it: they are listed. Without a provider
    there is nothing to do. For a cluster that is gone already, name its issuer: --issuer-url and --account.
    """
    from irsa_cli.usecases.write.disassociate_oidc import Request, disassociate_oidc

    def request(options: dict[str, Any]) -> Request:
        return Request(targets.take_target(options), force=options["force"])

    return run_writing(options, "disassociate-oidc", request, disassociate_oidc)
