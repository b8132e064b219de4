"""The journal: one file for each transaction, in which every step is on disk before its call goes out.

JSON lines, readable by the user only, never holding a token or a credential. The first line is the
header with the plan; each later line is one event. A last line that is torn (the machine went down)
counts as not written. What is done with a journal is in `irsa_cli.transaction.recover`.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from irsa_cli.core.errors import InvalidInput, IrsaError
from irsa_cli.core.plan import Change, Plan

VERSION = 1
KEEP_FINISHED = 200
"""How many finished journals stay, newest first."""


FINISHED = ("committed", "rolled-back", "superseded")
"""Outcomes that leave nothing to do; `superseded`: a later run has made true what this one began."""


TAKES_BACK = "takesBack"
"""In a journal's context: the transaction whose remains it takes back, where that isn't its own."""


class JournalError(IrsaError):
    """The journal can't be written or read."""


def new_transaction_id() -> str:
    """A name for a run that sorts by time (milliseconds, UTC) and is a valid tag value."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{secrets.token_hex(4)}"


@dataclass
class Record:
    """What the journal knows of one change."""

    change: Change
    begun: bool = False
    done: bool = False
    refused: bool = False
    undone: bool = False
    changed: bool = True
    identity: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The last that is known of it: pending, begun, refused, done, unchanged or undone."""
        if self.undone or not self.begun:
            return "undone" if self.undone else "pending"
        if self.done:
            return "done" if self.changed else "unchanged"
        return "refused" if self.refused else "begun"

    @property
    def needs_undo(self) -> bool:
        """Whether the world may hold this change's effect."""
        return self.begun and self.changed and not self.refused and not self.undone


@dataclass
class Story:
    """A journal that was read: the run, its changes by stage, and how it ended ('' when it didn't)."""

    transaction: str
    started: str
    context: Mapping[str, Any]
    stages: list[list[Record]]
    outcome: str = ""

    @property
    def records(self) -> Iterator[Record]:
        """All changes, in the order of the plan."""
        return (record for stage in self.stages for record in stage)

    def to_json(self) -> dict[str, Any]:
        """The transaction as `-o json` shows it."""
        return {
            "transaction": self.transaction,
            "started": self.started,
            "outcome": self.outcome,
            "command": self.context.get("command"),
            "cluster": self.context.get("target", {}).get("cluster"),
            "serviceAccount": self.context.get("serviceAccount"),
            "changes": [
                {
                    "kind": item.change.kind.value,
                    "action": item.change.action,
                    "target": item.change.name,
                    "state": item.state,
                }
                for item in self.records
            ],
        }

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do for this transaction."""
        return self.outcome in FINISHED


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
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock.acquire(timeout=0)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            lock.release()
            raise JournalError(f"no journal can be written in {folder}", reason=str(error)) from error
        journal = cls(path, file, lock)
        header = {
            "version": VERSION,
            "transaction": transaction,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "context": dict(context),
            "plan": [[change.to_json() for change in stage] for stage in plan.stages],
        }
        try:
            journal._write(header)
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
            lock.acquire(timeout=0)
            file = os.open(path, os.O_WRONLY | os.O_APPEND)
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
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
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


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power loss, too."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise JournalError(f"no journal can be written in {folder}", reason=str(error)) from error


def read(path: Path) -> Story:
    """Read a journal; raises `JournalError` when its header is not there or of another version.

    A run that has done all of its plan has committed, also where its last line is lost.
    """
    try:
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
        header = json.loads(lines[0])
        if header["version"] != VERSION:
            raise JournalError(
                f"{path} has version {header['version']}", reason=f"this irsa reads version {VERSION}"
            )
        stages = [[Record(Change.from_json(change)) for change in stage] for stage in header["plan"]]
        story = Story(header["transaction"], header["started"], header["context"], stages)
    except (OSError, IndexError, ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{path} is not a journal", reason=str(error)) from error
    records, taken_back = list(story.records), bool(story.context.get(TAKES_BACK))
    for line in lines[1:]:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # Torn: its step counts as not written, and the step's call had not gone out.
        try:
            _replay(story, records, event)
        except (IndexError, KeyError, TypeError) as error:
            raise JournalError(f"{path} is not a journal", reason=f"it has the line {line!r}") from error
        taken_back = taken_back or event["event"] == "undo"
    if not story.outcome and not taken_back and _is_whole(story):
        story.outcome = "committed"
    return story


def _is_whole(story: Story) -> bool:
    """Whether every change is done, the last ones by this run. An empty last stage stands for a gate."""
    last = story.stages[-1] if story.stages else []
    return bool(last) and all(item.changed for item in last) and all(item.done for item in story.records)


def never_began(path: Path) -> bool:
    """Whether a journal that can't be read is one whose run had not begun anything, or one that is gone.

    The header is on disk before the first call goes out: without all of it, nothing was done.
    """
    try:
        return b"\n" not in path.read_bytes()
    except OSError as error:
        return isinstance(error, FileNotFoundError)


def _replay(story: Story, records: list[Record], event: Mapping[str, Any]) -> None:
    if event["event"] == "outcome":
        story.outcome = event["outcome"]
        return
    record = records[event["change"]]
    if event["event"] == "begin":
        # Also where it was begun before: what is known of that time does not hold any more.
        record.begun, record.done, record.undone, record.refused = True, False, False, False
        record.changed, record.identity = True, {}
    elif event["event"] == "done":
        record.done, record.changed, record.identity = True, event["changed"], event["identity"]
    elif event["event"] == "refused":
        record.refused = True
    elif event["event"] == "undone":
        record.undone = True


def find(folder: Path, transaction: str) -> Path:
    """The path of a transaction's journal; raises `InvalidInput` when there is none."""
    path = folder / f"{transaction}.jsonl"
    if "/" in transaction or not path.is_file():
        raise InvalidInput(
            f"no transaction {transaction} in {folder}", next_steps=("irsa recover  # lists them",)
        )
    return path


def journals(folder: Path) -> list[Path]:
    """The journals of this machine, oldest first."""
    return sorted(folder.glob("*.jsonl"))


def looks_finished(path: Path) -> bool:
    """Whether the last line says so: a quick look, for when there are many journals."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200))
        last = file.read().strip().rsplit(b"\n", 1)[-1]
    return any(f'"outcome":"{outcome}"'.encode() in last for outcome in FINISHED)


def prune(folder: Path, keep: int = KEEP_FINISHED) -> None:
    """Remove the oldest finished journals, unfinished ones never."""
    found = journals(folder)
    for path in found[: max(0, len(found) - keep)]:
        try:
            if read(path).finished:
                path.unlink()
        except (JournalError, OSError):
            continue
