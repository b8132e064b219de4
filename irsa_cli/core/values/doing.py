"""The progress of a command's long work: one listener a process, as in `irsa_cli.cli.terminal.progress`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Doing:
    """The current activity: `done` of `total` things or, with a total of 0, the text."""

    text: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"{self.done} of {self.total} {self.text}" if self.total else self.text


Hear = Callable[[Doing], None]
_hear: Hear | None = None


def heard_by(hear: Hear | None) -> None:
    """Set the listener from now on; None: nobody."""
    global _hear
    _hear = hear


def _tell(doing: Doing) -> None:
    """Tell it; that nobody can be shown it (a terminal that is gone, say) is no failure of the work."""
    with contextlib.suppress(Exception):
        if _hear is not None:
            _hear(doing)


def waiting(for_what: str, seconds: float, most: float) -> None:
    """Report a wait: the seconds so far, of at most so many."""
    _tell(Doing(f"waiting for {for_what}, {seconds:.0f} s of {most:.0f} s"))


class Count:
    """Tells how many of many are done; for several threads."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._lock = threading.Lock()
        if total > 1:
            _tell(Doing(what, 0, total))

    def one(self) -> None:
        with self._lock:
            self._done += 1
            done = self._done
        if self._total > 1:
            _tell(Doing(self._what, done, self._total))
