"""Values that a command reads after click: lists, pairs, explanations, and errors as click reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import click

from irsa_cli.cli.help.helping import alike
from irsa_cli.cli.output.report import DOCUMENTS
from irsa_cli.core.values.errors import InvalidInput

T = TypeVar("T")


@contextmanager
def wrong_usage(hint: str = "") -> Iterator[None]:
    """Turn an invalid value into click's error about the option `hint`."""
    try:
        yield
    except InvalidInput as error:
        if hint:
            raise click.BadParameter(str(error), param_hint=hint) from error
        raise click.UsageError(str(error)) from error


def explained(identifier: str, known: Mapping[str, T], noun: str, output: str) -> list[T]:
    """The rules or causes of --explain: one by its id, or 'all'. `noun` is what they are."""
    if identifier != "all" and identifier not in known:
        hint = alike(identifier, known) or "To list them: --explain all"
        raise click.BadParameter(f"there is no {noun} '{identifier}'. {hint}", param_hint="--explain")
    if output not in ("text", "name", *DOCUMENTS):
        raise click.UsageError("--explain needs -o text, json or yaml")
    return list(known.values()) if identifier == "all" else [known[identifier]]


def pairs(flag: str, values: Sequence[str], *, split: bool = False) -> dict[str, str]:
    """`key=value` texts as a dict; with `split` one text may hold several, separated by commas."""
    texts = list(values)
    if split:
        for text in values:
            if text.startswith(("{", "Key=")):  # JSON, and the form of the AWS CLI.
                raise click.BadParameter(f"'{text}' is not KEY=VALUE", param_hint=flag)
        texts = ",".join(values).split(",")
    result: dict[str, str] = {}
    for text in filter(None, texts):
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{text}' is not KEY=VALUE", param_hint=flag)
        if result.get(key, value) != value:
            raise click.BadParameter(f"'{key}' is given twice, with different values", param_hint=flag)
        result[key] = value
    return result


def listed(values: Sequence[str]) -> tuple[str, ...]:
    """The values of a repeated flag or a comma-separated list, each once, in order."""
    texts = (text.strip() for text in ",".join(values).split(","))
    return tuple(dict.fromkeys(filter(None, texts)))


def edits(flag: str, values: tuple[str, ...]) -> dict[str, str | None]:
    """`key=value` sets a key, `key-` removes it (None), as in kubectl."""
    result: dict[str, str | None] = {}
    for text in values:
        key, equals, value = text.partition("=")
        removes = not equals and key.endswith("-")
        if not (equals or removes) or not key.rstrip("-"):
            raise click.BadParameter(f"'{text}' is neither KEY=VALUE nor KEY-", param_hint=flag)
        new_value: str | None = value
        if removes:
            key = key[:-1]
            new_value = None
        if result.get(key, new_value) != new_value:
            raise click.BadParameter(f"'{key}' is given twice, with different values", param_hint=flag)
        result[key] = new_value
    return result
