"""What `adopt --all` and `recover` of many have to say, as a report.

They are reports of results, with what was skipped.
"""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.cli.output.reports.model import PipelineReport
from irsa_cli.cli.output.reports.of_results import facts_of, name_of, of_applied, of_result
from irsa_cli.core.planning.adopt import Adoptions
from irsa_cli.core.recovery.report import Recoveries
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Result


def of_adoptions(done: Result | Adoptions, title: str) -> PipelineReport:
    """The report of an adoption, of one or of many."""
    if isinstance(done, Result):
        return of_result(done, title)
    items = [Item(done.cluster.name, name_of(result), result) for result in done.items]
    applied = of_applied(AppliedList(items, signal=done.signal), title)
    skipped = tuple(f"{item.account} is skipped: {item.why}" for item in done.passed)
    return PipelineReport(
        title,
        applied.verdict,
        applied.is_good,
        int(done.exit_code),
        facts_of(done.cluster),
        applied.entries,
        applied.uneventful,
        (*applied.notes, *skipped),
    )


def of_recoveries(done: Result | Recoveries, title: str) -> PipelineReport:
    """The report of a recovery, of one or several transactions."""
    if isinstance(done, Result):
        return of_result(done, title)
    names = [" ".join(filter(None, (result.transaction, name_of(result)))) for result in done.items]
    items = [Item("", name, result) for name, result in zip(names, done.items, strict=True)]
    applied = of_applied(AppliedList(items, signal=done.signal), title)
    skipped = tuple(f"{item.transaction} is skipped: {item.why}" for item in done.skipped)
    return replace(applied, exit_code=int(done.exit_code), notes=(*applied.notes, *skipped))
