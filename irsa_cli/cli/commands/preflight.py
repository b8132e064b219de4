"""`irsa preflight`: its options are those of `irsa_cli.preflight`, which runs without the rest of irsa."""

from __future__ import annotations

from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.types import Decorator, group, once, once_filled, switch
from irsa_cli.preflight.__main__ import OPTIONS, SHORT, run


def _option(flag: str, text: str, how: dict[str, Any]) -> Decorator:
    if how.pop("action", ""):
        return switch(flag, help=text)
    if "choices" in how:
        how["type"] = click.Choice(how.pop("choices"))
    option = once if "type" in how else once_filled
    return option(*SHORT.get(flag, []), flag, help=text, **how)


@click.command("preflight", cls=HelpedCommand)
@group(*(_option(flag, text, dict(how)) for flag, text, how in OPTIONS))
def command(**options: Any) -> int:
    r"""Check the AWS identity of this pod.

    It reads the environment and the token, asks STS or the Pod Identity agent as an SDK does, and compares
    the identity. Exit code 0: the expected identity. 5: another one, or none. 1: unknown. It needs no
    permission, and prints no token.

    Examples:
      irsa preflight
      irsa preflight --expect-account 111122223333 --wait 60s -o json
      irsa preflight --manifest job --service-account s3-reader -n backend \
          --image registry.example.com/irsa@sha256:DIGEST
      irsa preflight --self > preflight.pyz
    """
    try:
        return run(options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
