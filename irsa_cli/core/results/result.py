"""The result of a command that writes; its JSON is in `result_document`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from irsa_cli.core.plan.changes import Change, PlannedWork
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, exit_code_of

if TYPE_CHECKING:
    from irsa_cli.core.access.difference import AccessChange


class Command(str, Enum):
    """A command that writes. The values are in journals, so they never change."""

    CREATE_SA = "create-sa"
    UPDATE_SA = "update-sa"
    DELETE_SA = "delete-sa"
    ADOPT = "adopt"
    RELEASE = "release"
    MIGRATE = "migrate"
    REPOINT = "repoint"
    RETIRE = "retire"
    ASSOCIATE_OIDC = "associate-oidc"
    DISASSOCIATE_OIDC = "disassociate-oidc"
    APPLY = "apply"
    RECOVER = "recover"


class Ended(str, Enum):
    """How a command ended."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    ROLLED_BACK = "rolled-back"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    FAILED = "failed"
    """It failed before any attempt."""
    UNFINISHED = "unfinished"
    """`recover --forward` could not finish, or some of several were not started or were refused."""


class TransactionScope(str, Enum):
    """The scope of a transaction."""

    BINDING = "binding"
    """One ServiceAccount and its role."""
    SHARED_PARTS = "shared-parts"
    """The OIDC provider and namespaces, which several bindings need."""
    ALL = "all"
    """All bindings of a file at once (`--atomic`)."""
    CLUSTER = "cluster"
    """The cluster's OIDC provider, or what irsa could not read of the cluster."""


SHARED_PARTS = "(shared parts)"
ALL = "(all)"
CLUSTER = "(cluster)"
"""Names of transactions without a single ServiceAccount, on the screen and in journals."""
SCOPES = {
    SHARED_PARTS: TransactionScope.SHARED_PARTS,
    ALL: TransactionScope.ALL,
    CLUSTER: TransactionScope.CLUSTER,
}


def scope_of(name: str) -> TransactionScope:
    return SCOPES.get(name, TransactionScope.BINDING)


@dataclass(frozen=True)
class ChangeResult:
    """One change. `state`: planned, pending, done, unchanged, failed, undone or left; `seconds` it took."""

    change: Change
    state: str
    seconds: float = 0.0

    @property
    def is_public(self) -> bool:
        """Whether it is shown: irsa's marks are not, unless they failed or remain."""
        return self.change.kind.traits.proof is not Proof.IS_MARK or self.state in ("failed", "left")


@dataclass(frozen=True)
class Left:
    """Something that the rollback could not undo, and the command that does."""

    what: str
    why: str
    repair: str
    in_use: bool = False
    """Left on purpose: another run needs it."""


class DryRunLine(NamedTuple):
    """A line of a plan that can be saved: a ServiceAccount or a shared part; see `Item`."""

    name: str
    result: Result
    where: str = ""
    place: str = ""


class DryRun(Protocol):
    """One result, or those of many; `is_stopped`: some were not planned."""

    @property
    def lines(self) -> Sequence[DryRunLine]: ...

    @property
    def is_stopped(self) -> bool: ...


@dataclass
class Result:
    """The result; `facts` depend on the command."""

    ended: Ended
    cluster: Cluster | None = None
    transaction: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    changes: list[ChangeResult] = field(default_factory=list)
    verification: Mapping[str, Any] | None = None
    """The verification, or several by `namespace/name`."""
    left: list[Left] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: tuple[Risk, ...] = ()
    error: Exception | None = None
    signal: int = 0
    seconds: float = 0.0
    command: Command | None = None
    """The command; None if it only finishes another one's run."""
    detailed: bool = False
    """Whether exit code 6 tells a plan with changes from one without (0)."""
    planned: PlannedWork | None = None
    """The plan and what it is for; None if irsa did not get so far."""
    access: AccessChange | None = None
    """Gains and losses of roles by the plan; None for a plan without changes."""

    @property
    def exit_code(self) -> int:
        if self.ended is Ended.INCOMPLETE:
            return ExitCode.INCOMPLETE
        if self.signal:
            return 128 + self.signal
        if self.ended is Ended.UNFINISHED:
            return ExitCode.FAILED
        if self.ended is Ended.PLANNED:
            return ExitCode.PENDING if self.detailed else ExitCode.DONE
        return exit_code_of(self.error)

    is_stopped = False

    @property
    def lines(self) -> Sequence[DryRunLine]:
        """The only line of its plan."""
        return [DryRunLine(self.planned.service_account if self.planned else "", self)]

    @property
    def scope(self) -> TransactionScope:
        return TransactionScope.CLUSTER if "provider" in self.facts else TransactionScope.BINDING

    @property
    def verifications(self) -> list[Any]:
        """Its verifications as JSON."""
        by_name = self.verification or {}
        if "subject" in by_name:
            return [by_name]
        return list(by_name.values())
