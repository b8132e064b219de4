"""What CONTRIBUTING.md says of a new rule is enough: added to a copy of the program, one is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import ROOT, edited, put, run_in

ROW = """{
        "id": "no-sid",
        "severity": "low",
        "title": "A statement has no Sid.",
        "reason": "Nobody can name the statement in a review.",
        "fix": "give it a Sid",
        "source": "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html",
        "before": [{"Condition": {
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
JUDGED = '''
def of_names(document: Mapping[str, Any]) -> Iterator[Risk]:
    """Statements without a Sid."""
    for index, item in allowing(document):
        if not item.get("Sid"):
            yield risk(RULES["no-sid"], name_of(index, item), "has no Sid", path=place_of(index))


LARGEST = 8192
'''
EDITS: dict[str, Callable[[str], str]] = {
    "core/trust/rules/rules.json": lambda text: put(text, '{\n        "id": "only-negative",\n', ROW),
    "core/trust/rules/judge.py": lambda text: put(
        put(text, "\nLARGEST = 8192\n", JUDGED),
        "    found = [*of_everybody(document)]\n",
        "    found = [*of_everybody(document), *of_names(document)]\n",
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

rule, provider = RULES["no-sid"], EXAMPLES["provider"]
rules = [item.rule.id for item in wide_trusts(before(rule), [provider])]
assert rules == ["no-sid"], rules
assert wide_trusts(after(rule), [provider]) == ()

Path(sys.argv[1]).write_text(json.dumps(before(rule)))


def irsa(*words):
    run = [sys.executable, "-m", "irsa_cli", *words]
    return subprocess.run(run, capture_output=True, text=True, check=False)


found = json.loads(irsa("lint", sys.argv[1], "-o", "json").stdout)
assert [item["id"] for item in found["items"]] == ["no-sid"], found
assert "give it a Sid" in irsa("audit", "--explain", "no-sid").stdout
"""


def test_a_rule_is_added_by_the_files_that_are_listed_and_no_others(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    listed = re.search(r"^## A new rule\n(.*?)^## ", text, re.M | re.S)
    assert listed is not None
    files = re.findall(r"`irsa_cli/(core/trust/rules/(?:rules\.json|judge\.py))`", listed[1])
    assert files == list(EDITS)
    run_in(edited(tmp_path / "program", EDITS), SCRIPT, str(tmp_path / "trust-policy.json"))
