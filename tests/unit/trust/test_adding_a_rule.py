"""What CONTRIBUTING.md says of a new rule is enough: in a copy of the project, it is found and tests pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import ROOT, put, run_in

ROW = """{
        "id": "temporary-statement",
        "consequence": "role",
        "reach": "privileged",
        "title": "A statement is marked as temporary.",
        "reason": "Nobody remembers when it was to be removed.",
        "fix": "remove it, or give it a lasting Sid",
        "source": "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html",
        "by_hand": true,
        "before": [{"Sid": "TemporaryApp", "Condition": {
         "StringEquals": {"{issuer}:sub": "system:serviceaccount:prod:app",
                           "{issuer}:aud": "sts.amazonaws.com"}
        }}],
        "after": [{"Sid": "App", "Condition": {
         "StringEquals": {"{issuer}:sub": "system:serviceaccount:prod:app",
                           "{issuer}:aud": "sts.amazonaws.com"}
        }}]
      },
      {
        "id": "only-negative",
"""
CHECK = '''
def of_names(document: Mapping[str, Any]) -> Iterator[Risk]:
    """Statements that were to be removed again."""
    for index, item in allowing(document):
        if str(item.get("Sid", "")).startswith("Temporary"):
            path = place_of(index, "Sid")
            yield risk(RULES["temporary-statement"], name_of(index, item), "was to be removed", path=path)


LARGEST = 8192
'''
PLANTED = """
    yield plant(
        "w34",
        {**admits("shop-prod", named("w34")), "Sid": "Temporary"},
        breaks="temporary-statement=low",
    )


BESIDE = (
"""
EDITS: dict[str, Callable[[str], str]] = {
    "irsa_cli/core/trust/rules/rules.json": lambda text: put(
        text, '{\n        "id": "only-negative",\n', ROW
    ),
    "irsa_cli/core/trust/rules/judge.py": lambda text: put(
        put(text, "\nLARGEST = 8192\n", CHECK),
        "    risks = [*of_everybody(document)]\n",
        "    risks = [*of_everybody(document), *of_names(document)]\n",
    ),
    "tests/support/estates.py": lambda text: put(
        put(text, "\n\n\nBESIDE = (\n", PLANTED), 'DECLARED = ("w11", ', 'DECLARED = ("w34", "w11", '
    ),
}
SCRIPT = """
import json
import subprocess
import sys
from pathlib import Path

from irsa_cli.core.trust.correction import wide_trusts
from irsa_cli.core.trust.rules.rule import EXAMPLES, after, before
from irsa_cli.core.trust.rules.rule import RULES

rule, provider = RULES["temporary-statement"], EXAMPLES["provider"]
rules = [item.rule.id for item in wide_trusts(before(rule), [provider])]
assert rules == ["temporary-statement"], rules
assert wide_trusts(after(rule), [provider]) == ()

Path(sys.argv[1]).write_text(json.dumps(before(rule)))


def irsa(*words):
    run = [sys.executable, "-m", "irsa_cli", *words]
    return subprocess.run(run, capture_output=True, text=True, check=False)


found = json.loads(irsa("lint", sys.argv[1], "-o", "json").stdout)
assert [item["id"] for item in found["items"]] == ["temporary-statement"], found
assert "give it a lasting Sid" in irsa("audit", "--explain", "temporary-statement").stdout
"""
COPIED = ("irsa_cli", "tests", "docs", "tools/docs", "pyproject.toml", "CONTRIBUTING.md")
CONCERNED = (
    "tests/unit/trust/test_judge.py",
    "tests/unit/trust/test_correction.py",
    "tests/unit/audit/test_audit_large.py",
    "tests/docs/test_pages.py::test_what_is_generated_is_fresh[audit_rules]",
)


def copied(to: Path) -> Path:
    """The project with the rule, in a folder of its own."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, to / name)
    for name, edit in EDITS.items():
        (to / name).write_text(edit((ROOT / name).read_text()))
    return to


def test_a_rule_is_added_by_the_files_that_are_listed_and_no_others(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    listed = re.search(r"^## A new rule\n(.*?)^## ", text, re.M | re.S)
    assert listed is not None
    assert re.findall(r"(?m)^\d\. `([\w/]+\.(?:json|py))`", listed[1]) == list(EDITS)
    project = copied(tmp_path / "project")
    run_in(project, SCRIPT, str(tmp_path / "trust-policy.json"))
    (command,) = re.findall(r"(?m)^\d\. `python ([\w/]+\.py)`", listed[1])
    for words in ([command], ["-m", "pytest", "-q", "-p", "no:cacheprovider", *CONCERNED]):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=project,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(project)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
