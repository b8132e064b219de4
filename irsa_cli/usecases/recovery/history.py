"""`irsa history`, and the list of `irsa recover`: what the journals of this machine tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from filelock import Timeout

from irsa_cli.core.marks.locks import run_of
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, ReadOutcome
from irsa_cli.core.results.result_document import worst
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.names import account_json
from irsa_cli.transaction import recover
from irsa_cli.transaction.journal import JournalError
from irsa_cli.transaction.story import LOCK, Story, is_plain
from irsa_cli.usecases.locks.presence import _file_of, _locked

__all__ = ["Journals", "RunLock", "Story", "all_of", "unfinished_of"]


class RunLock(str, Enum):
    """The lock of an unfinished run, as far as this machine knows it; the value is public (`-o json`)."""

    HELD = "held"
    """Its process is at work, and renews it."""
    INTERRUPTED = "interrupted"
    """Its process is gone and has not released it: nobody renews it any more."""
    RELEASED = "released"
    """It was given back, or removed."""


@dataclass(frozen=True)
class Journals:
    """Transactions by their journals, oldest first, unreadable ones with why, and known `locks` by name."""

    stories: Sequence[Story]
    unreadable: Mapping[str, JournalError]
    locks: Mapping[str, RunLock]
    tolerant: bool = False
    """Whether an unreadable journal is no error."""

    @property
    def exit_code(self) -> int:
        """The worst of the unreadable journals."""
        return worst([int(error.exit_code) for error in self.errors])

    @property
    def errors(self) -> Sequence[JournalError]:
        return [] if self.tolerant else [*self.unreadable.values()]

    def envelope(self) -> Envelope:
        items = [{**story_json(story), "lock": self._lock_json(story)} for story in self.stories]
        unreadable = [
            {"transaction": name, "why": str(error), "refused": isinstance(error, Refused)}
            for name, error in self.unreadable.items()
        ]
        return Envelope(
            DocumentKind.TRANSACTIONS,
            ReadOutcome.of(self.errors[0] if self.errors else None),
            self.exit_code,
            items=items,
            summary=Counter(entry["outcome"] for entry in items),
            errors=[ItemError(error) for error in self.errors],
            facts={"unreadable": unreadable},
        )

    def _lock_json(self, story: Story) -> dict[str, str] | None:
        """The lock of an unfinished run; None without one, or if it is unknown."""
        lock = self.locks.get(story.transaction)
        return None if lock is None else {"holder": _lock_holder(story), "state": lock.value}


def all_of(folder: Path) -> Journals:
    stories = [story for _, story in recover.stories(folder)]
    return Journals(stories, recover.unreadable(folder), _locks(folder, stories), tolerant=True)


def unfinished_of(folder: Path) -> Journals:
    """Those that are neither committed nor rolled back."""
    stories = [story for _, story in recover.unfinished(folder)]
    return Journals(stories, recover.unreadable(folder), _locks(folder, stories))


def _lock_holder(story: Story) -> str:
    """The holder of a run's locks; '' for one without locks."""
    holder = story.context.get(LOCK)
    return holder if isinstance(holder, str) else ""


def _locks(folder: Path, stories: Iterable[Story]) -> dict[str, RunLock]:
    locks: dict[str, RunLock] = {}
    for story in stories:
        lock = _lock(folder, story) if _lock_holder(story) and not story.finished else None
        if lock is not None:
            locks[story.transaction] = lock
    return locks


def _lock(folder: Path, story: Story) -> RunLock | None:
    """The state of the lock, without asking the cluster; None: unknown. Each journal's end releases it."""
    alive = is_alive(folder, run_of(_lock_holder(story)))
    if alive is not True:
        return RunLock.RELEASED if alive is None else RunLock.INTERRUPTED
    try:
        return RunLock.HELD if recover.is_running(folder / f"{story.transaction}.jsonl") else RunLock.RELEASED
    except JournalError:
        return None


def is_alive(state_dir: Path, run: str) -> bool | None:
    """Whether a run's process is alive, None if it has left no file: then it has released its locks."""
    path = _file_of(state_dir, run)
    try:
        if not is_plain(run):
            return None
        lock = _locked(path)
    except Timeout:
        return True
    except (OSError, Refused):
        return None
    lock.release()
    return False


def story_json(story: Story) -> dict[str, Any]:
    name = story.target.get("cluster")
    arn = story.context.get("cluster")
    return {
        "transaction": story.transaction,
        "scope": story.scope.value,
        "started": story.started,
        "outcome": story.outcome or "unfinished",
        "command": story.context.get("command"),
        "cluster": ({"name": name, "arn": arn} if name or arn else None),
        "serviceAccount": account_json(story.context.get("serviceAccount")),
        "changes": [
            {
                "kind": item.change.kind.value,
                "action": item.change.action,
                "target": item.change.name,
                "state": item.state,
            }
            for item in story.records
            if item.is_public
        ],
    }
