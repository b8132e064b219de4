"""The ways in which one call can go wrong, and what each means for the sandbox and the process.

Which calls there are is in `cases`; a new way is one line of `INJECTIONS`. What somebody else does meanwhile
is in `meddling`.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from irsa_cli.sandbox import Fault
from irsa_cli.sandbox.exchange import Faults
from irsa_cli.sandbox.model import HANDSHAKES, FaultKind
from tests.faults.clock import AHEAD, BACK, MOVED
from tests.faults.zygote import RETRY_SECONDS, Process

CALL_SECONDS = 0.5
"""irsa's time limit for one call in the matrix; its look for late requests follows from it."""
LATE_SECONDS = 1.5 * CALL_SECONDS
HANG_SECONDS = 60.0
LAG_SECONDS = 0.6
"""For how long IAM does not show what is new, where it lags; irsa waits for longer, see `zygote`."""
RESET_SECONDS = RETRY_SECONDS - CALL_SECONDS
"""After that time there is one more attempt: when it is given up, the time for attempts is over."""
AWHILE_SECONDS = 0.6
"""A trouble of some seconds, by the matrix's times: shorter than irsa is patient."""
DRIP_SECONDS = 0.1
"""From one byte to the next: no answer is that short that it comes in time."""
PAGE = "<!DOCTYPE html><html><body><h1>Blocked</h1><p>Ask your administrator.</p></body></html>"
"""What somebody between irsa and the service answers."""
REFUSALS = {
    "denied": {"kubernetes": ("Forbidden", 403), "eks": ("AccessDeniedException", 403)},
    "expired": {"kubernetes": ("Unauthorized", 401), "eks": ("ExpiredTokenException", 403)},
    "skewed": {"kubernetes": ("Unauthorized", 401), "eks": ("InvalidSignatureException", 403)},
    "conflict": {"kubernetes": ("Conflict", 409), "eks": ("ResourceInUseException", 409)},
    "unmodifiable": {"kubernetes": ("Timeout", 504), "eks": ("ServerException", 500)},
    "limit": {"kubernetes": ("Forbidden", 403), "eks": ("ResourceLimitExceededException", 400)},
    "wordless": {"kubernetes": ("", 403), "eks": ("AccessDeniedException", 403)},
    "malformed": {"kubernetes": ("BadRequest", 400)},
    "invalid": {"kubernetes": ("Invalid", 422)},
    "busy": {"kubernetes": ("TooManyRequests", 429)},
}
"""What services answer that refuse: the code and the status; for those that are not here, see `OF_IAM`."""
OF_IAM = {
    "denied": ("AccessDenied", 403),
    "expired": ("ExpiredToken", 403),
    "skewed": ("SignatureDoesNotMatch", 403),
    "conflict": ("ConcurrentModification", 409),
    "unmodifiable": ("EntityTemporarilyUnmodifiable", 409),
    "limit": ("LimitExceeded", 409),
    "wordless": ("AccessDenied", 403),
    "malformed": ("ValidationError", 400),
    "invalid": ("InvalidInput", 400),
    "busy": ("Throttling", 400),
}


@dataclass(frozen=True)
class Call:
    """The `skip`-th (from 0) call of an operation in a run."""

    service: str
    operation: str
    skip: int

    def __str__(self) -> str:
        return f"{self.service}.{self.operation.replace(' ', '-')}#{self.skip}"


Deed = Callable[[Process], None]


@dataclass(frozen=True)
class Injection:
    """One way: a fault of the wire, or a deed done to the process while the call is under way."""

    kind: FaultKind
    times: int | None = 1
    status: int = 500
    seconds: float = 0.0
    deed: Deed | None = None
    executed: bool = True
    """Whether the call is executed after the deed."""
    resets: bool = False
    """Whether attempts are reset before this strikes the last one, or the next one where `reset_once`."""
    reset: FaultKind = "reset-before"
    reset_once: bool = False
    refusal: str = "denied"
    """What it refuses with, of `REFUSALS`."""
    lasts: float | None = None
    """Seconds after which it is over."""
    body: str = ""
    """What is answered in the service's place."""
    revokes: bool = False
    """Whether the caller may do nothing in this service after the call."""
    ends: bool = False
    """Whether every call after this one is refused in the same way, whatever service it is to."""
    strangers: bool = False
    """Whether after the call the service is found to have the certificate of another CA."""
    lag: float = 0.0
    """Seconds for which IAM does not show what is new, during all of the run."""

    def arm(self, call: Call, process: Callable[[], Process], faults: Faults, before: int = 0) -> None:
        """Have `call` struck; `process` is asked for the run when it is.

        A handshake comes before any word on what the call will be: it is known by the number of calls to the
        same port `before` it.
        """
        if self.kind in HANDSHAKES:
            faults.add(Fault(port(call.service), "*", self.kind, times=self.times, skip=before))
            return
        if self.resets:
            reset = Fault(call.service, call.operation, self.reset, skip=call.skip)
            faults.add(reset if self.reset_once else replace(reset, times=None, lasts=RESET_SECONDS))
        faults.add(self._fault(call, lambda: self._act(process, call.service, faults)))

    def _fault(self, call: Call, act: Callable[[], None]) -> Fault:
        fault = Fault(
            call.service,
            call.operation,
            self.kind,
            times=self.times,
            skip=call.skip,
            status=self.status,
            seconds=self.seconds,
            lasts=self.lasts,
            body=self.body,
            run=act,
        )
        return _refusing(fault, self.refusal) if self.kind.startswith("error") else fault

    def _act(self, process: Callable[[], Process], service: str, faults: Faults) -> None:
        if self.deed is not None:
            self.deed(process())
        if self.revokes:
            faults.add(_refusing(Fault(service, "*", "error", times=None), self.refusal))
        if self.ends:
            for each in SERVICES:
                faults.add(_refusing(Fault(each, "*", "error", times=None), self.refusal))
        if self.strangers:
            faults.add(Fault(port(service), "*", "tls-stranger", times=None))
        if not self.executed:
            raise ConnectionAbortedError("the request got lost on its way")


SERVICES = ("iam", "sts", "eks", "kubernetes")


def port(service: str) -> str:
    """The port that the service is at, as faults of handshakes name it."""
    return service if service == "kubernetes" else "aws"


def _refusing(fault: Fault, refusal: str) -> Fault:
    code, status = REFUSALS[refusal].get(fault.service, OF_IAM[refusal])
    message = "" if refusal == "wordless" else fault.message
    return replace(fault, code=code, status=status, message=message)


def kill(process: Process) -> None:
    """End a run without a word, and return when it is gone."""
    _send(process, signal.SIGKILL)
    process.ended.wait(30)


def _interrupt(process: Process) -> None:
    _send(process, signal.SIGINT)


def _terminate(process: Process) -> None:
    _send(process, signal.SIGTERM)


def _terminate_twice(process: Process) -> None:
    _send(process, signal.SIGTERM)
    # Two signals that nobody has looked at yet are one.
    if process.wait_for_words(b"Stopping", 5) and not process.ended.is_set():
        _terminate_at_once(process)
    process.ended.wait(30)


def _terminate_at_once(process: Process) -> None:
    process.told_twice = True
    _send(process, signal.SIGTERM)
    process.ended.wait(5)


def _set_ahead(process: Process) -> None:
    _move_clock(process, AHEAD)


def _set_back(process: Process) -> None:
    _move_clock(process, BACK)


def _move_clock(process: Process, number: int) -> None:
    _send(process, number)
    process.wait_for_words(MOVED, 5)


def _send(process: Process, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


INJECTIONS = {
    "denied": Injection("error", None),
    "revoked": Injection("callback", revokes=True),
    "lost-and-revoked": Injection(
        "callback", revokes=True, resets=True, reset="reset-after", reset_once=True
    ),
    "throttled": Injection("throttle", None),
    "500": Injection("status", None),
    "503-once": Injection("status", status=503),
    "reset-before": Injection("reset-before"),
    "reset-after": Injection("reset-after"),
    "truncated": Injection("truncate-after", None),
    "half-body": Injection("half-body"),
    "half-bodies": Injection("half-body", None),
    "garbled": Injection("garble-after", None),
    "hang": Injection("hang", None, seconds=HANG_SECONDS),
    "late-once": Injection("late", seconds=LATE_SECONDS),
    "late": Injection("late", None, seconds=LATE_SECONDS),
    "late-last": Injection("late", seconds=LATE_SECONDS, resets=True),
    "kill-before": Injection("callback", deed=kill, executed=False),
    "kill-after": Injection("callback", deed=kill),
    "sigint": Injection("callback", deed=_interrupt),
    "sigterm": Injection("callback", deed=_terminate),
    "sigterm-lost": Injection("callback", deed=_terminate, executed=False),
    "sigterm-twice": Injection("callback", deed=_terminate_twice),
    "clock-ahead": Injection("callback", deed=_set_ahead),
    "clock-back": Injection("callback", deed=_set_back),
}
OF_PASSAGE = {
    "page": Injection("answer", None, status=200, body=PAGE),
    "page-after": Injection("answer-after", None, status=200, body=PAGE),
    "empty": Injection("answer", None, status=200),
    "redirected": Injection("answer", None, status=307),
    "502-after": Injection("answer-after", None, status=502, body=PAGE),
    "504-after-once": Injection("answer-after", status=504, body=PAGE),
    "dripping": Injection("drip", None, seconds=DRIP_SECONDS),
    "expired": Injection("error", None, refusal="expired", ends=True),
    "skewed": Injection("error", None, refusal="skewed", ends=True),
    "conflict-twice": Injection("error", 2, refusal="conflict"),
    "unmodifiable-awhile": Injection("error", None, refusal="unmodifiable", lasts=AWHILE_SECONDS),
    "limit": Injection("error", None, refusal="limit"),
    "wordless": Injection("error", None, refusal="wordless"),
    "throttled-awhile": Injection("throttle", None, lasts=AWHILE_SECONDS),
    "500-awhile": Injection("status", None, lasts=AWHILE_SECONDS),
}
"""Answers of somebody between irsa and the service, troubles that pass, and refusals of odd sorts. Calls are
broken in some of these, in turn, but for those of commands that are `thorough`."""
PASSAGE_OF_READS = ("page", "redirected", "dripping", "expired", "throttled-awhile", "500-awhile")
"""Those of them that a reading can tell apart."""
OF_CONNECTIONS = {
    "tls": Injection("tls-stranger", None),
    "tls-once": Injection("tls-garbage"),
    "lost-and-tls": Injection("reset-after", strangers=True),
}
"""Ways that break connections, to whoever makes them: not for several runs at once."""
OF_LAG = {
    "denied-lagging": Injection("error", None, lag=LAG_SECONDS),
    "lost-lagging": Injection("reset-after", lag=LAG_SECONDS),
}
"""Ways to break a write while IAM lags: what was written before it is to be taken back, or is known again."""
OF_UNTRUE = {
    **{
        f"did-{refusal}": Injection("error-after", refusal=refusal)
        for refusal in ("malformed", "denied", "conflict", "invalid", "busy", "limit")
    },
    "did-always": Injection("error-after", None),
    "did-and-revoked": Injection("error-after", revokes=True),
}
"""Refusals of a write that was carried out all the same: 400, 403, 409, 422, 429, a quota; once, each time,
and with nothing to be read afterwards."""
ESSENTIAL = (
    "denied",
    "500",
    "reset-after",
    "truncated",
    "garbled",
    "hang",
    "late-last",
    "kill-before",
    "kill-after",
    "sigterm",
    "sigterm-twice",
    "clock-ahead",
    "tls",
)
"""One of each sort."""
SECOND = ("half-bodies", "late-once", "tls-once", "clock-back", "sigterm-lost")
"""Ways that differ little from another one: by how often, in which direction, or by one answer."""
LIKE_OTHERS = ("tls", "clock-ahead")
"""Ways in which a reading fails like in another one: no answer, and no time left."""
OF_WRITES = (
    "revoked",
    "lost-and-revoked",
    "lost-and-tls",
    "reset-before",
    "half-bodies",
    "garbled",
    "late-once",
    "late",
    "late-last",
    "kill-before",
    "sigterm-lost",
    "clock-back",
    "tls-once",
)
"""Ways that calls which only read are not broken in. Most ask what becomes of the call, or of what follows,
when its effect is not known: a reading has none, so that each looks like another way that is tried (before or
after the service acted, late or never answered). The rest are second ways to break an answer, a connection or
the clock."""
SECOND_SIGNAL = "second-signal"
"""For runs that take everything back because of a first one."""
WAYS = {
    **INJECTIONS,
    **OF_PASSAGE,
    **OF_CONNECTIONS,
    **OF_LAG,
    **OF_UNTRUE,
    SECOND_SIGNAL: Injection("callback", deed=_terminate_at_once),
}
KILLING = ("kill-before", "kill-after", "sigterm-twice", SECOND_SIGNAL)
"""After these the process may be gone without a word, and what it has not synced with it."""
DELETED_MEANWHILE = "paused-deleted"
PAUSES = {"paused": False, "paused-answered": True, DELETED_MEANWHILE: True}
"""The process stands still for longer than its locks hold, and another run takes over and ends; whether the
call that it was at is answered before that, or executed after it. The other run is the same command, or
deletes what the first one is about. See `pausing`."""
DISK_FULL = "disk-full"
"""Not a fault of a call: the journal can't grow beyond one of its lines."""
