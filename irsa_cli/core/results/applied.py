"""The results of many ServiceAccounts, their counts, and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.traits import Service
from irsa_cli.core.results.envelope import Envelope, cluster_json
from irsa_cli.core.results.result import (
    CLUSTER,
    SHARED_PARTS,
    DryRunLine,
    Ended,
    Result,
    TransactionScope,
    scope_of,
)
from irsa_cli.core.results.result_document import codes_of, failures, result_json, results_envelope, worst
from irsa_cli.core.results.scope import AnswerScope
from irsa_cli.core.results.unread import UnreadCall
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode
from irsa_cli.core.values.names import account_json

NOT_BEGUN = "not-begun"


@dataclass(frozen=True)
class Item:
    """The result of one ServiceAccount or shared part; `where` is FILE:LINE, '' with `--prune`."""

    cluster: str
    name: str
    result: Result
    where: str = ""
    place: str = ""

    @property
    def title(self) -> str:
        """Its unique name within the run."""
        return f"{self.place} {self.name}" if self.place else self.name

    @property
    def is_binding(self) -> bool:
        """Whether it is about one ServiceAccount."""
        return scope_of(self.name) is TransactionScope.BINDING

    def to_json(self) -> dict[str, Any]:
        fields = result_json(self.result)
        account = fields["serviceAccount"] or account_json(self.name)
        scope = scope_of(self.name).value
        return {**fields, "scope": scope, "serviceAccount": account, "where": self.where or None}


@dataclass(frozen=True)
class NotBegun:
    """A ServiceAccount (`namespace/name`) that irsa did not start with; `place` as in `Item`."""

    cluster: Cluster
    name: str
    place: str = ""

    @property
    def title(self) -> str:
        return f"{self.place} {self.name}".strip()

    def to_json(self) -> dict[str, Any]:
        return {"cluster": cluster_json(self.cluster), "serviceAccount": account_json(self.name)}


@dataclass(frozen=True)
class SavedRequest:
    """The request of a saved plan: its command, and the settings that differ from the command's defaults."""

    command: str
    settings: Mapping[str, Any]
    allow_access_change: bool = False

    def to_json(self) -> dict[str, Any]:
        allowed = {"allow_access_change": True} if self.allow_access_change else {}
        return {**self.settings, **allowed}


@dataclass
class AppliedList:
    """The results of all. `detailed`: exit code 6 means pending changes; `pending` were not started."""

    items: list[Item] = field(default_factory=list)
    notices: Sequence[str] = ()
    pending: list[NotBegun] = field(default_factory=list)
    signal: int = 0
    seconds: float = 0.0
    detailed: bool = False
    noun: str = "ServiceAccount"
    """The name of an object of one transaction."""
    shard: Mapping[str, Any] | None = None
    """The shard as JSON, if the run is one of several."""
    request: SavedRequest | None = None
    """The request that a saved plan carries out, if this is one."""
    missing: tuple[str, ...] = ()
    """Shards whose results are unknown."""
    unread: tuple[UnreadCall, ...] | None = None
    """The client's record of failed reads, if the run only shows; None for one that writes."""
    is_timed = True

    @property
    def scope(self) -> AnswerScope | None:
        """The failed reads of a run that only shows; with `detailed`, they could hide a change."""
        if self.unread is None:
            return None
        examined = {self.noun: sum(item.is_binding for item in self.items)}
        scope = AnswerScope("How does the current state differ from the desired state?", examined)
        return scope.with_unread(self.unread, decide=self.detailed)

    @property
    def recorded_notes(self) -> tuple[str, ...]:
        """The failed reads that no item tells of, a line each."""
        said = "\n".join(chain.from_iterable(item.result.notes for item in self.items))
        calls = [call for call in self.unread or () if not call.is_named_in(said)]
        return tuple(dict.fromkeys(f"not read: {call.text}" for call in calls))

    def add(self, of_cluster: AppliedList) -> None:
        """Add what one cluster of this run has done."""
        self.items += of_cluster.items
        self.pending += of_cluster.pending
        self.notices = [*self.notices, *of_cluster.notices]

    def order(self, start: int, names: Iterable[str]) -> None:
        """Sort the items from number `start` by `names`; shared parts go first."""
        number = {name: index for index, name in enumerate(names)}
        self.items[start:] = sorted(self.items[start:], key=lambda item: number.get(item.name, -1))

    @property
    def exit_code(self) -> int:
        codes = codes_of([item.result for item in self.items])
        if self.signal and self.pending:
            codes.append(128 + self.signal)  # A signal that kept nothing from being done is no outcome.
        elif self.detailed and any(item.result.ended is Ended.PLANNED for item in self.items):
            codes.append(int(ExitCode.PENDING))
            codes = failures(codes) or codes
        scope = self.scope
        return worst(codes) or (0 if scope is None or scope.is_decided else int(ExitCode.FAILED))

    @property
    def lines(self) -> Sequence[DryRunLine]:
        return [DryRunLine(item.name, item.result, item.where, item.place) for item in self.items]

    @property
    def is_stopped(self) -> bool:
        """Whether some were not planned."""
        return bool(self.pending or self.signal)

    @property
    def summary(self) -> dict[str, int]:
        """How many ServiceAccounts have which outcome."""
        counts = Counter(item.result.ended for item in self.items if item.is_binding)
        return {ended.value: counts[ended] for ended in Ended if counts[ended]}

    @property
    def apart(self) -> dict[tuple[str, str], int]:
        """The outcomes of transactions that are about no single ServiceAccount; only clusters are counted."""
        counts: dict[tuple[str, str], int] = {}
        for item in self.items:
            if not item.is_binding:
                key = (item.name.strip("()"), item.result.ended.value)
                counts[key] = counts.get(key, 0) + 1 if item.name == CLUSTER else 1
        return counts

    @property
    def by_place(self) -> dict[str, dict[str, int]]:
        """Counts by cluster, if the run has several."""
        counts: dict[str, Counter[str]] = {}
        for item in self.items:
            if item.place and item.name != SHARED_PARTS:
                counts.setdefault(item.place, Counter())[item.result.ended.value] += 1
        for waiting in self.pending:
            if waiting.place:
                counts.setdefault(waiting.place, Counter())[NOT_BEGUN] += 1
        return {place: dict(of_place) for place, of_place in counts.items()}

    def _ends(self) -> Iterator[tuple[str, Cluster | None, str, str]]:
        for item in self.items:
            yield item.place, item.result.cluster, item.cluster, item.result.ended.value
        for waiting in self.pending:
            yield waiting.place, waiting.cluster, waiting.cluster.name, NOT_BEGUN

    def _by_cluster(self) -> list[dict[str, Any]]:
        """A row for each cluster; region and account are null for one that irsa could not reach."""
        rows: dict[str, dict[str, Any]] = {}
        counts: dict[str, Counter[str]] = {}
        for place, cluster, name, ended in self._ends():
            key = place
            row: dict[str, Any] = {"name": name, "region": None, "account": None}
            if cluster is not None:
                key = cluster.arn or place
                row = {"name": name, "region": cluster.region or None, "account": cluster.account or None}
            rows.setdefault(key, row)
            counts.setdefault(key, Counter())[ended] += 1
        return [{**row, "summary": dict(counts[key])} for key, row in rows.items()]

    def envelope(self) -> Envelope:
        facts: dict[str, Any] = {
            "notBegun": [waiting.to_json() for waiting in self.pending],
            "byCluster": self._by_cluster(),
        }
        if self.scope is not None:
            facts["scope"] = self.scope.to_json()
        if self.request is not None:
            facts["request"] = self.request.to_json()
        if self.shard:
            facts["shard"] = self.shard
        if self.missing:
            facts["missingShards"] = list(self.missing)
        document = results_envelope(
            [item.result for item in self.items],
            exit_code=self.exit_code,
            items=[item.to_json() for item in self.items],
            all_begun=not (self.pending or self.missing),
            facts=facts,
        )
        return replace(document, notes=[*self.notices, *self.recorded_notes])


@dataclass(frozen=True)
class Changed:
    """One write: `time` in ISO 8601, `who` an ARN, `agent` the client's own name."""

    what: str
    operation: str
    time: str
    who: str
    agent: str

    def __str__(self) -> str:
        text = f"{self.what}: {self.operation} by {self.who} at {self.time}"
        return f"{text} ({self.agent})" if self.agent else text

    @classmethod
    def from_json(cls, written: Mapping[str, str]) -> Changed:
        return cls(written["object"], written["operation"], written["time"], written["who"], written["agent"])

    def to_json(self) -> dict[str, str]:
        return {
            "object": self.what,
            "operation": self.operation,
            "time": self.time,
            "who": self.who,
            "agent": self.agent,
        }


def objects_of(changes: Iterable[Change]) -> list[str]:
    """The IAM roles and providers that a plan changes, by CloudTrail's names, each once."""
    in_iam = (change for change in changes if change.kind.traits.service is Service.IAM)
    names = dict.fromkeys(change.object[1][0] for change in in_iam)
    return [name for name in names if ":role/" not in name]  # A target role is another account's.
