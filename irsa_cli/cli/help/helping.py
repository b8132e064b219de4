"""The layout of help: common options, all options under headings, and names close to a mistyped one.

`irsa --help` imports this module, so it imports little.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, pairwise
from typing import Any

import click

from irsa_cli.cli.help.environment import TARGET, chosen_file, own_words, project_defaults, settle


def read_table(file: str) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The tables of a file by name: each line has a key, and its words; lines of one key are one."""
    tables: dict[str, dict[str, list[str]]] = {}
    text = pkgutil.get_data(__package__, file) or b""  # Also out of an archive; `files` takes longer.
    for line in text.decode().splitlines():
        key, colon, words = line.partition(": ")
        if line.startswith("["):
            table = tables.setdefault(line.strip("[]"), {})
        elif colon and tables:
            table.setdefault(key, []).extend(words.split())
    return tables


_TABLES = read_table("options.txt")
_HEADINGS = _TABLES["headings"]
_COMMON = _TABLES["common"]
"""The options under each heading, and in each command's `--help`; `--help-all` shows all of them."""
_HEADING = {name: heading for heading, names in _HEADINGS.items() for name in names}
_HEADING |= dict.fromkeys(TARGET, "Cluster")
_ALL = "irsa_cli.help_all"


def examples(command: click.Command) -> list[str]:
    """The examples of a command, each with its comments and all its lines."""
    lines = (command.epilog or "").replace("\b\n", "").splitlines()
    text = "\n".join(line.removeprefix("  ") for line in lines if line.strip() not in ("", "Examples:"))
    return re.findall(r"(?m)(?:^#.*\n)*^.+(?:(?<=\\)\n.*)*", text)


def _is_short(command: click.Command, context: click.Context) -> bool:
    return command.name in _COMMON and not context.meta.get(_ALL)


def whole_help(command: click.Command, context: click.Context) -> str:
    context.meta[_ALL] = True
    return command.get_help(context)


def _show_all(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(whole_help(context.command, context), color=context.color)
        context.exit()


class AsCalled(click.Command):
    """A command with examples in its docstring. kubectl's plugin shows them with `kubectl irsa`."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.help, _, shown = inspect.cleandoc(self.help or "").partition("\n\nExamples:\n")
        self.epilog = shown or self.epilog

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, three in the short help."""
        text = "\n".join(examples(self)[: 3 if _is_short(self, ctx) else None])
        text = re.sub(r"(?m)(?<![\w./-])irsa(?= [a-z-])", ctx.find_root().info_name or "irsa", text)
        if text:
            formatter.write(f"\nExamples:\n{textwrap.indent(text, '  ')}\n")


class HelpedCommand(AsCalled):
    """A command with a short help, options under headings, and defaults in the project's file."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters, with `--help-all`; it is hidden if `--help` shows all options."""
        whole = click.Option(
            ["--help-all"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_all,
            hidden=self.name not in _COMMON,
            help="Show all options and exit.",
        )
        return [*super().get_params(ctx), whole]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help, or the short one: the summary, three examples and the common options."""
        if not _is_short(self, ctx):
            super().format_help(ctx, formatter)
            return
        self.format_usage(ctx, formatter)
        formatter.write(f"\n  {(self.help or '').partition(chr(10))[0]}\n")
        self.format_epilog(ctx, formatter)
        options = {option.name: option for option in self.get_params(ctx)}
        common = [options[name] for name in _COMMON[self.name or ""]]
        _write_options(common, "Common options", ctx, formatter)
        formatter.write(f"\nAll options: {ctx.command_path} --help-all, or irsa docs reference/commands\n")

    def known_as(self, args: Sequence[str]) -> str:
        """The name by which the environment and the project know the command on this line."""
        return self.name or ""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with ExitStack() as chosen:
            chosen.enter_context(chosen_file(self, args))
            if not extra.get("resilient_parsing") and not {"-h", "--help", "--help-all"} & set(args):
                from irsa_cli.core.values.errors import InvalidInput

                try:
                    extra.setdefault("default_map", project_defaults(self.known_as(args), self))
                except InvalidInput as error:
                    raise click.UsageError(str(error), parent) from error
            context = super().make_context(info_name, args, parent, **extra)
            context.call_on_close(chosen.pop_all().close)
            return context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; a flag that contradicts the environment, or the project, wins."""
        _check_options(ctx, own_words(args))
        remaining = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            settle(ctx)
        return remaining

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, options in option_headings(self, ctx).items():
            _write_options(options, heading, ctx, formatter)


def option_names(parameters: Iterable[click.Parameter]) -> set[str]:
    """All names of these options and arguments: `-n`, `--namespace`, `name`."""
    return set(chain.from_iterable(parameter.opts for parameter in parameters))


def _check_options(ctx: click.Context, words: Sequence[str]) -> None:
    """Raise for a long option with one dash, and for an option whose value is missing: click takes both."""
    names = option_names(ctx.command.params)
    for word in words:  # click reads `-cluster prod` as `-c luster prod`.
        name = word.partition("=")[0]
        if re.match("-[a-z]{3}", word) and f"-{name}" in names:
            raise click.NoSuchOption(name, ctx=ctx)
    names = option_names(ctx.command.get_params(ctx))  # With those for help.
    valued = option_names(option for option in ctx.command.params if not getattr(option, "is_flag", True))
    for word, value in pairwise(words):  # click takes the second option as the value of the first.
        if word in valued and value.startswith("-") and value.partition("=")[0] in names:
            message = f"Option '{word}' requires an argument; {value} is an option."
            raise click.BadOptionUsage(word, f"{message} Is a shell variable empty?", ctx)


def _write_options(
    options: Iterable[click.Parameter], heading: str, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    records = [*filter(None, (option.get_help_record(ctx) for option in options))]
    if records:
        with formatter.section(heading):
            formatter.write_dl(records)


def option_headings(command: click.Command, context: click.Context) -> dict[str, list[click.Option]]:
    """The options of a command by heading, its own first."""
    options: dict[str, list[click.Option]] = {heading: [] for heading in _HEADINGS}
    for param in command.get_params(context):
        if isinstance(param, click.Option):
            options[_HEADING.get(param.name or "", "Options")].append(param)
    return options


class HelpedGroup(AsCalled, click.Group):
    """A group of `HelpedCommand`s, which suggests close names."""

    command_class = HelpedCommand

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = alike(args[0], self.list_commands(ctx))
            if not near or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}. {near}", ctx) from error


def alike(text: str, names: Iterable[str], shown: Callable[[str], str | None] = lambda name: name) -> str:
    """A question about the names that are close to a text, or ''."""
    import difflib

    near = dict.fromkeys(map(shown, difflib.get_close_matches(text, list(names), n=2, cutoff=0.65)))
    return f"Did you mean {' or '.join(map(str, near))}?" if near else ""


def command_of(context: click.Context) -> str:
    """The command as it was called, without `irsa` (or `kubectl irsa`)."""
    return context.command_path.removeprefix(context.find_root().command_path).strip()


DOCUMENT = "it is a document: save it in a file"
"""The error of an option that takes a file, if its value is a document."""
