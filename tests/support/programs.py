"""Programs of the machine that some tests run: skipped without them, and the last line of a run says so.

With IRSA_PROGRAMS=required, as in CI, a test that misses one has failed.
"""

import os
import shutil

import pytest

PREFIX = "not run: "
"""How the reason of such a skipped test begins."""


def required() -> bool:
    """Whether a missing program is a failure."""
    return os.environ.get("IRSA_PROGRAMS", "").lower() == "required"


def first_of(*names: str) -> str | None:
    """The path of the first program that is installed."""
    return next((path for name in names if (path := shutil.which(name))), None)


def reason(package: str) -> str:
    """Why a test is skipped, and what installs the program."""
    return f"{PREFIX}{package} is not installed (Debian: apt-get install {package})"


def need(name: str) -> None:
    """Skip the test if a program of this name is not installed."""
    if first_of(name) is None:
        pytest.skip(reason(name))
