"""When a run began, by its name, and how old what it left is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

MINIMUM_AGE = 600.0
"""Seconds for which a run on another machine may still be alive: longer than `--timeout` and the rollback."""

_TRANSACTION = re.compile(r"(\d{8}T\d{6})\d{3}Z-[0-9a-f]{8}", re.ASCII)


def age_of(transaction: str, created: Iterable[datetime], now: datetime) -> float:
    """Seconds since the youngest object was created, or the run began: it may continue an older one."""
    moments = [*created, *began(transaction, now)]
    return max(0.0, (now - max(moments)).total_seconds()) if moments else 0.0


def began(transaction: str, now: datetime | None = None) -> list[datetime]:
    """The start of a run by its clock; None for another name, or a moment long after `now` (wrong clock)."""
    match = _TRANSACTION.fullmatch(transaction)
    try:
        moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S") if match else None
    except ValueError:
        moment = None
    known = moment.replace(tzinfo=timezone.utc) if moment else None
    wrong = known and now and known - now > timedelta(seconds=MINIMUM_AGE)
    return [known] if known and not wrong else []
