"""The documentation's `console` blocks: found, run in a shell, compared with the page.

A line that starts with `$ ` is a command, a line with `> ` continues it, all other lines are its output. In
the output `…` stands for anything within a line, a line of nothing but `…` for any lines, and a time such as
`0.4 s` or `"seconds": 0.4` for any time. A command that ends with another exit code than 0 must be followed
by `$ echo $?`.

A page is run as a reader runs it: all commands in one shell, from top to bottom. A block with a title is a
file, and is written when the reader comes to it. If the first command is `irsa sandbox run`, the rest of the
page runs in the shell that it starts.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import TracebackType

from tests.faults.zygote import HURRIED
from tests.support import forks

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<indent> *)```console\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r'^```\w+ title="(?P<name>[^"\n]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
_BEFORE = re.compile(r"^<!-- before: (.*) -->$", re.MULTILINE)
# In text that went through re.escape.
_TIME = re.compile(r"\b\d+(?:\\\.\d+)?(?=\\ s\b)|(?<=\"seconds\":\\ )\d+\\\.\d+")
_STEP = re.compile(r"  [-+~✓✗] [A-Z]")
_SHELL = re.compile(r"irsa sandbox run\b(?!.* -- )")
"""A command that starts a shell, which runs the rest of the page."""
SECONDS = 300


@dataclass(frozen=True)
class Command:
    """One command of a block, and the output that the page shows for it."""

    text: str
    output: str
    line: int


@dataclass(frozen=True)
class File:
    """A file that a page shows in full."""

    name: str
    text: str


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
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
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
            "SHELL": "/bin/bash",
            HURRIED: "1",
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


class Session:
    """One shell that a page's commands are typed into, one after another."""

    _END = "\x1e"

    def __init__(self, shell: Shell) -> None:
        self.folder = shell.folder
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=shell.folder,
            env=dict(shell.env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._timer = threading.Timer(SECONDS, self._kill)
        self._timer.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the shells, which ends a sandbox that the page has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._timer.cancel()

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)

    def run(self, text: str) -> tuple[str, int]:
        """Both streams' output and the exit code of a command; what it sets stays for those after it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Without the braces, a command that reads its standard input would read the commands after it.
        typed = text if _SHELL.match(text) else f"{{ (exit ${{__code:-0}})\n{text}\n}} < /dev/null"
        self._process.stdin.write(f"{typed}\n__code=$?; printf '{self._END}%s\\n' $__code\n".encode())
        self._process.stdin.flush()
        output = b""
        while not output.endswith(b"\n") or self._END.encode() not in output:
            line = self._process.stdout.readline()
            assert line, f"{text}\nended the shell, or took too long\n{output.decode()}"
            output += line
        shown, _, code = output.decode().rpartition(self._END)
        return shown, int(code)


def pages() -> list[Path]:
    """README.md and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def before(page: Path) -> list[str]:
    """The commands that a page wants run before its own: `<!-- before: COMMAND -->`."""
    return _BEFORE.findall(page.read_text("utf-8"))


@dataclass(frozen=True)
class Block:
    """A `console` block: where its body is in the page, how far it is indented, and its commands."""

    start: int
    end: int
    indent: str
    commands: list[Command]


def blocks(text: str) -> Iterator[Block | File]:
    """The console blocks and the files of a page, in order."""
    found = [(block.start(), block) for pattern in (_FENCE, _FILE) for block in pattern.finditer(text)]
    for start, block in sorted(found, key=lambda item: item[0]):
        if block.re is _FILE:
            yield File(block["name"], block["text"])
            continue
        indent = block["indent"]
        shown = [line[len(indent) :] for line in block["body"].splitlines()]
        yield Block(*block.span("body"), indent, _parse(shown, text[:start].count("\n") + 2))


def commands(page: Path) -> list[Command]:
    """All commands of a page's console blocks, in order."""
    found = blocks(page.read_text("utf-8"))
    return [command for block in found if isinstance(block, Block) for command in block.commands]


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


_WAITING = re.compile(r"\s*… waiting for IAM to (?:show its newest|return its latest) state[,:] ")


def matches(shown: str, actual: str) -> bool:
    """Whether the output is what the page shows. Changes of one stage run at once, and end in any order."""
    pattern = "".join(_line(line) for line in _ordered(shown.splitlines()))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _ordered(printed(actual)))) is not None


def _ordered(lines: list[str]) -> list[str]:
    found: list[str] = []
    for is_step, block in groupby(lines, lambda line: _STEP.match(line) is not None):
        found += sorted(block, key=lambda line: line.split()[:2]) if is_step else block  # noqa: B031
    return found


def printed(output: str) -> list[str]:
    """The lines of an output. How long a machine takes decides whether a wait is shown: it is left out."""
    return [line.rstrip() for line in output.splitlines() if not _WAITING.match(line)]


def same(shown: str, actual: str) -> bool:
    """Whether one line of a page stands for this line of an output."""
    return re.fullmatch(_line(shown), f"{actual}\n") is not None


def _line(line: str) -> str:
    if line.strip() == "…":
        return r"(?:[^\n]*\n)*?"
    escaped = _TIME.sub(lambda _: r"\d+(?:\.\d+)?", re.escape(line.rstrip()))
    return escaped.replace("…", r"[^\n]*") + r"\n"
