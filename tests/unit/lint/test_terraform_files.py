"""Terraform's own files, modelled after public ones: each says in its first lines what it decides."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from irsa_cli.core.lint.report import LintReport
from irsa_cli.usecases.audit.lint import Request, lint

CASES = sorted(Path(__file__).with_name("terraform").glob("*.tf"))


def run(*paths: Path) -> LintReport:
    return lint(Request(tuple(map(str, paths))))


def found(report: LintReport) -> list[str]:
    return [f"{item.rule.id} {item.severity.value}" for item in report.selection.shown]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_file_decides_what_it_says(case: Path, tmp_path: Path) -> None:
    shutil.copy(case, tmp_path / "main.tf")
    text = case.read_text(encoding="utf-8")
    labelled = re.match(r"# risks: (.*)\n# not known: (\d+)\n", text)
    assert labelled
    report = run(tmp_path)
    expected = [] if labelled[1] == "none" else labelled[1].split(", ")
    assert report.unread == ()
    assert found(report) == expected
    assert len(report.unjudged) == int(labelled[2]), report.unseen
    for item in report.selection.shown:
        assert item.place is not None
        assert item.place.file == str(tmp_path / "main.tf")
        assert item.place.line > 2
        assert "k7q2" not in item.told
