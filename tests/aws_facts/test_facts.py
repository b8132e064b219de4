"""The whole table, asked of the sandbox and of stock moto; the page that shows the result is checked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.aws_facts.table import FACTS

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import json
from tools.docs import aws_facts
sandbox, moto = aws_facts.asked()
print(json.dumps([sandbox, aws_facts.page(sandbox, moto) == aws_facts.PAGE.read_text("utf-8")]))
"""


def test_the_sandbox_answers_as_aws_and_the_page_says_so() -> None:
    """In a process of its own: the sandbox teaches moto things that stock moto does not know."""
    command = [sys.executable, "-c", ASK]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    # Moto prints what it does not know.
    verdicts, is_fresh = json.loads(ended.stdout.splitlines()[-1])
    # A row says so if something is not simulated.
    as_aws = {fact.id for fact in FACTS if not fact.not_simulated}
    assert {name for name, verdict in verdicts.items() if verdict == "as AWS"} ^ as_aws == set()
    assert is_fresh, "docs/reference/aws-facts.md is stale: python tools/docs/aws_facts.py"


def test_table_is_whole() -> None:
    assert len({fact.id for fact in FACTS}) == len(FACTS) >= 200
    assert all(fact.says.endswith(".") and fact.source for fact in FACTS)
