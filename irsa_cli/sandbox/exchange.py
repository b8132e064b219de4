"""What happens to a call between the socket and the service: latency, faults, and the log.

Services know nothing of it, and it knows nothing of them but `Endpoint`. Sockets are in `server`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from irsa_cli.sandbox.faults import Faults
from irsa_cli.sandbox.model import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_cli.sandbox.model import Fault

Ending = Literal["whole", "cut", "dripping", "garbled", "reset", "closed"]


@dataclass(frozen=True)
class Label:
    """What a call is, for log and faults; `caller` is as in `Fault`."""

    service: str
    operation: str
    subject: str = ""
    caller: str = ""


@dataclass(frozen=True)
class Delivery:
    """An answer and how much of it gets through: `cut` is half of the body, the rest nothing of it.

    What is `dripping` comes whole at last, a byte in `pause` seconds.
    """

    answer: Answer
    ending: Ending = "whole"
    pause: float = 0.0


class Endpoint(Protocol):
    """A service as the exchange sees it."""

    def label(self, request: Incoming) -> Label:
        """What the request asks for."""

    def answer(self, request: Incoming) -> Answer:
        """Execute the request."""

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        """An error in the service's own shape."""

    def throttled(self, service: str) -> Answer:
        """The service's answer to calls that come too fast."""


@dataclass(frozen=True)
class Incoming:
    """A request that has been read to its end. Names of `headers` are in lower case; `target` is as sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class _Era:
    """The time between two resets; calls of an era that is over leave no trace."""

    over: bool = False


class Exchange:
    """Carries calls to endpoints. `latency` is in seconds and added to each call.

    `listen` is told of each call before faults and the service are, in the call's own thread: as long as it
    does not return, the call is held.
    """

    def __init__(self) -> None:
        self.latency = 0.0
        self.listen: Callable[[Label], None] | None = None
        self.faults = Faults()
        self.calls: list[Call] = []
        self._changed = threading.Condition()
        self._pending = 0
        self._connections = 0
        self._hurrying = False
        self._held: set[threading.Event] = set()
        self._era = _Era()

    def reset(self, latency: float) -> None:
        """Forget faults and calls. Calls that are held by a fault are dropped, never executed."""
        with self._changed:
            self._era.over = True
            self._era = _Era()
            self._release()
        self.faults.clear()
        self.calls.clear()
        self.latency = latency
        self.listen = None

    def _release(self) -> None:
        for held in self._held:
            held.set()

    def _hold(self, seconds: float) -> None:
        held = threading.Event()
        with self._changed:
            if self._hurrying:
                return
            self._held.add(held)
        held.wait(seconds)
        with self._changed:
            self._held.discard(held)

    def connected(self, number: int) -> None:
        """Count a connection with TLS that was opened (1) or closed (-1)."""
        with self._changed:
            self._connections += number
            self._changed.notify_all()

    def settle(self, timeout: float, *, hurry: bool, gone: bool) -> None:
        """Wait until no call is under way, also none that its client has given up.

        `hurry`: what latency and faults hold back is let go now. `gone`: the clients with TLS have ended, and
        what they had sent is read to its end. Raises TimeoutError after `timeout` seconds.
        """
        with self._changed:
            self._hurrying = hurry
            if hurry:
                self._release()
            calm = self._changed.wait_for(
                lambda: not self._pending and not (gone and self._connections), timeout
            )
            self._hurrying = False
        if not calm:
            raise TimeoutError("calls are still under way")

    def carry(self, endpoint: Endpoint, request: Incoming) -> Delivery:
        """Execute `request`, unless a fault has other plans."""
        started = time.monotonic()
        label = endpoint.label(request)
        with self._changed:
            self._pending += 1
            era = self._era
        try:
            if self.latency:
                self._hold(self.latency)
            if self.listen is not None:
                self.listen(label)
            text = f"{label.subject}\n{_text(request)}"
            fault = self.faults.strike(label.service, label.operation, text, label.caller)
            delivery = self._break(fault, endpoint, request, label, era)
            self._log(label, delivery, started, era)
        finally:
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()
        return delivery

    def _log(self, label: Label, delivery: Delivery, started: float, era: _Era) -> None:
        answer = delivery.answer
        status = answer.status if delivery.ending in ("whole", "cut", "dripping") else 0
        call = Call(
            label.service,
            label.operation,
            label.subject,
            status,
            answer.error_code,
            started,
            time.monotonic(),
            label.caller,
        )
        if not era.over:
            self.calls.append(call)

    def _break(
        self, fault: Fault | None, endpoint: Endpoint, request: Incoming, label: Label, era: _Era
    ) -> Delivery:
        execute: Callable[[], Answer] = lambda: endpoint.answer(request)  # noqa: E731 - a name for the deed
        if fault is None:
            return Delivery(execute())
        if fault.run:
            fault.run()
        if fault.kind in ("hang", "late"):
            self._hold(fault.seconds)
            return Delivery(execute() if fault.kind == "late" and not era.over else Answer(0), "closed")
        if fault.kind == "error-after":
            execute()
        if fault.kind in ("error", "error-after", "throttle", "status"):
            return Delivery(_refusal(fault, endpoint, label))
        if fault.kind == "reset-before":
            return Delivery(Answer(0), "reset")
        if fault.kind == "answer":
            return Delivery(_foreign(fault, request))
        if fault.kind == "answer-after":
            execute()
            return Delivery(_foreign(fault, request))
        return _damaged(fault, execute())


def _refusal(fault: Fault, endpoint: Endpoint, label: Label) -> Answer:
    if fault.kind == "throttle":
        return endpoint.throttled(label.service)
    if fault.kind == "status":
        return Answer(fault.status if fault.status >= 500 else 500, error_code=str(fault.status))
    return endpoint.failure(label.service, fault.code, fault.message, fault.status)


def _foreign(fault: Fault, request: Incoming) -> Answer:
    """An answer of somebody who stands before the service."""
    headers = {"Content-Type": fault.content_type}
    if 300 <= fault.status < 400:
        headers["Location"] = request.target
    code = "" if fault.status < 300 else str(fault.status)
    return Answer(fault.status, fault.body.encode(), headers, code)


def _damaged(fault: Fault, answer: Answer) -> Delivery:
    if fault.kind == "reset-after":
        return Delivery(answer, "reset")
    if fault.kind == "truncate-after":
        return Delivery(answer, "cut")
    if fault.kind == "garble-after":
        return Delivery(answer, "garbled")
    if fault.kind == "drip":
        return Delivery(answer, "dripping", fault.seconds)
    if fault.kind == "half-body":
        half = answer.body[: len(answer.body) // 2]
        return Delivery(Answer(answer.status, half, answer.headers, answer.error_code))
    return Delivery(answer)


def _text(request: Incoming) -> str:
    """Path and body, as sent and decoded, for faults to match."""
    from urllib.parse import unquote_plus

    raw = f"{request.target}\n{request.body.decode(errors='replace')}"
    return f"{raw}\n{unquote_plus(raw)}"
