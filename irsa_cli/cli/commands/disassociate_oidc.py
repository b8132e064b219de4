"""`irsa disassociate-oidc`: its options; the work is in `irsa_cli.usecases.write.disassociate_oidc`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound, group, switch
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, RoleAccountFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.session import Writing


@dataclass(frozen=True, kw_only=True)
class DisassociateOidcOptions:
    """The cluster whose provider is deleted."""

    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    force: bool = switch("--force", help="Delete it even if irsa did not create it, or roles trust it.")
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)


@click.command("disassociate-oidc", cls=HelpedCommand)
@bound(DisassociateOidcOptions)
def command(options: DisassociateOidcOptions) -> int:
    """Delete the IAM OIDC provider of a cluster.

    irsa refuses if another tool created the provider, or if roles trust it, and lists these roles. For a
    deleted cluster, use --issuer-url and --account.

    Examples:
      irsa disassociate-oidc -c prod --dry-run
      irsa disassociate-oidc -c prod
    """
    from irsa_cli.usecases.write.disassociate_oidc import Request, disassociate_oidc

    run = Writing(options.run, options.output)
    target = Destination(options.cluster, options.role_account).target()
    return run.one("disassociate-oidc", Request(target, options.force), disassociate_oidc)
