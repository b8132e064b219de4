"""The result of a command as one value: what `-o json` prints, and what the text is rendered from.

The schema is documented in docs/reference/json-output.md and is a promise to scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import State
from irsa_cli.core.results.command import Command
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, IrsaError, ServiceError
from irsa_cli.core.values.redaction import redacted

API_VERSION = "irsa/v1"


class Ended(str, Enum):
    """How a command ended."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    ROLLED_BACK = "rolled-back"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    FAILED = "failed"
    """It failed before anything was attempted."""
    UNFINISHED = "unfinished"
    """`recover --forward` could not go on to the end; nothing was rolled back."""


@dataclass(frozen=True)
class ChangeResult:
    """One change. `state`: planned, pending, done, unchanged, failed, undone or left; `seconds` it took."""

    change: Change
    state: str
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The change as `-o json` shows it."""
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
"""Fields of states by which something is made again; they say nothing that is to be seen."""


def _shown(state: State | None) -> dict[str, Any] | None:
    """A state with its own keys in JSON's way of writing them; the keys of tags and documents stay."""
    if state is None:
        return None
    fields = (field for field in state.FIELDS if field.key not in _OF_JOURNALS)
    return {_camel(field.key): getattr(state, field.attribute) for field in fields}


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(part.title() for part in rest)


@dataclass(frozen=True)
class Left:
    """Something that the rollback could not roll back, and the command that does."""

    what: str
    why: str
    repair: str
    in_use: bool = False
    """Left on purpose: another run counts on it."""


@dataclass
class Result:
    """Everything that a command has to say; `facts` are the parts that depend on the command."""

    ended: Ended
    cluster: Cluster | None = None
    transaction: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    changes: list[ChangeResult] = field(default_factory=list)
    verification: Mapping[str, Any] | None = None
    left: list[Left] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: tuple[Risk, ...] = ()
    error: Exception | None = None
    signal: int = 0
    seconds: float = 0.0
    command: Command | None = None
    """Whose result it is; None where that command only finishes what another has begun."""
    detailed: bool = False
    """Whether the exit code tells a plan with changes (6) from one without (0)."""

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        if self.ended is Ended.INCOMPLETE:
            return ExitCode.INCOMPLETE
        if self.signal:
            return 128 + self.signal
        if self.ended is Ended.UNFINISHED:
            return ExitCode.FAILED
        if self.ended is Ended.PLANNED:
            return ExitCode.PENDING if self.detailed else ExitCode.DONE
        if self.error is not None:
            return self.error.exit_code if isinstance(self.error, IrsaError) else ExitCode.FAILED
        return ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """The document that `-o json` and `-o yaml` print."""
        cluster = self.cluster
        return {
            "apiVersion": API_VERSION,
            "kind": "Result",
            "outcome": self.ended.value,
            "exitCode": int(self.exit_code),
            "transaction": self.transaction or None,
            "cluster": None if cluster is None else cluster_json(cluster),
            **self.facts,
            "changes": [change.to_json() for change in self.changes],
            "verification": self.verification,
            "left": [{"what": item.what, "why": item.why, "repair": item.repair} for item in self.left],
            "notes": self.notes,
            "warnings": [item.to_json() for item in self.warnings],
            "error": None if self.error is None else error_json(self.error),
        }


def cluster_json(cluster: Cluster) -> dict[str, str]:
    """A cluster as `-o json` shows it."""
    return {
        "name": cluster.name,
        "arn": cluster.arn,
        "region": cluster.region,
        "account": cluster.account,
        "issuer": cluster.issuer,
    }


def error_json(error: Exception) -> dict[str, Any]:
    """An error as `-o json` shows it."""
    if not isinstance(error, IrsaError):
        return {
            "code": "InternalError",
            "message": redacted(f"{type(error).__name__}: {error}"),
            "reason": "",
            "details": [],
            "next": [],
        }
    facts = (
        {"service": error.service, "operation": error.operation} if isinstance(error, ServiceError) else {}
    )
    return {
        "code": error.code,
        **facts,
        "message": error.message,
        "reason": error.reason,
        "details": list(error.details),
        "next": list(error.next_steps),
    }


def worst(codes: Sequence[int]) -> int:
    """The exit code that stands for all: something that is left behind (3) goes before all others."""
    return ExitCode.INCOMPLETE if ExitCode.INCOMPLETE in codes else max(codes, default=0)
