"""The matrix: every call that a clean run makes, times every way in which it can be broken.

Nothing here is written by hand but the lists that are multiplied: `COMMANDS`, `INJECTIONS`, `OF_CONNECTIONS`,
`OF_LAG`, `OF_UNTRUE` and `MEDDLERS`.
"""

import random
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.commands import COMMANDS, is_write
from tests.faults.injections import (
    DELETED_MEANWHILE,
    DISK_FULL,
    ESSENTIAL,
    INJECTIONS,
    KILLING,
    LIKE_OTHERS,
    OF_CONNECTIONS,
    OF_LAG,
    OF_PASSAGE,
    OF_UNTRUE,
    OF_WRITES,
    PASSAGE_OF_READS,
    PAUSES,
    SECOND,
    SECOND_SIGNAL,
    Call,
    port,
)
from tests.faults.judge import Json
from tests.faults.meddling import MEDDLED, MEDDLERS

REPEATED = 3
"""How often the same call of a rollback is broken; how often it looks for what may be late is up to time."""
SIGNAL = "sigint"
LOOKED_AT = ("GET namespaces", "GET serviceaccounts", "GET configmaps", "GET /api", "GET /apis")
"""What irsa reads of Kubernetes. All else that it gets are lists of what others have put into a namespace,
some thirty of them, which differ only in the kind of thing: the one of ConfigMaps is broken in every way,
each other one in `WAYS_OF_LISTS`, in turn, so that each way is tried with some of them; in one way, where not
all of them are tried of the command."""
WAYS_OF_LISTS = 3
IN_TURN_OF_WRITES, IN_TURN_OF_READS = 2, 1
"""In how many ways of `OF_PASSAGE` a call of a command is broken that is not thorough; readings of commands
that read with the code of another one, or whose calls are broken in few ways, in none."""
UNTRUE_IN_TURN = 2
"""In how many ways of `OF_UNTRUE` a write is broken of a command that is not thorough."""
ANOTHER = 0.5
"""How many of the cases another command follows."""
READERS = ("get-sa", "describe-sa", "verify", "doctor")


@dataclass(frozen=True)
class Rollback:
    """A run that was made to fail at its call `broken`, by `breaking`: `calls` are those that follow.

    `before` holds the number of calls to the same port that came before each.
    """

    broken: Call
    breaking: str
    calls: tuple[Call, ...]
    before: tuple[int, ...]


@dataclass(frozen=True)
class Recording:
    """A clean run: its calls, the world that it made (in the form of `judge.essence`), its journal."""

    command: str
    calls: tuple[Call, ...]
    desired: Json
    journal: tuple[int, ...]
    """The size of the journal in bytes after each of its lines; 0 is the first."""
    lines: int
    """How many of these lines the run wrote itself: the last ones."""
    rollbacks: tuple[Rollback, ...] = ()


@dataclass(frozen=True)
class Case:
    """One run to be broken: which call, how; with `broken`, after that call made it roll back.

    `before` is the number of calls to the same port that come before `call`.
    """

    stage: str
    command: str
    injection: str
    call: Call
    broken: Call | None = None
    breaking: str = ""
    before: int = 0

    @property
    def id(self) -> str:
        """Its name on the command line."""
        phase = {"": "forward", SIGNAL: "interrupted"}.get(self.breaking, "rollback")
        return f"{self.stage}:{self.command}:{phase}:{self.call}:{self.injection}"

    @property
    def kills(self) -> bool:
        """Whether the process may go without a word."""
        return self.injection in KILLING


def number(operations: Sequence[tuple[str, str]]) -> list[Call]:
    """Calls with how often the same one was there before."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for operation in operations:
        found.append(Call(*operation, seen[operation]))
        seen[operation] += 1
    return found


def places(calls: Sequence[Call]) -> list[int]:
    """For each call, the number of those before it that went to the same port."""
    seen: Counter[str] = Counter()
    found = []
    for call in calls:
        found.append(seen[port(call.service)])
        seen[port(call.service)] += 1
    return found


def matrix(stage: str, recording: Recording) -> Iterator[Case]:
    """All cases of one command."""
    name = recording.command
    ways = _Ways(name, recording.calls)
    for call, before in zip(recording.calls, places(recording.calls), strict=True):
        for injection in (
            *ways.of(call),
            *ways.in_turn(call),
            *_lagging(name, call),
            *_untrue(name, call),
            *_meddling(name, call, back=False),
            *_pausing(name, call),
        ):
            yield Case(stage, name, injection, call, before=before)
    for rollback in recording.rollbacks:
        ways = _Ways(name, rollback.calls)
        for call, before in zip(rollback.calls, rollback.before, strict=True):
            for injection in _in_rollback(name, rollback, call, ways):
                yield Case(stage, name, injection, call, rollback.broken, rollback.breaking, before)
    for line in range(len(recording.journal))[-recording.lines :]:
        yield Case(stage, name, DISK_FULL, Call("journal", "line", line))


def check_ways(cases: Sequence[Case]) -> None:
    """Raise `AssertionError` for a command that is not killed, also in its rollback, or has no full disk."""
    for command in {case.command for case in cases}:
        ways = {(case.injection, case.broken is not None) for case in cases if case.command == command}
        assert {("kill-after", False), ("disk-full", False)} <= ways, command
        assert ("kill-after", True) in ways or not COMMANDS[command].failing, command


def of_stage(case: Case) -> str:
    """The stage that a case is for where each is played once."""
    return "real" if case.call.service == "kubernetes" else "sandbox"


def _in_rollback(command: str, rollback: Rollback, call: Call, ways: "_Ways") -> Sequence[str]:
    if rollback.breaking == SIGNAL:
        # When locks are given back all is taken back: a signal is then the first one again.
        return (SECOND_SIGNAL,) if not call.operation.endswith(" leases") else ()
    found = (*ways.of(call), *ways.in_turn(call), *_untrue(command, call))
    return (*found, *_meddling(command, call, back=True))


class _Ways:
    """The ways in which each of some calls of a command is broken."""

    def __init__(self, command: str, calls: Sequence[Call]) -> None:
        self._all = COMMANDS[command].ways or (*INJECTIONS, *OF_CONNECTIONS)
        not_of_reads: tuple[str, ...] = OF_WRITES
        if not COMMANDS[command].thorough:
            self._all = tuple(way for way in self._all if way not in SECOND)
            not_of_reads += LIKE_OTHERS
        of_reads = ESSENTIAL if COMMANDS[command].like_others else self._all
        self._of_reads = [way for way in of_reads if way not in not_of_reads]
        self._of_lists = 1 if COMMANDS[command].ways else WAYS_OF_LISTS
        self._lists = sorted((call for call in calls if _is_list(call)), key=str)
        self._number = zlib.crc32(command.encode())
        self._thorough = COMMANDS[command].thorough
        self._reads = not (COMMANDS[command].like_others or COMMANDS[command].ways)

    def in_turn(self, call: Call) -> Sequence[str]:
        """The ways of `OF_PASSAGE` in which the next call is broken."""
        if _is_list(call):
            return ()
        writes = is_write(call)
        if not writes and not self._reads:
            return ()
        ways = tuple(OF_PASSAGE) if writes else PASSAGE_OF_READS
        if self._thorough:
            return ways
        first = self._number
        self._number += IN_TURN_OF_WRITES if writes else IN_TURN_OF_READS
        return [ways[number % len(ways)] for number in range(first, self._number)]

    def of(self, call: Call) -> Sequence[str]:
        if is_write(call):
            return self._all
        if not _is_list(call):
            return self._of_reads
        first = self._lists.index(call) * self._of_lists
        return [
            self._of_reads[number % len(self._of_reads)] for number in range(first, first + self._of_lists)
        ]


def _is_list(call: Call) -> bool:
    if call.operation == "ListClusters":  # One for each region, all alike.
        return True
    return (
        call.service == "kubernetes" and call.operation.startswith("GET ") and call.operation not in LOOKED_AT
    )


def _lagging(command: str, call: Call) -> Sequence[str]:
    if not is_write(call) or COMMANDS[command].recovers:
        return ()
    # What was lost at Kubernetes shows at once.
    return tuple(OF_LAG) if call.service == "iam" else ("denied-lagging",)


def _untrue(command: str, call: Call) -> Sequence[str]:
    """All ways at the writes of what is thorough, else `UNTRUE_IN_TURN` of them, in turn."""
    if not is_write(call):
        return ()
    ways = tuple(OF_UNTRUE)
    if COMMANDS[command].thorough:
        return ways
    first = zlib.crc32(f"{command} {call}".encode())
    return [ways[number % len(ways)] for number in range(first, first + UNTRUE_IN_TURN)]


def _meddling(command: str, call: Call, *, back: bool) -> Sequence[str]:
    meddler = MEDDLERS.get((call.service, call.operation))
    fits = meddler is not None and not COMMANDS[command].recovers and (back or not meddler.in_rollback)
    return (MEDDLED,) if fits else ()


def _pausing(command: str, call: Call) -> Sequence[str]:
    """In both ways at the writes of what is thorough, else in one, in turn."""
    if not is_write(call) or COMMANDS[command].recovers or not COMMANDS[command].locks:
        return ()
    if COMMANDS[command].parts:
        return ()  # It stands still at one of them, and the other run has them all.
    ways = tuple(way for way in PAUSES if way != DELETED_MEANWHILE)
    chosen = ways if COMMANDS[command].thorough else (ways[zlib.crc32(str(call).encode()) % len(ways)],)
    deleted = (DELETED_MEANWHILE,) if "delete-sa" in COMMANDS[command].followers else ()
    return (*chosen, *deleted)


def shuffled(cases: Sequence[Case], seed: int) -> list[Case]:
    """The cases in an order of the seed's, so that any beginning of it is a fair sample.

    Each has its place by its own name: a call more or less does not put others into the sample.
    """
    return sorted(cases, key=lambda case: random.Random(f"{seed} {case.id}").random())


def choose(case: Case, seed: int, *, unfinished: bool, unmarked: bool = False, printed: bool = False) -> str:
    """What is to make the world good again, see `aftermath`; or what comes before that, see `followers`.

    `unmarked`: the run has named something as left that bears no mark, as it was there before. Without the
    journal nobody knows that it was changed. `printed`: it has named commands of irsa that finish it.
    """
    command, draw = COMMANDS[case.command], random.Random(f"{seed} {case.id}")
    if draw.random() < ANOTHER:
        return draw.choice((*READERS, *command.followers, *command.followers))
    choices = ["again", *(["printed"] * 3 if printed else [])]
    if not command.recovers:
        choices += ["elsewhere", *(["recover", "recover"] if unfinished else [])]
    if command.marked and not unmarked and case.injection != MEDDLED:
        choices += ["remains", *(["remains"] if unfinished else [])]
    return draw.choice(choices)
