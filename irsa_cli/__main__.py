"""The entry points: `irsa`, `python -m irsa_cli`, and `kubectl irsa`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress


def kubectl() -> None:
    """The plugin of kubectl: the same, by the name that its user has typed."""
    main("kubectl irsa")


def main(program: str = "irsa") -> None:
    """Run the command line and end the process with its exit code."""
    # What the libraries of AWS and Kubernetes are made of stays until the end: to look for garbage in it each
    # time that 700 objects were made takes a tenth of a short run.
    gc.set_threshold(50_000, 20, 50)
    # Until a command listens for itself there is nothing to undo.
    _end_at_once()
    try:
        from irsa_cli.cli.main import run

        code = run(program=program)
        _end_at_once(code)
    except KeyboardInterrupt as stop:
        code = 128 + (stop.args[0] if stop.args else int(signal.SIGINT))
        _end_at_once(code)
    if sys.argv[1:] in (["--help"], ["-h"], ["--version"]):
        # Nothing is open that an end in order would close, and that takes a tenth of so short a run.
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


def _end_at_once(code: int | None = None) -> None:
    """Let SIGINT and SIGTERM end the process without a word: with the outcome's code, once that is told.

    Raised as an exception, they would be printed as a traceback where no code of ours can catch it: while
    modules are imported, and when threads and the interpreter end. What is ignored (nohup) stays ignored.
    """

    def handle(number: int, _frame: object) -> None:
        os._exit(128 + number if code is None else code)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


if __name__ == "__main__":
    main()
