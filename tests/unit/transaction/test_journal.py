"""The journal on disk: what was written is read, whatever happened to the machine in between."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
import tempfile
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
from irsa_cli.transaction.story import Record, Story, new_transaction_id
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some

PLAN = Plan.of(
    [
        Change(Kind.NAMESPACE, ("n",), None, NamespaceState({"a": "b"})),
        Change(Kind.AUDIENCE, ("p", "a"), None, Present()),
    ],
    [Change(Kind.ATTACHMENT, ("r", "p"), Present(), None)],
)
EVENTS: list[tuple[str, int, dict[str, Any]]] = [
    ("begin", 0, {}),
    ("begin", 1, {}),
    ("done", 1, {"changed": False, "identity": {}}),
    ("done", 0, {"changed": True, "identity": {"uid": "u-\u00e9"}}),
    ("begin", 2, {}),
    ("refused", 2, {}),
    ("undo", 0, {}),
    ("undone", 0, {}),
]


def write(folder: Path, name: str = "t1", outcome: str = "", plan: Plan = PLAN) -> Path:
    journal = Journal.open(folder, name, plan, {"command": "create-sa"})
    for event, index, facts in EVENTS if plan is PLAN else []:
        journal.event(event, index, **facts)
    if outcome:
        journal.event("outcome", outcome=outcome)
    journal.close()
    return journal.path


def claims(story: Story) -> list[tuple[bool, bool, bool, bool, bool]]:
    return [(r.begun, r.done, r.refused, r.undone, r.needs_undo) for r in story.records]


@settings(max_examples=examples(25))
@given(some.plans(tuple(Kind)))
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = read(write(Path(folder), plan=plan))
    assert Plan(tuple(tuple(record.change for record in stage) for stage in story.stages)) == plan
    assert not any(record.needs_undo for record in story.records)
    assert (story.transaction, story.outcome, story.finished) == ("t1", "", False)
    assert story.context == {"command": "create-sa"}


def test_events_come_back(tmp_path: Path) -> None:
    first, second, third = read(write(tmp_path)).records
    assert (first.begun, first.done, first.changed, first.undone) == (True, True, True, True)
    assert first.identity == {"uid": "u-\u00e9"}
    assert (second.done, second.changed, second.undone) == (True, False, False)
    assert (third.begun, third.done, third.refused) == (True, False, True)
    assert not any(record.needs_undo for record in (first, second, third))


@pytest.mark.parametrize("outcome", ["committed", "rolled-back", "incomplete"])
def test_the_outcome_says_whether_something_is_left_to_do(tmp_path: Path, outcome: str) -> None:
    story = read(write(tmp_path, outcome=outcome))
    assert story.outcome == outcome
    assert story.finished == (outcome != "incomplete")
    assert [path.name for path, _ in unfinished(tmp_path)] == ([] if story.finished else ["t1.jsonl"])


@pytest.mark.parametrize(
    ("flags", "needed"),
    [
        ({}, False),
        ({"begun": True}, True),
        ({"begun": True, "done": True}, True),
        ({"begun": True, "done": True, "changed": False}, False),
        ({"begun": True, "refused": True}, False),
        ({"begun": True, "undone": True}, False),
        ({"begun": True, "done": True, "undone": True}, False),
    ],
)
def test_what_needs_to_be_taken_back(flags: dict[str, Any], needed: bool) -> None:
    assert Record(next(iter(PLAN)), **flags).needs_undo is needed


def test_only_the_user_reads_it(tmp_path: Path) -> None:
    path = write(tmp_path / "new" / "folder")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["t1.jsonl"]


def test_a_file_cut_anywhere_claims_no_more_than_was_written(tmp_path: Path) -> None:
    whole = write(tmp_path, outcome="rolled-back").read_bytes()
    header, *lines = whole.splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(header)
    expected = [claims(read(cut))]
    for count in range(len(lines)):
        cut.write_bytes(header + b"".join(lines[: count + 1]))
        expected.append(claims(read(cut)))
    # A line counts from its closing brace on; the newline after it adds nothing.
    ends = [end - 1 for end in itertools.accumulate(map(len, lines), initial=len(header))][1:]
    for position in range(len(header) - 1, len(whole) + 1):
        cut.write_bytes(whole[:position])
        complete = sum(end <= position for end in ends)
        story = read(cut)
        assert claims(story) == expected[complete]
        assert (story.outcome == "rolled-back") == (complete == len(lines))


def test_a_torn_line_does_not_swallow_what_is_written_after_it(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    for position in range(whole.index(b"\n"), len(whole) + 1, 7):
        path.write_bytes(whole[:position])
        before = claims(read(path))
        journal = Journal.reopen(path)
        journal.event("undone", 2)
        journal.close()
        after = claims(read(path))
        assert after[:2] == before[:2]
        assert after[2][3]


def test_a_header_that_is_torn_is_no_journal(tmp_path: Path) -> None:
    path = write(tmp_path)
    header = path.read_bytes().splitlines()[0]
    for position in range(len(header)):
        path.write_bytes(header[:position])
        with pytest.raises(JournalError):
            read(path)
        assert not unreadable(tmp_path)
    assert unfinished(tmp_path) == []


@pytest.mark.parametrize("key", ["version", "transaction", "started", "context", "plan"])
def test_a_header_without_one_of_its_parts_is_no_journal(tmp_path: Path, key: str) -> None:
    path = write(tmp_path)
    header = json.loads(path.read_bytes().splitlines()[0])
    for damaged in ({k: v for k, v in header.items() if k != key}, [header], key):
        path.write_text(json.dumps(damaged) + "\n")
        with pytest.raises(JournalError):
            read(path)
        assert list(unreadable(tmp_path)) == ["t1"]


@pytest.mark.parametrize("line", ["1", "{}", '{"event":"done","change":7}', '{"event":"done","change":0}'])
def test_a_line_that_makes_no_sense_is_no_journal(tmp_path: Path, line: str) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes() + f"{line}\n".encode())
    assert list(unreadable(tmp_path)) == ["t1"]
    assert unfinished(tmp_path) == []


def test_a_file_that_cant_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)

    real = os.open

    def broken(error: OSError) -> Any:
        def opened(path: Any, *arguments: Any, **more: Any) -> int:
            if str(path).endswith(".jsonl"):
                raise error
            return real(path, *arguments, **more)

        return opened

    monkeypatch.setattr(os, "open", broken(PermissionError(13, "Permission denied")))
    assert "Permission denied" in unreadable(tmp_path)["t1"].reason
    # Another process has pruned it.
    monkeypatch.setattr(os, "open", broken(FileNotFoundError(2, "No such file")))
    assert not unreadable(tmp_path)


def test_another_version_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(JournalError):
        read(path)
    with pytest.raises(JournalError):
        read(tmp_path / "none.jsonl")


def test_a_journal_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "t1", PLAN, {})
    program = (
        "import sys, pathlib; from irsa_cli.transaction.journal import Journal, JournalError\n"
        "try: Journal.reopen(pathlib.Path(sys.argv[1])).close()\n"
        "except JournalError: sys.exit(7)"
    )
    with pytest.raises(JournalError):
        Journal.reopen(journal.path)
    assert subprocess.run([sys.executable, "-c", program, journal.path], check=False).returncode == 7
    journal.close()
    again = Journal.reopen(journal.path)
    with pytest.raises(JournalError):
        Journal.reopen(journal.path)
    again.close()
    assert subprocess.run([sys.executable, "-c", program, journal.path], check=False).returncode == 0


def test_a_transaction_is_opened_once(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = path.read_bytes()
    with pytest.raises(JournalError):
        Journal.open(tmp_path, "t1", PLAN, {})
    assert path.read_bytes() == before
    Journal.reopen(path).close()


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("works", [0, 1, 2])
def test_a_full_disk_is_an_error_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, works: int
) -> None:
    real, count = getattr(os, call), iter(range(100))

    def full(*arguments: Any) -> Any:
        if next(count) >= works:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, call, full)
    with pytest.raises(JournalError) as caught:
        write(tmp_path)
    assert "No space left" in caught.value.reason
    monkeypatch.undo()
    if works == 0:
        assert journals(tmp_path) == []


def test_a_line_that_was_cut_short_is_an_error_and_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(tmp_path, "t1", PLAN, {})
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: real(file, data[:9]))
        with pytest.raises(JournalError):
            journal.event("begin", 0)
    journal.event("undone", 1)
    journal.close()
    assert [claim[:4] for claim in claims(read(journal.path))] == [
        (False, False, False, False),
        (False, False, False, True),
        (False, False, False, False),
    ]


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError):
        Journal.open(tmp_path / "file" / "folder", "t1", PLAN, {})
    with pytest.raises(JournalError):
        Journal.reopen(tmp_path / "none.jsonl")


def test_old_finished_journals_go_and_unfinished_ones_stay(tmp_path: Path) -> None:
    outcomes = ["", "committed", "incomplete", "rolled-back", "committed", "", "committed"]
    for number, outcome in enumerate(outcomes):
        write(tmp_path, f"t{number}", outcome)
    (tmp_path / "t00.jsonl").write_text("junk")
    prune(tmp_path, keep=100)
    assert len(journals(tmp_path)) == 8
    prune(tmp_path, keep=2)
    assert [path.stem for path in journals(tmp_path)] == ["t0", "t00", "t2", "t5", "t6"]
    prune(tmp_path, keep=0)
    assert [path.stem for path in journals(tmp_path)] == ["t0", "t00", "t2", "t5"]


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


DONE: list[tuple[str, int, dict[str, Any]]] = [
    *(("begin", index, {}) for index in range(3)),
    *(("done", index, {"changed": True, "identity": {}}) for index in range(3)),
]
GATED = Plan((*PLAN.stages, ()))


@pytest.mark.parametrize(
    ("plan", "events", "context", "outcome"),
    [
        (PLAN, DONE, {}, "committed"),
        (PLAN, [*DONE, ("done", 0, {"changed": False, "identity": {}})], {}, "committed"),
        (PLAN, DONE[:-1], {}, ""),
        # Another run has brought the last step to its end.
        (PLAN, [*DONE[:-1], ("done", 2, {"changed": False, "identity": {}})], {}, ""),
        (PLAN, [*DONE, ("undo", 2, {})], {}, ""),
        (PLAN, [*DONE, ("undo", 2, {}), ("undone", 2, {})], {}, ""),
        # What was found, and is to be taken back.
        (PLAN, DONE, {"takesBack": "t0"}, ""),
        # Its gate comes after its last change.
        (GATED, DONE, {"gated": True}, ""),
        (Plan(()), [], {}, ""),
    ],
)
def test_who_has_done_all_has_committed_without_saying_so(
    tmp_path: Path,
    plan: Plan,
    events: list[tuple[str, int, dict[str, Any]]],
    context: dict[str, Any],
    outcome: str,
) -> None:
    journal = Journal.open(tmp_path, "t1", plan, context)
    for event, index, facts in events:
        journal.event(event, index, **facts)
    journal.close()
    assert read(journal.path).outcome == outcome
    # A last line that is torn changes nothing; one that is whole goes first.
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b'{"event":"outcome","outc')
    assert read(journal.path).outcome == outcome
    journal.path.write_bytes(whole + b'{"event":"outcome","outcome":"incomplete"}')
    assert read(journal.path).outcome == "incomplete"
