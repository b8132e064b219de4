"""`irsa associate-oidc`: its options; the work is in `irsa_cli.usecases.write.associate_oidc`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options import common, targets
from irsa_cli.cli.options.types import AUDIENCE, Checked, many, many_filled, shared, wrong_usage
from irsa_cli.cli.session import Writing
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE


@click.command("associate-oidc", cls=HelpedCommand)
@shared("cluster", "role account")
@many(
    "--audience",
    type=AUDIENCE,
    help="Audience that the provider accepts (repeat). [default: sts.amazonaws.com]",
)
@many(
    "--thumbprint",
    type=Checked("hex", "names.thumbprint"),
    help="Thumbprint of the issuer's certificate (repeat). [default: none]",
)
@many_filled("--tags", metavar="K=V,...", help="Tags of the provider (repeat, or comma-separated).")
@common.writing_options
def command(**options: Any) -> int:
    """Create the IAM OIDC provider for a cluster.

    If the provider exists, irsa adds missing audiences and changes nothing else. IAM needs no thumbprint:
    it checks the issuer's certificate itself.

    Examples:
      irsa associate-oidc -c prod
      irsa associate-oidc -c prod --dry-run
    """
    from irsa_cli.usecases.write.associate_oidc import Request, associate_oidc

    run = Writing(options)
    with wrong_usage("--tags"):
        tags = names.tags(common.pairs("--tags", options["tags"], split=True))
    audiences = tuple(dict.fromkeys(options["audience"])) or (DEFAULT_AUDIENCE,)
    thumbprints = tuple(item.lower() for item in options["thumbprint"])
    request = Request(targets.take_target(options), audiences, thumbprints, tags)
    return run.one("associate-oidc", request, associate_oidc)
