"""The JSON of results of commands that write, a promise: docs/reference/json-output.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from irsa_cli.core.plan.states import State
from irsa_cli.core.plan.written import written_fields
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, cluster_json, whole
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode


class Documented(Protocol):
    """The outcome of another command."""

    @property
    def exit_code(self) -> int:
        """The process's exit code."""

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""


def document_of(outcome: Result | Documented) -> Envelope:
    """The document of an outcome; a transaction that did not start is no item of it."""
    if not isinstance(outcome, Result):
        return outcome.envelope()
    is_reached = outcome.cluster is not None and outcome.cluster.arn
    if is_reached or outcome.transaction or outcome.facts or outcome.changes or outcome.left:
        return results_envelope([outcome], exit_code=outcome.exit_code)
    return Envelope(
        DocumentKind.RESULTS,
        outcome.ended,
        outcome.exit_code,
        outcome.cluster,
        notes=outcome.notes,
        errors=whole(outcome.error),
    )


def result_json(result: Result) -> dict[str, Any]:
    """A result as an item of a `ResultList`; its error is in `errors`."""
    return {
        "outcome": result.ended.value,
        "exitCode": int(result.exit_code),
        "scope": result.scope.value,
        "transaction": result.transaction or None,
        "cluster": cluster_json(result.cluster),
        "serviceAccount": None,
        "role": None,
        "provider": None,
        **result.facts,
        "changes": [change_json(change) for change in result.changes if change.is_public],
        "access": None if result.access is None else result.access.to_json(),
        "verifications": result.verifications,
        "left": [{"what": left.what, "why": left.why, "repair": left.repair} for left in result.left],
        "notes": result.notes,
        "warnings": list(map(warning_json, result.warnings)),
    }


def warning_json(risk: Risk) -> dict[str, Any]:
    return {
        "id": risk.rule.id,
        "severity": risk.severity.value,
        "role": {"arn": risk.role} if risk.role else None,
        "statement": risk.statement,
        "reason": risk.reason,
        "suggestion": risk.suggestion,
    }


def change_json(result: ChangeResult) -> dict[str, Any]:
    return {
        "kind": result.change.kind.value,
        "action": result.change.action,
        "target": result.change.name,
        "state": result.state,
        "seconds": round(result.seconds, 3),
        "before": _shown(result.change.before),
        "after": _shown(result.change.after),
    }


_OF_JOURNALS = ("manifest",)
"""Internal fields of states, which JSON omits."""


def _shown(state: State | None) -> dict[str, Any] | None:
    """A state in camel case; the keys of tags and documents stay."""
    if state is None:
        return None
    fields = [field for field in written_fields(type(state)) if field.key not in _OF_JOURNALS]
    return {_camel(field.key): getattr(state, field.attribute) for field in fields}


def _camel(key: str) -> str:
    return re.sub("_(.)", lambda letter: letter[1].upper(), key)


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
    counts = Counter(result.ended for result in results)
    if items is None:
        items = list(map(result_json, results))
    errors: list[ItemError] = []
    for index, result in enumerate(results):
        if result.error is not None:
            errors.append(ItemError(result.error, index))
    in_between = exit_code == ExitCode.FAILED and {Ended.COMMITTED, Ended.REFUSED} <= counts.keys()
    least = Ended.UNFINISHED if in_between or not all_begun else Ended.UNCHANGED
    return Envelope(
        DocumentKind.RESULTS,
        min((least, *counts), key=_WORST_FIRST.index),
        exit_code,
        cluster or _common_cluster(results),
        items,
        {ended.value: counts[ended] for ended in Ended if counts[ended]},
        errors=errors,
        facts=facts or {},
    )


def _common_cluster(results: Sequence[Result]) -> Cluster | None:
    """The cluster of the results; None if there is none, or several."""
    clusters: dict[str, Cluster] = {}
    for result in results:
        cluster = result.cluster
        if cluster is not None:
            clusters[cluster.arn or f"{cluster.account}/{cluster.region}/{cluster.name}"] = cluster
    if len(clusters) != 1:
        return None
    return clusters.popitem()[1]


def codes_of(results: Sequence[Result]) -> list[int]:
    """The exit codes of several; 'nothing was attempted' only if that is true of all."""
    attempted = any(
        result.ended is Ended.COMMITTED or (result.ended is Ended.ROLLED_BACK and result.error)
        for result in results
    )
    return failed_if([int(result.exit_code) for result in results], attempted=attempted)


def failed_if(codes: Sequence[int], *, attempted: bool) -> list[int]:
    """The codes; if something was attempted, those that deny it mean a failure."""
    if not attempted:
        return list(codes)
    nothing = (ExitCode.USAGE, ExitCode.REFUSED)
    return [int(ExitCode.FAILED) if code in nothing else code for code in codes]


def failures(codes: Sequence[int]) -> list[int]:
    """The codes that mean neither success nor pending changes."""
    return [code for code in codes if code not in (ExitCode.DONE, ExitCode.PENDING)]


def worst(codes: Sequence[int]) -> int:
    """The exit code for all: 3 (leftovers) goes before all others."""
    if ExitCode.INCOMPLETE in codes:
        return ExitCode.INCOMPLETE
    return max(codes, default=0)
