"""The entry point of `irsa` and of `python -m irsa_cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from irsa_cli.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
