"""A run that stands still for longer than its locks hold, while another one takes over and ends.

Then it goes on: but for the one call that was under way, it may write nothing any more.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from irsa_cli.sandbox import Fault
from irsa_cli.sandbox.model import Call as Done
from irsa_cli.transaction.steps import PARALLEL
from tests.faults.commands import is_write
from tests.faults.injections import Call
from tests.faults.judge import Ending, Json, Verdict, essence, judge
from tests.faults.stages import FaultStage
from tests.faults.zygote import Process

OTHER = "another"
"""The user who runs the other one."""
OTHER_SECONDS = 45.0
REFUSED = 4
"""How irsa ends where it refuses to begin."""


class Pause:
    """One pause; `begin` is called by the service that a call of the run has come to.

    `process` is the run, `another` starts the other one. `answered`: the call is executed at once.
    """

    def __init__(
        self,
        stage: FaultStage,
        process: Callable[[], Process],
        another: Callable[[], Process],
        *,
        answered: bool,
    ) -> None:
        self._stage = stage
        self._process = process
        self._another = another
        self._answered = answered
        self._thread: threading.Thread | None = None
        self._other: Process | None = None
        self._caller = stage.env()["AWS_ACCESS_KEY_ID"]
        self._went_on = float("inf")
        self.before = self.after = stage.world()
        """The worlds before the runs, and when the other one had ended."""

    def fault(self, call: Call) -> Fault:
        """What makes it begin, when the run comes to a call."""
        return Fault(
            call.service,
            call.operation,
            "callback",
            skip=call.skip,
            run=self.begin,
            caller=self._caller,
        )

    def begin(self) -> None:
        """Stop the run, and have the other one run to its end."""
        os.kill(self._process().pid, signal.SIGSTOP)
        if not self._answered:
            self._meanwhile()
            return
        self._thread = threading.Thread(target=self._meanwhile)
        self._thread.start()

    def _meanwhile(self) -> None:
        try:
            self._other = self._another()
            if not self._other.ended.wait(OTHER_SECONDS):
                with suppress(ProcessLookupError):
                    os.kill(self._other.pid, signal.SIGKILL)
            self.after = self._stage.world()
        finally:
            self._went_on = time.monotonic()
            with suppress(ProcessLookupError):
                os.kill(self._process().pid, signal.SIGCONT)

    def wait(self) -> None:
        """Return when all is over."""
        if self._thread is not None:
            self._thread.join()

    @property
    def took_over(self) -> bool:
        """Whether there was another run."""
        return self._other is not None

    @property
    def story(self) -> str:
        """What the other run said."""
        if self._other is None:
            return ""
        lines = bytes(self._other.err).decode(errors="replace").splitlines()[-25:]
        return "\n".join(["", f"the other one: exit {self._other.code}", *(f"  | {line}" for line in lines)])

    def judge(
        self, desired: Json, ending: Ending, calls: Sequence[Done], *, serial: bool
    ) -> tuple[Verdict, list[str]]:
        """The verdict on the first run, and what is wrong with how both ended; `desired` is an `essence`.

        `serial`: it makes one write after the other. Of several at the same time, those that were on their
        way when it was stopped go out when it goes on: what they did is in no world that can be foretold.
        """
        late = [call for call in calls if self._is_late(call)]
        if late and not serial:
            problems = [f"it wrote {len(late)} times without a lock"] if len(late) > PARALLEL else []
            return Verdict.CUT, problems
        world = self._stage.world()
        # A run that does not end well has to leave everything as the other one left it.
        before = self.before if ending.code == 0 else self.after
        return judge(before, desired, world, ending), self._problems(desired, world, ending, late)

    def _is_late(self, call: Done) -> bool:
        return call.caller == self._caller and call.started > self._went_on and _changes(call)

    def _problems(self, desired: Json, world: Json, ending: Ending, late: Sequence[Done]) -> list[str]:
        if self._other is None:
            return []
        found = []
        # What is not irsa's yet is not deleted: that is refused, and nothing is changed.
        refused = self._other.code == REFUSED and self.after == self.before
        if self._other.code != 0 and not refused:
            found.append(f"the other run ended with {self._other.code}")
        if essence(self.after, self.before) != desired:
            found.append("the other run did not make the world as desired")
        if essence(world, self.before) != desired:
            found.append("what the other run has made was changed by the first one")
        if ending.code is None:
            found.append("the first run did not end")
        found += [
            f"the first run wrote when its lock was another's: {call.service} {call.operation}"
            for call in late
        ]
        return found


def _changes(call: Done) -> bool:
    """Whether a call may have changed anything but a lock, which is compared by the server.

    What is refused has not, nor has a rehearsal of what is there: that is refused as well.
    """
    writes = is_write(Call(call.service, call.operation, 0)) and not call.operation.endswith(" leases")
    return writes and (call.status == 0 or call.status < 300)
