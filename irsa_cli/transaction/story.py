"""The content of a journal: a run, its changes by stage, their results, and its outcome."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import Any, NamedTuple

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import NOBODY
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.results.result import TransactionScope, scope_of
from irsa_cli.core.values.names import is_run_name

FINISHED = ("committed", "rolled-back", "superseded")
"""Outcomes that leave nothing to do; `superseded`: a later run has made true what this one began."""

UNFINISHED = "unfinished"
"""The outcome of a report whose transaction is still neither committed nor rolled back."""

ENDS = (*FINISHED, "incomplete", UNFINISHED)
"""All outcomes that a journal may tell."""

STEPS = ("begin", "done", "refused", "undo", "undone")
"""The states of a change; `undo`: its rollback has begun."""

TAKES_BACK = "takesBack"
"""In a journal's context: the transaction that it rolls back, if that isn't its own."""

TAKEN_OVER = "takenOver"
"""In the line of an outcome: another run has taken over the lock, and may have continued from there."""

LOCK = "lock"
"""In a journal's context: who holds the locks of the run, as its Leases say; not there without locks."""


def new_transaction_id() -> str:
    """A name for a run that sorts by time (milliseconds, UTC) and is a valid tag value."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{secrets.token_hex(4)}"


def is_transaction(name: Any) -> bool:
    """Whether a run may be called so: who reads a mark may find anything there."""
    return isinstance(name, str) and is_plain(name) and name != NOBODY


def is_plain(name: str) -> bool:
    """Whether a name, of a run or a version, fits into a tag, a file's name and a sentence."""
    return is_run_name(name)


class About(NamedTuple):
    """The key of runs for one object: command, cluster's ARN, ServiceAccount, role's account if another."""

    command: str
    cluster: str
    service_account: str | None
    role_account: str | None = None


@dataclass
class Record:
    """The record of one change."""

    change: Change
    begun: bool = False
    done: bool = False
    refused: bool = False
    undone: bool = False
    changed: bool = True
    identity: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin, or begin again: earlier knowledge no longer holds."""
        self.begun = True
        self.done = False
        self.undone = False
        self.refused = False
        self.changed = True
        self.identity = {}

    @property
    def state(self) -> str:
        """The last that is known of it: pending, begun, refused, done, unchanged or undone."""
        if self.undone or not self.begun:
            return "undone" if self.undone else "pending"
        if self.done:
            return "done" if self.changed else "unchanged"
        return "refused" if self.refused else "begun"

    @property
    def is_public(self) -> bool:
        """Whether it is reported: irsa's own notes are not, unless nobody knows how they ended."""
        return self.change.kind.traits.proof is not Proof.IS_MARK or self.state == "begun"

    @property
    def needs_undo(self) -> bool:
        """Whether the world may hold this change's effect."""
        return self.begun and self.changed and not self.refused and not self.undone


@dataclass
class Story:
    """A journal that was read: the run, its changes by stage, and how it ended ('' when it didn't)."""

    transaction: str
    started: str
    context: Mapping[str, Any]
    stages: list[list[Record]]
    outcome: str = ""
    taken_over: bool = False
    """Whether another run has taken its lock over while it was not finished."""
    sealed: bool = False
    """Whether this user's irsa has written it, on this machine."""

    @property
    def records(self) -> Iterator[Record]:
        """All changes, in the order of the plan."""
        return chain.from_iterable(self.stages)

    @property
    def about(self) -> About | None:
        """The scope of the run; None if the journal does not have it."""
        if not {"command", "cluster", "serviceAccount"} <= set(self.context):
            return None
        context = self.context
        account = self.role_account
        return About(context["command"], context["cluster"], context["serviceAccount"], account)

    @property
    def role_account(self) -> str | None:
        """The account of its roles, None for the cluster's own."""
        return self.target.get("role_account") or None

    @property
    def scope(self) -> TransactionScope:
        name = self.context.get("serviceAccount")
        return TransactionScope.CLUSTER if name is None else scope_of(name)

    @property
    def target(self) -> Mapping[str, str | None]:
        """The cluster, and how it was reached; empty where the journal does not tell."""
        target: Mapping[str, str | None] = self.context.get("target", {})
        return target

    @property
    def to_paste(self) -> Mapping[str, str | None]:
        """The target for a command to paste; a journal of others does not fill in its kubeconfig."""
        if self.sealed or not self.target.get("kubeconfig"):
            return self.target
        return {**self.target, "kubeconfig": "YOUR-KUBECONFIG"}

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do for this transaction."""
        return self.outcome in FINISHED


_GIVEN = (
    "profile",
    "assume_role",
    "role_assume_role",
    "role_profile",
    "target_assume_role",
    "target_profile",
)


GIVEN = {name: f"--{name.replace('_', '-')}" for name in (*_GIVEN, "kubeconfig", "context")}
"""Options for the identity and the programs to reach a cluster: the user's to give, not the journal's."""


def way_of(target: Mapping[str, Any]) -> str:
    """The options of a run that its recovery has to be given again, each with a space before it."""
    words = [f"{flag} {shlex.quote(str(target[key]))}" for key, flag in GIVEN.items() if target.get(key)]
    return "".join(f" {word}" for word in words)


def recover_command(transaction: str, target: Mapping[str, Any], *more: str) -> str:
    """The command that recovers a transaction, with what its journal must not decide."""
    return " ".join(("irsa recover", transaction, *more)) + way_of(target)
