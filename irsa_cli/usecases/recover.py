"""`irsa recover`: finishing transactions whose process is gone, from the journals on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from irsa_cli.changes import handlers
from irsa_cli.core.errors import IrsaError
from irsa_cli.core.plan import Kind
from irsa_cli.core.result import ChangeResult, Ended, Result
from irsa_cli.transaction.engine import Listener
from irsa_cli.transaction.journal import Story, find, read
from irsa_cli.transaction.recover import roll_back, unfinished
from irsa_cli.usecases.connect import Target, WireLog, connect
from irsa_cli.usecases.running import left, naming_caller

KUBERNETES = (Kind.NAMESPACE, Kind.SERVICE_ACCOUNT)


def list_unfinished(folder: Path) -> list[Story]:
    """The transactions of this machine that are neither committed nor rolled back."""
    return [story for _, story in unfinished(folder)]


def recover(
    transaction: str, folder: Path, override: Callable[[Target], Target], listen: Listener, log: WireLog
) -> Result:
    """Take back what an unfinished transaction did; `override` may name another caller than the run had.

    Raises `InvalidInput` for an unknown transaction, `JournalError` while its process lives.
    """
    started = time.monotonic()
    path = find(folder, transaction)
    story = read(path)
    if story.finished:
        return Result(Ended.UNCHANGED, transaction=transaction, notes=[f"it ended as {story.outcome}"])
    kube = any(record.change.kind in KUBERNETES and record.needs_undo for record in story.records)
    target = override(Target(**story.context["target"]))
    connection = connect(target, kube=kube, log=log, check=lambda aws: None)
    found = handlers(connection.iam, connection.kube if kube else None)
    with naming_caller(connection.aws.caller):
        leftovers = roll_back(path, story, found, listen)
    return Result(
        Ended.INCOMPLETE if leftovers else Ended.ROLLED_BACK,
        cluster=connection.cluster,
        transaction=transaction,
        changes=[
            ChangeResult(record.change, "undone" if record.undone else "pending") for record in story.records
        ],
        left=[left(item, transaction) for item in leftovers],
        error=IrsaError("the transaction could not be taken back completely") if leftovers else None,
        seconds=time.monotonic() - started,
    )
