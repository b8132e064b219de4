"""The journal: one file for each transaction, in which every step is on disk before its call goes out.

JSON lines, readable by the user only, never holding a token or a credential. The first line is the
header with the plan; each later line is one event. A last line that is torn (the machine went down)
counts as not written.

How a journal is read is in `irsa_cli.transaction.reading`, how a change is written in
`irsa_cli.core.plan.written`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from irsa_cli import __version__
from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.transaction.private import NotPrivate, check_folder, check_itself, make_folder, open_own, seal

VERSION = 1

SEAL = "seal"
"""In the header, at its end: that this user's irsa wrote it; see `irsa_cli.transaction.private`."""


class JournalError(IrsaError):
    """The journal can't be written or read; `target` is which cluster its run was about, as far as known."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        next_steps: Sequence[str] = (),
        target: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, next_steps=next_steps)
        self.target: Mapping[str, Any] = target or {}


class RefusedJournal(JournalError, Refused):
    """The journal may be somebody else's word: nothing of it is looked at."""

    exit_code = Refused.exit_code


class Journal:
    """The journal of a run that is under way. Safe to use from several threads."""

    def __init__(self, path: Path, file: int, lock: FileLock) -> None:
        self.path = path
        self._file = file
        self._lock = lock
        self._mutex = threading.Lock()
        self._torn = False

    @classmethod
    def open(cls, folder: Path, transaction: str, plan: Plan, context: Mapping[str, Any]) -> Journal:
        """Start a journal and put the plan on disk; raises `JournalError` when that can't be done."""
        path = folder / f"{transaction}.jsonl"
        lock = FileLock(f"{path}.lock", mode=0o600)
        try:
            make_folder(folder)
            check_itself(folder)
            lock.acquire(timeout=0)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            file = os.open(path, flags, 0o600)
            os.fchmod(file, 0o600)  # A umask may have taken the user's own rights.
        except NotPrivate as error:
            raise refused(error) from error
        except OSError as error:
            lock.release()
            raise _unwritable(folder, error) from error
        journal = cls(path, file, lock)
        header = {
            "version": VERSION,
            "irsa": __version__,
            "transaction": transaction,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "context": dict(context),
            "plan": [[*map(written.write, stage)] for stage in plan.stages],
        }
        try:
            journal._write({**header, SEAL: seal(bytes_of(header))})
            _sync_folder(folder)
        except JournalError:
            journal.close()
            path.unlink(missing_ok=True)  # Nothing was begun: there is nothing to recover from it.
            raise
        return journal

    @classmethod
    def reopen(cls, path: Path) -> Journal:
        """Go on with a journal whose process is gone; raises `JournalError` when it still lives."""
        lock = FileLock(f"{path}.lock", mode=0o600)
        try:
            check_folder(path.parent)
            lock.acquire(timeout=0)
            file = open_own(path, os.O_WRONLY | os.O_APPEND)
        except NotPrivate as error:
            lock.release()
            raise refused(error) from error
        except Timeout:
            raise JournalError(f"transaction {path.stem} is still running") from None
        except OSError as error:
            lock.release()
            raise JournalError(f"the journal {path} can't be opened", reason=str(error)) from error
        journal = cls(path, file, lock)
        journal._torn = True  # The last line may be: it must not swallow the next one.
        return journal

    def event(self, event: str, index: int | None = None, **facts: Any) -> None:
        """Put one event on disk; returns when it is there."""
        line: dict[str, Any] = {
            "event": event,
            "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        }
        if index is not None:
            line["change"] = index
        self._write({**line, **facts})

    def close(self) -> None:
        """Let go of the file and its lock."""
        os.close(self._file)
        # In this order: who holds the lock of a name that is gone holds nothing.
        Path(f"{self.path}.lock").unlink(missing_ok=True)
        self._lock.release()

    def _write(self, line: Mapping[str, Any]) -> None:
        data = bytes_of(line) + b"\n"
        with self._mutex:
            if self._torn:
                data = b"\n" + data
            self._torn = True
            try:
                if os.write(self._file, data) != len(data):
                    raise OSError("the line was cut short")
                os.fsync(self._file)
            except OSError as error:
                raise JournalError(f"the journal {self.path} can't be written", reason=str(error)) from error
            self._torn = False


def bytes_of(line: Mapping[str, Any]) -> bytes:
    """A line as it is written, without its end."""
    return json.dumps(line, separators=(",", ":")).encode()


def refused(error: NotPrivate) -> RefusedJournal:
    """The error for a place that others can write to."""
    return RefusedJournal(error.message, reason=error.reason, next_steps=error.next_steps)


def _sync_folder(folder: Path) -> None:
    """Let a new file's name survive a power loss."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> JournalError:
    advice = "set IRSA_STATE_DIR or --state-dir to a folder that you can write to"
    reason = error.strerror or str(error)
    return JournalError(f"can't write the journal in {folder}", reason=reason, next_steps=(advice,))
