"""One process measured, and one line of the report: what all benchmarks share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One process: wall-clock seconds and peak resident memory in MB."""

    seconds: float
    megabytes: float


def measure(command: Sequence[str], env: Mapping[str, str]) -> Measured:
    """Run a command to its end, which must be 0."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.decode()}")
    return Measured(seconds, usage.ru_maxrss / 1024)


def report(what: str, value: str, limit: str, *, holds: bool) -> bool:
    """Print one line; returns whether the limit holds."""
    print(f"{'ok  ' if holds else 'MISS'}  {what:<52} {value:>16}   limit {limit}")
    return holds


def irsa() -> str:
    """The command as it is installed beside this Python."""
    return str(Path(sys.executable).with_name("irsa"))
