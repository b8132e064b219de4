"""The result of a command that writes. Its JSON is a promise: docs/reference/json-output.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.expected import PlannedWork
from irsa_cli.core.plan.states import State
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.plan.written import written_fields
from irsa_cli.core.results.envelope import (
    DocumentKind,
    Envelope,
    ItemError,
    cluster_json,
    exit_code_of,
    whole,
)
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode


class Command(str, Enum):
    """A command that writes. The values are in journals, so they never change."""

    CREATE_SA = "create-sa"
    UPDATE_SA = "update-sa"
    DELETE_SA = "delete-sa"
    ADOPT = "adopt"
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


_WORST_FIRST = (
    Ended.INCOMPLETE,
    Ended.UNFINISHED,
    Ended.FAILED,
    Ended.ROLLED_BACK,
    Ended.REFUSED,
    Ended.PLANNED,
    Ended.COMMITTED,
    Ended.UNCHANGED,
)


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


SHARED_PARTS, ALL, CLUSTER = "(shared parts)", "(all)", "(cluster)"
"""Names of transactions without a single ServiceAccount, on the screen and in journals."""
SCOPES = {
    SHARED_PARTS: TransactionScope.SHARED_PARTS,
    ALL: TransactionScope.ALL,
    CLUSTER: TransactionScope.CLUSTER,
}


def scope_of(name: str) -> TransactionScope:
    """The scope of a transaction with this name."""
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

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.change.kind.value,
            "action": self.change.action,
            "target": self.change.name,
            "state": self.state,
            "seconds": round(self.seconds, 3),
            "before": _shown(self.change.before),
            "after": _shown(self.change.after),
        }


_OF_JOURNALS = ("manifest",)
"""Internal fields of states, which JSON omits."""


def _shown(state: State | None) -> dict[str, Any] | None:
    """A state in camel case; the keys of tags and documents stay."""
    if state is None:
        return None
    fields = (field for field in written_fields(type(state)) if field.key not in _OF_JOURNALS)
    return {
        re.sub("_(.)", lambda found: found[1].upper(), field.key): getattr(state, field.attribute)
        for field in fields
    }


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
    def is_known(self) -> bool:
        """Whether there is more to show than that the command did not start."""
        reached = self.cluster is not None and self.cluster.arn
        return bool(reached or self.transaction or self.facts or self.changes or self.left)

    def to_json(self) -> dict[str, Any]:
        """The result as an item of a `ResultList`; its error is in `errors`."""
        return {
            "outcome": self.ended.value,
            "exitCode": int(self.exit_code),
            "scope": self.scope.value,
            "transaction": self.transaction or None,
            "cluster": cluster_json(self.cluster),
            "serviceAccount": None,
            "role": None,
            "provider": None,
            **self.facts,
            "changes": [change.to_json() for change in self.changes if change.is_public],
            "verifications": self._verifications(),
            "left": [{"what": item.what, "why": item.why, "repair": item.repair} for item in self.left],
            "notes": self.notes,
            "warnings": [item.to_json() for item in self.warnings],
        }

    @property
    def is_by_former_trust(self) -> bool:
        """Whether STS may still use the former trust policy."""
        return any(item.get("newTrust") is False for item in self._verifications())

    def _verifications(self) -> list[Any]:
        found = self.verification or {}
        return [found] if "subject" in found else list(found.values())

    def envelope(self) -> Envelope:
        """The document of one transaction; no item if it did not start."""
        if self.is_known:
            return results_envelope([self], exit_code=self.exit_code)
        return Envelope(
            DocumentKind.RESULTS,
            self.ended,
            self.exit_code,
            self.cluster,
            notes=self.notes,
            errors=whole(self.error),
        )


def results_envelope(
    results: Sequence[Result],
    *,
    exit_code: int,
    items: Sequence[Mapping[str, Any]] | None = None,
    all_begun: bool = True,
    facts: Mapping[str, Any] | None = None,
    cluster: Cluster | None = None,
) -> Envelope:
    """The document of several results; `items` are their JSON, `cluster` is used if none of them has one."""
    found = Counter(result.ended for result in results)
    known = [result.cluster for result in results if result.cluster is not None]
    clusters = {item.arn or f"{item.account}/{item.region}/{item.name}": item for item in known}
    common = next(iter(clusters.values())) if len(clusters) == 1 else None
    in_between = exit_code == ExitCode.FAILED and {Ended.COMMITTED, Ended.REFUSED} <= found.keys()
    ended = [Ended.UNFINISHED if in_between or not all_begun else Ended.UNCHANGED, *found]
    return Envelope(
        DocumentKind.RESULTS,
        min(ended, key=_WORST_FIRST.index),
        exit_code,
        cluster or common,
        [result.to_json() for result in results] if items is None else items,
        {kind.value: found[kind] for kind in Ended if found[kind]},
        errors=[ItemError(it.error, index) for index, it in enumerate(results) if it.error is not None],
        facts=facts or {},
    )


_ATTEMPTED_NOTHING = (ExitCode.USAGE, ExitCode.REFUSED)


def codes_of(results: Sequence[Result]) -> list[int]:
    """The exit codes of several; 'nothing was attempted' only if that is true of all."""
    attempted = any(
        item.ended is Ended.COMMITTED or (item.ended is Ended.ROLLED_BACK and item.error) for item in results
    )
    codes = [int(item.exit_code) for item in results]
    return [int(ExitCode.FAILED) if attempted and code in _ATTEMPTED_NOTHING else code for code in codes]


def worst(codes: Sequence[int]) -> int:
    """The exit code for all: 3 (leftovers) goes before all others."""
    return ExitCode.INCOMPLETE if ExitCode.INCOMPLETE in codes else max(codes, default=0)
