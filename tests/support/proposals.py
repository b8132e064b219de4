"""Whether the next steps of an error can be followed: each command and flag is one that irsa has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

import click

from irsa_cli.cli.main import irsa

_COMMAND = re.compile(r"\birsa (?!\.\.\.)[^#`]*[^#`\s]")


def check_steps(steps: Iterable[str], command: str) -> list[list[str]]:
    """The commands in the steps, each parsed by irsa's own parser; `command` is the one that failed.

    A flag outside of them is for that command, which must have it.
    """
    found = []
    for step in steps:
        for match in _COMMAND.finditer(step):
            words = shlex.split(match[0])[1:]
            _parse(words)
            found.append(words)
        rest = _COMMAND.sub("", re.sub(r"\b(?:aws|kubectl) .*", "", step))
        unknown = set(re.findall(r"--[\w-]+", rest)) - set(_options(command))
        assert not unknown, f"irsa {command} does not have {unknown}: {step}"
    return found


def _parse(words: list[str]) -> None:
    parent = click.Context(irsa, info_name="irsa")
    name, found, left = irsa.resolve_command(parent, words)
    assert found is not None, words
    found.make_context(name, left, parent=parent)


def _options(command: str) -> Iterator[str]:
    found = irsa.get_command(click.Context(irsa), command)
    assert found is not None
    for parameter in found.params:
        yield from parameter.opts
