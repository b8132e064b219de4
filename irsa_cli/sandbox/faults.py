"""Which faults are armed, and which of them strikes a call. How each kind breaks one is in `exchange`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from irsa_cli.sandbox.model import HANDSHAKES

if TYPE_CHECKING:
    from irsa_cli.sandbox.model import Fault


@dataclass
class _Armed:
    fault: Fault
    to_skip: int
    left: int | None
    until: float | None = None
    """When (monotonic) it is over; known when it has struck for the first time."""

    @property
    def over(self) -> bool:
        """Whether it strikes no more."""
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
        """Arm `fault`."""
        with self._lock:
            self._armed.append(_Armed(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed.clear()
            self._struck.clear()

    def strike(self, service: str, operation: str, text: str, caller: str = "") -> Fault | None:
        """The fault for this call, used up once; `text` is searched for the fault's `match`."""
        return self._strike(lambda fault: _fits(fault, service, operation, text, caller))

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


def _fits(fault: Fault, service: str, operation: str, text: str, caller: str) -> bool:
    return (
        fault.kind not in HANDSHAKES
        and fault.service in (service, "*")
        and fault.operation in (operation, "*")
        and fault.caller in (caller, "")
        and fault.match in text
    )
