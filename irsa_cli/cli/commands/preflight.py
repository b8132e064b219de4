"""`irsa preflight`: its options are those of `irsa_cli.preflight`, which runs without the rest of irsa."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import Decorator, Once
from irsa_cli.cli.options.kinds import TEXT
from irsa_cli.preflight.__main__ import OPTIONS, SHORT, run


def _option(flag: str, text: str, how: Mapping[str, Any]) -> Decorator:
    """An option of click for one of argparse."""
    attributes = dict(how)
    if attributes.pop("action", ""):
        return click.option(flag, is_flag=True, help=text)
    choices = attributes.pop("choices", None)
    kind = click.Choice(choices) if choices else attributes.pop("type", TEXT)
    return click.option(*SHORT.get(flag, []), flag, cls=Once, type=kind, help=text, **attributes)


def _with_options(command: Callable[..., int]) -> Callable[..., int]:
    for flag, text, how in reversed(OPTIONS):
        command = _option(flag, text, how)(command)
    return command


@click.command("preflight", cls=HelpedCommand)
@_with_options
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
