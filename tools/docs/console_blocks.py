"""An extension of Python-Markdown: shows a `console` block as commands to copy, and what they print.

In the pages' sources a block marked `console` holds commands after the prompts `$ ` and `> `, and their
output (tests/docs/console.py runs them). Readers get the commands without prompts and highlighted, the
output as a block of its own without a copy button, and `echo $?` with its number as one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

_FENCE = re.compile(r"^(?P<indent> *)```console\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_EXIT_CODE = "echo $?"
COMMAND, OUTPUT, EXIT_CODE = "command", "output", "exit-code"


class ConsoleBlocks(Extension):
    """Splits `console` blocks before other extensions see the page."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name that Markdown calls)
        """Put it between the reading of lines (30) and of fenced blocks (25)."""
        md.preprocessors.register(_Splitter(md), "console_blocks", 27)


class _Splitter(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        return split("\n".join(lines)).split("\n")


def makeExtension(**settings: object) -> ConsoleBlocks:  # noqa: N802 (the name that Markdown calls)
    """The extension, as Markdown asks a module for it."""
    return ConsoleBlocks(**settings)


def split(markdown: str) -> str:
    """The page, with each `console` block in its parts."""
    return _FENCE.sub(_shown, markdown)


def _shown(block: re.Match[str]) -> str:
    indent = block["indent"]
    lines = [line.removeprefix(indent) for line in block["body"].splitlines()]
    shown = "\n\n".join(_fenced(kind, list(text)) for kind, text in _parts(lines))
    return "\n".join(f"{indent}{line}" if line else "" for line in shown.splitlines())


def _parts(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The block's parts in order: each a kind and its lines, without prompts."""
    for kind, found in groupby(_kinds(lines), lambda line: line[0]):
        yield kind, [text for _, text in found]


def _kinds(lines: list[str]) -> Iterator[tuple[str, str]]:
    within_command = asked = False
    for line in lines:
        if line == f"$ {_EXIT_CODE}":
            asked = True
        elif asked:
            yield EXIT_CODE, line
            asked = within_command = False
        elif line.startswith("$ ") or (within_command and line.startswith("> ")):
            yield COMMAND, line[2:]
            within_command = True
        else:
            yield OUTPUT, line
            within_command = False


def _fenced(kind: str, lines: list[str]) -> str:
    if kind == EXIT_CODE:
        return f"Exit code {lines[0]}\n{{ .exit-code }}"
    mark = ".sh .command" if kind == COMMAND else ".text .output .no-copy"
    return "\n".join([f"``` {{ {mark} }}", *lines, "```"])
