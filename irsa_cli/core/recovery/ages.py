"""When a run began, by its name, and how old what it left is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

MINIMUM_AGE = 600.0
"""Seconds for which a run on another machine may still be alive: longer than `--timeout` and the rollback."""

_TRANSACTION = re.compile(r"(\d{8}T\d{6})\d{3}Z-[0-9a-f]{8}", re.ASCII)


def age_of(transaction: str, created: Iterable[datetime], now: datetime) -> float:
    """Seconds since the youngest of the objects was created, or since the run began if that is later.

    A run may continue an older one's work, so the objects' ages alone don't show that it is over.
    """
    moments = [*created, *began(transaction, now)]
    return max(0.0, (now - max(moments)).total_seconds()) if moments else 0.0


def began(transaction: str, now: datetime | None = None) -> list[datetime]:
    """When a run began, by its own clock; nothing for a name that irsa did not give.

    Nor for a moment that is long after `now`, by another clock: then the run's own was wrong.
    """
    match = _TRANSACTION.fullmatch(transaction)
    try:
        moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S") if match else None
    except ValueError:
        moment = None
    known = moment.replace(tzinfo=timezone.utc) if moment else None
    wrong = known and now and known - now > timedelta(seconds=MINIMUM_AGE)
    return [known] if known and not wrong else []
