"""What all measures share: running a process, counting round trips, printing a line with its limit.

What is measured is in the other modules of this folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from irsa_cli.sandbox import Call, Sandbox

LATENCY = 0.060
"""Seconds that each call takes longer where the way to AWS is measured."""


_METER = """
import json, os, sys, time
started = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, used = os.wait4(child, 0)
seconds, code = time.perf_counter() - started, os.waitstatus_to_exitcode(status)
print(json.dumps([code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""A small parent: the memory of a process begins with that of its parent."""


@dataclass(frozen=True)
class Measured:
    """One process: seconds by the clock and of the processor, and peak resident memory in MB."""

    seconds: float
    processor: float
    megabytes: float


def measure(command: Sequence[str], env: Mapping[str, str], code: int = 0) -> Measured:
    """Run a command to its end, which must be this exit code."""
    meter = [sys.executable, "-I", "-S", "-c", _METER, *command]
    ended = subprocess.run(meter, env=dict(env), capture_output=True, text=True, check=True)
    found, *measured = json.loads(ended.stdout)
    if found != code:
        raise SystemExit(f"{' '.join(command)} failed:\n{ended.stderr}")
    return Measured(*measured)


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
