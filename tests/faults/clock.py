"""A wall clock that jumps, a day ahead or an hour back, within a run. Time that is measured goes on.

What moves is what Python code reads: `time.time` and `datetime`. OpenSSL, which looks at the dates of
certificates, reads the machine's own clock.
"""

import os
import signal
import sys
import time
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

HOUR, DAY = 3600, 24 * 3600
AHEAD, BACK = signal.SIGUSR1, signal.SIGUSR2
MOVED = b"the clock was moved"
"""What the process says on standard error when it is done."""


_shift = [0]
"""Seconds by which the clock is wrong."""


def listen() -> None:
    """Move the clock of this process when it is told to."""
    signal.signal(AHEAD, lambda number, frame: _move(DAY))
    signal.signal(BACK, lambda number, frame: _move(-HOUR))


def _move(seconds: int) -> None:
    if not _shift[0]:
        _install()
    _shift[0] = seconds
    os.write(2, MOVED + b"\n")


def _install() -> None:
    right, right_ns = time.time, time.time_ns
    wrong = (
        (time.time, lambda: right() + _shift[0]),
        (time.time_ns, lambda: right_ns() + _shift[0] * 10**9),
        (datetime, _moving(datetime)),
    )
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            for old, new in wrong:
                if value is old:
                    setattr(module, name, new)


def _moving(right: type[datetime]) -> Any:
    class Meta(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, right)

    class Moving(right, metaclass=Meta):  # type: ignore[misc,valid-type]  # a class that is not known before
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return right.now(tz) + timedelta(seconds=_shift[0])

        @classmethod
        def utcnow(cls) -> datetime:
            return cls.now(timezone.utc).replace(tzinfo=None)

    return Moving
