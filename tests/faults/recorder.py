"""Recording what the matrix is made of: the calls of a clean run, and of runs that take everything back."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.cases import REPEATED, SIGNAL, Case, Recording, Rollback, number, places
from tests.faults.commands import Command, is_write
from tests.faults.injections import Call
from tests.faults.judge import essence
from tests.faults.zygote import RENEWING


def record(bench: Bench, command: Command) -> Recording:
    """Run a command once without a fault, and as often as it takes with a write broken."""
    ran = bench.run_clean(command)
    assert ran.ending.code == 0, f"{command.name} fails without a fault: {ran.ending}"
    calls = tuple(call for call in number(ran.calls) if _comes_each_time(call, command))
    desired = essence(ran.after, ran.before)
    # A lock that is not given back fails nothing, and one that can't be had has nothing to be taken back.
    writes = [call for call in calls if is_write(call) and not call.operation.endswith(" leases")]
    sizes = sizes_of(ran.journal) if ran.journal else ()
    rollbacks = tuple(_rollbacks(bench, command, writes)) if command.failing else ()
    return Recording(command.name, calls, desired, sizes, len(sizes) - ran.lines_before, rollbacks)


def _rollbacks(bench: Bench, command: Command, writes: Sequence[Call]) -> Iterator[Rollback]:
    """The longest rollback that a failing write brings about, and the longest upon a signal."""
    for breaking, code in ((command.failing, 1), (SIGNAL, 130)):
        found = (_rollback(bench, command, write, breaking, code) for write in reversed(writes))
        rollback = next(filter(None, found), None)
        assert rollback or breaking == SIGNAL, f"{command.name} is never taken back"
        if rollback:
            yield rollback


def _rollback(bench: Bench, command: Command, broken: Call, breaking: str, code: int) -> Rollback | None:
    """What follows when a call is broken, if that is how the command fails.

    It isn't for rehearsals of writes, and for a signal at the last write.
    """
    ran = bench.run_broken(Case("", command.name, breaking, broken))
    calls = number(ran.calls)
    assert broken in calls, f"{command.name} does not come to {broken}: {ran.ending}"
    if ran.ending.code != code:
        return None
    found = _following(calls, broken, breaking, command)
    return found if breaking != SIGNAL or any(is_write(call) for call in found.calls) else None


def _comes_each_time(call: Call, command: Command) -> bool:
    """Not so the renewal of a lock: it depends on how long the run took."""
    if call.operation != "PUT leases":
        return True
    return call.skip == 0 and (command.recovers or RENEWING in command.env)


def _following(calls: Sequence[Call], broken: Call, breaking: str, command: Command) -> Rollback:
    """The calls that follow a broken one; the same again is broken, too, unless by a signal."""
    first = calls.index(broken) + 1
    repeated: Counter[tuple[str, str]] = Counter()
    chosen: list[tuple[Call, int]] = []
    for call, before in list(zip(calls, places(calls), strict=True))[first:]:
        operation = (call.service, call.operation)
        repeated[operation] += 1
        again = breaking != SIGNAL and operation == (broken.service, broken.operation)
        if not again and repeated[operation] <= REPEATED and _comes_each_time(call, command):
            chosen.append((call, before))
    return Rollback(broken, breaking, tuple(call for call, _ in chosen), tuple(at for _, at in chosen))


def sizes_of(journal: Path) -> tuple[int, ...]:
    """How large a journal is after each of its lines, in bytes."""
    total, sizes = 0, []
    for line in journal.read_bytes().splitlines(keepends=True):
        total += len(line)
        sizes.append(total)
    return tuple(sizes)
