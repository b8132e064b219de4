"""A clock for what must not be mistaken about time: it goes on while the machine sleeps, and is never set."""

from __future__ import annotations

import time

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux: `CLOCK_MONOTONIC` stands still while the machine is suspended, this one does not.

https://man7.org/linux/man-pages/man3/clock_gettime.3.html
"""


def boot_seconds() -> float:
    """Seconds since some moment in the past, of which only differences mean something."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)
