"""Options that contradict each other: data next to the fields of a command, and one function that checks it.

A rule names the fields of the class. A flag counts as given if its value is neither empty, False nor None.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import click

from irsa_cli.cli.options.fields import flags_of, values_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
OptionsT = TypeVar("OptionsT", bound="DataclassInstance")


@dataclass(frozen=True)
class Excludes:
    """With `flag`, none of `excluded` may be given, unless `unless` is given."""

    flag: str
    excluded: tuple[str, ...]
    message: str = "{flag} and {other} contradict each other"
    unless: str = ""

    def broken(self, flags: Collection[str], texts: Mapping[str, str]) -> str | None:
        """The message about the first flag that contradicts; `flags` are those that are given."""
        if self.flag not in flags or self.unless in flags:
            return None
        for name in self.excluded:
            if name in flags:
                return self.message.format(flag=texts[self.flag], other=texts[name])
        return None


@dataclass(frozen=True)
class Needs:
    """None of `flags` may be given without `needed`."""

    flags: tuple[str, ...]
    needed: str
    message: str = "{flag} needs {needed}"

    def broken(self, flags: Collection[str], texts: Mapping[str, str]) -> str | None:
        """The message about the first flag that needs it; `flags` are those that are given."""
        if self.needed in flags:
            return None
        for name in self.flags:
            if name in flags:
                return self.message.format(flag=texts[name], needed=texts[self.needed])
        return None


@dataclass(frozen=True)
class Wrong(Generic[T]):
    """The options are wrong if `when` is true of them."""

    when: Callable[[T], object]
    message: str


Rule = Excludes | Needs | Wrong[T]


def check(options: OptionsT, rules: Iterable[Rule[OptionsT]]) -> None:
    """Raise `UsageError` for the first rule that the options break."""
    texts = {name: flag.text for name, flag in flags_of(type(options))}
    flags = {name for name, value in values_of(options) if value}
    for rule in rules:
        if isinstance(rule, Wrong):
            message = rule.message if rule.when(options) else None
        else:
            message = rule.broken(flags, texts)
        if message is not None:
            raise click.UsageError(message)
