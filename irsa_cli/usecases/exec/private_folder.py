"""The folder that a command's token lies in: for this user only, written atomically, gone at the end.

What is in the token, and when it is renewed, is in `irsa_cli.usecases.exec.renewal`.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
        self._lock.release()

    def write(self, name: str, text: str) -> Path:
        """Put a file there, or replace it; a reader sees the old text or the new one, whole.

        Nothing is written into a folder that was removed. Raises OSError when the disk says no.
        """
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
            if _is_old_and_ours(path):
                with FileLock(path / _LOCK, timeout=0, mode=0o600):
                    shutil.rmtree(path, ignore_errors=True)


def _is_old_and_ours(path: Path) -> bool:
    """Whether it is a folder of this user (no link to one) and its lock was made a while ago."""
    found = path.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return ours and time.time() - (path / _LOCK).lstat().st_mtime > _YOUNG
