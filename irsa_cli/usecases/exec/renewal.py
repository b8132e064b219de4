"""Keeping a command's token file fresh, as kubelet keeps a pod's: renewed in time, tried again, told of.

When a token is due is decided in `irsa_cli.core.objects.credentials`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType

from irsa_cli.core.objects.credentials import JITTER
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.usecases.read.identity import Token

LOOK_SECONDS = 60.0
"""The clock is looked at so often: a machine that was asleep renews at once when it wakes."""
RETRY_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0)


class Renewal:
    """Renews one token. `issue` gets a new one, `write` puts it into its file, `warn` tells the user."""

    def __init__(
        self,
        token: Token,
        issue: Callable[[], Token],
        write: Callable[[str], object],
        warn: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = lambda: random.uniform(0, JITTER),  # noqa: S311 - no secret
    ) -> None:
        self._token = token
        self._issue = issue
        self._write = write
        self._warn = warn
        self._clock = clock
        self._draw = jitter
        self._jitter = jitter()
        self._failures = 0
        self._told_of_the_end = False

    def step(self) -> float:
        """Renew the token if it is due; returns after how many seconds to look again."""
        now = self._clock()
        lifetime = self._token.lifetime
        if not lifetime.is_due(now, self._jitter):
            return min(LOOK_SECONDS, max(lifetime.renew_at(self._jitter) - now, 0.0))
        try:
            fresh = self._issue()
            self._write(fresh.text)
        except (IrsaError, OSError) as error:
            return self._failed(str(error))
        except Exception as error:  # What it is would end the thread, and with it all further renewals.
            return self._failed(type(error).__name__)
        if self._failures:
            self._warn("the token was renewed")
        self._token, self._jitter = fresh, self._draw()
        self._failures, self._told_of_the_end = 0, False
        return min(LOOK_SECONDS, max(fresh.lifetime.renew_at(self._jitter) - now, RETRY_SECONDS[0]))

    def _failed(self, why: str) -> float:
        """Say so, once when it begins and once when the token has expired; then try again."""
        expires = self._token.lifetime.expires
        expired = self._clock() >= expires
        at = datetime.fromtimestamp(expires).astimezone().strftime("%H:%M:%S")
        if expired and not self._told_of_the_end:
            self._told_of_the_end = True
            self._warn(f"the token expired at {at} and can't be renewed, trying on: {why}")
        elif not self._failures:
            self._warn(f"the token can't be renewed, trying on; it is good until {at}: {why}")
        self._failures += 1
        return RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]


class Background:
    """Renews in a thread of its own for the length of a `with` block; a call under way is not waited for."""

    def __init__(self, renewal: Renewal) -> None:
        self._renewal = renewal
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Background:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def _run(self) -> None:
        seconds = 0.0
        while not self._over.wait(seconds):
            seconds = self._renewal.step()
