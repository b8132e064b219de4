"""The identity of a run: command, object, cluster and how to reach it.

The journal keeps it for `irsa recover`, and for later runs of the same object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.plan.expected import PlannedWork, seen_of
from irsa_cli.core.recovery.authority import way_of
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import Covers, command_of, everything, interrupted_runs, leaves, supersede
from irsa_cli.transaction.story import TAKES_BACK, About
from irsa_cli.usecases.command.caller import Target, written_target
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings


@dataclass(frozen=True)
class RunContext:
    """One run of a writing command; `service_account` is None for changes of the cluster itself.

    `request` tells it from other requests. `takes_back` is another transaction that it rolls back.
    """

    command: Command
    cluster: str
    service_account: str | None
    target: Target
    request: str = ""
    takes_back: str = ""

    @classmethod
    def of(
        cls,
        command: Command,
        connection: Connection,
        service_account: str | None,
        *,
        request: str = "",
        takes_back: str = "",
    ) -> RunContext:
        """For a cluster that is connected."""
        arn, target = connection.cluster.arn, connection.target
        return cls(command, arn, service_account, target, request, takes_back)

    @property
    def about(self) -> About:
        """By what a later run finds it."""
        account = self.target.role_account or None
        return About(self.command.value, self.cluster, self.service_account, account)

    def planned(self, plan: Plan, cluster: Cluster, seen: Iterable[object] = ()) -> PlannedWork:
        """The planned work, and the current state that it depends on."""
        found = {**seen_of(*seen), **seen_of({"issuer of the cluster": cluster.issuer})} if len(plan) else {}
        return PlannedWork(self.cluster, self.command.value, self.service_account or "", plan, found)

    @property
    def way(self) -> str:
        """The options that its recovery has to be given again, each with a space before it."""
        return way_of(written_target(self.target))

    def to_journal(self, *, gated: bool | None = None) -> dict[str, Any]:
        """The journal's form; its keys never change. `gated`: whether the last step waits for a proof."""
        return {
            "command": self.command.value,
            "cluster": self.cluster,
            "serviceAccount": self.service_account,
            "target": written_target(self.target),
            **({"request": self.request} if self.request else {}),
            **({TAKES_BACK: self.takes_back} if self.takes_back else {}),
            **({} if gated is None else {"gated": gated}),
        }


def going_on(
    settings: Settings, context: RunContext, covers: Covers, also: Collection[str] = ()
) -> list[Path]:
    """Journals of interrupted runs for the same object; each is reported.

    `covers` tells what is left of them after this run.
    """
    found = interrupted_runs(settings.state_dir, context.about, also)
    for path in found:
        if leaves(read(path), covers):
            settings.note(other_desired_state(path))
        else:
            settings.note(f"An earlier run ({path.stem}) was interrupted; this one continues from there.")
    return found


def supersede_if_well(
    earlier: Iterable[Path], result: Result, settings: Settings, covers: Covers = everything
) -> None:
    """Mark earlier runs as superseded after this one has succeeded."""
    if result.ended in (Ended.COMMITTED, Ended.UNCHANGED) and not settings.dry_run:
        supersede(earlier, covers)


def other_desired_state(path: Path) -> str:
    """The note about an interrupted run that left something else."""
    return (
        f"An earlier run ({path.stem}) with another request was interrupted:"
        f" {command_of(path)} rolls back what only that run needs."
    )
