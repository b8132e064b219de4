"""Rewrites the output in a page's console blocks from real output.

    IRSA_WRITE_PAGES=1 pytest tests/docs/test_console.py

A line of the page that still stands for the line that is printed stays as it is, with its `…`. In a new line
the rest of the old one's `…` is kept where the words around it are the same; ids, days and times become `…`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import cache

from tests.docs.console import Block, Command, blocks, matches, printed, same

ANY = "…"
ALIKE = 0.55
"""How alike two lines are, at least, that one takes the place of the other."""
_CHANGING = re.compile(
    r"\d{8}T\d{9}Z-[0-9a-f]{8}(?:_[\w.@-]+)?"  # a transaction
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|\+00:00| UTC)?"
    r"|(?<=/id/)[0-9A-F]{32}|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b"
    r"|\bA[A-Z]{3}[A-Z0-9]{12,17}\b|(?<=127\.0\.0\.1:)\d+|(?<=sha256:)[0-9a-f]{12,64}|/tmp/[^\s,;)]+"
)
Emit = Callable[[str, str], str]


def refreshed(shown: str, actual: str, *, again: bool = False) -> str:
    """The output for the page; with `again`, where two runs differ is `…`."""
    if matches(shown, actual):
        return shown
    lines = aligned(
        shown.splitlines(),
        printed(actual),
        same,
        _alike,
        lambda old, new: _line(old, new, again=again),
    )
    return "".join(f"{line}\n" for line in lines)


def aligned(
    old: Sequence[str],
    new: Sequence[str],
    fits: Callable[[str, str], bool],
    alike: Callable[[str, str], float],
    replaced: Emit,
) -> list[str]:
    """The new units in order, with those of the old ones that still fit, and `…` for those it stood for."""

    @cache
    def best(i: int, j: int) -> tuple[float, str]:
        """The best score from here on, and the step that leads to it."""
        if i == len(old) and j == len(new):
            return 0.0, "end"
        ways = []
        if j < len(new):
            ways.append((best(i, j + 1)[0] - 1, "add"))
        if i < len(old):
            ways.append((best(i + 1, j)[0], "leave"))
        if i < len(old) and j < len(new):
            if old[i].strip() == ANY:
                ways.append((best(i, j + 1)[0] - 0.001, "within"))
            elif fits(old[i], new[j]):
                ways.append((best(i + 1, j + 1)[0] + 10, "keep"))
            elif (likeness := alike(old[i], new[j])) >= ALIKE:
                ways.append((best(i + 1, j + 1)[0] + 9 * likeness, "replace"))
        return max(ways)

    found: list[str] = []
    i = j = 0
    while (step := best(i, j)[1]) != "end":
        if step == "keep":
            found.append(old[i])
        elif step == "replace":
            found.append(replaced(old[i], new[j]))
        elif step == "add":
            found.append(replaced("", new[j]))
        elif step == "leave" and old[i].strip() == ANY:
            found.append(old[i])
        i += step in ("keep", "replace", "leave")
        j += step in ("keep", "replace", "add", "within")
    return found


def _alike(old: str, new: str) -> float:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= ALIKE else 0.0


def _line(old: str, new: str, *, again: bool) -> str:
    differs = 1.0 if again else 0.0
    parts = aligned(
        _words(old),
        _words(new),
        _fits,
        lambda *_: differs,
        lambda was, word: ANY if again and was else word,
    )
    line = _CHANGING.sub(ANY, "".join(parts))
    shorter = re.sub(r"…(?:[\s:.-]*…)+", ANY, line)
    return shorter if same(shorter, new) else line


def _fits(old: str, new: str) -> bool:
    return old == new if old.isspace() or new.isspace() else same(old, new)


def _words(line: str) -> list[str]:
    return re.findall(r"\s+|[^\s/='\"():,]+|[/='\"():,]", line)


def page(text: str, outputs: Sequence[tuple[str, int]], *, again: bool = False) -> str:
    """The page with the outputs, and exit codes, of all its commands in order."""
    found, at, left = "", 0, list(outputs)
    for block in blocks(text):
        if not isinstance(block, Block):
            continue
        shown: list[Command] = []
        for number, command in enumerate(block.commands):
            output, code = left.pop(0)
            shown.append(Command(command.text, refreshed(command.output, output, again=again), 0))
            asked = any(each.text == "echo $?" for each in block.commands[number + 1 : number + 2])
            if code and not asked:
                shown.append(Command("echo $?", f"{code}\n", 0))
        lines = [line for each in shown for line in _shown(each)]
        body = "".join(f"{block.indent}{line}".rstrip() + "\n" for line in lines)
        found += text[at : block.start] + body
        at = block.end
    return found + text[at:]


def _shown(command: Command) -> list[str]:
    first, *more = command.text.split("\n")
    return [f"$ {first}", *(f"> {line}" for line in more), *command.output.splitlines()]
