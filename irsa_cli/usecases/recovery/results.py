"""The report of `irsa recover` on a transaction: its plan, and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from irsa_cli.core.access.difference import AccessChange
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.plan.changes import Change, Kind, not_again
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ServiceAccountState
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Gone, IrsaError, Refused
from irsa_cli.core.values.names import account_json
from irsa_cli.transaction import recover
from irsa_cli.transaction.protocol import Leftover
from irsa_cli.transaction.story import Record, Story
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.execute import Repairs, handlers_of
from irsa_cli.usecases.command.settings import Settings

Approve = Callable[[Sequence[Result]], bool]
"""Shows what would be done for one or several transactions; returns whether it shall be done."""


def approve(ask: Approve, planned: Sequence[Result]) -> None:
    """Show what would be done; raises `Refused` when the user does not want it."""
    if not ask(planned):
        raise Refused("nothing was done", reason="it was not confirmed")


def forward_changes(story: Story) -> list[Change]:
    """The changes that are not done yet."""
    return [record.change for record in story.records if record.undone or not record.done]


def backward_changes(story: Story) -> list[Change]:
    """The changes that roll back everything that was begun, in their order."""
    return [record.change.inverse for record in reversed(list(story.records)) if record.needs_undo]


def backward_changes_of(results: Sequence[ChangeResult]) -> list[Change]:
    """The changes that a rollback has made, in their order."""
    return [result.change.inverse for result in reversed(results) if result.state == "undone"]


def planned(
    transaction: str,
    changes: Sequence[Change],
    facts: Mapping[str, Any],
    cluster: Cluster,
    settings: Settings,
) -> Result:
    """The report of a dry run on a transaction of this cluster."""
    return Result(
        Ended.PLANNED,
        transaction=transaction,
        facts=facts,
        changes=[ChangeResult(change, "planned") for change in changes],
        seconds=settings.seconds,
        access=access_of(changes, cluster),
    )


def access_of(changes: Sequence[Change], cluster: Cluster) -> AccessChange | None:
    """Gains and losses of roles by changes, as far as these tell; None without changes."""
    return AccessChange.of(Documents((cluster,)), changes, cluster) if changes else None


def roll_back(path: Path, story: Story, connection: Connection, settings: Settings) -> list[Leftover]:
    """Roll back a transaction as its settings say; see `irsa_cli.transaction.recover`."""
    handlers = handlers_of(connection)
    seconds = settings.rollback_timeout
    listen = settings.listen
    fence = settings.hold
    return recover.roll_back(path, story, handlers, listen, rollback_seconds=seconds, fence=fence)


def back_result(story: Story, leftovers: Sequence[Leftover], transaction: str, cluster: Cluster) -> Result:
    """How rolling back ended; `transaction` is the one that was rolled back."""
    gone = [str(leftover.error) for leftover in leftovers if isinstance(leftover.error, Gone)]
    leftovers = [leftover for leftover in leftovers if not isinstance(leftover.error, Gone)]

    def state(record: Record) -> str:
        if any(leftover.change is record.change for leftover in leftovers):
            return "left"
        return "undone" if record.undone else "pending"

    changes = [ChangeResult(record.change, state(record)) for record in story.records]
    repairs = Repairs(story.transaction, story.to_paste, recovers=True)
    return Result(
        Ended.INCOMPLETE if leftovers else Ended.ROLLED_BACK,
        cluster=cluster,
        transaction=transaction,
        changes=changes,
        left=[repairs.of(leftover) for leftover in leftovers],
        error=IrsaError("the transaction could not be rolled back completely") if leftovers else None,
        notes=[*gone, *not_again(leftover.change for leftover in changes if leftover.state == "undone")],
        access=access_of(backward_changes_of(changes), cluster),
    )


def cluster_of(story: Story) -> Cluster:
    """The cluster by its ARN in the journal, or by the options of one that is not on EKS."""
    target = story.target
    arn = str(story.context.get("cluster", ""))
    fields = arn.split(":")
    partition = ""
    region = target.get("region") or ""
    account = target.get("account") or ""
    if arn.startswith("arn:") and len(fields) > 5:
        _, partition, _, region, account, *_ = fields
    roles = target.get("role_account") or ""
    now = datetime.now(timezone.utc)
    name = target.get("cluster") or ""
    return Cluster(name, arn, region, partition, account, "", role_account=roles, seen=now)


def facts_of(story: Story, *, committed: bool = False) -> dict[str, Any]:
    """The ServiceAccount and its role, as the run would have told them itself."""
    facts: dict[str, Any] = {"scope": story.scope.value}
    account = account_json(story.context.get("serviceAccount"))
    if account is not None:
        facts["serviceAccount"] = account
    changes = [record.change for record in story.records]
    makes_role = any(change.kind is Kind.ROLE and change.before is None for change in changes)
    for change in changes:
        if isinstance(change.after, ServiceAccountState):
            role = change.after.annotations.get(ROLE_ARN_ANNOTATION)
            if role:
                facts["role"] = {"arn": role, "created": committed and makes_role}
    return facts
