"""One run of irsa in this process: how it ended, and what is wrong with what it said.

What it is fed with is the business of the sorts: `lines`, `inputs`, `journals`, `answers`,
`readback`, `pods`.
"""

import io
import json
import os
import re
import shlex
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any
from unittest import mock

from irsa_cli.cli.main import run
from tests.support.stage import READ_ONLY

CODES = {0, 1, 2, 3, 4, 5, 6, 126, 127, 130}
DEADLINE = 90.0
"""Seconds that a run may take: none of those that are tried here has a reason to take five."""
_SECRETS = re.compile(
    r"k8s-aws-v1\.[\w-]{12,}|eyJ[\w-]{16,}\.[\w-]{16,}|Signature=[0-9a-f]{32,}"
    r"|Bearer [\w.-]{16,}|PRIVATE KEY-----"
)
_BUG = ("a bug in irsa", "InternalError")


class PastDeadline(BaseException):
    """A run took longer than it may; no `except Exception` stops it."""


@dataclass(frozen=True)
class Spoken:
    """How a run ended. `escaped` is the traceback of what came out of it, '' for none."""

    arguments: Sequence[str]
    code: int
    out: str
    err: str
    seconds: float
    late: bool = False
    escaped: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """The document on standard output, {} when there is none."""
        with suppress(ValueError):
            found = json.loads(self.out)
            if isinstance(found, dict):
                return found
        return {}


def words(line: str, **known: str) -> tuple[str, ...]:
    """The words of a command line: `$APP` in it is the ServiceAccount that all are about."""
    short = {"APP": "app -n apps -c demo", "S3": READ_ONLY, **known}
    return tuple(shlex.split(Template(line).safe_substitute(short)))


def irsa(arguments: Sequence[str], env: Mapping[str, str], *, stdin: bytes = b"") -> Spoken:
    """Run irsa to its end, in the folder at hand."""
    out, err = io.StringIO(), io.StringIO()
    started = time.monotonic()
    code, late, escaped = -1, False, ""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            with _deadline():
                code = run(list(arguments))
        except PastDeadline:
            late = True
        except (Exception, SystemExit):
            escaped = traceback.format_exc()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return Spoken(arguments, code, out.getvalue(), err.getvalue(), time.monotonic() - started, late, escaped)


@contextmanager
def _deadline() -> Iterator[None]:
    def over(_number: int, _frame: object) -> None:
        raise PastDeadline

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def flaws(spoken: Spoken, secrets: Sequence[str] = (), *, gives_secrets: bool = False) -> Iterator[str]:
    """The sorts of what is wrong with what a run said; `gives_secrets`: standard output is to have them."""
    said = spoken.out + spoken.err
    if spoken.late:
        yield "past its deadline"
        return
    if spoken.escaped or "Traceback" in said:
        yield "traceback"
        return
    if any(word in said for word in _BUG):
        yield "a bug in irsa"
    if spoken.code not in CODES:
        yield "exit code"
    shown = spoken.err if gives_secrets else said
    if _SECRETS.search(shown) or any(secret in shown for secret in secrets):
        yield "secret shown"
    for line in said.split("\n"):
        if not line.isprintable() or line.lstrip().startswith("::") or "##vso[" in line:
            yield "forged line"
            break


def secrets_in(folder: Path, secrets: Sequence[str]) -> bool:
    """Whether any file in a folder (that of the journals) has a secret in it."""
    texts = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    return any(_SECRETS.search(text) or any(secret in text for secret in secrets) for text in texts)


@dataclass
class Figures:
    """What came of many inputs."""

    sort: str
    inputs: int = 0
    found: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    cases: list[str] = field(default_factory=list)
    longest: float = 0.0

    def note(self, spoken: Spoken, wrong: Sequence[str], what: str) -> None:
        """Count a run, and remember how to get it again when something was wrong."""
        self.inputs += 1
        self.codes[spoken.code] += 1
        self.longest = max(self.longest, spoken.seconds)
        for name in wrong:
            self.found[name] += 1
        if wrong:
            print(f"{self.sort} {self.inputs}: {', '.join(wrong)}", file=sys.stderr)
            told = spoken.escaped or spoken.err or spoken.out
            self.cases.append(f"{', '.join(wrong)}: {what}\n    exit {spoken.code}: {told[-1500:]!r}")

    def lines(self) -> Iterator[str]:
        """The figures for people."""
        names = ("traceback", "a bug in irsa", "wrong claim", "secret shown", "past its deadline")
        rest = [name for name in self.found if name not in names]
        counted = "  ".join(f"{name} {self.found[name]}" for name in (*names, "forged line", *rest))
        codes = ", ".join(f"{code}: {number}" for code, number in sorted(self.codes.items()))
        yield f"{self.sort:<9} {self.inputs:>6} inputs  {counted}"
        yield f"{'':<9} exit codes {codes}; longest {self.longest:.1f} s"
