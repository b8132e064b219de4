"""Earlier runs for the same object that were interrupted: what a new run says of them before it goes on.

Taking them back instead is in `irsa_cli.usecases.recovery.by_journal`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import Covers, command_of, interrupted_runs, leaves
from irsa_cli.usecases.command.run_context import RunContext
from irsa_cli.usecases.command.settings import Settings


def going_on(
    settings: Settings, context: RunContext, covers: Covers, also: Collection[str] = ()
) -> list[Path]:
    """The journals of interrupted runs for the same object; what this run makes of them is said.

    `covers` tells what is left of them when this run has ended well. Commands as in `interrupted_runs`.
    """
    found = interrupted_runs(settings.state_dir, context.about, also)
    for path in found:
        if leaves(read(path), covers):
            settings.note(other_desired_state(path))
        else:
            settings.note(f"An earlier run ({path.stem}) was interrupted; this one goes on from there.")
    return found


def other_desired_state(path: Path) -> str:
    """What is said of a run that was interrupted and left something that this one is not about."""
    return (
        f"An earlier run ({path.stem}) that asked for something else was interrupted:"
        f" {command_of(path)} rolls back what only that one needs."
    )
