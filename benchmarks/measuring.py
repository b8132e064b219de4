"""What all measures share: running a process, counting round trips, printing a line with its limit.

What is measured is in the other modules of this folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from irsa_cli.sandbox import Call, Sandbox

LATENCY = 0.060
"""Seconds that each call takes longer where the way to AWS is measured."""


@dataclass(frozen=True)
class Measured:
    """One process: wall-clock seconds and peak resident memory in MB."""

    seconds: float
    megabytes: float


def measure(command: Sequence[str], env: Mapping[str, str], code: int = 0) -> Measured:
    """Run a command to its end, which must be this exit code."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.decode()}")
    return Measured(seconds, usage.ru_maxrss / 1024)


def alone(results: Callable[[Sandbox, Mapping[str, str]], list[bool]]) -> int:
    """Measure one part, with the cluster's provider there; 1 when a limit does not hold."""
    keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as state:
        env = {**keep, **sandbox.env(), "IRSA_STATE_DIR": state}
        measure([irsa(), "associate-oidc", "-c", "demo"], env)
        return 0 if all(results(sandbox, env)) else 1


def report(what: str, value: str, limit: str, *, holds: bool) -> bool:
    """Print one line; returns whether the limit holds."""
    print(f"{'ok  ' if holds else 'MISS'}  {what:<52} {value:>16}   limit {limit}")
    return holds


def sequential(calls: Sequence[Call]) -> int:
    """The longest chain of calls each of which started after the one before had ended.

    The token review that the cluster's API makes of us is its own affair, not a call of ours.
    """
    chain, ended = 0, float("-inf")
    for call in sorted(calls, key=lambda item: item.ended):
        if call.started >= ended:
            chain, ended = chain + 1, call.ended
    return chain


def irsa() -> str:
    """The command as it is installed beside this Python."""
    return str(Path(sys.executable).with_name("irsa"))
