"""Processing of a call between the socket and the service: latency, faults, and the log.

Services know nothing of it, and it knows nothing of them but `Endpoint`, and how an application that is WSGI
(moto's, and the Kubernetes API's) is called in this process. Sockets are in `server`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import unquote_plus

from irsa_cli.sandbox.model import HANDSHAKES, Answer, Call, Fault, table

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Ending = Literal["whole", "cut", "dripping", "garbled", "reset", "closed"]
_ENDINGS: Mapping[str, Ending] = {
    "reset-after": "reset",
    "truncate-after": "cut",
    "garble-after": "garbled",
    "drip": "dripping",
}
_THROTTLING = table("throttling")
"""By service, its error (code, message, HTTP status) for calls that come too fast."""


@dataclass(frozen=True)
class Label:
    """The name of a call, for log and faults; `caller` is as in `Fault`."""

    service: str
    operation: str
    subject: str = ""
    caller: str = ""


@dataclass(frozen=True)
class Delivery:
    """An answer, whole, `cut` to half of the body, or `dripping`: a byte in `pause` seconds."""

    answer: Answer
    ending: Ending = "whole"
    pause: float = 0.0


class Endpoint(Protocol):
    """A service as the exchange sees it."""

    def label(self, request: Incoming) -> Label:
        """The operation of the request."""

    def answer(self, request: Incoming) -> Answer:
        """Execute the request."""

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        """An error in the service's own shape."""


@dataclass(frozen=True)
class Incoming:
    """A request that has been read to its end. Names of `headers` are in lower case; `target` is as sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Exchange:
    """Carries calls to endpoints. `latency` is in seconds and added to each call.

    `listen` gets each call before faults and the service do, in the call's own thread: as long as it
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
        self._reset = threading.Event()
        """Set by the next reset; calls that began before leave no trace."""

    def reset(self, latency: float) -> None:
        """Forget faults and calls. Calls that are held by a fault are dropped, never executed."""
        with self._changed:
            self._reset.set()
            self._reset = threading.Event()
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
            over = self._reset
        try:
            if self.latency:
                self._hold(self.latency)
            if self.listen is not None:
                self.listen(label)
            sent = f"{request.target}\n{request.body.decode(errors='replace')}"
            text = f"{label.subject}\n{sent}\n{unquote_plus(sent)}"
            about = (label.service, label.operation)
            fault = self.faults.strike(*about, text, label.caller)
            delivery = self._break(fault, endpoint, request, label, over)
            status = delivery.answer.status if delivery.ending in ("whole", "cut", "dripping") else 0
            code = delivery.answer.error_code
            ended = time.monotonic()
            if not over.is_set():
                self.calls.append(Call(*about, label.subject, status, code, started, ended, label.caller))
        finally:
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()
        return delivery

    def _break(
        self, fault: Fault | None, endpoint: Endpoint, request: Incoming, label: Label, over: threading.Event
    ) -> Delivery:
        execute: Callable[[], Answer] = lambda: endpoint.answer(request)  # noqa: E731 - a name for the deed
        if fault is None:
            return Delivery(execute())
        if fault.run:
            fault.run()
        if fault.kind in ("hang", "late"):
            self._hold(fault.seconds)
            return Delivery(execute() if fault.kind == "late" and not over.is_set() else Answer(0), "closed")
        if fault.kind in ("error-after", "answer-after"):
            execute()
        if fault.kind in ("error", "error-after", "throttle", "status"):
            return Delivery(_refusal(fault, endpoint, label))
        if fault.kind == "reset-before":
            return Delivery(Answer(0), "reset")
        if fault.kind in ("answer", "answer-after"):
            # Of somebody who stands before the service.
            code = "" if fault.status < 300 else str(fault.status)
            back = {"Location": request.target} if 300 <= fault.status < 400 else {}
            headers = {"Content-Type": fault.content_type, **back}
            return Delivery(Answer(fault.status, fault.body.encode(), headers, code))
        answer = execute()
        if fault.kind == "half-body":
            half = answer.body[: len(answer.body) // 2]
            answer = Answer(answer.status, half, answer.headers, answer.error_code)
        return Delivery(answer, _ENDINGS.get(fault.kind, "whole"), fault.seconds)


def _refusal(fault: Fault, endpoint: Endpoint, label: Label) -> Answer:
    if fault.kind == "throttle":
        return endpoint.failure(label.service, *_THROTTLING.get(label.service, _THROTTLING[""]))
    if fault.kind == "status":
        return Answer(fault.status if fault.status >= 500 else 500, error_code=str(fault.status))
    return endpoint.failure(label.service, fault.code, fault.message, fault.status)


@dataclass
class _Armed:
    fault: Fault
    to_skip: int
    left: int | None
    until: float | None = None
    """When (monotonic) it is over; known when it has struck for the first time."""

    @property
    def over(self) -> bool:
        return self.left == 0 or (self.until is not None and time.monotonic() >= self.until)


class Faults:
    """The armed faults; of those that fit a call the first one armed strikes. Safe in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._struck: list[Fault] = []

    @property
    def struck(self) -> Sequence[Fault]:
        """The faults that have struck since the last `clear`, one for each call that they broke."""
        with self._lock:
            return tuple(self._struck)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._armed.append(_Armed(fault, fault.skip, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()
            self._struck.clear()

    def strike(self, service: str, operation: str, text: str, caller: str = "") -> Fault | None:
        """The fault for this call, used up once; `text` is searched for the fault's `match`."""

        def fits(fault: Fault) -> bool:
            return (
                fault.kind not in HANDSHAKES
                and fault.service in (service, "*")
                and fault.operation in (operation, "*")
                and fault.caller in (caller, "")
                and fault.match in text
            )

        return self._strike(fits)

    def strike_handshake(self, port: str) -> Fault | None:
        """The fault for this handshake, used up once."""
        return self._strike(lambda fault: fault.kind in HANDSHAKES and fault.service in (port, "*"))

    def await_handshakes(self, port: str) -> bool:
        """Whether a fault is armed for handshakes with this port, so that connections must not be kept."""
        with self._lock:
            return any(a.fault.kind in HANDSHAKES and a.fault.service in (port, "*") for a in self._armed)

    def _strike(self, fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for armed in self._armed:
                if armed.over or not fits(armed.fault):
                    continue
                if armed.to_skip:
                    armed.to_skip -= 1
                    continue
                if armed.left is not None:
                    armed.left -= 1
                if armed.fault.lasts is not None and armed.until is None:
                    armed.until = time.monotonic() + armed.fault.lasts
                self._struck.append(armed.fault)
                return armed.fault
        return None


def call_app(app: WSGIApplication, request: Incoming) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the application's answer. Raises what the application raises."""
    from werkzeug.test import EnvironBuilder, run_wsgi_app

    path, _, query = request.target.partition("?")
    environ = EnvironBuilder(
        path, query_string=query, method=request.method, headers=[*request.headers.items()], data=request.body
    ).get_environ()
    chunks, status, headers = run_wsgi_app(app, environ, buffered=True)
    return int(status.split()[0]), dict(headers.items()), b"".join(chunks)
