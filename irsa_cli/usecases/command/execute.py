"""Running a plan and telling how it ended: the same for every command that writes."""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.recovery.authority import way_of
from irsa_cli.core.results.result import ChangeResult, Ended, Left, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Claimed, Conflict, IrsaError, MadeAgain, ServiceError, Unseen
from irsa_cli.core.values.redaction import redacted
from irsa_cli.transaction.events import Leftover, Listener, Report
from irsa_cli.transaction.folder import check_place, prune
from irsa_cli.transaction.journal import Journal, RefusedJournal
from irsa_cli.transaction.protocol import Handler, Interrupted, Run
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import Covers, command_of, interrupted_runs, leaves
from irsa_cli.transaction.runner import Transaction
from irsa_cli.transaction.story import new_transaction_id

Note = Callable[[str], None]


class RunGroup(Run):
    """Several runs at the same time that a signal stops together. Safe to use from several threads."""

    def __init__(self) -> None:
        super().__init__("--all", math.inf)
        self.forgettable = False
        self.number = 0
        self._runs: set[Run] = set()
        self._lock = threading.Lock()

    def interrupt(self, number: int) -> None:
        """See `Run.interrupt`."""
        super().interrupt(number)
        with self._lock:
            self.number = number
            for run in self._runs:
                run.interrupt(number)

    @contextmanager
    def holding(self, run: Run) -> Iterator[None]:
        """The time of one run; interrupted from the start when the group is."""
        with self._lock:
            self._runs.add(run)
            if self.number:
                run.interrupt(self.number)
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(run)


@dataclass(frozen=True)
class Settings:
    """How to run: time limits in seconds, where the journal lives, who listens."""

    state_dir: Path
    timeout: float = 300.0
    rollback_timeout: float = 60.0
    dry_run: bool = False
    listen: Listener = lambda event: None
    note: Note = lambda text: None
    group: RunGroup | None = None
    """The runs that this one is one of; signals are heard, and journals are pruned, for all of them."""
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the command started."""
        return time.monotonic() - self.started


@contextmanager
def stoppable(run: Run, warn: Note, way: str = "") -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a stop before the next call; a second signal ends the process at once.

    Raising out of a handler would leak: the request in flight may be executed after the rollback. And when
    the run has ended, a signal must not keep it from telling what it did; see `told_to_stop`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = os.pipe()
    watcher = threading.Thread(target=_watch, args=(heard, run, warn), daemon=True)
    watcher.start()
    seen: list[int] = []
    handle = _handler(told, seen, f"stopped; finish with: irsa recover {run.transaction}{way}\n".encode())
    late = told_to_stop()
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    if late:
        run.interrupt(late)
    try:
        yield
    finally:
        after = _Late(second=bool(seen))
        for number, handler in before.items():
            signal.signal(number, handler if run.forgettable else after)
        os.close(told)
        watcher.join()
        os.close(heard)


class _Late:
    """Handles signals when a run has ended: the first is noted, a second one ends the process at once.

    `second`: the run has heard the first one already.
    """

    def __init__(self, *, second: bool) -> None:
        self.number = 0
        self._second = second

    def __call__(self, number: int, _frame: object) -> None:
        if self.number or self._second:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number
        with suppress(OSError):
            os.write(sys.stderr.fileno(), b"stopping when the outcome is told (once more to stop at once)\n")


def told_to_stop() -> int:
    """The signal that came when the run before had ended and had something to tell; 0 for none."""
    handler = signal.getsignal(signal.SIGTERM)
    return handler.number if isinstance(handler, _Late) else 0


def _handler(told: int, seen: list[int], last_words: bytes) -> Callable[[int, object], None]:
    """Handles signals without a lock: the code that it interrupts may hold any. They are noted as `seen`."""

    def handle(number: int, _frame: object) -> None:
        if seen:
            with suppress(OSError):
                os.write(sys.stderr.fileno(), last_words)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        seen.append(number)
        os.write(told, bytes([number]))

    return handle


def _watch(heard: int, run: Run, warn: Note) -> None:
    """Stop the run when the first signal is heard; what a handler must not do is done here."""
    number = os.read(heard, 1)
    if number:
        run.interrupt(number[0])
        warn("stopping: the call under way is waited for, then all is taken back (once more to stop at once)")


_ended: ContextVar[list[Result] | None] = ContextVar("ended", default=None)


@contextmanager
def recording() -> Iterator[list[Result]]:
    """The results of the transactions that this thread runs in here, in their order."""
    found: list[Result] = []
    token = _ended.set(found)
    try:
        yield found
    finally:
        _ended.reset(token)


def standing(ended: Sequence[Result], error: BaseException) -> Result | None:
    """What stands when something fails after a transaction: its result, and a word of the failure.

    None where no transaction has ended, or the last one left nothing: then the failure is all there is to
    tell. What was committed stays true whatever fails later, and what was left behind is still there.
    """
    if not ended or ended[-1].ended not in (Ended.COMMITTED, Ended.INCOMPLETE):
        return None
    words = str(error)
    if isinstance(error, KeyboardInterrupt):
        words = "interrupted"
    elif not isinstance(error, IrsaError):
        words = redacted(f"a bug in irsa: {type(error).__name__}: {error}")
    last = ended[-1]
    return replace(last, notes=[*last.notes, f"what comes after the transaction could not be done: {words}"])


def execute(
    plan: Plan,
    handlers: Mapping[Kind, Handler],
    cluster: Cluster,
    settings: Settings,
    context: Mapping[str, Any],
    *,
    gate: Callable[[Run], None] | None = None,
) -> Result:
    """Run a plan as one transaction and report; raises `JournalError` when it can't even start."""
    transaction = new_transaction_id()
    run = Run(transaction, settings.timeout - settings.seconds, settings.timeout)
    way = way_of(context.get("target") or {})
    with stoppable(run, settings.note, way) if settings.group is None else settings.group.holding(run):
        facts = {**context, "gated": gate is not None}
        _tell_of_place(settings)
        journal = Journal.open(settings.state_dir, transaction, plan, facts)
        try:
            report = Transaction(
                plan,
                handlers,
                journal,
                run,
                settings.listen,
                gate=None if gate is None else lambda: gate(run),
                rollback_seconds=settings.rollback_timeout,
            ).execute()
            run.forgettable = report.outcome == "rolled-back"
        finally:
            journal.close()
    result = result_of_report(report, cluster, transaction, settings, way)
    if (ended := _ended.get()) is not None:
        ended.append(result)
    if settings.group is None:
        prune(settings.state_dir)
    return result


def _tell_of_place(settings: Settings) -> None:
    """Say where `irsa recover` would not take the journal for this user's own."""
    if settings.group is not None:
        return
    try:
        check_place(settings.state_dir)
    except RefusedJournal as error:
        settings.note(f"Note: irsa recover will not take the journal of this run: {error}")


def result_of_report(
    report: Report, cluster: Cluster, transaction: str, settings: Settings, way: str = ""
) -> Result:
    """How a transaction ended, for the user."""
    signal_number = report.error.number if isinstance(report.error, Interrupted) else 0
    return Result(
        Ended(report.outcome),
        cluster=cluster,
        transaction=transaction,
        changes=[ChangeResult(item.change, item.state, item.seconds) for item in report.changes],
        left=[left(item, transaction, cluster.name, way) for item in report.leftovers],
        error=report.error,
        signal=signal_number,
        seconds=settings.seconds,
    )


_TAKEN_AWAY = ("NoSuchEntity", "NotFound")


def came_between(error: Exception | None) -> bool:
    """Whether a run failed because of what another one did at the same time: to look again may help."""
    if isinstance(error, ServiceError):
        return error.code in _TAKEN_AWAY
    return isinstance(error, Conflict | Unseen)


def left_to_another(result: Result) -> bool:
    """Whether all that a run has left is what another run counts on: that one may make it whole."""
    ended = result.ended is Ended.INCOMPLETE and came_between(result.error)
    return ended and all(item.in_use for item in result.left)


def planned(plan: Plan, cluster: Cluster, settings: Settings) -> Result:
    """The result of a dry run: the plan, nothing done."""
    changes = [ChangeResult(change, "planned") for change in plan]
    return Result(Ended.PLANNED, cluster=cluster, changes=changes, seconds=settings.seconds)


def left(leftover: Leftover, transaction: str, cluster: str = "", way: str = "") -> Left:
    """A leftover with the command that takes it back, or that shows it when it may be somebody else's.

    `way`: the options by which the run's recovery reaches the cluster; see
    `irsa_cli.core.recovery.authority`.
    """
    if isinstance(leftover.error, Claimed) and cluster:
        repair = f"irsa recover --cluster {cluster}{way}  # lists what no run has finished; this is in use"
        return Left(
            f"{leftover.change.kind.value} {leftover.change.name}", str(leftover.error), repair, in_use=True
        )
    why = str(leftover.error)
    if isinstance(leftover.error, MadeAgain):
        namespace, name = leftover.change.target
        repair = f"kubectl -n {namespace} get pods  # those of {name}: delete them, to start them again"
        return Left(f"{leftover.change.kind.value} {leftover.change.name}", why, repair)
    # What was taken away is in the journal, and nowhere else.
    look = isinstance(leftover.error, Conflict) and leftover.change.after is not None
    repair = look_command(leftover.change) if look else f"irsa recover {transaction}{way}"
    return Left(f"{leftover.change.kind.value} {leftover.change.name}", why, repair)


def look_command(change: Change) -> str:
    """The command of AWS or Kubernetes that shows a person what a change is about.

    None that deletes: what could not be taken back, because somebody else has changed it, may be theirs.
    """
    target = [shlex.quote(part) for part in change.target]
    command = change.kind.traits.shown_by.format(first=target[0], last=target[-1])
    return f"{command}  # then decide: somebody else has changed it"


def going_on(
    settings: Settings, context: Mapping[str, Any], covers: Covers, also: Collection[str] = ()
) -> list[Path]:
    """The journals of runs for the same object that were cut off, and what this run makes of them is said.

    `covers` tells what is left of them when this run has ended well. Commands as in `interrupted_runs`.
    """
    found = interrupted_runs(settings.state_dir, context, also)
    for path in found:
        if leaves(read(path), covers):
            settings.note(other_desired_state(path))
        else:
            settings.note(f"An earlier run ({path.stem}) was cut off; this one goes on from what it left.")
    return found


def other_desired_state(path: Path) -> str:
    """What is said of a run that was cut off and left something that this one is not about."""
    return (
        f"An earlier run ({path.stem}) that asked for something else was cut off:"
        f" {command_of(path)} takes back what only that one needs."
    )


@contextmanager
def naming_caller(caller: Callable[[], str]) -> Iterator[None]:
    """Add the caller's identity to errors that say that a permission is missing."""
    try:
        yield
    except IrsaError as error:
        name_caller(error, caller)
        raise


def name_caller(error: Exception | None, caller: Callable[[], str]) -> None:
    """Add the caller's identity to an AWS error that says that a permission is missing."""
    if isinstance(error, ServiceError) and error.status == 403 and error.service != "kubernetes":
        identity = caller()
        if identity and f"caller: {identity}" not in error.details:
            error.details = (*error.details, f"caller: {identity}")
