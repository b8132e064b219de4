"""How many attempts of writes this thread has given up without an answer.

Such an attempt may be executed yet, whatever became of the one after it. Who speaks to a service counts;
the transaction compares.
"""

from __future__ import annotations

import threading


class _Count(threading.local):
    given_up = 0


_count = _Count()


def give_up() -> None:
    """Count one attempt."""
    _count.given_up += 1


def given_up() -> int:
    """How many there were in this thread."""
    return _count.given_up
