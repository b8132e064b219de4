"""Corrections of options: the names of other tools, and options that a command does not need."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import click

from irsa_cli.cli.help.mistake import Mistake, Rule
from irsa_cli.cli.help.words import FILE_COMMANDS, FILE_OPTIONS, WORDS, Correction, Line, for_files

_MEANINGS = {meaning for meanings in WORDS["options"].values() for meaning in meanings}
_NAMESPACE = ("-n", "--namespace")
_NEEDLESS = {
    "recover": ("--name",),
    "init": ("-o", "--output"),
    "export": ("-o", "--output"),
    **dict.fromkeys(("audit", "who-can", "lint", "history"), _NAMESPACE),
}
"""Options of others that a command does not need: it prints one form, or reads all namespaces."""
_WITHOUT_OPTIONS = ("docs", "version")
_MANIFESTS = (".yaml", ".yml", ".json")


def _two_dashes(mistake: Mistake) -> Correction:
    """`-cluster prod`: a long option has two dashes."""
    known = {*mistake.options, *WORDS["options"]}
    dashed: Line = []
    for word in mistake.words:
        is_long = re.match("-[a-z]{3}", word) and f"-{word.partition('=')[0]}" in known
        dashed.append(f"-{word}" if is_long else word)
    return dashed


def _before_a_program(mistake: Mistake) -> Correction:
    """`exec app aws s3 ls`: dashes stand before the program."""
    words = mistake.words
    if words[0] != "exec" or len(mistake.arguments) < 2:
        return None
    program = mistake.arguments[1]
    return [*words[:program], "--", *words[program:]]


OF_A_COMMAND: list[Rule] = [_two_dashes, _before_a_program]
"""Corrections of every line with a known command."""


def flag_without_value(mistake: Mistake) -> Correction:
    """`--dry-run=client`: the option has no value."""
    if not isinstance(mistake.error, click.BadOptionUsage):
        return None
    name = mistake.error.option_name
    return [name if word.startswith(f"{name}=") else word for word in mistake.words]


@dataclass(frozen=True)
class _Option:
    """An option that the command does not have: its name, place, and its value in the same word."""

    mistake: Mistake
    at: int
    name: str

    @property
    def command(self) -> str:
        return self.mistake.words[0]

    @property
    def suffix(self) -> str:
        """`=VALUE`, or ''."""
        return self.mistake.words[self.at][len(self.name) :]

    @property
    def meanings(self) -> list[str]:
        """The options of irsa that it may mean."""
        return WORDS["options"].get(self.name if self.name.startswith("--") else f"-{self.name}", [])

    def renamed(self, name: str) -> Line:
        return self.mistake.with_words(self.at, name + self.suffix)

    def removed(self, has_value: bool = False) -> Line:
        """The line without it; `has_value` if the next word is its value."""
        after = self.at + 2 if has_value and not self.suffix else self.at + 1
        return [*self.mistake.words[: self.at], *self.mistake.words[after:]]


def unknown_option(mistake: Mistake) -> Correction:
    """The line with an option of the command in place of one that it does not have, or without it."""
    error = mistake.error
    if not isinstance(error, click.NoSuchOption):
        return None
    names = [word.partition("=")[0] for word in mistake.words]
    name = error.option_name
    for whole in names:  # Of a short option with letters after it, click reports the first letter.
        if whole in WORDS["dropped"] and whole.startswith(name):
            name = whole
            break
    if name not in names:
        return None
    option = _Option(mistake, names.index(name), name)
    for correct in _CORRECTIONS:
        line = correct(option)
        if line is not None:
            return line
    return None


def _in_all_folders(option: _Option) -> Correction:
    """`-R`: each folder below those of `-f`, which irsa reads without the folders in them."""
    if option.name not in ("-R", "--recursive"):
        return None
    line: Line = []
    for before, word in pairwise(["", *option.removed()]):
        line.append(word)
        if option.command not in FILE_COMMANDS or before not in FILE_OPTIONS:
            continue
        for folder, below, files in os.walk(word):
            below.sort()
            if folder != word and any(file.endswith(_MANIFESTS) for file in files):
                line += ["-f", folder]
    return line


def _of_files(option: _Option) -> Correction:
    """`create-sa -f app.yaml`: the command that takes files; `lint` and `show` take them as arguments."""
    if option.name not in FILE_OPTIONS:
        return None
    return option.removed() if option.command in ("lint", "show") else for_files(option.mistake.words)


def _as_irsa_has_it(option: _Option) -> Correction:
    """`--eks-cluster prod`: the option of this meaning."""
    for meaning in option.meanings:
        if meaning.partition("=")[0] in option.mistake.options:
            return option.renamed(meaning)
    return None


def _deletion_of_one(option: _Option) -> Correction:
    """`delete app -n shop`: `delete` deletes what files have, `delete-sa` one ServiceAccount."""
    if option.command != "delete" or option.name not in _NAMESPACE:
        return None
    return ["delete-sa", *option.mistake.words[1:]]


def _without_needless(option: _Option) -> Correction:
    """`--wait`, `--color never`: options without a meaning in irsa, or in this command."""
    if option.name in _NEEDLESS.get(option.command, ()):
        return option.removed(has_value=True)
    kinds = WORDS["dropped"].get(option.name, [])
    if kinds or option.command in _WITHOUT_OPTIONS:
        return option.removed(has_value="value" in kinds)
    return None


def _creation_with_role(option: _Option) -> Correction:
    """`update-sa app --attach-role-arn ARN`: `create-sa` replaces the role."""
    if (option.command, option.name) != ("update-sa", "--attach-role-arn"):
        return None
    return ["create-sa", *option.mistake.words[1:], "--override-existing-serviceaccounts"]


def _nearest(option: _Option) -> Correction:
    """`--clustr prod`: the option whose name is nearest, unless the name means another."""
    if option.meanings or option.name in _MEANINGS:
        return None
    near = difflib.get_close_matches(option.name, option.mistake.options, n=1, cutoff=0.75)
    return option.renamed(near[0]) if near else None


_CORRECTIONS: tuple[Callable[[_Option], Correction], ...] = (
    _in_all_folders,
    _of_files,
    _as_irsa_has_it,
    _deletion_of_one,
    _without_needless,
    _creation_with_role,
    _nearest,
)
