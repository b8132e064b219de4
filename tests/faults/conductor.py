"""Carries out a schedule's holds, starts and strikes, told of each call by the sandbox before it is executed.

Nothing sleeps here: what waits does so for calls and ends of other runs, for a bounded time.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from irsa_cli.sandbox import Fault
from irsa_cli.sandbox.exchange import Faults, Label
from tests.faults.injections import INJECTIONS, Call
from tests.faults.schedule import PAUSES, Schedule
from tests.faults.stages import LOCK_SECONDS
from tests.faults.zygote import Process

PAUSE_SECONDS = LOCK_SECONDS + 5.5
"""A lock is taken over by then: it is over some seconds after its end, and is looked at from time to time."""
RENEWAL = "PUT leases"
"""It is not held: whose lock can't be renewed for long rightly stops."""
START_SECONDS = 20.0
"""A run is started after this time at the latest."""


class Aimed(Faults):
    """Faults that strike one caller only, handed on to those of a sandbox."""

    def __init__(self, faults: Faults, caller: str) -> None:
        super().__init__()
        self._faults = faults
        self._caller = caller

    def add(self, fault: Fault) -> None:
        """Arm `fault` for the caller."""
        self._faults.add(replace(fault, caller=self._caller))


class Conductor:
    """`callers` are the access keys of the runs, `hold_seconds` how long a call of each is held at most."""

    def __init__(
        self,
        schedule: Schedule,
        faults: Faults,
        callers: Mapping[str, int],
        hold_seconds: Mapping[int, float],
    ) -> None:
        self._schedule = schedule
        self._faults = faults
        self._callers = callers
        self._hold_seconds = hold_seconds
        self._changed = threading.Condition()
        self._made = dict.fromkeys(callers.values(), 0)
        self._of_operation: Counter[tuple[int, str]] = Counter()
        self._processes: dict[int, Process] = {}
        self._ended: set[int] = set()
        self._closed = False
        self.paused: set[int] = set()
        """The runs that stood still for a while."""

    def listen(self, label: Label) -> None:
        """Note a call, hold it, and arm what is to strike it."""
        run = self._callers.get(label.caller)
        if run is None or self._closed:
            return
        with self._changed:
            number = self._made[run]
            self._made[run] += 1
            same = self._of_operation[run, label.operation]
            self._of_operation[run, label.operation] += 1
            self._changed.notify_all()
        for hold in self._schedule.holds if label.operation != RENEWAL else ():
            place = same if hold.operation == label.operation else number if not hold.operation else None
            if (hold.run, hold.at) == (run, place):
                self._hold(run, hold.other, hold.calls)
        for strike in self._schedule.parts[run].strikes:
            if strike.at == number and strike.injection in PAUSES:
                self._pause(run, answered=strike.injection == "paused-answered")
            elif strike.at == number:
                call = Call(label.service, label.operation, 0)
                aimed = Aimed(self._faults, label.caller)
                INJECTIONS[strike.injection].arm(call, lambda: self._process(run), aimed)

    def _pause(self, run: int, *, answered: bool) -> None:
        """Stop the run; the call that it is at is executed when it goes on, or is `answered` before."""
        self.paused.add(run)
        pid = self._process(run).pid
        _signal(pid, signal.SIGSTOP)

        def go_on() -> None:
            others = set(self._callers.values()) - {run}
            self._wait(lambda: others <= self._ended, PAUSE_SECONDS)
            _signal(pid, signal.SIGCONT)

        if answered:
            threading.Thread(target=go_on, daemon=True).start()
        else:
            go_on()

    def _hold(self, run: int, other: int, calls: int) -> None:
        until = self._made[other] + calls
        self._wait(lambda: self._made[other] >= until or other in self._ended, self._hold_seconds[run])

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or condition(), seconds)

    def _process(self, run: int) -> Process:
        self._wait(lambda: run in self._processes, START_SECONDS)
        return self._processes[run]

    def wait_to_start(self, run: int) -> None:
        """Return when it is time for a run to start."""
        start = self._schedule.parts[run].start
        if start is not None:
            after, calls = start.after, start.calls
            self._wait(lambda: after in self._ended or self._made[after] >= calls, START_SECONDS)

    def began(self, run: int, process: Process) -> None:
        """Note that a run has started."""
        with self._changed:
            self._processes[run] = process
            self._changed.notify_all()

    def ended(self, run: int) -> None:
        """Note that a run has ended."""
        with self._changed:
            self._ended.add(run)
            self._changed.notify_all()

    def close(self) -> None:
        """Let everything go that is held; from now on nothing is done to any call."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
