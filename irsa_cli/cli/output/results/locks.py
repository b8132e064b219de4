"""Output of `irsa recover --unlock`: the locks of a cluster, and what became of those of one holder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.result import failure_lines, of_result
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.core.results.envelope import DocumentKind, failed
from irsa_cli.core.results.locks import Removal, SeenLock, Unlocked
from irsa_cli.core.results.result import Result
from irsa_cli.core.values.shown import visible

_WORDS: Mapping[Removal | None, str] = {
    Removal.PLANNED: "would be removed",
    Removal.REMOVED: "removed",
    Removal.GONE: "no longer held by that run",
    Removal.KEPT: "not removed",
    Removal.UNKNOWN: "unknown whether removed",
}


def of_locks(outcome: Unlocked | Result, speaking: Speaking) -> Report:
    """The locks that were listed or removed, or the error that came before."""
    if isinstance(outcome, Result):
        assert outcome.error is not None
        document = failed(DocumentKind.LOCKS, outcome.error, outcome.exit_code)
        return replace(of_result(outcome, quiet=speaking.quiet), found=document)
    lines = _removed(outcome) if outcome.holder else _listed(outcome)
    return Report(outcome, map(visible, lines), _messages(outcome, quiet=speaking.quiet))


def lock_lines(locks: Sequence[SeenLock]) -> Iterator[str]:
    """The locks below their holders; locks of one holder are next to each other."""
    for holder, group in groupby(locks, key=lambda lock: lock.holder):
        held = list(group)
        yield f"{holder}  {held[0].doing}  since {held[0].since}"
        for lock in held:
            yield f"  {lock.locked}  {lock.until}"


def _listed(outcome: Unlocked) -> Iterator[str]:
    cluster = outcome.cluster.name
    if not outcome.items:
        yield f"No run holds a lock in {cluster} (namespace {outcome.namespace})."
        return
    yield from lock_lines([lock for lock, _ in outcome.items])
    yield f"To remove the locks of a dead run: irsa recover --unlock HOLDER --cluster {cluster}"


def _removed(outcome: Unlocked) -> Iterator[str]:
    for lock, removal in outcome.items:
        yield f"{lock.locked}  {_WORDS[removal]}"
    if outcome.dry_run:
        yield "Nothing was removed (dry run)."


def _messages(outcome: Unlocked, *, quiet: bool) -> Iterator[str]:
    yield from failure_lines(outcome.error)
    if outcome.holder and outcome.error is None and not (outcome.dry_run or quiet):
        cluster = outcome.cluster.name
        yield visible(f"Note: that run may have left changes; to list them: irsa recover --cluster {cluster}")
