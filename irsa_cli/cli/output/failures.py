"""Write and print why a command did not start, in the forms that the user wants."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import takewhile

from irsa_cli.cli.output.report import Entry, Level, Rank, Report
from irsa_cli.cli.output.speaking import FILES, ReportFiles, show, tell
from irsa_cli.core.results.envelope import DocumentKind, failed
from irsa_cli.core.trust.rules.rule import FilePlace
from irsa_cli.core.values.errors import IrsaError

_PLACED = re.compile(r"(?P<file>[^\s:][^:]*):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<said>.+)", re.S)


def show_failure(
    error: IrsaError, exit_code: int, arguments: Sequence[str], output: str, command: str
) -> None:
    """Write and print why a command did not start; `output` is '' for text, which is already printed."""
    entries: list[Entry] = []
    unplaced: list[str] = []
    for line in (error.message, *error.details):
        placed = _PLACED.match(line)
        if placed:
            place = FilePlace(placed["file"], int(placed["line"]), int(placed["column"] or 0))
            message = (placed["said"],)
            entries.append(Entry(place.file, "problem", Rank.FAILED, (), message, Level.ERROR, place))
        else:
            unplaced.append(line)
    if unplaced and not entries:
        entries = [Entry("", "not begun", Rank.FAILED, message=tuple(unplaced), level=Level.ERROR)]
    document = failed(DocumentKind.RESULTS, error, exit_code)
    verdict = error.message if unplaced else "not begun"
    report = Report(document, verdict=verdict, is_good=False, entries=entries, command=command)
    for failure in named_files(arguments).write(report):
        tell(failure)
    if output:
        show(report, output)


def named_files(arguments: Sequence[str]) -> ReportFiles:
    """The files named on the command line and in the environment."""
    own = list(takewhile(lambda text: text != "--", arguments))
    paths: dict[str, str] = {}
    for key in FILES:
        flag = f"--{key.replace('_', '-')}"
        variable = f"IRSA_{key.upper()}"
        paths[key] = os.environ.get(variable, "").strip()
        for text, following in zip(own, [*own, ""][1:], strict=True):
            if text == flag:
                paths[key] = following
            elif re.match(rf"{flag}=", text):
                paths[key] = text.partition("=")[2]
    return ReportFiles(paths["summary_file"], paths["json_file"])
