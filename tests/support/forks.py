"""The zygotes of a test process: runs of irsa are forked from one that has imported everything already.

One run needs one zygote. Where runs meet, each has its own; they are kept for the tests that follow.
"""

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.zygote import Zygote

_FREE: list[Zygote] = []
_LOCK = threading.Lock()


@contextmanager
def one() -> Iterator[Zygote]:
    """A zygote that no run needs."""
    with _LOCK:
        zygote = _FREE.pop() if _FREE else None
    if zygote is None:
        zygote = Zygote()
        atexit.register(zygote.close)
    yield zygote
    # One whose run has not ended is not used again.
    with _LOCK:
        _FREE.append(zygote)
