"""The line that a user of eksctl, kubectl or Terraform probably meant. irsa shows it and does not run it.

A line is corrected step by step: the parser says what is wrong (`Mistake`), the first rule that knows this
mistake corrects it, and the parser judges the corrected line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import pairwise

import click

from irsa_cli.cli.help import commands, options, values
from irsa_cli.cli.help.environment import own_words
from irsa_cli.cli.help.mistake import Mistake, Rule, error_of
from irsa_cli.cli.help.words import FILE_COMMANDS, Correction, Line, as_typed, without

_MOST_CORRECTIONS = 20


def line_meant(error: click.ClickException, words: Sequence[str], root: click.Context) -> str:
    """The line that was probably meant, quoted for a shell, or ''."""
    own = list(own_words(words))
    program = list(words[len(own) :])
    return _from_a_pipe(own, error, root) or " && ".join(
        _shown(line, root) for line in _lines_meant(error, own, program, root)
    )


def _shown(words: Line, root: click.Context) -> str:
    return f"{root.info_name} {shlex.join(words)}"


def _from_a_pipe(words: Line, error: click.ClickException, root: click.Context) -> str:
    """The line that reads from a pipe what irsa does not read itself: a kustomization, a URL."""
    for before, word in pairwise(words):
        if before in ("-k", "--kustomize") and words[0] in FILE_COMMANDS:
            line = [*without(words, before), "-f", "-"]
            return f"kustomize build {shlex.quote(word)} | {_shown(line, root)}"
        if re.match("https?://", word) and "can't be read" in error.message:
            line = ["-" if argument == word else argument for argument in words]
            return f"curl -fsSL {shlex.quote(word)} | {_shown(line, root)}"
    return ""


def _lines_meant(
    error: click.ClickException, own: Line, program: Line, root: click.Context
) -> Sequence[Line]:
    """The corrected line, or several that do together what it should; none if no rule knows the mistake.

    `program` is what follows `--`: it is not irsa's to correct.
    """
    words = as_typed(own)
    mistaken: click.ClickException | None = error
    if words != own:
        mistaken = error_of([*words, *program], root)
    for _ in range(_MOST_CORRECTIONS):
        if mistaken is None:
            break
        better = _corrected(Mistake(words, mistaken, root))
        if better is None:
            break
        words = better
        mistaken = error_of([*words, *program], root)
    if mistaken is not None and not program:
        several = _one_by_one(Mistake(words, mistaken, root))
        if several:
            return several
    return [] if words == own else [[*words, *program]]


def _corrected(mistake: Mistake) -> Correction:
    """The line with one mistake less; None if no rule knows the mistake."""
    if not mistake.words:
        return None
    for rule in (*commands.RULES, *_rules_for(mistake)):
        line = rule(mistake)
        if line and line != mistake.words:
            return line
    return None


def _rules_for(mistake: Mistake) -> Sequence[Rule]:
    """The rules for this kind of mistake, in the order in which they are tried."""
    if isinstance(mistake.error, click.BadOptionUsage):
        return [options.flag_without_value]
    if isinstance(mistake.context.command, click.Group):
        return commands.OF_A_GROUP
    if isinstance(mistake.error, click.NoSuchOption):
        return [*options.OF_A_COMMAND, options.unknown_option]
    if values.EXTRA.match(mistake.message):
        return [*options.OF_A_COMMAND, *values.OF_EXTRA_ARGUMENTS]
    if values.wrong_parameter(mistake) is not None:
        return [*options.OF_A_COMMAND, *values.OF_A_PARAMETER]
    return [*options.OF_A_COMMAND, *values.OF_THE_LINE]


def _one_by_one(mistake: Mistake) -> Sequence[Line]:
    """A line for each argument of a command that takes one, or for each name of a list."""
    words = mistake.words
    listed = re.match(r"'([^']+)' is a list", mistake.message)
    if listed:
        names = [name for name in re.split(r"[,\s]+", listed[1]) if name]
        return [_replaced(words, listed[1], name) for name in names]
    command = mistake.context.command
    if not values.EXTRA.match(mistake.message) or [command.name] != words[:1]:
        return []
    if sum(isinstance(parameter, click.Argument) for parameter in command.params) != 1:
        return []
    return [_with_one_argument(mistake, place) for place in mistake.arguments]


def _replaced(words: Line, text: str, replacement: str) -> Line:
    return [word.replace(text, replacement) for word in words]


def _with_one_argument(mistake: Mistake, own: int) -> Line:
    """The line without the other arguments."""
    places = enumerate(mistake.words)
    return [word for place, word in places if place == own or place not in mistake.arguments]
