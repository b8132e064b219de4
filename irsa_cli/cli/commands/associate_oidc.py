"""`irsa associate-oidc`: its options; the work is in `irsa_cli.usecases.write.associate_oidc`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import bound, group, many
from irsa_cli.cli.options.kinds import AUDIENCE, TEXT, Checked
from irsa_cli.cli.options.outputs import ReportedOutputFlags
from irsa_cli.cli.options.reach import ClusterFlags, Destination, RoleAccountFlags
from irsa_cli.cli.options.running import RunFlags
from irsa_cli.cli.options.values import pairs, wrong_usage
from irsa_cli.cli.session import Writing
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE


@dataclass(frozen=True, kw_only=True)
class AssociateOidcOptions:
    """The cluster, and the values of its new provider."""

    cluster: ClusterFlags = group(ClusterFlags)
    role_account: RoleAccountFlags = group(RoleAccountFlags)
    audience: tuple[str, ...] = many(
        "--audience",
        kind=AUDIENCE,
        help="Audience that the provider accepts (repeat). [default: sts.amazonaws.com]",
    )
    thumbprint: tuple[str, ...] = many(
        "--thumbprint",
        kind=Checked("hex", names.thumbprint),
        help="Thumbprint of the issuer's certificate (repeat). [default: none]",
    )
    tags: tuple[str, ...] = many(
        "--tags", kind=TEXT, metavar="K=V,...", help="Tags of the provider (repeat, or comma-separated)."
    )
    run: RunFlags = group(RunFlags)
    output: ReportedOutputFlags = group(ReportedOutputFlags)


@click.command("associate-oidc", cls=HelpedCommand)
@bound(AssociateOidcOptions)
def command(options: AssociateOidcOptions) -> int:
    """Create the IAM OIDC provider for a cluster.

    If the provider exists, irsa adds missing audiences and changes nothing else. IAM needs no thumbprint:
    it checks the issuer's certificate itself.

    Examples:
      irsa associate-oidc -c prod
      irsa associate-oidc -c prod --dry-run
    """
    from irsa_cli.usecases.write.associate_oidc import Request, associate_oidc

    run = Writing(options.run, options.output)
    with wrong_usage("--tags"):
        tags = names.tags(pairs("--tags", options.tags, split=True))
    request = Request(
        Destination(options.cluster, options.role_account).target(),
        audiences=tuple(dict.fromkeys(options.audience)) or (DEFAULT_AUDIENCE,),
        thumbprints=tuple(text.lower() for text in options.thumbprint),
        tags=tags,
    )
    return run.one("associate-oidc", request, associate_oidc)
