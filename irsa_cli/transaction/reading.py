"""Reading a journal: what it tells, as a story; and the folder of all journals.

A journal may be another version's, or damaged: it is read field by field, and either understood or refused by
a `JournalError`. Additional keys in the header or the context are ignored; a change or a step that is not
understood is not.

Also of interrupted runs for the same object as a later run, which continues from them.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Callable, Collection, Container, Iterable, Mapping, MutableSet, Sequence
from pathlib import Path
from typing import Any

from irsa_cli import __version__
from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.values import limits
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.transaction.journal import SEAL, VERSION, Journal, JournalError, bytes_of, refused
from irsa_cli.transaction.private import NotPrivate, check_folder, is_sealed, open_own
from irsa_cli.transaction.protocol import Claim, Handler
from irsa_cli.transaction.story import (
    ENDS,
    FINISHED,
    STEPS,
    TAKEN_OVER,
    TAKES_BACK,
    About,
    Record,
    Story,
    is_plain,
    is_transaction,
    recover_command,
)

LARGEST = 64 * 1024 * 1024
"""Bytes; a plan for a thousand ServiceAccounts needs a few million."""


def read(path: Path) -> Story:
    """Read a journal; raises `JournalError`. A run with all changes done has committed in any case."""
    lines = [line for line in content_of(path).splitlines() if line.strip()]
    header: Any = None
    try:
        header = _parsed(lines[0]) if lines else None
        story = _begun(written.mapping(header, "its first line"))
        _replay_all(story, lines[1:])
    except written.UnknownState as error:
        # The error for a whole journal that this version must not act on.
        version = header.get("irsa") if isinstance(header, dict) else None
        is_known = isinstance(version, str) and is_plain(version)
        writer = f"irsa {version}" if is_known else "another version of irsa"
        reason = f"irsa {__version__} does not know {error}; that version can finish it"
        raise _not_read(header, f"{path} was written by {writer}", reason) from error
    except written.UnreadableChange as error:
        raise _not_read(header, f"{path} is not a journal", str(error)) from error
    return story


def _replay_all(story: Story, lines: Iterable[bytes]) -> None:
    records = list(story.records)
    rolls_back = bool(story.context.get(TAKES_BACK))
    for line in lines:
        try:
            event = _parsed(line)
        except written.UnreadableChange:
            continue  # Torn: its step counts as not written, and the step's call had not gone out.
        _replay(story, records, written.mapping(event, "a later line"))
        rolls_back = rolls_back or event["event"] == "undo"
    if not story.outcome and not rolls_back and _is_whole(story):
        story.outcome = "committed"


def content_of(path: Path) -> bytes:
    """The content of the file; raises `JournalError` if it can't be a journal (a pipe would never end)."""
    try:
        with open(open_own(path), "rb") as stream:
            file = stream.fileno()
            is_file = stat.S_ISREG(os.fstat(file).st_mode)
            size = os.fstat(file).st_size
            if is_file and size <= LARGEST:
                return stream.read()
    except NotPrivate as error:
        raise refused(error) from error
    except OSError as error:
        raise JournalError(f"{path} is not a journal", reason=str(error)) from error
    raise JournalError(
        f"{path} is not a journal", reason="it is too large" if is_file else "it is not a file"
    )


def _parsed(line: bytes) -> Any:
    """A line as JSON; raises `UnreadableChange`, also for what JSON allows and no text can hold."""

    def refuse(constant: str) -> None:
        raise written.UnreadableChange(f"{constant} is not a number")

    try:
        document = json.loads(line, parse_constant=refuse)
        if b"\\ud" in line.lower():  # Half a character: nothing can show it, or send it.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise written.UnreadableChange(str(error)) from error
    return document


def _begun(header: Mapping[str, Any]) -> Story:
    version = written.value(header, "version", written.NUMBER, "the header")
    if version != VERSION:
        raise written.UnknownState(f"version {version} of the journal")
    stages = written.value(header, "plan", LISTS, "the header")
    transaction = written.value(header, "transaction", NAME, "the header")
    started = written.value(header, "started", written.TEXT, "the header")
    context = written.value(header, "context", written.OBJECT, "the header")
    for key, form in _CONTEXT.items():
        if key in context:
            written.value(context, key, form, "the context")
    records = [[*map(Record, map(written.read, stage))] for stage in stages]
    return Story(transaction, started, context, records, sealed=_is_sealed(header))


def _is_sealed(header: Mapping[str, Any]) -> bool:
    unsealed = {key: value for key, value in header.items() if key != SEAL}
    seal = header.get(SEAL)
    try:
        return isinstance(seal, str) and seal.isascii() and is_sealed(bytes_of(unsealed), seal)
    except (ValueError, RecursionError):
        return False


def _is_target(target: Any) -> bool:
    if not isinstance(target, dict) or not isinstance(target.get("cluster"), str):
        return False
    return all(text is None or isinstance(text, str) for text in target.values())


def _is_list_of_lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(inner, list) for inner in value)


LISTS = written.Form("a list of lists", _is_list_of_lists)
NAME = written.Form("the name of a transaction", is_transaction)
TARGET = written.Form("a cluster and how it is reached", _is_target)
TEXT_OR_NULL = written.Form("a string or null", lambda value: value is None or isinstance(value, str))
_CONTEXT = {
    "command": written.TEXT,
    "cluster": written.TEXT,
    "serviceAccount": TEXT_OR_NULL,
    "target": TARGET,
    TAKES_BACK: NAME,
    "gated": written.FLAG,
    "request": written.TEXT,
}
"""The keys of a context that this version uses; a context may lack some, and have more."""


def _not_read(header: Any, message: str, reason: str) -> JournalError:
    context = header.get("context") if isinstance(header, dict) else None
    target = context.get("target") if isinstance(context, dict) else None
    if not (isinstance(target, dict) and _is_target(target)):
        return JournalError(message, reason=reason)
    # It becomes a command to paste, and a kubeconfig names programs: only the user's own word may.
    sealed = isinstance(header, dict) and _is_sealed(header)
    safe = {key: text for key, text in target.items() if sealed or key != "kubeconfig"}
    return JournalError(message, reason=reason, target=safe)


def _is_whole(story: Story) -> bool:
    """Whether every change is done, the last ones by this run. An empty last stage stands for a gate."""
    last = story.stages[-1] if story.stages else []
    return (
        bool(last) and all(record.changed for record in last) and all(record.done for record in story.records)
    )


def _replay(story: Story, records: Sequence[Record], event: Mapping[str, Any]) -> None:
    name = written.value(event, "event", written.TEXT, "a later line")
    if name == "outcome":
        outcome = written.value(event, "outcome", written.TEXT, "the line of the outcome")
        if outcome not in ENDS:
            raise written.UnknownState(f"the outcome {outcome!r}")
        story.outcome = outcome
        story.taken_over = story.taken_over or bool(event.get(TAKEN_OVER))
        return
    if name not in STEPS:
        raise written.UnknownState(f"the step {name!r}")
    number = written.value(event, "change", written.NUMBER, f"a line {name!r}")
    if not 0 <= number < len(records):
        raise written.UnreadableChange(f"a line {name!r} refers to change {number}, which is not in the plan")
    record = records[number]
    if name == "begin":
        record.begin()
    elif name == "done":
        record.changed = written.value(event, "changed", written.FLAG, "a line 'done'")
        record.identity = written.value(event, "identity", written.TEXT_MAP, "a line 'done'")
        record.done = True
    elif name == "refused":
        record.refused = True
    elif name == "undone":
        record.undone = True


KEEP_FINISHED = 200
"""How many finished journals stay, newest first."""


def check_place(folder: Path) -> None:
    """Raise `RefusedJournal` where no journal in the folder would be taken as this user's."""
    try:
        check_folder(folder)
    except NotPrivate as error:
        raise refused(error) from error


def journals(folder: Path) -> list[Path]:
    """The journals of this machine, oldest first."""
    return sorted(folder.glob("*.jsonl"))


def recall_recent(
    folder: Path, handler_of: Callable[[Kind], Handler], account: str, known: MutableSet[str]
) -> None:
    """Recall, in the handlers, the roles, providers and trust statements of this machine's last runs.

    IAM may not show them yet. A trust policy is written as a whole: a run that edits an older one removes the
    statements of the runs before it. `account` is that of the roles. Finished transactions are added to
    `known`, so that each is read once.
    """
    for path, at in _journals_since(time.time() - limits.PROPAGATION_SECONDS, folder, known):
        with contextlib.suppress(JournalError, OSError, IrsaError):
            story = read(path)
            if story.finished:
                known.add(path.stem)
            if _account_of(story) == account:
                _recall(story, handler_of, at)


def _recall(story: Story, handler_of: Callable[[Kind], Handler], at: float) -> None:
    """Recall what a run wrote, at the latest `at` (seconds since the epoch), and IAM may not show yet."""
    for record in story.records:
        kind = record.change.kind
        shows_late = kind.traits.service.spreads and (kind.is_whole or kind.traits.changes_trust)
        if record.done and record.changed and shows_late:
            change = record.change.inverse if record.undone else record.change
            age = max(0.0, time.time() - at)
            handler_of(kind).recall(change, Claim(story.transaction, record.identity), age)


def concurrent_changes(path: Path, moment: float, mine: Sequence[Change]) -> list[Change]:
    """The changes of the document of `mine` that other runs of this machine have made since this moment.

    `path` is the journal of the run that asks, `moment` in seconds since the epoch. Only of runs that have
    committed, in the same account: a run that is under way looks after its changes itself. Without those
    whose states a later change, or one of `mine`, is about as well.
    """
    theirs: list[Change] = []
    with contextlib.suppress(JournalError, OSError, IrsaError):
        account = _account_of(read(path))
        for journal, _ in _journals_since(moment, path.parent, {path.stem}):
            with contextlib.suppress(JournalError, OSError, IrsaError):
                story = read(journal)
                if story.outcome == "committed" and _account_of(story) == account:
                    theirs += _changes_of_document(mine[0].target[0], story)
    changes = [*theirs, *mine]
    standing: list[Change] = []
    for number, change in enumerate(theirs, 1):
        if not any(_has_same_state(change, later) for later in changes[number:]):
            standing.append(change)
    return standing


def _changes_of_document(name: str, story: Story) -> list[Change]:
    """The changes of a run to a document that several write."""
    carried_out = (record.change for record in story.records if record.done and record.changed)
    return [change for change in carried_out if change.kind.traits.is_shared and change.target[0] == name]


def _has_same_state(change: Change, later: Change) -> bool:
    states = [state for state in (later.before, later.after) if state is not None]
    return change.before in states or change.after in states


def _account_of(story: Story) -> str:
    """The account of a run's roles."""
    return story.role_account or Arn.parse(str(story.context.get("cluster"))).account


def _journals_since(moment: float, folder: Path, known: Container[str]) -> list[tuple[Path, float]]:
    """The journals that were written to after this moment, oldest first, and when; no `known` transaction's.

    A run over hundreds of ServiceAccounts asks before each of them, so that few files are looked at.
    """
    paths = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            transaction, _, ending = entry.name.rpartition(".")
            if ending != "jsonl" or transaction in known:
                continue
            with contextlib.suppress(OSError):
                at = entry.stat().st_mtime
                if at >= moment:
                    paths.append((folder / entry.name, at))
    return sorted(paths)


def looks_finished(path: Path) -> bool:
    """Whether the last line says so: a quick look, for when there are many journals."""
    try:
        handle = open_own(path)
    except NotPrivate as error:
        raise refused(error) from error
    with open(handle, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - 200))
        last = file.read(200).strip().rsplit(b"\n", 1)[-1]
    return any(f'"outcome":"{outcome}"'.encode() in last for outcome in FINISHED)


def prune(folder: Path, keep: int = KEEP_FINISHED) -> None:
    """Remove the oldest finished journals, unfinished ones never."""
    paths = journals(folder)
    for path in paths[: max(0, len(paths) - keep)]:
        try:
            if looks_finished(path) or read(path).finished:
                path.unlink()
        except (JournalError, OSError):
            continue


def interrupted_runs(folder: Path, about: About, also: Collection[str] = ()) -> list[Path]:
    """The unfinished transactions for this command (or `also`) and ServiceAccount with a dead process."""
    subjects = [about, *(about._replace(command=command) for command in also)]
    return [path for path, subject in unfinished_runs(folder) if subject in subjects and is_interrupted(path)]


def unfinished_runs(folder: Path) -> list[tuple[Path, About | None]]:
    """The unfinished transactions of this machine, and what each is about; some may be under way."""
    runs = []
    for path in journals(folder):
        with contextlib.suppress(JournalError, OSError):
            if looks_finished(path):
                continue
            story = read(path)
            if not story.finished:
                runs.append((path, story.about))
    return runs


def is_interrupted(path: Path) -> bool:
    """Whether the process of an unfinished transaction is dead."""
    with contextlib.suppress(JournalError, OSError):
        Journal.reopen(path).close()
        return True
    return False


Covers = Callable[[Story, Change], bool]
"""Whether what a change of a story is about is as a later run asked for it, and is not to be rolled back."""


def everything(_story: Story, _change: Change) -> bool:
    """A later run that asked for the same as the earlier one has left nothing of it."""
    return True


def leaves(story: Story, covers: Covers) -> bool:
    """Whether something has to be rolled back all the same."""
    return any(record.needs_undo and not covers(story, record.change) for record in story.records)


def supersede(paths: Iterable[Path], covers: Covers = everything) -> list[Path]:
    """Note that a later run has completed the work of these; returns those that stay unfinished."""
    unfinished: list[Path] = []
    for path in paths:
        with contextlib.suppress(JournalError), contextlib.closing(Journal.reopen(path)) as journal:
            story = read(path)
            if leaves(story, covers):
                unfinished.append(path)
                # Note that what a later run counts on is not this transaction's any more.
                for index, record in enumerate(story.records):
                    if record.needs_undo and covers(story, record.change):
                        journal.event("done", index, changed=False, identity={})
            elif not story.finished:
                journal.event("outcome", outcome="superseded")
    return unfinished


def command_of(path: Path) -> str:
    """The command that recovers a transaction, as its journal tells how it was reached."""
    return recover_command(path.stem, read(path).to_paste)
