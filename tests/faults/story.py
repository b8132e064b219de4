"""What happened in a schedule, for people: the plan, each run's end, the calls in their order, the worlds."""

from collections.abc import Iterator, Sequence

from irsa_cli.sandbox.model import Call
from tests.faults.desired_states import changes
from tests.faults.judge import Json
from tests.faults.ran import Ran
from tests.faults.schedule import Schedule
from tests.faults.zygote import Process

LAST_LINES = 12


def tell_schedule(
    schedule: Schedule,
    runs: Sequence[Ran],
    calls: Sequence[Call],
    before: Json,
    after: Json,
    errors: Sequence[bytearray],
) -> str:
    """The story of the runs of a schedule."""
    return "\n".join(
        [
            *_plan(schedule),
            *(line for run, error in zip(runs, errors, strict=True) for line in _end(run, runs, error)),
            *(f"  differs: {kind} {name}" for kind, name in changes(before, after)),
            *_calls(runs, calls),
        ]
    )


def tell_after(what: str, process: Process) -> str:
    """What a run that came afterwards said."""
    return f"\n{what}: exit {process.code}\n" + "\n".join(_tail(process.err))


def _plan(schedule: Schedule) -> Iterator[str]:
    there = [name for name in ("provider", "namespace", "existing", "together") if getattr(schedule, name)]
    yield f"{schedule.scenario}; {', '.join(there)}; after: {schedule.after}"
    for number, part in enumerate(schedule.parts):
        start = f" when {part.start.after} has made {part.start.calls} calls" if part.start else ""
        yield f"  run {number}{start}: {' '.join(part.desired.arguments)}"
        yield from (f"    {strike.injection} at its call {strike.at}" for strike in part.strikes)
    for hold in schedule.holds:
        yield f"  call {hold.at} of {hold.run} held until {hold.other} has made {hold.calls} more"


def _end(run: Ran, runs: Sequence[Ran], error: bytearray) -> Iterator[str]:
    name = f"run {runs.index(run)}{' struck' if run.struck else ''}"
    yield f"{name}: exit {run.ending.code}, left {list(run.ending.left)}, marks {sorted(run.marks)}"
    yield from _tail(error)


def _tail(error: bytearray) -> list[str]:
    return [f"  | {line}" for line in bytes(error).decode(errors="replace").splitlines()[-LAST_LINES:]]


def _calls(runs: Sequence[Ran], calls: Sequence[Call]) -> Iterator[str]:
    callers = {run.caller: str(number) for number, run in enumerate(runs)}
    first = min((call.started for call in calls), default=0.0)
    for call in calls:
        span = f"{call.started - first:7.3f} {call.ended - first:7.3f}"
        status = f"{call.status} {call.error_code}"
        who = callers.get(call.caller, "?")
        yield f"  {span} {who} {call.service} {call.operation} {call.subject} {status}"
