"""How a command runs its transactions: time limits, where the journals are, who listens.

What a project asks of all its runs (`.irsa.yaml`) is in `irsa_cli.usecases.command.project_settings`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.values.errors import Refused
from irsa_cli.transaction.events import Listener
from irsa_cli.usecases.command.signals import RunGroup

Note = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How to run: time limits in seconds, where the journal lives, who listens."""

    state_dir: Path
    timeout: float = 300.0
    rollback_timeout: float = 60.0
    dry_run: bool = False
    listen: Listener = lambda event: None
    note: Note = lambda text: None
    confirm_plan: Callable[[Plan], bool] = lambda plan: True
    """Whether a plan may be carried out; who is asked, and about which plans, is the caller's business."""
    confirm_names: Callable[[str, Sequence[str]], bool] = lambda heading, names: True
    """Whether all of these, under a heading, may be deleted."""
    group: RunGroup | None = None
    """The runs that this one is one of; signals are heard, and journals are pruned, for all of them."""
    started: float = field(default_factory=time.monotonic)

    def check_confirmed(self, answer: bool) -> None:
        """Raise `Refused` where the user does not want it."""
        if not answer:
            raise Refused("nothing is deleted", reason="it was not confirmed")

    @property
    def seconds(self) -> float:
        """Seconds since the command started."""
        return time.monotonic() - self.started
