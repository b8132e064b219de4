"""A run of irsa in the test's own process, with streams, environment, folder and signals of its own.

It costs seven tenths of the processor's time of a fork. Where something happens to a run (a fault, a signal,
another run beside it), or where a command is about processes, it has its own: see `tests.support.forks`.
"""

import contextvars
import faulthandler
import gc
import importlib
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from irsa_cli.aws import recent_writes
from irsa_cli.changes import trust_statement
from irsa_cli.cli.main import run as irsa
from irsa_cli.sandbox import Sandbox
from irsa_cli.usecases.command import execute
from tests.faults.zygote import open_streams, shorten_pauses, skip_waits_for_late_writes

_OF_PROCESSES = {"exec", "sandbox", "completion"}
"""Commands that start or become another process."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP)
_BUSY = threading.Lock()
_LONGEST_SECONDS = 300
"""A run that takes longer hangs: this process ends, so that its test is named, and not CI's time limit."""


def can_run(arguments: Sequence[str], sandbox: Sandbox) -> bool:
    """Whether a run may be here: the only one, and nothing that is armed happens to it."""
    return (
        threading.current_thread() is threading.main_thread()
        and not _BUSY.locked()
        and not _OF_PROCESSES.intersection(arguments[:1])
        and all(armed.over for armed in sandbox.faults._armed)
        and sandbox._exchange.listen is None
    )


def run(
    arguments: Sequence[str], env: Mapping[str, str], folder: Path, stdin: str = ""
) -> tuple[int, str, str]:
    """Run irsa; returns its exit code and what it printed to standard output and error."""
    with ExitStack() as stack:
        stack.enter_context(_BUSY)
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        stack.enter_context(_process_restored())
        shorten_pauses(env, patch.setattr)
        skip_waits_for_late_writes(env, patch.setattr)
        kube_config = importlib.import_module("kubernetes.config.kube_config")
        location = env.get("KUBECONFIG", "~/.kube/config")
        patch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", location)
        stack.enter_context(_environment(env, folder))
        stack.enter_context(_streams(stdin, out, err))
        forget_runs()
        patch.setattr(sys, "argv", ["irsa", *arguments])
        faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)
        stack.callback(faulthandler.cancel_dump_traceback_later)
        try:
            code = contextvars.copy_context().run(irsa)
        except KeyboardInterrupt as stop:
            code = 128 + (stop.args[0] if stop.args else int(signal.SIGINT))
        sys.stdout.flush()
        sys.stderr.flush()
        return code, _text(out), _text(err)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()


def forget_runs() -> None:
    """Forget what earlier runs of this process have seen and begun: it would make a later one wait."""
    recent_writes._young.clear()
    recent_writes._expected.clear()
    execute._begun_here.clear()
    trust_statement._LATE.clear()


@contextmanager
def _process_restored() -> Iterator[None]:
    """What a run sets for its whole process is afterwards as it was."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    hooks = sys.unraisablehook, sys.excepthook, threading.excepthook
    logged, level = logging.root.handlers[:], logging.root.level
    thresholds = gc.get_threshold()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook, sys.excepthook, threading.excepthook = hooks
        logging.root.handlers[:] = logged
        logging.root.setLevel(level)
        gc.set_threshold(*thresholds)


@contextmanager
def _environment(env: Mapping[str, str], folder: Path) -> Iterator[None]:
    before, place = dict(os.environ), os.getcwd()
    _set(env)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(place)
        _set(before)


def _set(env: Mapping[str, str]) -> None:
    zone = os.environ.get("TZ")
    os.environ.clear()
    os.environ.update(env)
    if os.environ.get("TZ") != zone:
        time.tzset()


@contextmanager
def _streams(stdin: str, out: IO[bytes], err: IO[bytes]) -> Iterator[None]:
    """Standard streams, also of the process itself."""
    streams: Any = sys.stdin, sys.stdout, sys.stderr
    for stream in streams[1:]:
        stream.flush()
    kept = [os.dup(number) for number in (0, 1, 2)]
    with tempfile.TemporaryFile() if stdin else open(os.devnull, "rb") as typed:
        if stdin:
            typed.write(stdin.encode())
            typed.seek(0)
        for number, file in enumerate((typed, out, err)):
            os.dup2(file.fileno(), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the run
    open_streams()
    try:
        yield
    finally:
        for number, copy in enumerate(kept):
            os.dup2(copy, number)
            os.close(copy)
        sys.stdin, sys.stdout, sys.stderr = streams
