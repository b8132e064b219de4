"""The documentation's `console` blocks: found, run in a shell, compared with what the page shows.

A line that starts with `$ ` is a command, `> ` goes on with it, everything else is its output. In the
output `…` stands for anything within a line, a line of nothing but `…` for any lines, and a time such as
`0.4 s` or `"seconds": 0.4` for any time. Lines that tell of changes may come in another order. A command
that ends with another exit code than 0 must be followed by `$ echo $?`. Which sandbox it runs in is the
tests' business.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.support import forks

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<indent> *)```console\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_BEFORE = re.compile(r"^<!-- before: (.*) -->$", re.MULTILINE)
# In text that went through re.escape.
_TIME = re.compile(r"\b\d+(?:\\\.\d+)?(?=\\ s\b)|(?<=\"seconds\":\\ )\d+\\\.\d+")
_STEP = re.compile(r"  [-+~✓✗] [A-Z]")
SECONDS = 120


@dataclass(frozen=True)
class Command:
    """One command of a block, and the output that the page shows for it."""

    text: str
    output: str
    line: int


@dataclass(frozen=True)
class Shell:
    """Where commands run: a folder of their own, an environment, `irsa` and `python` on PATH."""

    folder: Path
    env: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path, env: Mapping[str, str]) -> Shell:
        """A shell in a fresh folder; nothing of the caller's AWS settings reaches through."""
        programs = folder / "bin"
        programs.mkdir()
        python = programs / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        work = folder / "work"
        work.mkdir()
        own = {
            "PATH": os.pathsep.join([str(programs), str(forks.programs()), os.environ["PATH"]]),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONUTF8": "1",
            "PYTHONPATH": str(ROOT),
            "IRSA_STATE_DIR": str(folder / "state"),
        }
        return cls(work, {**own, **env})

    def run(self, text: str, last: int = 0) -> tuple[str, int]:
        """Both streams' output and the exit code of a command; `last` is what `$?` holds before it."""
        ended = subprocess.run(
            ["bash", "-c", f"(exit {last})\n{text}"],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
            encoding="utf-8",
        )
        return ended.stdout, ended.returncode


def pages() -> list[Path]:
    """README.md and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def before(page: Path) -> list[str]:
    """The commands that a page wants run before its own: `<!-- before: COMMAND -->`."""
    return _BEFORE.findall(page.read_text(encoding="utf-8"))


def commands(page: Path) -> list[Command]:
    """All commands of a page's console blocks, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Command] = []
    for block in _FENCE.finditer(text):
        line = text[: block.start()].count("\n") + 2
        indent = len(block["indent"])
        found += _parse([shown[indent:] for shown in block["body"].splitlines()], line)
    return found


def _parse(lines: list[str], first: int) -> list[Command]:
    found: list[Command] = []
    for number, line in enumerate(lines, first):
        if line.startswith("$ "):
            found.append(Command(line[2:], "", number))
            continue
        assert found, f"line {number}: a console block starts with a command"
        last = found.pop()
        if line.startswith("> ") and not last.output:
            found.append(Command(f"{last.text}\n{line[2:]}", "", last.line))
        else:
            found.append(Command(last.text, f"{last.output}{line}\n", last.line))
    return found


_WAITING = re.compile(r"\s*… waiting for IAM to (?:show its newest|return its latest) state, ")


def matches(shown: str, actual: str) -> bool:
    """Whether the output is what the page shows."""
    pattern = "".join(_line(line) for line in _ordered(shown))
    text = "".join(f"{line.rstrip()}\n" for line in _ordered(actual))
    return re.fullmatch(pattern, text) is not None


def _ordered(output: str) -> list[str]:
    """The lines; progress lines that follow each other sorted, as changes of one stage are made at once."""
    found: list[str] = []
    # How long a machine takes decides whether a wait is told.
    told = [line for line in output.splitlines() if not _WAITING.match(line)]
    for is_step, lines in groupby(told, lambda line: _STEP.match(line) is not None):
        block = list(lines)
        found += sorted(block, key=lambda line: line.split()[:2]) if is_step else block
    return found


def _line(line: str) -> str:
    if line.strip() == "…":
        return r"(?:[^\n]*\n)*?"
    escaped = _TIME.sub(lambda _: r"\d+(?:\.\d+)?", re.escape(line.rstrip()))
    return escaped.replace("…", r"[^\n]*") + r"\n"
