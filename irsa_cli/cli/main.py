"""The `irsa` command: finds its subcommands by name and imports only the one that is run."""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise, takewhile
from typing import Any

import click
from click.core import ParameterSource

from irsa_cli import __version__
from irsa_cli.cli.help.environment import name_variables
from irsa_cli.cli.help.helping import HelpedGroup, command_of, examples
from irsa_cli.cli.terminal.screen import Unshown

# The summary of each command. It is also here so that `irsa --help` imports no command; a test compares them.
_TABLES = json.loads(pkgutil.get_data("irsa_cli.cli", "commands.json") or b"")
COMMANDS: dict[str, str] = _TABLES["summaries"]
GROUPS: dict[str, list[str]] = _TABLES["groups"]
"""The commands by purpose, in the order of `irsa --help`."""
OLD_NAMES: list[str] = _TABLES["oldNames"]
"""Commands that have another name now: they work, and no list has them."""


def module_of(command: str) -> str:
    """The module of a command; an underscore follows a name that Python also has."""
    name = command.replace("-", "_")
    return f"irsa_cli.cli.commands.{name}{'_' if name in ('exec', 'help') else ''}"


class LazyGroup(HelpedGroup):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS and cmd_name not in OLD_NAMES:
            return None
        command: click.Command = importlib.import_module(module_of(cmd_name)).command
        return name_variables(cmd_name, command)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by purpose, without importing them; those of the last group by name only."""
        widest = max(map(len, COMMANDS))
        *groups, last = GROUPS
        for heading in groups:
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{widest}}", COMMANDS[name]) for name in GROUPS[heading]])
        formatter.write(f"\n{last}: {', '.join(GROUPS[last])}\n")


@click.group(
    cls=LazyGroup,
    options_metavar="",
    subcommand_metavar="COMMAND [OPTIONS]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="  irsa create-sa --help",
)
@click.version_option(__version__, "--version", prog_name="irsa")
def irsa() -> None:
    """Manage IAM roles for ServiceAccounts on Amazon EKS."""


def run(arguments: list[str] | None = None, program: str = "irsa") -> int:
    """Run the command line and return the exit code, without a traceback. Usage texts show `program`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _open_streams()
    try:
        code = irsa.main(arguments, prog_name=program, standalone_mode=False)
        click.echo(nl=False)  # Flushes the stream, if there is one.
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        if isinstance(error, _WITHOUT_COMMAND):
            error.show()
        else:
            _wrong_usage(error, arguments, program)
        return error.exit_code
    except click.Abort as abort:
        code = _code_of(abort)
        _show_failure(code, arguments, "interrupted", code="Interrupted")
        return code
    except Unshown as error:
        _unwritable(error.__cause__)
        return error.code
    except OSError as error:
        if error.filename:
            message = f"{error.filename}: {error.strerror or error}"
            _show_failure(1, arguments, message, code="IrsaError")
        _unwritable(error)
        return 1
    return code if isinstance(code, int) else 0


def _open_streams() -> None:
    """Open streams that the caller closed, and accept any character in all of them."""
    # A stream that the caller closed: writes to standard output fail, as on a full disk.
    sys.stdout = sys.stdout or open(os.open(os.devnull, os.O_RDONLY), "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # Names from AWS and Kubernetes may have characters that the stream cannot encode.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _code_of(abort: click.Abort) -> int:
    """The exit code after an interrupt: click raises `Abort` for it; that of irsa has the signal."""
    stop = abort.__cause__
    if isinstance(stop, KeyboardInterrupt) and stop.args:
        return 128 + int(stop.args[0])
    return 130


_WITHOUT_COMMAND: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""The error of click 8.2 and later for a group without a command; older versions show the help themselves."""


def _wrong_usage(error: click.ClickException, arguments: Sequence[str], program: str) -> None:
    """Report an error of the command line, also as a document if JSON or YAML was requested.

    A value must not start a line of its own: for CI systems, `::error::` at the start is a command.
    """
    from irsa_cli.cli.help.meant import line_meant  # `irsa --help` needs none of these.
    from irsa_cli.cli.help.words import as_typed
    from irsa_cli.cli.terminal.screen import say
    from irsa_cli.core.values.shown import without_secrets

    context = error.ctx if isinstance(error, click.UsageError) else None
    command = "" if context is None else command_of(context)
    lines = [*_lines_of(error), *_said_by(error)]
    root = click.Context(irsa, info_name=program, **irsa.context_settings)
    meant = line_meant(error, arguments, root)
    if meant:
        of_command = bool(command) or not isinstance(error, click.NoSuchOption)
        as_pasted = as_typed(arguments) != [*arguments]
        mistake = _mistake(lines[0], of_command=of_command, as_pasted=as_pasted)
        lines = [f"{mistake}. Did you mean:", meant, *lines[1:]]
    say(without_secrets(f"Error: {lines[0]}"), err=True)
    for line in lines[1:]:
        say(without_secrets(f"  {line}"), err=True)
    if context is not None and not meant:
        hint = _hint(error, lines[0], context, program)
        if hint:
            say(f"  {hint}", err=True)
    _show_failure(error.exit_code, arguments, *lines, code="WrongUsage", command=command)


def _mistake(message: str, *, of_command: bool, as_pasted: bool) -> str:
    """The mistake in a line, without the advice at the end of the message: the right line follows."""
    if as_pasted:
        return "The line has dashes or quotes of a chat or word processor"
    if not of_command:
        return "Options follow the command"
    mistake = _ADVICE.split(message)[0]
    return re.sub("^Invalid value for [^:]+: (?=')", "", mistake)


def _hint(error: click.ClickException, message: str, context: click.Context, program: str) -> str:
    """The shortest example if something is missing, else where to find help; '' below a long message."""
    if message.startswith("Missing") and "--cluster" not in message:
        lines = [example for example in examples(context.command) if "\n" not in example]
        if lines:
            return f"For example: {min(lines, key=len).replace('irsa', program, 1)}"
    if isinstance(error, click.BadParameter) and len(message) >= _LONG:
        return ""
    return f"For help: {context.command_path} --help"


_LONG = 70
"""Characters of a message about a value that says enough."""
_EXTRA = re.compile(r"^Got unexpected extra arguments? \((.*)\)$", re.DOTALL)
_NO_ARGUMENTS = {
    "history": "irsa history lists all transactions; it has no filter.",
    "config": "irsa config only shows settings. To change one: irsa docs reference/config",
}
"""Advice for commands without arguments."""
_ADVICE = re.compile(
    r"\. Quote|\. Known|\. To |[.:]? [Dd]id you mean|, (?:each|starting|at most) .*|"
    r": (?:examples|expected (?:arn|irsa)|there are|for example).*|\.$"
)
"""The end of the part of a message that says what is wrong."""
_MOST_LINES = 200
"""The most lines about errors in files."""


def _lines_of(error: click.ClickException) -> Sequence[str]:
    if isinstance(error, click.MissingParameter):
        return [line.strip() for line in error.format_message().splitlines()]
    if isinstance(error, click.NoSuchOption):
        name = error.ctx.command.name if error.ctx else ""
        return [f"{error.message} {_NO_ARGUMENTS.get(name or '', '')}".rstrip()]
    details = list(getattr(error.__cause__, "details", ()))
    more = [f"... and {len(details) - _MOST_LINES} more"] if len(details) > _MOST_LINES else []
    message = re.sub(r"'\[([A-Z]+)\]'", r"\1", error.format_message())
    name = error.ctx.command.name if isinstance(error, click.UsageError) and error.ctx else ""
    advice = _NO_ARGUMENTS.get(name or "", "Quote values with spaces; repeat options.")
    message = _EXTRA.sub(rf"Unexpected argument: \1. {advice}", message)
    return [message, *details[:_MOST_LINES], *more]


def _said_by(error: click.ClickException) -> Sequence[str]:
    """The variable or file of an invalid value that is not from the command line."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return ()
    source = error.ctx.get_parameter_source(error.param.name or "")
    if source is ParameterSource.ENVIRONMENT:
        return (f"The value is from the variable {error.param.envvar}.",)
    return ("The value is from .irsa.yaml.",) if source is ParameterSource.DEFAULT_MAP else ()


_FORMS = ("json", "yaml", "markdown", "github")
_FORM = re.compile(rf"(?:--output=|-[a-zA-Z]*?o=?)({'|'.join(_FORMS)})")


def wanted_form(arguments: Sequence[str]) -> str:
    """The output format of a command line that is wrong; '' for text and others."""
    own = list(takewhile(lambda text: text != "--", arguments))
    for text, following in pairwise([*own, ""]):
        if following in _FORMS and (text == "--output" or re.fullmatch("-[a-zA-Z]*o", text)):
            return following
        if form := _FORM.fullmatch(text):
            return form[1]
    return ""


_REPORTS = ("--summary-file", "IRSA_SUMMARY_FILE", "--json-file", "IRSA_JSON_FILE")
"""Flags and variables of files that irsa also writes for a command that did not start."""


def _show_failure(
    exit_code: int, arguments: Sequence[str], message: str, *details: str, code: str, command: str = ""
) -> None:
    """Report a command that did not start, in the requested format and files."""
    output = wanted_form(arguments)
    has_flag = any(text.startswith(("-o", "--output=")) or text == "--output" for text in arguments)
    variable = os.environ.get("IRSA_OUTPUT", "").strip()
    if not output and not has_flag and variable in _FORMS:
        output = variable
    if not output and not any(text.startswith(_REPORTS) for text in (*arguments, *os.environ)):
        return
    from irsa_cli.cli.output.failures import show_failure
    from irsa_cli.core.values.errors import IrsaError

    try:
        error = IrsaError(message, details=details, code=code)
        show_failure(error, exit_code, arguments, output, command)
    except OSError as failure:
        _unwritable(failure)


def _unwritable(error: BaseException | None) -> None:
    """Report a file or stream that cannot be written or read, and discard the output."""
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        from irsa_cli.cli.terminal.screen import say

        problem = error.filename or "cannot write the output"
        with suppress(OSError):
            say(f"Error: {problem}: {error.strerror or error}", err=True)
    # The rest of the buffer would fail again at the end of the interpreter, with another exit code.
    # https://docs.python.org/3/library/signal.html#note-on-sigpipe
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
