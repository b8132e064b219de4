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


def document_of(found: Result | Documented) -> Envelope:
    """The document of an outcome; a transaction that did not start is no item of it."""
    if not isinstance(found, Result):
        return found.envelope()
    is_reached = found.cluster is not None and found.cluster.arn
    if is_reached or found.transaction or found.facts or found.changes or found.left:
        return results_envelope([found], exit_code=found.exit_code)
    return Envelope(
        DocumentKind.RESULTS,
        found.ended,
        found.exit_code,
        found.cluster,
        notes=found.notes,
        errors=whole(found.error),
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
        "left": [{"what": item.what, "why": item.why, "repair": item.repair} for item in result.left],
        "notes": result.notes,
        "warnings": [warning_json(item) for item in result.warnings],
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


def change_json(item: ChangeResult) -> dict[str, Any]:
    return {
        "kind": item.change.kind.value,
        "action": item.change.action,
        "target": item.change.name,
        "state": item.state,
        "seconds": round(item.seconds, 3),
        "before": _shown(item.change.before),
        "after": _shown(item.change.after),
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
        [result_json(result) for result in results] if items is None else items,
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
