"""What a command asks of EKS Pod Identity beside its work: its limit is the command's, not each item's."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from irsa_cli.core.results.result import Ended, Result
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read import associations
from irsa_cli.usecases.read.associations import Question

NAMES = ("a", "b", "c", "d")
CONNECTION = cast(Connection, None)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long answers were waited for, in seconds; nobody does."""
    found: list[float] = []

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout is None:  # A thread that waits until another one has begun.
                return super().wait()
            found.append(timeout)
            return super().wait(0.01)

    monkeypatch.setattr(threading, "Event", Waiting)
    return found


def told(question: Question) -> list[str]:
    """The notes of all, asked one after the other."""
    results = [Result(Ended.COMMITTED) for _ in NAMES]
    for name, result in zip(NAMES, results, strict=True):
        question.tell(result, "backend", name, "arn:aws:iam::111122223333:role/r")
    assert all("podIdentity" not in result.facts for result in results)
    return [note for result in results for note in result.notes]


@pytest.mark.parametrize("hangs", ["associations", "association"])
def test_of_many_an_answer_is_waited_for_once(
    hangs: str, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = threading.Lock()
    lock.acquire()
    asked: list[str] = []

    def hang(*_: Any) -> None:
        asked.append(hangs)
        with lock:
            pass

    listed = {("backend", name): f"a-{name}" for name in NAMES}
    monkeypatch.setattr(associations, "associations", lambda *_: listed)
    monkeypatch.setattr(associations, hangs, hang)
    try:
        (note,) = told(Question(CONNECTION))
    finally:
        lock.release()
    assert associations._NO_ANSWER in note
    assert sum(waited) <= 2 * associations.LATE_SECONDS  # The list is there, and one more is asked for.
    assert len(asked) == 1


def test_a_bug_in_asking_is_told_and_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(associations, "associations", broken)
    (note,) = told(Question(CONNECTION))
    assert "KeyError" in note
    assert capsys.readouterr().err == ""
