"""A command line that the parser rejects."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import click

from irsa_cli.cli.help.helping import option_names
from irsa_cli.cli.help.words import Correction, Line


@dataclass(frozen=True)
class Mistake:
    """The words of a line and the first error in it."""

    words: Line
    error: click.ClickException
    root: click.Context

    @property
    def message(self) -> str:
        """The mistake in the parser's words."""
        return self.error.message

    @cached_property
    def context(self) -> click.Context:
        """The command that rejects the line, or irsa itself."""
        context: click.Context | None = getattr(self.error, "ctx", None)
        return context or self.root

    @cached_property
    def commands(self) -> Sequence[str]:
        """The commands of irsa."""
        return commands_of(self.root)

    @cached_property
    def options(self) -> Sequence[str]:
        """The texts of the options of the command."""
        texts: list[str] = []
        for parameter in self.context.command.get_params(self.context):
            texts += [*parameter.opts, *parameter.secondary_opts]
        return texts

    @cached_property
    def arguments(self) -> Sequence[int]:
        """The places of the words that are neither options nor their values."""
        options = [option for option in self.context.command.params if isinstance(option, click.Option)]
        valued = option_names(option for option in options if not option.is_flag)
        places: list[int] = []
        for at, (before, word) in enumerate(pairwise(self.words), 1):
            if not word.startswith("-") and before not in valued:
                places.append(at)
        return places

    def has(self, *flags: str) -> bool:
        """Whether one of these options is in the line, apart from its value."""
        return not set(flags).isdisjoint(self.words)

    def with_words(self, at: int, *words: str) -> Line:
        """The line with these words in place of the one at a place."""
        return [*self.words[:at], *words, *self.words[at + 1 :]]


Rule = Callable[[Mistake], Correction]
"""A rule corrects one kind of mistake; it has no correction for others."""


def commands_of(context: click.Context) -> Sequence[str]:
    """The commands of a group in their order; none for a command."""
    return context.command.list_commands(context) if isinstance(context.command, click.Group) else []


def error_of(words: Sequence[str], root: click.Context) -> click.ClickException | None:
    """Parse a line without running it."""
    context = root
    remaining = [word for word in words if word not in ("-h", "--help", "--help-all")]
    try:
        with redirect_stderr(io.StringIO()):
            while isinstance(context.command, click.Group):
                name, command, remaining = context.command.resolve_command(context, remaining)
                if isinstance(command, click.Group):
                    context = click.Context(command, info_name=name, parent=context)
                elif command is not None:
                    with command.make_context(name, list(remaining), parent=context):
                        return None
    except click.ClickException as error:
        return error
    except (click.exceptions.Exit, click.Abort, IndexError):
        pass
    return None
