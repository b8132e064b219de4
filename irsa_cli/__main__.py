"""The entry points: `irsa`, `python -m irsa_cli`, and `kubectl irsa`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress


def kubectl() -> None:
    """Run the command line as a plugin of kubectl."""
    main("kubectl irsa")


def main(program: str = "irsa") -> None:
    """Run the command line and end the process with its exit code."""
    # The libraries of AWS and Kubernetes create objects that stay until the end: the default threshold of 700
    # would spend a tenth of a short run on garbage collection.
    gc.set_threshold(50_000, 20, 50)
    # There is nothing to roll back before a command handles signals itself.
    _end_at_once()
    try:
        from irsa_cli.cli.main import run

        code = run(program=program)
        _end_at_once(code)
    except KeyboardInterrupt as stop:
        code = 128 + (stop.args[0] if stop.args else int(signal.SIGINT))
        _end_at_once(code)
    if sys.argv[1:] in (["--help"], ["-h"], ["--version"]):
        # There is nothing to close, and an orderly end takes a tenth of such a short run.
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    # The interpreter would search all objects for cycles at its end, a seventh of a short run. All is closed.
    gc.freeze()
    sys.exit(code)


def _end_at_once(code: int | None = None) -> None:
    """Let SIGINT and SIGTERM end the process silently, with `code` if the outcome was already shown.

    An exception would print a traceback that no code here can catch: during imports, and while threads and
    the interpreter end. An ignored signal (nohup) stays ignored.
    """

    def handle(number: int, _frame: object) -> None:
        os._exit(128 + number if code is None else code)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


if __name__ == "__main__":
    main()
