"""The journal: one file for each transaction, in which every step is on disk before its call goes out.

JSON lines, readable by the user only, never holding a token or a credential. The first line is the
header with the plan; each later line is one event. A last line that is torn (the machine went down)
counts as not written. What is done with a journal is in `irsa_cli.transaction.recover`, how a change is
written in `irsa_cli.core.written`.

A journal may be another version's, or damaged: it is read field by field, and either understood or refused by
a `JournalError`. What the header or the context has besides is passed over; a change or a step that is not
understood is not.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from irsa_cli import __version__
from irsa_cli.core import written
from irsa_cli.core.errors import InvalidInput, IrsaError, Refused
from irsa_cli.core.forms import FLAG, NUMBER, OBJECT, TEXT, TEXT_MAP, Form
from irsa_cli.core.plan import Change, Plan
from irsa_cli.core.states import NOBODY
from irsa_cli.core.written import Unknown, Unreadable, mapping, value
from irsa_cli.transaction.private import NotPrivate, check_folder, check_itself, make_folder, open_own
from irsa_cli.transaction.seal import is_sealed, seal

VERSION = 1
KEEP_FINISHED = 200
"""How many finished journals stay, newest first."""


FINISHED = ("committed", "rolled-back", "superseded")
"""Outcomes that leave nothing to do; `superseded`: a later run has made true what this one began."""


TAKES_BACK = "takesBack"
"""In a journal's context: the transaction whose remains it takes back, where that isn't its own."""


SEAL = "seal"
"""In the header, at its end: that this user's irsa wrote it; see `irsa_cli.transaction.seal`."""


ENDS = (*FINISHED, "incomplete", "unfinished")
"""All outcomes that a journal may tell."""

STEPS = ("begin", "done", "refused", "undo", "undone")
"""What may become of a change; `undo` tells that taking it back has begun."""

LARGEST = 64 * 1024 * 1024
"""Bytes; a plan for a thousand ServiceAccounts needs a few million."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
"""What a transaction may be called. It is a mark on objects: never the one of those that bear none."""


class JournalError(IrsaError):
    """The journal can't be written or read; `target` is which cluster its run was about, as far as known."""

    target: Mapping[str, Any] = {}


class RefusedJournal(JournalError, Refused):
    """The journal may be somebody else's word: nothing of it is looked at."""

    exit_code = Refused.exit_code


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
    sealed: bool = False
    """Whether this user's irsa has written it, on this machine."""

    @property
    def records(self) -> Iterator[Record]:
        """All changes, in the order of the plan."""
        return (record for stage in self.stages for record in stage)

    @property
    def target(self) -> Mapping[str, str | None]:
        """The cluster, and how it was reached; empty where the journal does not tell."""
        target: Mapping[str, str | None] = self.context.get("target", {})
        return target

    @property
    def to_paste(self) -> Mapping[str, str | None]:
        """The target for a command to paste: which programs that runs is for its user to fill in.

        A kubeconfig names programs; the one in a journal that was not written here may be anybody's.
        """
        if self.sealed or not self.target.get("kubeconfig"):
            return self.target
        return {**self.target, "kubeconfig": "YOUR-KUBECONFIG"}

    def to_json(self) -> dict[str, Any]:
        """The transaction as `-o json` shows it."""
        return {
            "transaction": self.transaction,
            "started": self.started,
            "outcome": self.outcome,
            "command": self.context.get("command"),
            "cluster": self.target.get("cluster"),
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
            make_folder(folder)
            check_itself(folder)
            lock.acquire(timeout=0)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            file = os.open(path, flags, 0o600)
            os.fchmod(file, 0o600)  # A umask may have taken the user's own rights.
        except NotPrivate as error:
            raise _refused(error) from error
        except OSError as error:
            lock.release()
            raise JournalError(f"no journal can be written in {folder}", reason=str(error)) from error
        journal = cls(path, file, lock)
        header = {
            "version": VERSION,
            "irsa": __version__,
            "transaction": transaction,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "context": dict(context),
            "plan": [[written.write(change) for change in stage] for stage in plan.stages],
        }
        try:
            journal._write({**header, SEAL: seal(_bytes(header))})
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
            raise _refused(error) from error
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
        data = _bytes(line) + b"\n"
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


def _bytes(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode()


def _refused(error: NotPrivate) -> RefusedJournal:
    return RefusedJournal(error.message, reason=error.reason, next_steps=error.next_steps)


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
    """Read a journal; raises `JournalError` when it is damaged, or of another version and not understood.

    A run that has done all of its plan has committed, also where its last line is lost.
    """
    lines = [line for line in _content(path).splitlines() if line.strip()]
    header: Any = None
    try:
        header = _parsed(lines[0]) if lines else None
        story = _begun(mapping(header, "its first line"))
        records, taken_back = list(story.records), bool(story.context.get(TAKES_BACK))
        for line in lines[1:]:
            try:
                event = _parsed(line)
            except Unreadable:
                continue  # Torn: its step counts as not written, and the step's call had not gone out.
            _replay(story, records, mapping(event, "a later line"))
            taken_back = taken_back or event["event"] == "undo"
    except Unknown as error:
        raise _of_another_version(path, header, error) from error
    except Unreadable as error:
        raise _not_read(header, f"{path} is not a journal", str(error)) from error
    if not story.outcome and not taken_back and _is_whole(story):
        story.outcome = "committed"
    return story


def _content(path: Path) -> bytes:
    """What is in the file; raises `JournalError` for what can't be a journal (a pipe would never end)."""
    try:
        with open(open_own(path), "rb") as stream:
            file = stream.fileno()
            is_file, size = stat.S_ISREG(os.fstat(file).st_mode), os.fstat(file).st_size
            if is_file and size <= LARGEST:
                return stream.read()
    except NotPrivate as error:
        raise _refused(error) from error
    except OSError as error:
        raise JournalError(f"{path} is not a journal", reason=str(error)) from error
    raise JournalError(f"{path} is not a journal", reason="it is too large" if is_file else "it is no file")


def _parsed(line: bytes) -> Any:
    """A line as JSON; raises `Unreadable`, also for what JSON allows and no text can hold."""

    def refuse(constant: str) -> None:
        raise Unreadable(f"{constant} is no number")

    try:
        found = json.loads(line, parse_constant=refuse)
        if b"\\ud" in line.lower():  # Half a character: nothing can show it, or send it.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    return found


def _begun(header: Mapping[str, Any]) -> Story:
    """The story as it begins."""
    version = value(header, "version", NUMBER, "the header")
    if version != VERSION:
        raise Unknown(f"version {version} of the journal")
    stages = value(header, "plan", LISTS, "the header")
    transaction = value(header, "transaction", NAME, "the header")
    started = value(header, "started", TEXT, "the header")
    context = value(header, "context", OBJECT, "the header")
    _check_context(context)
    records = [[Record(written.read(change)) for change in stage] for stage in stages]
    return Story(transaction, started, context, records, sealed=_is_sealed(header))


def _is_sealed(header: Mapping[str, Any]) -> bool:
    """Whether the header is as this user's irsa has written it."""
    bare, found = {key: said for key, said in header.items() if key != SEAL}, header.get(SEAL)
    try:
        return isinstance(found, str) and found.isascii() and is_sealed(_bytes(bare), found)
    except (ValueError, RecursionError):
        return False


def is_transaction(name: Any) -> bool:
    """Whether a run may be called so: who reads a mark may find anything there."""
    return isinstance(name, str) and _ID.fullmatch(name) is not None and name != NOBODY


def _is_lists(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(item, list) for item in found)


def _is_target(found: Any) -> bool:
    texts = isinstance(found, dict) and all(item is None or isinstance(item, str) for item in found.values())
    return texts and isinstance(found.get("cluster"), str)


LISTS = Form("a list of lists", _is_lists)
NAME = Form("the name of a transaction", is_transaction)
TARGET = Form("a cluster and how it is reached", _is_target)
TEXT_OR_NULL = Form("a text or null", lambda found: found is None or isinstance(found, str))
_CONTEXT = {
    "command": TEXT,
    "cluster": TEXT,
    "serviceAccount": TEXT_OR_NULL,
    "target": TARGET,
    TAKES_BACK: NAME,
    "gated": FLAG,
    "request": TEXT,
}
"""What this version asks a context for; a context may lack it, and have more."""


def _check_context(context: Mapping[str, Any]) -> None:
    for key, form in _CONTEXT.items():
        if key in context:
            value(context, key, form, "the context")


def _not_read(header: Any, message: str, reason: str) -> JournalError:
    error = JournalError(message, reason=reason)
    context = header.get("context") if isinstance(header, dict) else None
    target = context.get("target") if isinstance(context, dict) else None
    if isinstance(target, dict) and _is_target(target):
        # A command to paste is made of it, and a kubeconfig names programs: only the user's own word may.
        sealed = isinstance(header, dict) and _is_sealed(header)
        error.target = {key: told for key, told in target.items() if sealed or key != "kubeconfig"}
    return error


def _of_another_version(path: Path, header: Any, unknown: Unknown) -> JournalError:
    """What is said of a journal that is whole, and not for this version to act on."""
    version = header.get("irsa") if isinstance(header, dict) else None
    named = isinstance(version, str) and _ID.fullmatch(version)
    writer = f"irsa {version}" if named else "another version of irsa"
    reason = f"irsa {__version__} does not know {unknown}; that version can finish it"
    return _not_read(header, f"{path} was written by {writer}", reason)


def _is_whole(story: Story) -> bool:
    """Whether every change is done, the last ones by this run. An empty last stage stands for a gate."""
    last = story.stages[-1] if story.stages else []
    return bool(last) and all(item.changed for item in last) and all(item.done for item in story.records)


def never_began(path: Path) -> bool:
    """Whether a journal that can't be read is one whose run had not begun anything, or one that is gone.

    The header is on disk before the first call goes out: without all of it, nothing was done.
    """
    try:
        return b"\n" not in _content(path)
    except JournalError as error:
        return isinstance(error.__cause__, FileNotFoundError)


def _replay(story: Story, records: Sequence[Record], event: Mapping[str, Any]) -> None:
    name = value(event, "event", TEXT, "a later line")
    if name == "outcome":
        outcome = value(event, "outcome", TEXT, "the line of the outcome")
        if outcome not in ENDS:
            raise Unknown(f"the outcome {outcome!r}")
        story.outcome = outcome
        return
    if name not in STEPS:
        raise Unknown(f"the step {name!r}")
    number = value(event, "change", NUMBER, f"a line {name!r}")
    if not 0 <= number < len(records):
        raise Unreadable(f"a line {name!r} is about change {number}, which the plan does not have")
    record = records[number]
    if name == "begin":
        # Also where it was begun before: what is known of that time does not hold any more.
        record.begun, record.done, record.undone, record.refused = True, False, False, False
        record.changed, record.identity = True, {}
    elif name == "done":
        record.changed = value(event, "changed", FLAG, "a line 'done'")
        record.identity = value(event, "identity", TEXT_MAP, "a line 'done'")
        record.done = True
    elif name == "refused":
        record.refused = True
    elif name == "undone":
        record.undone = True


def check_place(folder: Path) -> None:
    """Raise `RefusedJournal` where no journal in the folder would be taken as this user's."""
    try:
        check_folder(folder)
    except NotPrivate as error:
        raise _refused(error) from error


def find(folder: Path, transaction: str) -> Path:
    """The path of a transaction's journal; raises `InvalidInput` when there is none."""
    path = folder / f"{transaction}.jsonl"
    if not is_transaction(transaction) or not path.is_file():
        raise InvalidInput(
            f"no transaction {transaction} in {folder}", next_steps=("irsa recover  # lists them",)
        )
    return path


def journals(folder: Path) -> list[Path]:
    """The journals of this machine, oldest first."""
    return sorted(folder.glob("*.jsonl"))


def looks_finished(path: Path) -> bool:
    """Whether the last line says so: a quick look, for when there are many journals."""
    try:
        handle = open_own(path)
    except NotPrivate as error:
        raise _refused(error) from error
    with open(handle, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - 200))
        last = file.read(200).strip().rsplit(b"\n", 1)[-1]
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
