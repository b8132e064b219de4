"""A locked file for each run with locks, on this machine and for its user: without one, nothing is known."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from irsa_cli.core.marks.locks import HOST, Holder, LeaseState
from irsa_cli.core.values.errors import Refused
from irsa_cli.transaction.private import check_itself, make_folder, open_own
from irsa_cli.transaction.story import is_plain, new_transaction_id

OLD_SECONDS = 86400.0


def this_holder() -> Holder:
    """A new run of this user's, on this machine."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid-{os.getuid()}"
    return Holder(new_transaction_id(), user, socket.gethostname())


class Presence:
    """The file of this run. Without a folder of the user's own it has none, and nobody knows that it died."""

    def __init__(self, state_dir: Path, run: str) -> None:
        self._path = _file_of(state_dir, run)
        self._lock: FileLock | None = None
        self._mutex = threading.Lock()
        self._shown = False

    def show(self) -> None:
        """Create the file, and lock it; once."""
        with self._mutex:
            if self._shown:
                return
            self._shown = True
            lock = FileLock(self._path, mode=0o600)
            try:
                make_folder(self._path.parent)
                check_itself(self._path.parent)
                lock.acquire(timeout=0)
            except (OSError, Refused, Timeout):
                return
            self._lock = lock
            for path in self._path.parent.glob("*.lock"):
                if path != self._path and _is_old(path):
                    _is_left(path, remove=True)

    def end(self, *, left: bool = False) -> None:
        """Let go of the file; it stays where a Lease may be `left`, to tell that nobody holds that."""
        if self._lock is not None:
            if not left:
                _remove(self._path)
            self._lock.release()
            self._lock = None


def is_dead(state_dir: Path, state: LeaseState) -> bool:
    """Whether the holder's process is known to be gone. Its file stays for a day: it may have held more."""
    if not is_plain(state.run) or state.annotations.get(HOST) != socket.gethostname():
        return False
    return _is_left(_file_of(state_dir, state.run), remove=False)


def _locked(path: Path) -> FileLock:
    """Lock a file that is there; raises `Timeout` if somebody else has, `OSError` or `Refused`."""
    os.close(open_own(path))
    lock = FileLock(path, mode=0o600)
    lock.acquire(timeout=0)
    return lock


def _is_left(path: Path, *, remove: bool) -> bool:
    """Whether it is there and nobody's any more; it is removed while nobody else can lock it."""
    try:
        lock = _locked(path)
    except (OSError, Refused, Timeout):
        return False
    if remove:
        _remove(path)
    lock.release()
    return True


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    """Whether no Lease can be there any more that it tells of."""
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > OLD_SECONDS
    return False


def _file_of(state_dir: Path, run: str) -> Path:
    return state_dir / "locks" / f"{run}.lock"
