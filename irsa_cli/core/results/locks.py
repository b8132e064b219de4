"""What `irsa unlock` answers: the locks of a cluster, or what has become of those of one holder."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from irsa_cli.core.marks.locks.seen import SeenLock
from irsa_cli.core.results.result import API_VERSION, cluster_json, error_json
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, IrsaError


@dataclass(frozen=True)
class LockList:
    """The locks of a cluster's runs in one namespace, held or ended."""

    cluster: Cluster
    namespace: str
    items: tuple[SeenLock, ...]

    exit_code = ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """The document that `-o json` and `-o yaml` print."""
        return {
            "apiVersion": API_VERSION,
            "kind": "LockList",
            "cluster": cluster_json(self.cluster),
            "namespace": self.namespace,
            "items": [item.to_json() for item in self.items],
        }


class Removal(str, Enum):
    """What has become of one Lease; the value is what `-o json` shows."""

    PLANNED = "planned"
    REMOVED = "removed"
    GONE = "gone"
    """Its holder has released it, or another run has taken it over: it is not the holder's any more."""
    KEPT = "kept"
    UNKNOWN = "unknown"
    """Whether it is removed is not known: the call was not answered."""


@dataclass
class Unlocked:
    """What has become of the locks of one holder; `error` is why some of them are there still."""

    cluster: Cluster
    namespace: str
    holder: str
    dry_run: bool = False
    items: list[tuple[SeenLock, Removal]] = field(default_factory=list)
    error: IrsaError | None = None
    signal: int = 0

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        if self.signal:
            return 128 + self.signal
        return int(ExitCode.DONE if self.error is None else self.error.exit_code)

    def to_json(self) -> dict[str, Any]:
        """The document that `-o json` and `-o yaml` print."""
        return {
            "apiVersion": API_VERSION,
            "kind": "Unlock",
            "exitCode": self.exit_code,
            "cluster": cluster_json(self.cluster),
            "namespace": self.namespace,
            "holder": self.holder,
            "dryRun": self.dry_run,
            "items": [{**seen.to_json(), "state": state.value} for seen, state in self.items],
            "error": None if self.error is None else error_json(self.error),
        }
