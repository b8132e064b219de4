"""Settings of a command's transactions: time limits, journals, listeners, locks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.plan.expected import PlannedWork
from irsa_cli.core.values.errors import NotConfirmed
from irsa_cli.core.values.patience import extend
from irsa_cli.transaction.protocol import Fence, Listener
from irsa_cli.usecases.command.signals import RunGroup

Note = Callable[[str], None]


@dataclass(frozen=True)
class LockOptions:
    """Whether runs take locks, in which namespace, and for how long (seconds) they wait for one."""

    enabled: bool = True
    namespace: str = "default"
    timeout: float = 60.0


class HeldLocks(Fence, Protocol):
    """The locks of a run; see `irsa_cli.usecases.locks`."""

    @property
    def holder(self) -> str:
        """The holder, as in the Leases."""

    @property
    def waited(self) -> float:
        """Seconds for which it was waited for other runs' locks."""

    def take_meanwhile(self) -> None:
        """Take what is taken while it is looked what is there."""

    @property
    def is_begun(self) -> bool:
        """Whether any is held, or taken meanwhile."""

    def busy(self) -> frozenset[str]:
        """The locks of other runs, in the form that `secure` takes."""

    def secure(
        self, changes: Iterable[Change], /, *, counted_on: Iterable[Change] = (), busy: Collection[str] = ()
    ) -> None:
        """Hold the locks for these changes and for what they depend on.

        Raises `LookAgain` if a lock was missing during the read and this matters.
        """

    def complete(self) -> bool:
        """Hold what is only taken when it is needed; whether another run may have been at work until then."""


@dataclass(frozen=True)
class Settings:
    """How to run: time limits in seconds, where the journal lives, who listens."""

    state_dir: Path
    timeout: float = 300.0
    rollback_timeout: float = 60.0
    dry_run: bool = False
    listen: Listener = lambda event: None
    note: Note = lambda text: None
    asks: bool = False
    """Whether somebody is asked before a deletion, and shown what goes then."""
    confirm_plan: Callable[[Plan, str], bool] = lambda plan, place: True
    """Whether a plan may be carried out; who is asked, and about which plans, is the caller's business."""
    confirm_names: Callable[[str, Sequence[str]], bool] = lambda heading, names: True
    """Whether all of these, under a heading, may be deleted."""
    group: RunGroup | None = None
    """The runs that this one is one of; signals are heard, and journals are pruned, for all of them."""
    lock: LockOptions = field(default_factory=LockOptions)
    hold: HeldLocks | None = None
    """The held locks; None without locking."""
    expected: Callable[[PlannedWork], None] | None = None
    """Raises `Refused` for another plan than the saved one; None where what is planned now is carried out."""
    saves: bool = False
    """Whether the plan of a dry run is saved."""
    started: float = field(default_factory=time.monotonic)
    thought: list[tuple[float, float]] = field(default_factory=list)
    """When somebody thought about a question, as `time.monotonic` has it."""

    def check_confirmed(self, confirm: Callable[[], bool]) -> None:
        """Ask; raises `NotConfirmed` where the user does not want it. The time they think does not count."""
        began = time.monotonic()
        answer = confirm()
        ended = time.monotonic()
        self.thought.append((began, ended))
        extend(ended - began)
        if not answer:
            raise NotConfirmed("nothing was deleted", reason="it was not confirmed")

    @property
    def keeps_plan(self) -> bool:
        """Whether the current state of a plan is compared, now or later."""
        return self.saves or self.expected is not None

    @property
    def is_rehearsal(self) -> bool:
        """Whether it is only looked what is in the way of a saved plan, before the first write."""
        return self.expected is not None and self.dry_run

    @property
    def seconds(self) -> float:
        """Seconds since the command started, without those in which somebody thought about a question."""
        thought = sum(ended - began for began, ended in tuple(self.thought) if began >= self.started)
        return time.monotonic() - self.started - thought

    @property
    def spent(self) -> float:
        """Seconds of the time limit that are over: waiting for locks has a limit of its own."""
        return self.seconds - (0.0 if self.hold is None else self.hold.waited)
