"""`irsa associate-oidc`: its options; what it does is in `irsa_cli.usecases.write.associate_oidc`."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.accounts import role_account_options
from irsa_cli.cli.options.common import (
    Checked,
    cluster_options,
    filled,
    pairs,
    reported_output_options,
    run_options,
)
from irsa_cli.cli.options.taking import take_settings, take_target
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.saved_plan import plan_saver
from irsa_cli.cli.session import finish
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

_EPILOG = """
\b
Examples:
  irsa associate-oidc -c prod
  irsa associate-oidc -c prod --dry-run
"""


@click.command("associate-oidc", cls=HelpedCommand, epilog=_EPILOG)
@cluster_options
@role_account_options
@click.option(
    "--audience",
    multiple=True,
    type=Checked("audience", "names.audience"),
    help="Audience that the provider accepts (repeat). [default: sts.amazonaws.com]",
)
@click.option(
    "--thumbprint",
    multiple=True,
    type=Checked("hex", "names.thumbprint"),
    help="Thumbprint of the issuer's certificate (repeat). [default: none, IAM needs none]",
)
@click.option(
    "--tags",
    multiple=True,
    callback=filled,
    metavar="K=V,...",
    help="Tags of the provider (repeat, or separate by commas).",
)
@run_options
@reported_output_options
def command(**options: Any) -> int:
    """Make the cluster's issuer an IAM OIDC provider.

    A provider that is there already keeps what it has; an audience that it lacks is added. No
    thumbprint is fetched: IAM checks the issuer's certificate itself.
    """
    from irsa_cli.usecases.write.associate_oidc import Request, associate_oidc

    speaking = Speaking.take(options)
    progress = Progress(quiet=speaking.quiet, verbose=speaking.verbose)
    settings, detailed = take_settings(options, progress)
    try:
        tags = names.tags(pairs("--tags", options["tags"], split=True))
    except InvalidInput as error:
        raise click.BadParameter(str(error), param_hint="--tags") from error
    request = Request(
        target=take_target(options),
        audiences=tuple(dict.fromkeys(options["audience"])) or (DEFAULT_AUDIENCE,),
        thumbprints=tuple(item.lower() for item in options["thumbprint"]),
        tags=tags,
    )
    return finish(
        lambda: associate_oidc(request, settings, progress.wire),
        speaking,
        progress,
        detailed=detailed,
        save=plan_saver(options, "associate-oidc", request),
    )
