"""Clocks: one that goes on while the machine sleeps, and whether the one that can be set is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux: `CLOCK_MONOTONIC` stands still while the machine is suspended, this one does not.

https://man7.org/linux/man-pages/man3/clock_gettime.3.html
"""


def boot_seconds() -> float:
    """Seconds since some moment in the past, of which only differences mean something."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


_TOLERATED = 240.0
"""Seconds by which a clock may be wrong: AWS takes a signature for five minutes.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""


def clock_advice(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """What to do where who answered has another time; nothing where that is the same, or unknown.

    `headers` have names in lower case.
    """
    try:
        theirs = parsedate_to_datetime(str(headers.get("date")))
        skew = (datetime.now(timezone.utc) - theirs).total_seconds()
    except (TypeError, ValueError):
        return ()
    if abs(skew) <= _TOLERATED:
        return ()
    side = "fast" if skew > 0 else "slow"
    return (f"set this machine's clock: by the answer's it is {abs(skew):.0f} s {side}",)
