"""`irsa exec`: its options; what it does is in `irsa_cli.usecases.exec.run`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.helping import HelpedCommand
from irsa_cli.cli.identity import account_of, settled, speaking_options, who_options

if TYPE_CHECKING:
    from irsa_cli.usecases.exec.run import Ready

_EPILOG = """
\b
Examples:
  irsa exec s3-reader -n backend -c prod -- aws s3 ls
  irsa exec s3-reader -n backend -c prod -- python app.py
  irsa exec s3-reader -n backend -c prod -- $SHELL
"""


class Dashed(HelpedCommand):
    """A command whose line ends with `-- COMMAND...`, of which nothing is read as an option of ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what stands before the dashes, and keep the rest as it is."""
        own, command = (args, []) if "--" not in args else _split(args)
        left = super().parse_args(ctx, own)
        if not ctx.resilient_parsing:
            if ctx.params.pop("command"):
                raise click.UsageError("put -- between the ServiceAccount and the command", ctx)
            if not command:
                raise click.UsageError("Missing '-- COMMAND...'.", ctx)
            ctx.params["command"] = tuple(command)
        return left


def _split(args: list[str]) -> tuple[list[str], list[str]]:
    at = args.index("--")
    return args[:at], args[at + 1 :]


@click.command("exec", cls=Dashed, epilog=_EPILOG)
@who_options
@speaking_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(command: tuple[str, ...], **options: Any) -> int:
    """Run a local command as a pod of the ServiceAccount would run.

    The command gets the ServiceAccount's token and role as the pod identity webhook sets them; the caller's
    own credentials are kept from it. The token is renewed while the command runs, and removed at its end.
    The exit code is the command's, 128 + N when signal N ended it.
    """
    from irsa_cli.cli.session import Speaking
    from irsa_cli.usecases.exec.run import Ready

    speaking = Speaking.take({"output": "text", **options})
    ready = settled(lambda: Ready.make(account_of(options, speaking)), speaking)
    return settled(lambda: _run(ready, command), speaking)


def _run(ready: Ready, command: tuple[str, ...]) -> int:
    from irsa_cli.usecases.exec.child import NotStarted

    try:
        return ready.run(command, os.environ, at_terminal=os.isatty(0), warn=_warn)
    except NotStarted as error:
        _warn(str(error))
        return error.status


def _warn(text: str) -> None:
    from irsa_cli.cli.wording import say

    say(f"irsa: {text}", err=True)
