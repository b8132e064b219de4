"""`irsa exec`: its options; the work is in `irsa_cli.usecases.exec.run`."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from irsa_cli.cli.commands.identity import ERRORS_ONLY, IdentityFlags, account_of, settled
from irsa_cli.cli.help.helping import HelpedCommand
from irsa_cli.cli.options.fields import arguments, bound, group, many
from irsa_cli.cli.options.outputs import quiet_flag, speaking, verbose_flag
from irsa_cli.cli.terminal.screen import say
from irsa_cli.core.objects.environment import kept_back, replaces_the_identity
from irsa_cli.usecases.exec.child import NotStarted


class Dashed(HelpedCommand):
    """A command whose line ends with `-- COMMAND...`; irsa reads no options there."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the line before the dashes, and keep the rest as it is."""
        at = args.index("--") if "--" in args else len(args)
        command = args[at + 1 :]
        unread = super().parse_args(ctx, args[:at])
        if not ctx.resilient_parsing:
            if ctx.params.pop("command"):
                raise click.UsageError("put -- between the ServiceAccount and the command", ctx)
            if not command:
                raise click.UsageError("Missing '-- COMMAND...'.", ctx)
            ctx.params["command"] = tuple(command)
        return unread


def _passable(
    _context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    for name in names:
        if not name or "=" in name or "\0" in name:
            raise click.BadParameter(f"{name!r} is not the name of a variable")
        if replaces_the_identity(name):
            raise click.BadParameter(f"{name} would replace the ServiceAccount's identity")
    return names


@dataclass(frozen=True, kw_only=True)
class ExecOptions:
    """The ServiceAccount, and the command that gets its identity."""

    identity: IdentityFlags = group(IdentityFlags)
    quiet: bool = quiet_flag(ERRORS_ONLY)
    verbose: bool = verbose_flag()
    pass_env: tuple[str, ...] = many(
        "--pass-env",
        kind=click.STRING,
        metavar="NAME",
        callback=_passable,
        help="Pass this variable, although its name has token, key or secret (repeat).",
    )
    command: tuple[str, ...] = arguments(kind=click.UNPROCESSED, metavar="-- COMMAND...")


@click.command("exec", cls=Dashed)
@bound(ExecOptions)
def command(options: ExecOptions) -> int:
    """Run a local command with a ServiceAccount's role.

    The command gets the token and role of the ServiceAccount, in the same variables as a pod. It gets
    neither your own credentials nor variables that look like secrets. irsa renews the token while the
    command runs, and removes it at the end. Without the annotation, it uses the ServiceAccount's EKS Pod
    Identity association, and acts as the agent on a local port. The exit code is that of the command, or
    128 + N for signal N.

    Examples:
      irsa exec s3-reader -n backend -c prod -- aws s3 ls
      irsa exec s3-reader -n backend -c prod -- python app.py
      irsa exec s3-reader -n backend -c prod --pass-env TOKEN -- ./deploy.sh
      irsa exec s3-reader -n backend -c prod -- $SHELL
    """
    from irsa_cli.usecases.exec.run import Ready

    speaks = speaking("text", quiet=options.quiet, verbose=options.verbose)
    ready = settled(lambda: Ready.make(account_of(options.identity, speaks)), speaks)
    secrets = kept_back(os.environ, options.pass_env)
    if secrets and not options.quiet:
        _warn(f"variables not passed to the command: {', '.join(secrets)} (to pass one: --pass-env NAME)")

    def run() -> int:
        try:
            return ready.run(
                options.command,
                os.environ,
                at_terminal=os.isatty(0),
                warn=_warn,
                passed=options.pass_env,
            )
        except NotStarted as error:
            _warn(str(error))
            return error.status

    return settled(run, speaks)


def _warn(text: str) -> None:
    say(f"irsa: {text}", err=True)
