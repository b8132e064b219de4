"""The entry points: `irsa`, `python -m irsa_cli`, and `kubectl irsa`."""

from __future__ import annotations

import gc
import os
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
    from irsa_cli.cli.main import run

    code = run(program=program)
    if sys.argv[1:] in (["--help"], ["-h"], ["--version"]):
        # Nothing is open that an end in order would close, and that takes a tenth of so short a run.
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
