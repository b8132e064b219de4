"""What CONTRIBUTING.md says of a new output form is enough: added to a copy of the program, one works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import ROOT, edited, put, run_in

FORM = '''"""Findings as tab-separated values."""

from irsa_cli.cli.output.report import Report
from irsa_cli.core.values.shown import visible


def as_tsv(report: Report, _most: int | None = None) -> str:
    rows = ((it.risk.severity.value, it.risk.rule.id, it.risk.sentence) for it in report.findings)
    return "".join("\\t".join(map(visible, row)) + "\\n" for row in rows)
'''
LINE = '    "tsv": f"{_VIEWS}.tsv:as_tsv",\n'
EDITS: dict[str, Callable[[str], str]] = {
    "cli/output/views/tsv.py": lambda _: FORM,
    "cli/output/report.py": lambda text: put(text, "RISKS = {\n", f"RISKS = {{\n{LINE}"),
}
SCRIPT = """
import json
import subprocess
import sys
from pathlib import Path

from irsa_cli.core.trust.rules.rule import before
from irsa_cli.core.trust.rules.rule import RULES

Path(sys.argv[1]).write_text(json.dumps(before(RULES["only-negative"])))


def irsa(*words):
    run = [sys.executable, "-m", "irsa_cli", *words]
    return subprocess.run(run, capture_output=True, text=True, check=False)


found = irsa("lint", sys.argv[1], "-o", "tsv")
assert (found.returncode, found.stdout.count(chr(10))) == (5, 1), found
assert found.stdout.split(chr(9))[1] == "only-negative", found
assert "tsv" in irsa("audit", "--help").stdout
"""


def test_an_output_form_is_added_by_the_files_that_are_listed_and_no_others(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.search(r"^## A new output form\n(.*?)^## ", text, re.M | re.S)
    assert listed is not None
    files = re.findall(r"(?m)^\d\. `irsa_cli/([\w/…]+\.py)`", listed[1])
    assert [name.replace("…", "tsv") for name in files] == list(EDITS)
    run_in(edited(tmp_path / "program", EDITS), SCRIPT, str(tmp_path / "trust-policy.json"))
