"""Which faults are armed, and which of them strikes a call. How each kind breaks one is in `exchange`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from irsa_cli.sandbox.model import Fault


@dataclass
class _Armed:
    fault: Fault
    to_skip: int
    left: int | None


class Faults:
    """The armed faults; of those that fit a call the first one armed strikes. Safe in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Arm `fault`."""
        with self._lock:
            self._armed.append(_Armed(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed.clear()

    def strike(self, service: str, operation: str, text: str) -> Fault | None:
        """The fault for this call, used up once; `text` is searched for the fault's `match`."""
        with self._lock:
            for armed in self._armed:
                if armed.left == 0 or not _fits(armed.fault, service, operation, text):
                    continue
                if armed.to_skip:
                    armed.to_skip -= 1
                    continue
                if armed.left is not None:
                    armed.left -= 1
                return armed.fault
        return None


def _fits(fault: Fault, service: str, operation: str, text: str) -> bool:
    return fault.service in (service, "*") and fault.operation in (operation, "*") and fault.match in text
