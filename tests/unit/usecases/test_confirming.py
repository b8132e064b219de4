"""The question before a deletion, and what is so while somebody thinks about it; what was not shown stays.

How it looks at a terminal is in tests/scenarios/test_confirming.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from irsa_cli.cli.output.plan_text import Confirmation
from irsa_cli.cli.terminal.progress import Progress
from tests.support.memory.playing import Play
from tests.unit.usecases.commands import FILE, ONE, READER, S3, applied, bound, provider

PRUNE = ("apply", "-f", "{file}", "--prune")
DELETIONS = {
    "delete-sa": (("delete-sa", *READER), bound, ONE),
    "delete -f": (("delete", "-f", "{file}"), bound, ONE),
    "apply --prune": (PRUNE, applied, FILE),
    "apply --prune --atomic": ((*PRUNE, "--atomic"), applied, FILE),
}


@dataclass
class Person:
    """Whoever is at the terminal: what they were asked, with which locks held; what happens meanwhile."""

    play: Play
    answers: list[bool] = field(default_factory=lambda: [True])
    asked: list[list[str]] = field(default_factory=list)
    locks: list[list[str]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def ask(self, lines: Sequence[str], _: str) -> bool:
        """One question, in the place of `Progress.ask`."""
        self.asked.append([*lines])
        self.locks.append(self.play.cloud.locks)
        self.meanwhile()
        return self.answers.pop(0)


@pytest.fixture
def person(play: Play, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody at the terminal who says yes once, and is not to be asked again."""
    found = Person(play)
    monkeypatch.setattr("irsa_cli.cli.output.plan_text.can_ask", lambda: True)
    monkeypatch.setattr("irsa_cli.cli.terminal.progress.Progress.ask", lambda _, *given: found.ask(*given))
    return found


def prepared(play: Play, name: str) -> tuple[str, ...]:
    arguments, prepare, text = DELETIONS[name]
    prepare(play)
    return tuple(item.format(file=play.file(text, "wanted.yaml")) for item in arguments)


@pytest.mark.parametrize("name", DELETIONS)
def test_no_lock_is_held_while_somebody_thinks(play: Play, person: Person, name: str) -> None:
    arguments = prepared(play, name)
    before = play.world
    play.irsa(*arguments, "--lock")
    assert person.locks == [[]]
    assert len(play.world.roles) < len(before.roles)
    assert play.cloud.locks == []


@pytest.mark.parametrize("lock", [(), ("--lock",)], ids=["without locks", "with locks"])
@pytest.mark.parametrize("name", DELETIONS)
def test_a_no_is_final(play: Play, person: Person, name: str, lock: tuple[str, ...]) -> None:
    arguments = prepared(play, name)
    before = play.world
    person.answers = [False]
    ran = play.irsa(*arguments, *lock, code=4)
    assert "it was not confirmed" in ran.out + ran.err
    assert len(person.asked) == 1
    assert (play.world, play.cloud.locks) == (before, [])


@pytest.mark.parametrize("lock", [(), ("--lock",)], ids=["without locks", "with locks"])
def test_what_goes_is_listed_once(play: Play, person: Person, lock: tuple[str, ...]) -> None:
    ran = play.irsa(*prepared(play, "apply --prune"), *lock)
    assert person.asked == [
        [
            "Created by irsa and no longer in any file, in demo · eu-west-1 · account 111122223333:",
            "  - attic/older",
            "  - backend/old",
        ]
    ]
    assert "no longer in any file" not in ran.err


def test_what_has_come_meanwhile_is_not_deleted_unseen(play: Play, person: Person) -> None:
    arguments = prepared(play, "apply --prune --atomic")

    def another_run() -> None:
        play.irsa("create-sa", "new", "-n", "attic", "-c", "demo", "--attach-policy-arn", S3)

    person.meanwhile = another_run
    ran = play.irsa(*arguments, "--lock", code=4)
    assert "there is more to delete now than you confirmed" in ran.out + ran.err
    assert {("attic", "new"), ("attic", "older"), ("backend", "old")} <= set(play.world.accounts)
    assert (len(person.asked), play.cloud.locks) == (1, [])


def test_who_names_one_thing_is_not_asked_where_nothing_goes(play: Play, person: Person) -> None:
    provider(play)
    play.irsa("delete-sa", *READER, "--ignore-not-found")
    assert person.asked == []


def test_the_time_to_think_does_not_count(
    play: Play, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    thought = [0.0]
    clock = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: clock() + thought[0])
    arguments = prepared(play, "delete-sa")

    def think() -> None:
        thought[0] += 3600.0

    person.meanwhile = think
    ran = play.irsa(*arguments, "--lock", "--timeout", "60s")
    assert "Deleted" in ran.out
    assert float(ran.out.split("Done in ")[1].split(" s")[0]) < 60


def test_each_cluster_is_asked_about(person: Person) -> None:
    confirmation = Confirmation(Progress(quiet=False, verbose=False), yes=False, dry_run=False)
    person.answers = [True, False, True]
    answers = [confirmation.of_names(f"in {name}", ["a/b"]) for name in ("demo", "staging", "prod")]
    assert answers == [True, False, True]
    assert [lines[0] for lines in person.asked] == ["in demo", "in staging", "in prod"]
