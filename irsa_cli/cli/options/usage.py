"""Errors of the command line about a value: what core refuses, as click reports it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def explained(identifier: str, known: Mapping[str, T], what: str, output: str) -> list[T]:
    """The rules or causes of --explain: one by its id, or 'all'."""
    if identifier != "all" and identifier not in known:
        hint = alike(identifier, known) or "To list them: --explain all"
        raise click.BadParameter(f"there is no {what} '{identifier}'. {hint}", param_hint="--explain")
    if output not in ("text", "name", *DOCUMENTS):
        raise click.UsageError("--explain needs -o text, json or yaml")
    return list(known.values()) if identifier == "all" else [known[identifier]]
