"""From what a command has found, whatever it is, to its report in any form.

`markdown_of` is for who has a result and wants its Markdown; where the forms go is `delivering`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from irsa_cli.cli.reports.markdown import LENGTH, as_markdown
from irsa_cli.cli.reports.model import Entry, Level, PipelineReport, Rank, SourcePlace
from irsa_cli.core.results.envelope import DocumentKind, Envelope, failed
from irsa_cli.core.values.errors import IrsaError

_PLACED = re.compile(r"(?P<file>[^\s:][^:]*):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<said>.+)", re.S)


@dataclass(frozen=True)
class Unbegun:
    """What is known of a command that could not begin: why, a line each, and its exit code."""

    lines: tuple[str, ...]
    code: str
    exit_code: int

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        error = IrsaError(self.lines[0], details=self.lines[1:], code=self.code)
        return failed(DocumentKind.RESULTS, error, self.exit_code)


def report_of(found: Any, title: str = "irsa") -> PipelineReport:
    """The report of a result, of many, or of what was looked at; `title` is the command that was called."""
    from irsa_cli.core.doctor.diagnosis import Diagnosis
    from irsa_cli.core.planning.adopt import Adoptions
    from irsa_cli.core.recovery.report import Recoveries
    from irsa_cli.core.results.applied import AppliedList
    from irsa_cli.core.results.result import Result
    from irsa_cli.core.verification.report import VerificationReport

    if isinstance(found, Result | AppliedList | Adoptions | Recoveries):
        from irsa_cli.cli.reports import of_results

        if isinstance(found, Result):
            return of_results.of_result(found, title)
        if isinstance(found, AppliedList):
            return of_results.of_applied(found, title)
        if isinstance(found, Adoptions):
            return of_results.of_adoptions(found, title)
        return of_results.of_recoveries(found, title)
    if isinstance(found, Unbegun):
        return of_lines(found.lines, found.exit_code, title)
    from irsa_cli.cli.reports import of_checks

    if isinstance(found, VerificationReport):
        return of_checks.of_verification(found, title)
    if isinstance(found, Diagnosis):
        return of_checks.of_diagnosis(found, title)
    return of_checks.of_risks(found)


def of_lines(lines: Sequence[str], exit_code: int, title: str) -> PipelineReport:
    """The report of a command that could not begin: each problem, at its place where the text has one."""
    first, *more = lines
    entries = [_problem(line) for line in lines if _PLACED.match(line)]
    said = tuple(line for line in (first, *more) if not _PLACED.match(line))
    if said and not entries:
        entries = [Entry(title, "not begun", Rank.FAILED, message=said, level=Level.ERROR)]
    return PipelineReport(title, first if said else "not begun", False, exit_code, entries=tuple(entries))


def _problem(line: str) -> Entry:
    found = _PLACED.match(line)
    assert found is not None
    place = SourcePlace(found["file"], int(found["line"]), int(found["column"] or 0))
    return Entry(place.file, "problem", Rank.FAILED, message=(found["said"],), level=Level.ERROR, place=place)


def markdown_of(found: Any, max_length: int = LENGTH, title: str = "irsa") -> str:
    """What a command has found as Markdown of at most so many characters."""
    return as_markdown(report_of(found, title), max_length)
