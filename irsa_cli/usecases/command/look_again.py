"""Looking and planning anew with the locks that a plan turned out to need.

Which those are, and how they are taken, is in `irsa_cli.usecases.locks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from irsa_cli.aws.recent_writes import may_be_late
from irsa_cli.core.values import doing, limits
from irsa_cli.core.values.errors import Conflict, NotConfirmed, Refused, ServiceError
from irsa_cli.core.values.patience import current
from irsa_cli.usecases.command.settings import HeldLocks

T = TypeVar("T")

NOT_FOUND = 404
ROUNDS = 5
"""How often a plan may need other locks than the one before."""


class LookAgain(Exception):
    """More is held now than when it was looked at: what was seen may not hold any more."""


def with_its_locks(attempt: Callable[[], T], hold: HeldLocks | None) -> T:
    """Do it, anew each time when its plan needs more locks than were held while it was made.

    What is refused is looked at with the lock as well, and what was there and then was not: another run may
    be at work on it just now. It is also looked at again while what was seen is so young that IAM may have
    shown an older state of it.
    """
    rounds, wait = 0, limits.PROPAGATION_SECONDS / 60
    started = time.monotonic()
    while rounds < ROUNDS:
        try:
            return attempt()
        except LookAgain:
            rounds += 1
        except NotConfirmed:
            raise  # With a lock it would be asked again, and kept while somebody thinks.
        except (Refused, ServiceError) as error:
            if isinstance(error, ServiceError) and error.status != NOT_FOUND:
                raise
            if hold is not None and hold.complete():
                rounds += 1
                continue
            young = may_be_late()
            waited, most = time.monotonic() - started, limits.settled_seconds(young=young)
            if waited < most and (young or isinstance(error, ServiceError)):
                doing.waiting("IAM to show its newest state", waited, most)
                current().pause(wait)
                wait = min(wait * 2, 2.0)
            else:
                raise
    raise Conflict("the current state changes again and again while it is read")
