"""The entry point of `irsa` and of `python -m irsa_cli`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # What the libraries of AWS and Kubernetes are made of stays until the end: to look for garbage in it each
    # time that 700 objects were made takes a tenth of a short run.
    gc.set_threshold(50_000, 20, 50)
    from irsa_cli.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
