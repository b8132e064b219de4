"""A disk that forgets, when the process is killed, what was written to the journal and not synced.

That is what a loss of power may do to a file. A folder's entries are kept: whether the name of a new
journal survives is not tried.
"""

import os
from collections import defaultdict
from typing import Any


def lose_what_is_not_synced() -> None:
    """Put such a disk under the journal of this process."""
    from irsa_cli.transaction import journal

    setattr(journal, "os", Disk())  # noqa: B010 - a module, to mypy


class Disk:
    """The module `os` as the journal uses it, with writes kept in memory until they are synced."""

    def __init__(self) -> None:
        self._unsynced: defaultdict[int, bytes] = defaultdict(bytes)

    def write(self, file: int, data: bytes) -> int:
        """Keep the data in mind."""
        self._unsynced[file] += data
        return len(data)

    def fsync(self, file: int) -> None:
        """Write what was kept."""
        data = self._unsynced.pop(file, b"")
        if data:
            os.write(file, data)
        os.fsync(file)

    def close(self, file: int) -> None:
        """A file that was closed in peace is written some time or other."""
        data = self._unsynced.pop(file, b"")
        if data:
            os.write(file, data)
        os.close(file)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)
