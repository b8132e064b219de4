"""The recipe of CONTRIBUTING.md for an output form: followed in a copy, one works and the tests pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import put
from tests.support.recipes import files_of, followed, generate, run, run_tests

FORM = '''"""Findings as tab-separated values."""

from irsa_cli.cli.output.report import Report
from irsa_cli.core.values.shown import visible


def as_tsv(report: Report, _most: int | None = None) -> str:
    rows = ((it.risk.severity.value, it.risk.rule.id, it.risk.sentence) for it in report.findings)
    return "".join("\\t".join(map(visible, row)) + "\\n" for row in rows)
'''
LINE = '    "tsv": f"{_VIEWS}.tsv:as_tsv",\n'
EDITS: dict[str, Callable[[str], str]] = {
    "irsa_cli/cli/output/views/tsv.py": lambda _: FORM,
    "irsa_cli/cli/output/report.py": lambda text: put(text, "RISKS = {\n", f"RISKS = {{\n{LINE}"),
    "docs/how-to/audit.md": lambda text: f"{text}\n`-o tsv` prints one finding a line, with tabs.\n",
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


def test_the_recipe_of_an_output_form_leaves_the_tests_green(tmp_path: Path) -> None:
    assert [name.replace("…", "tsv") for name in files_of("A new output form")] == list(EDITS)
    project = followed(tmp_path / "project", EDITS)
    run(project, ["-c", SCRIPT, str(tmp_path / "trust-policy.json")])
    generate(project, "commands", "man")
    modules = (f"tests/unit/cli/test_{name}.py" for name in ("outputs", "reports", "help"))
    run_tests(project, *modules, "tests/unit/house/test_gates.py")
