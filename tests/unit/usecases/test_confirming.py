"""The question before a deletion, and what is so while somebody thinks about it; what was not shown stays.

How it looks at a terminal is in tests/scenarios/test_confirming.py.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from irsa_cli.cli.output.plan_text import Confirmation
from irsa_cli.cli.terminal.progress import Progress
from tests.support.memory.playing import Play
from tests.unit.usecases.commands import FILE, ONE, Stage, applied, bound, provider

PRUNE = "apply -f $folder/irsa.yaml --prune"
DELETIONS: dict[str, tuple[Callable[[Play], None], str]] = {
    "delete-sa reader -n backend": (bound, ONE),
    "delete -f $folder/irsa.yaml": (bound, ONE),
    PRUNE: (applied, FILE),
    f"{PRUNE} --atomic": (applied, FILE),
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


def prepare(stage: Stage, line: str) -> None:
    prepare, text = DELETIONS[line]
    prepare(stage.play)
    stage.play.file(text)


@pytest.mark.parametrize("line", DELETIONS)
def test_no_lock_is_held_while_somebody_thinks(stage: Stage, person: Person, line: str) -> None:
    prepare(stage, line)
    before = stage.play.world
    stage.run(f"{line} --lock")
    assert (person.locks, stage.play.cloud.locks) == ([[]], [])
    assert len(stage.play.world.roles) < len(before.roles)


@pytest.mark.parametrize("lock", ["", " --lock"])
@pytest.mark.parametrize("line", DELETIONS)
def test_a_no_is_final(stage: Stage, person: Person, line: str, lock: str) -> None:
    prepare(stage, line)
    person.answers = [False]
    stage.run(line + lock, code=4, says="it was not confirmed", changes="")
    assert (len(person.asked), stage.play.cloud.locks) == (1, [])


def test_what_has_come_meanwhile_is_not_deleted_unseen(stage: Stage, person: Person) -> None:
    prepare(stage, PRUNE)
    person.meanwhile = lambda: stage.run("create-sa new -n attic --attach-policy-arn $S3")
    says = "there is more to delete now than you confirmed"
    stage.run(f"{PRUNE} --atomic --lock", code=4, says=says)
    assert {("attic", "new"), ("attic", "older"), ("backend", "old")} <= set(stage.play.world.accounts)
    assert (len(person.asked), stage.play.cloud.locks) == (1, [])


def test_who_names_one_thing_is_not_asked_where_nothing_goes(stage: Stage, person: Person) -> None:
    provider(stage.play)
    stage.run("delete-sa reader -n backend --ignore-not-found")
    assert person.asked == []


def test_the_time_to_think_does_not_count(
    stage: Stage, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    thought, clock = [0.0], time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: clock() + thought[0])
    bound(stage.play)
    person.meanwhile = lambda: operator.setitem(thought, 0, 3600.0)
    ran = stage.run("delete-sa reader -n backend --lock --timeout 60s", says="Deleted")
    assert float(ran.out.split("Done in ")[1].split(" s")[0]) < 3600


def test_each_cluster_is_asked_about(person: Person) -> None:
    confirmation = Confirmation(Progress(quiet=False, verbose=False), yes=False, dry_run=False)
    person.answers = [True, False, True]
    answers = [confirmation.of_names(f"in {name}", ["a/b"]) for name in ("demo", "staging", "prod")]
    assert answers == [True, False, True]
    assert [lines[0] for lines in person.asked] == ["in demo", "in staging", "in prod"]
