"""The next steps that a run prints, and whether irsa can read its own commands among them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import click

from irsa_cli.cli.main import COMMANDS
from irsa_cli.cli.main import irsa as group

_COMMAND = re.compile(rf"(?:^|: |\()(irsa (?:{'|'.join(COMMANDS)})(?: .*)?)$")
_PLACEHOLDER = re.compile("(?!ARN$)[A-Z][A-Z-]+")
_END = re.compile(r" +# |; |, (?=[a-z])|(?<! )\)")


def commands(steps: Iterable[str]) -> Iterator[str]:
    """The commands of irsa in next steps, without the comments behind them."""
    for step in steps:
        for line in step.split("\n"):
            found = _COMMAND.search(line)
            if found and not _is_sentence(found[1]):
                whole = found[1]
                yield whole if not unreadable(whole) else _END.split(whole)[0]


def _is_sentence(text: str) -> bool:
    """Whether a text is about a command, or leaves words of it to the reader (NAME)."""
    return any(word in ("does", "shows", "as") or _PLACEHOLDER.fullmatch(word) for word in text.split())


def steps_in_text(text: str) -> Iterator[str]:
    """The next steps of an error in text: after `Next:`, in its line or indented below it."""
    below = False
    for line in text.split("\n"):
        first = line.startswith("Next:")
        below = first or (below and line.startswith("  "))
        if below:
            yield line.removeprefix("Next:").strip()


def steps_in_document(value: Any) -> Iterator[str]:
    """The next steps anywhere in a document."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "next" and isinstance(item, list):
                yield from (step for step in item if isinstance(step, str))
            else:
                yield from steps_in_document(item)
    elif isinstance(value, list):
        for item in value:
            yield from steps_in_document(item)


def unreadable(command: str) -> str:
    """Why irsa refuses to read a command, '' if it does not. Nothing is run."""
    try:
        words = shlex.split(command)[1:]
    except ValueError as error:
        return str(error)
    if "--" in words:
        words = words[: words.index("--") + 2]
    try:
        parent = click.Context(group, info_name="irsa")
        name, current, rest = group.resolve_command(parent, words)
        assert current is not None
        while isinstance(current, click.Group) and rest and not rest[0].startswith("-"):
            name, current, rest = current.resolve_command(click.Context(current, info_name=name), rest)
            assert current is not None
        current.make_context(name, list(rest), parent=click.Context(group))
    except click.exceptions.Exit:
        return ""
    except click.UsageError as error:
        return error.format_message()
    return ""


_ANYWHERE = re.compile(r"\birsa (?!\.\.\.)[^#`]*[^#`\s]")


def check_steps(steps: Iterable[str], command: str) -> list[list[str]]:
    """The words of the commands in the steps, each readable by irsa; `command` is the one that failed.

    A flag outside of them is for that command, which must have it.
    """
    proposed = []
    for step in steps:
        for match in _ANYWHERE.finditer(step):
            assert not unreadable(match[0]), f"{match[0]}: {unreadable(match[0])}"
            proposed.append(shlex.split(match[0])[1:])
        rest = _ANYWHERE.sub("", re.sub(r"\b(?:aws|kubectl) .*", "", step))
        unknown = set(re.findall(r"--[\w-]+", rest)) - set(_options(command))
        assert not unknown, f"irsa {command} does not have {unknown}: {step}"
    return proposed


def _options(command: str) -> Iterator[str]:
    failed = group.get_command(click.Context(group), command)
    assert failed is not None
    for parameter in failed.params:
        yield from parameter.opts
