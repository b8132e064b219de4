"""The `irsa` command: finds its subcommands by name and imports only the one that is run."""

from __future__ import annotations

import importlib
import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

import click
from click.core import ParameterSource

from irsa_cli import __version__
from irsa_cli.cli.help.environment import name_variables
from irsa_cli.cli.help.helping import HelpedGroup, command_of
from irsa_cli.cli.terminal.screen import Unshown

# The first line of each command's help. It stands here, too, so that `irsa --help` imports no command; a test
# holds the two together.
COMMANDS: dict[str, str] = {
    "associate-oidc": "Make the cluster's issuer an IAM OIDC provider.",
    "create-sa": "Give a ServiceAccount its own IAM role, in one transaction.",
    "init": "Write a configuration file from the cluster's bindings.",
    "get-sa": "List the ServiceAccounts that name a role, whoever made them, and the state of each.",
    "describe-sa": (
        "Show all of a ServiceAccount that names a role: the role, why it is admitted, policies, pods."
    ),
    "apply": "Apply configuration files: create what is missing, change what differs.",
    "diff": "Show what `irsa apply` would change, with policies as textual differences; changes nothing.",
    "show": "Show a saved plan.",
    "delete": "Delete what irsa made of the ServiceAccounts in configuration files.",
    "delete-sa": "Delete a ServiceAccount's role, and what irsa made with it, in one transaction.",
    "disassociate-oidc": "Delete the cluster's OIDC provider from IAM.",
    "update-sa": "Change a ServiceAccount's role, policies or annotations, and nothing else.",
    "adopt": "Adopt a role that eksctl, Terraform or a person has made.",
    "verify": "Prove that a ServiceAccount can use its role, or say what keeps it from it.",
    "doctor": "Find out why a ServiceAccount does not get its role.",
    "audit": "Find out which pods can become which role in a whole account, and what of it is unsafe.",
    "who-can": "Find out which pods may do something in AWS.",
    "lint": "Find in files what would be unsafe in who may become which role, before it is live.",
    "exec": "Run a local command as a pod of the ServiceAccount would run.",
    "token": "Print a token of the ServiceAccount, as a pod of it would get.",
    "credentials": "Print temporary credentials of the ServiceAccount's role.",
    "policies": "Show the policies that are known by name.",
    "recover": "Roll back an interrupted transaction, or continue it.",
    "unlock": "List the locks of a cluster's runs, or remove those of a run that is dead.",
    "history": "List the transactions of this machine.",
    "sandbox": "Run AWS and EKS on this machine, for trying and testing.",
    "config": "Show which settings are in force, and where each is from.",
    "completion": "Print what completes commands, options and names in a shell.",
    "docs": "Read the documentation of this version.",
    "help": "Show the help of a command.",
    "version": "Show the version of irsa, of Python and of the system.",
}
GROUPS: dict[str, tuple[str, ...]] = {
    "Create and change": (
        "associate-oidc",
        "create-sa",
        "update-sa",
        "adopt",
        "delete-sa",
        "disassociate-oidc",
    ),
    "Look": ("get-sa", "describe-sa", "policies"),
    "Audit": ("audit", "who-can", "lint"),
    "Prove and diagnose": ("verify", "doctor", "exec", "token", "credentials"),
    "Files": ("init", "apply", "diff", "show", "delete"),
    "Operate": ("recover", "unlock", "history", "sandbox"),
    "About irsa": ("config", "completion", "docs", "help", "version"),
}
"""Each command, under what it is for; in this order `irsa --help` lists them."""


def module_of(command: str) -> str:
    """The module of a command: of its name, with an underscore after a word that Python has, too."""
    name = command.replace("-", "_")
    return f"irsa_cli.cli.commands.{name}{'_' if name in ('exec', 'help') else ''}"


class LazyGroup(HelpedGroup):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(module_of(cmd_name)).command
        return name_variables(cmd_name, command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are for, without importing them."""
        widest = max(map(len, COMMANDS))
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{widest}}", COMMANDS[name]) for name in names])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="irsa help COMMAND shows a command's options and examples, irsa docs the documentation."
    " Options can stand in the environment (IRSA_CLUSTER for --cluster): irsa docs reference/environment."
    "\n\n\b\nExamples:\n  irsa help create-sa\n  irsa docs tutorial",
)
@click.version_option(__version__, "--version", prog_name="irsa")
def irsa() -> None:
    """Give a Kubernetes ServiceAccount on Amazon EKS its own IAM role (IRSA).

    All of it happens in one transaction: it is either committed, or rolled back.
    """


def run(arguments: list[str] | None = None, program: str = "irsa") -> int:
    """Run the command line; returns the exit code. No traceback reaches the user.

    `program` is what usage texts call it.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        # Texts of others may have characters that the stream has not: that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = irsa.main(arguments, prog_name=program, standalone_mode=False)
        click.echo(nl=False)  # Flushes, where there is a stream.
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        if not _shows_help(error):
            _wrong_usage(error, arguments)
        return error.exit_code
    except click.Abort as abort:
        # click makes one of every KeyboardInterrupt; those of ours say which signal it was.
        stop = abort.__cause__
        code = 128 + stop.args[0] if isinstance(stop, KeyboardInterrupt) and stop.args else 130
        _show_failure(code, arguments, "interrupted", code="Interrupted")
        return code
    except Unshown as error:
        _unwritable(error.__cause__)
        return error.code
    except OSError as error:
        if error.filename:
            said = f"{error.filename}: {error.strerror or error}"
            _show_failure(1, arguments, said, code="IrsaError")
        _unwritable(error)
        return 1
    return code if isinstance(code, int) else 0


_WITHOUT_COMMAND: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""Versions of click before 8.2 have no such error: they show the help themselves."""


def _shows_help(error: click.ClickException) -> bool:
    """Show the help of a group that was called without a command; whether it was."""
    if not isinstance(error, _WITHOUT_COMMAND):
        return False
    error.show()
    return True


def _wrong_usage(error: click.ClickException, arguments: Sequence[str]) -> None:
    """Say what is wrong with the command line, as click does, whatever is in the values that are wrong.

    Who asked for JSON or YAML gets a document, too.

    A line of theirs must not become one of ours: CI systems take `::error::` at its beginning for a command.
    """
    from irsa_cli.cli.terminal.wording import say  # Here, as `irsa --help` needs neither.
    from irsa_cli.core.values.shown import without_secrets

    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
        if error.ctx.command.get_help_option(error.ctx) is not None:
            name = f"{error.ctx.command_path} {error.ctx.help_option_names[0]}"
            click.echo(f"Try '{name}' for help.", err=True)
        click.echo(err=True)
    lines = [*_lines_of(error), *_said_by(error)]
    say(without_secrets(f"Error: {lines[0]}"), err=True)
    for line in lines[1:]:
        say(without_secrets(f"  {line}"), err=True)
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = "" if context is None else command_of(context)
    _show_failure(error.exit_code, arguments, *lines, code="WrongUsage", command=command)


_MOST_LINES = 200
"""What is wrong in files is shown at once, as far as anybody reads it."""


def _lines_of(error: click.ClickException) -> Sequence[str]:
    """The lines of an error: the facts of its cause, or what click lists. Those of a value are none."""
    if isinstance(error, click.MissingParameter):
        return [line.strip() for line in error.format_message().splitlines()]
    details = list(getattr(error.__cause__, "details", ()))
    more = [f"... and {len(details) - _MOST_LINES} more"] if len(details) > _MOST_LINES else []
    return [error.format_message(), *details[:_MOST_LINES], *more]


def _said_by(error: click.ClickException) -> Sequence[str]:
    """The variable or file that a wrong value is from, where it is not on the command line."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return ()
    source = error.ctx.get_parameter_source(error.param.name or "")
    if source is ParameterSource.ENVIRONMENT:
        return (f"the environment has it: {error.param.envvar}",)
    return (".irsa.yaml has it",) if source is ParameterSource.DEFAULT_MAP else ()


_FORMS = ("json", "yaml", "markdown", "github")
_FORM = re.compile(rf"(?:--output=|-[a-zA-Z]*?o=?)({'|'.join(_FORMS)})")


def wanted_form(arguments: Sequence[str]) -> str:
    """The form that a command line asks for, though it can't be read as a whole; '' for text and others."""
    own = list(takewhile(lambda text: text != "--", arguments))
    for text, following in zip(own, [*own, ""][1:], strict=True):
        if following in _FORMS and (text == "--output" or re.fullmatch("-[a-zA-Z]*o", text)):
            return following
        if found := _FORM.fullmatch(text):
            return found[1]
    return ""


_REPORTS = tuple(
    text
    for name in ("output-file", "summary-file", "json-file")
    for text in (f"--{name}", f"IRSA_{name.upper().replace('-', '_')}")
)
"""Flags and variables that name files which are written by commands that have not begun, too."""


def _show_failure(
    exit_code: int, arguments: Sequence[str], message: str, *details: str, code: str, command: str = ""
) -> None:
    """Tell of a command that has not begun, in the form and the files that were asked for."""
    output = wanted_form(arguments)
    if not any(text.startswith(("-o", "--output=")) or text == "--output" for text in arguments):
        found = os.environ.get("IRSA_OUTPUT", "").strip()
        output = output or (found if found in _FORMS else "")
    if not output and not any(text.startswith(_REPORTS) for text in (*arguments, *os.environ)):
        return
    from irsa_cli.cli.output.speaking import Unbegun, show_failure

    with suppress(OSError):
        show_failure(Unbegun((message, *details), code, exit_code), arguments, output, command)


def _unwritable(error: BaseException | None) -> None:
    """Say what can't be written (or read), and give the output up; a reader that has gone needs no word."""
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        from irsa_cli.cli.terminal.wording import say

        what = error.filename or "the output can't be written"
        with suppress(OSError):
            say(f"Error: {what}: {error.strerror or error}", err=True)
    # What is left in the buffer would fail once more at the interpreter's end, with an exit code of its own.
    # https://docs.python.org/3/library/signal.html#note-on-sigpipe
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
