"""The matrix: every call that a clean run makes, times every way in which it can be broken.

Nothing here is written by hand but the two lists that are multiplied: `COMMANDS` and `INJECTIONS`.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.injections import DISK_FULL, INJECTIONS, Call
from tests.faults.judge import Json


@dataclass(frozen=True)
class Recording:
    """A clean run: its calls, the world that it made (in the form of `judge.essence`), its journal.

    `rollback` holds the calls by which the command took everything back when its call `broken` failed.
    """

    command: str
    calls: tuple[Call, ...]
    desired: Json
    journal: tuple[int, ...]
    """The size of the journal after each of its lines, in bytes."""
    broken: Call | None = None
    rollback: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Case:
    """One run to be broken: which call, how; with `broken`, after that call made it roll back."""

    stage: str
    command: str
    injection: str
    call: Call
    broken: Call | None = None

    @property
    def id(self) -> str:
        """Its name on the command line."""
        phase = "rollback" if self.broken else "forward"
        return f"{self.stage}:{self.command}:{phase}:{self.call}:{self.injection}"


def number(operations: Sequence[tuple[str, str]]) -> list[Call]:
    """Calls with how often the same one was there before."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for operation in operations:
        found.append(Call(*operation, seen[operation]))
        seen[operation] += 1
    return found


def matrix(stage: str, recording: Recording) -> Iterator[Case]:
    """All cases of one command."""
    for injection in INJECTIONS:
        for call in recording.calls:
            yield Case(stage, recording.command, injection, call)
        for call in recording.rollback:
            yield Case(stage, recording.command, injection, call, recording.broken)
    for line in range(len(recording.journal)):
        yield Case(stage, recording.command, DISK_FULL, Call("journal", "line", line))


def shuffled(cases: Sequence[Case], seed: int) -> list[Case]:
    """The cases in an order of the seed's, so that any beginning of it is a fair sample."""
    order = list(cases)
    random.Random(seed).shuffle(order)
    return order


def choose(case: Case, seed: int, *, unfinished: bool) -> str:
    """What is to make the world good again: the same again, here or on another machine, or `irsa recover`."""
    choices = ["again", "elsewhere", *(["recover", "recover"] if unfinished else [])]
    return random.Random(f"{seed} {case.id}").choice(choices)
