"""The journal on disk: what was written is read, whatever happened to the machine in between."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import NamespaceState, Present
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.reading import journals, prune, read
from irsa_cli.transaction.recover import find, unfinished, unreadable
from irsa_cli.transaction.story import Record, new_transaction_id
from tests.support.named import named
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some

PLAN = Plan.of(
    [
        Change(Kind.NAMESPACE, ("n",), None, NamespaceState({"a": "b"})),
        Change(Kind.AUDIENCE, ("p", "a"), None, Present()),
    ],
    [Change(Kind.ATTACHMENT, ("r", "p"), Present(), None)],
)
Facts = dict[str, Any]
IDENTITY = {"uid": "u-\u00e9"}
EVENTS = "begin 0, begin 1, unchanged 1, done 0, begin 2, refused 2, undo 0, undone 0"
DONE = "begin 0, begin 1, begin 2, done 0, done 1"


def write(
    folder: Path,
    name: str = "t1",
    outcome: str = "",
    plan: Plan = PLAN,
    events: str = EVENTS,
    context: Facts | None = None,
) -> Path:
    """A journal with these events: what happened, and to which change."""
    known = {"command": "create-sa"} if context is None else context
    journal = Journal.open(folder, name, plan, known)
    for text in events.split(", ") if events else ():
        event, number = text.split()
        changed = {"changed": event == "done", "identity": IDENTITY if event == "done" else {}}
        event, facts = ("done", changed) if event in ("done", "unchanged") else (event, {})
        journal.event(event, int(number), **facts)
    if outcome:
        journal.event("outcome", outcome=outcome)
    journal.close()
    return journal.path


def claims(path: Path) -> list[str]:
    """What a journal says of each change."""
    flags = ("begun", "done", "changed", "refused", "undone", "needs_undo")
    return [" ".join(flag for flag in flags if getattr(record, flag)) for record in read(path).records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with EVENTS."""
    return write(tmp_path)


def fails(call: Callable[..., object], *given: Any) -> str:
    """It is an error of the journal; what it says."""
    with pytest.raises(JournalError) as caught:
        call(*given)
    return caught.value.reason


@settings(max_examples=examples(25))
@given(some.plans(tuple(Kind)))
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = read(write(Path(folder), plan=plan, events=""))
    assert Plan(tuple(tuple(record.change for record in stage) for stage in story.stages)) == plan
    assert not any(record.needs_undo for record in story.records)
    assert (story.transaction, story.outcome, story.finished) == ("t1", "", False)
    assert story.context == {"command": "create-sa"}


def test_events_come_back(path: Path) -> None:
    assert claims(path) == ["begun done changed undone", "begun done", "begun changed refused"]
    assert next(iter(read(path).records)).identity == IDENTITY


@pytest.mark.parametrize("outcome", ["committed", "rolled-back", "incomplete"])
def test_the_outcome_says_whether_something_is_left_to_do(tmp_path: Path, outcome: str) -> None:
    story = read(write(tmp_path, outcome=outcome))
    assert (story.outcome, story.finished) == (outcome, outcome != "incomplete")
    assert [path.name for path, _ in unfinished(tmp_path)] == ([] if story.finished else ["t1.jsonl"])


@pytest.mark.parametrize(
    ("flags", "needed"),
    [
        ("", False),
        ("begun", True),
        ("begun done", True),
        ("begun done unchanged", False),
        ("begun refused", False),
        ("begun undone", False),
        ("begun done undone", False),
    ],
)
def test_what_needs_to_be_taken_back(flags: str, needed: bool) -> None:
    known: dict[str, Any] = dict.fromkeys(flags.split(), True)
    known["changed"] = not known.pop("unchanged", False)
    assert Record(next(iter(PLAN)), **known).needs_undo is needed


def test_only_the_user_reads_it(tmp_path: Path) -> None:
    path = write(tmp_path / "new" / "folder")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["t1.jsonl"]


def test_a_file_cut_anywhere_claims_no_more_than_was_written(tmp_path: Path) -> None:
    whole = write(tmp_path, outcome="rolled-back").read_bytes()
    lines = whole.splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    expected = []
    for count in range(len(lines)):
        cut.write_bytes(b"".join(lines[: count + 1]))
        expected.append(claims(cut))
    # A line counts from its closing brace on; the newline after it adds nothing.
    header, *ends = [end - 1 for end in itertools.accumulate(map(len, lines))]
    for position in range(header, len(whole) + 1):
        cut.write_bytes(whole[:position])
        complete = sum(end <= position for end in ends)
        assert claims(cut) == expected[complete]
        assert (read(cut).outcome == "rolled-back") == (complete == len(ends))


def test_a_torn_line_does_not_swallow_what_is_written_after_it(path: Path) -> None:
    whole = path.read_bytes()
    for position in range(whole.index(b"\n"), len(whole) + 1, 7):
        path.write_bytes(whole[:position])
        before = claims(path)
        journal = Journal.reopen(path)
        journal.event("undone", 2)
        journal.close()
        *after, last = claims(path)
        assert (after, "undone" in last) == (before[:2], True)


def test_a_header_that_is_torn_is_no_journal(path: Path) -> None:
    header = path.read_bytes().splitlines()[0]
    for position in range(len(header)):
        path.write_bytes(header[:position])
        fails(read, path)
        assert not unreadable(path.parent)
    assert unfinished(path.parent) == []


@pytest.mark.parametrize("key", ["version", "transaction", "started", "context", "plan"])
def test_a_header_without_one_of_its_parts_is_no_journal(path: Path, key: str) -> None:
    header = json.loads(path.read_bytes().splitlines()[0])
    for damaged in ({k: v for k, v in header.items() if k != key}, [header], key):
        path.write_text(json.dumps(damaged) + "\n")
        fails(read, path)
        assert list(unreadable(path.parent)) == ["t1"]


@pytest.mark.parametrize("line", ["1", "{}", '{"event":"done","change":7}', '{"event":"done","change":0}'])
def test_a_line_that_makes_no_sense_is_no_journal(path: Path, line: str) -> None:
    path.write_bytes(path.read_bytes() + f"{line}\n".encode())
    assert list(unreadable(path.parent)) == ["t1"]
    assert unfinished(path.parent) == []


@named(
    "error told",
    ("denied", PermissionError(13, "Permission denied"), "Permission denied"),
    ("pruned by another process", FileNotFoundError(2, "No such file"), ""),
)
def test_a_file_that_cant_be_read_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, told: str
) -> None:
    real = os.open

    def broken(name: Any, *arguments: Any, **more: Any) -> int:
        if str(name).endswith(".jsonl"):
            raise error
        return real(name, *arguments, **more)

    monkeypatch.setattr(os, "open", broken)
    found = [item.reason for item in unreadable(path.parent).values()]
    assert (len(found), told in "".join(found)) == (bool(told), True)


def test_another_version_is_not_read(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2', 1))
    fails(read, path)
    fails(read, path.with_name("none.jsonl"))
    fails(Journal.reopen, path.with_name("none.jsonl"))


def test_a_journal_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "t1", PLAN, {})
    program = (
        "import sys, pathlib; from irsa_cli.transaction.journal import Journal, JournalError\n"
        "try: Journal.reopen(pathlib.Path(sys.argv[1])).close()\n"
        "except JournalError: sys.exit(7)"
    )
    fails(Journal.reopen, journal.path)
    assert subprocess.run([sys.executable, "-c", program, journal.path], check=False).returncode == 7
    journal.close()
    again = Journal.reopen(journal.path)
    fails(Journal.reopen, journal.path)
    again.close()
    assert subprocess.run([sys.executable, "-c", program, journal.path], check=False).returncode == 0


def test_a_transaction_is_opened_once(path: Path) -> None:
    before = path.read_bytes()
    fails(Journal.open, path.parent, "t1", PLAN, {})
    assert path.read_bytes() == before
    Journal.reopen(path).close()


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("works", [0, 1, 2])
def test_a_full_disk_is_an_error_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, works: int
) -> None:
    real, count = getattr(os, call), itertools.count()

    def full(*arguments: Any) -> Any:
        if next(count) >= works:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, call, full)
    assert "No space left" in fails(write, tmp_path)
    monkeypatch.undo()
    assert works or journals(tmp_path) == []


def test_a_line_that_was_cut_short_is_an_error_and_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real = Journal.open(tmp_path, "t1", PLAN, {}), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: real(file, data[:9]))
        fails(journal.event, "begin", 0)
    journal.event("undone", 1)
    journal.close()
    assert claims(journal.path) == ["changed", "changed undone", "changed"]


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fails(Journal.open, tmp_path / "file" / "folder", "t1", PLAN, {})


def test_old_finished_journals_go_and_unfinished_ones_stay(tmp_path: Path) -> None:
    outcomes = ["", "committed", "incomplete", "rolled-back", "committed", "", "committed"]
    for number, outcome in enumerate(outcomes):
        write(tmp_path, f"t{number}", outcome)
    (tmp_path / "t00.jsonl").write_text("junk")
    for keep, left in ((100, "t0 t00 t1 t2 t3 t4 t5 t6"), (2, "t0 t00 t2 t5 t6"), (0, "t0 t00 t2 t5")):
        prune(tmp_path, keep=keep)
        assert [path.stem for path in journals(tmp_path)] == left.split()


def test_a_transaction_is_found_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "folder")
    assert find(tmp_path / "folder", "t1") == path
    for name in ("t2", "", "../folder/t1", "t1.jsonl", "t" * 300, "t\0"):
        with pytest.raises(InvalidInput):
            find(tmp_path / "folder", name)


def test_names_of_transactions_are_valid_tags_and_differ() -> None:
    names = {new_transaction_id() for _ in range(50)}
    assert len(names) == 50
    assert all(name.replace("-", "").isalnum() and len(name) <= 63 for name in names)


@named(
    "plan events context outcome",
    ("all", PLAN, f"{DONE}, done 2", {}, "committed"),
    ("one was there by then", PLAN, f"{DONE}, done 2, unchanged 0", {}, "committed"),
    ("all but one", PLAN, DONE, {}, ""),
    ("another run has brought the last one to its end", PLAN, f"{DONE}, unchanged 2", {}, ""),
    ("one is being taken back", PLAN, f"{DONE}, done 2, undo 2", {}, ""),
    ("one was taken back", PLAN, f"{DONE}, done 2, undo 2, undone 2", {}, ""),
    ("what was found, and is to be taken back", PLAN, f"{DONE}, done 2", {"takesBack": "t0"}, ""),
    (
        "its gate comes after its last change",
        Plan((*PLAN.stages, ())),
        f"{DONE}, done 2",
        {"gated": True},
        "",
    ),
    ("nothing", Plan(()), "", {}, ""),
)
def test_who_has_done_all_has_committed_without_saying_so(
    tmp_path: Path, plan: Plan, events: str, context: Facts, outcome: str
) -> None:
    path = write(tmp_path, plan=plan, events=events, context=context)
    assert read(path).outcome == outcome
    # A last line that is torn changes nothing; one that is whole goes first.
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event":"outcome","outc')
    assert read(path).outcome == outcome
    path.write_bytes(whole + b'{"event":"outcome","outcome":"incomplete"}')
    assert read(path).outcome == "incomplete"
