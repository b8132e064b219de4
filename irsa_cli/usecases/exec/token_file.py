"""A command's token file: private to the user, renewed as kubelet does it, removed at the end."""

from __future__ import annotations

import os
import random
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from irsa_cli.core.trust.jwt import JITTER
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.usecases.read.identity import Token

PREFIX = "irsa-exec-"
_LOCK = "lock"
_YOUNG = 60.0
"""Seconds for which a folder is left alone: its maker may not have locked it yet."""


class PrivateFolder:
    """A folder (0700) with files (0600), for a `with` block. Safe to use from several threads."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = FileLock(self.path / _LOCK, timeout=0, mode=0o600)
        self._writing = threading.Lock()
        self._gone = False

    def __enter__(self) -> PrivateFolder:
        try:
            self._lock.acquire()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
        self._lock.release()

    def write(self, name: str, text: str) -> Path:
        """Write a file atomically, unless the folder was removed; raises OSError."""
        path = self.path / name
        with self._writing:
            if not self._gone:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                new = path.with_name(f".{path.name}.new")
                with suppress(FileNotFoundError):
                    new.unlink()
                handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(handle, "w", encoding="utf-8") as stream:
                    stream.write(text)
                new.replace(path)
        return path

    def remove(self) -> None:
        """Remove the folder with everything in it; waits for a write that is under way."""
        with self._writing:
            self._gone = True
            shutil.rmtree(self.path, ignore_errors=True)


def sweep() -> None:
    """Remove this user's folders whose processes were killed (SIGKILL) and could not remove them."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            found = path.lstat()  # Of a link, not of its folder.
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if ours and time.time() - (path / _LOCK).lstat().st_mtime > _YOUNG:
                with FileLock(path / _LOCK, timeout=0, mode=0o600):
                    shutil.rmtree(path, ignore_errors=True)


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
        self._warned_of_the_end = False

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
        except Exception as error:  # Any error would end the thread and all renewals.
            return self._failed(type(error).__name__)
        if self._failures:
            self._warn("the token was renewed")
        self._token, self._jitter = fresh, self._draw()
        self._failures, self._warned_of_the_end = 0, False
        return min(LOOK_SECONDS, max(fresh.lifetime.renew_at(self._jitter) - now, RETRY_SECONDS[0]))

    def _failed(self, why: str) -> float:
        """Say so, once when it begins and once when the token has expired; then try again."""
        expires = self._token.lifetime.expires
        expired = self._clock() >= expires
        at = datetime.fromtimestamp(expires).astimezone().strftime("%H:%M:%S")
        if expired and not self._warned_of_the_end:
            self._warned_of_the_end = True
            self._warn(f"the token expired at {at}, and irsa cannot renew it (still trying): {why}")
        elif not self._failures:
            self._warn(f"irsa cannot renew the token (still trying); it is valid until {at}: {why}")
        self._failures += 1
        return RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]


@contextmanager
def renewing(renewal: Renewal) -> Iterator[None]:
    """Renew in a thread of its own for the length of the block; a call under way is not waited for."""
    over = threading.Event()

    def run() -> None:
        seconds = 0.0
        while not over.wait(seconds):
            seconds = renewal.step()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield
    finally:
        over.set()
