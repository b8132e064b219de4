"""What doctor says of a lock: a run at work, an interrupted one, and what of that can't be known."""

from datetime import datetime, timedelta

import pytest

from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.marks.locks import Holder, LeaseState, Lock, LockScope, Timing, Writer
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.core.values.errors import Unreadable
from tests.unit.current import NOW, around
from tests.unit.doctor.diagnosis_cases import finding


def seen(
    age: float, *, holder: str | None = None, date: bool = True, command: str = "irsa apply"
) -> SeenLock:
    """The binding's lock, written so many seconds ago."""
    body = Writer(Holder("r1", "alice", "ci"), Timing(), "demo-0", command).body(
        Lock(LockScope.BINDING, "backend/reader"), NOW
    )
    if holder is not None:
        body["spec"]["holderIdentity"] = holder
    written: datetime = NOW - timedelta(seconds=age)
    body["metadata"] |= {
        "uid": "u",
        "resourceVersion": "1",
        "managedFields": [{"time": written.strftime("%Y-%m-%dT%H:%M:%SZ")}],
    }
    return SeenLock(LeaseState.read(body), NOW if date else None)


def about(lock: SeenLock | Unreadable | None) -> Finding:
    return finding(around(lock=lock), "run-at-work")


def test_what_nobody_holds_is_in_order() -> None:
    for lock in (None, seen(0, holder="")):
        assert about(lock).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (seen(0), "an irsa run is changing it now"),
        (seen(50), "an irsa run is changing it now"),
        (seen(51), "a run was interrupted: its lock expired and was not released"),
        (seen(51, date=False), "cannot tell if that run is still active"),
    ],
)
def test_what_is_locked_is_a_hint_and_no_problem(lock: SeenLock, words: str) -> None:
    found = about(lock)
    assert words in found.judgement.text
    assert (found.verdict, found.judgement.hints, found.judgement.decides) == (Verdict.UNKNOWN, True, False)
    evidence = dict(found.judgement.evidence)
    assert evidence["holder"] == "r1_alice@ci"
    assert evidence["command"] == "irsa apply"
    assert (evidence.get("to roll back") == "irsa recover -c demo") == words.startswith("a run was")


def test_what_may_not_be_read_is_a_note_only() -> None:
    found = about(Unreadable("not permitted"))
    judged = found.judgement
    assert (judged.text, judged.hints, judged.decides) == ("not permitted", False, False)
