"""What is said of a run whose output can't be written: how it ended is not changed by that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Unshown(Exception):
    """The output of a run can't be written; `code` is the run's own exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def showing(code: int, *, only_shows: bool = False) -> Iterator[None]:
    """Show how a run ended; what can't be shown raises `Unshown` with the run's exit code.

    `only_shows`: the output was all that it was for (a dry run), which has failed, then.
    """
    try:
        yield
    except OSError as error:
        raise Unshown(1 if only_shows else code) from error
