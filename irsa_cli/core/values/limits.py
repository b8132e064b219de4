"""Durations as they are written, how long a call may take, and IAM until it is consistent; and clocks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from irsa_cli.core.values.errors import InvalidInput

VARIABLE = "IRSA_CALL_TIMEOUT"
DEFAULT_SECONDS = 10.0

RETRY_VARIABLE = "IRSA_RETRY_TIMEOUT"
RETRY_SECONDS = 35.0
"""For how long a call that fails in a way that passes is repeated."""

LOCK_VARIABLE = "IRSA_LOCK_DURATION"
LOCK_SECONDS = 45.0
"""For how long a lock holds that is not renewed."""
LONGEST_LOCK = 3600.0
"""The longest duration of a lock."""

PROPAGATION_SECONDS = 30.0
"""For how long IAM may not yet know, in one place, what it has confirmed in another.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""
SAME_ANSWERS = 4
"""Times in a row that an answer which may be an old one has to be the same before it is believed."""


def settled_seconds(*, young: bool) -> float:
    """For how long what is refused is looked at again: longer if irsa has written it shortly before."""
    return PROPAGATION_SECONDS * (0.5 if young else 0.12)


def honoured_seconds() -> float:
    """For how long STS may give credentials by a trust policy that was replaced; measured 3 to 4 s."""
    return PROPAGATION_SECONDS * 0.2


OVERLAP_SECONDS = 1.0
"""For how long after a write another run, which has read before it, is expected to write over it.

That run's write follows its read by one round trip to IAM: 0.1 to 0.4 s.
A run that takes longer has a note about it.
"""


def overlap_seconds() -> float:
    """`OVERLAP_SECONDS`, and no longer than IAM takes to show a write."""
    return min(OVERLAP_SECONDS, PROPAGATION_SECONDS)


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)


def seconds_of(text: str) -> float | None:
    """The seconds of a duration as Go writes it (`90s`, `25m`, `1h30m`), or of a number; None for others."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def call_seconds() -> float:
    """Seconds to wait for the answer to one call; raises `InvalidInput` for a value that is none."""
    return _seconds(VARIABLE, DEFAULT_SECONDS, 0.1, 600.0)


def retry_seconds() -> float:
    """Seconds for which a call that fails is repeated; raises `InvalidInput` for a value that is none."""
    return _seconds(RETRY_VARIABLE, RETRY_SECONDS, 0.0, 3600.0)


def lock_seconds() -> float:
    """Seconds that a lock holds without renewal; raises `InvalidInput` for a value that is none."""
    return _seconds(LOCK_VARIABLE, LOCK_SECONDS, 2.0, LONGEST_LOCK)


def _seconds(variable: str, default: float, least: float, most: float) -> float:
    text = os.environ.get(variable) or str(default)
    seconds = seconds_of(text)
    if seconds is None or not least <= seconds <= most:
        raise InvalidInput(
            f"{variable}={text} is not a valid timeout",
            reason=f"expected {least:g}s to {most:g}s (examples: 90s, 25m, 90)",
        )
    return seconds


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """Seconds to wait before the next attempt, if the service names them (RFC 9110, 10.2.3)."""
    text = str(headers.get("retry-after") or "").strip()
    return float(text) if text.isdecimal() and len(text) < 6 else None


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


def date_of(header: str | None) -> datetime | None:
    """The time (UTC) in a `Date` header, None without a valid one (RFC 9110, 6.6.1)."""
    try:
        moment = parsedate_to_datetime(header or "")
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def moment(text: Any) -> datetime | None:
    """A time as Kubernetes and IAM write it (RFC 3339), None for what isn't one."""
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None  # One without a zone can't be compared with others.


def clock_advice(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """Advice if the service's clock differs; the names of `headers` are in lower case."""
    theirs = date_of(headers.get("date"))
    skew = (datetime.now(timezone.utc) - theirs).total_seconds() if theirs else 0.0
    if abs(skew) <= _TOLERATED:
        return ()
    side = "ahead of" if skew > 0 else "behind"
    return (f"set this machine's clock: it is {abs(skew):.0f} s {side} the service's",)
