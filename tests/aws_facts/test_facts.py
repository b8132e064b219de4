"""The whole table, asked of the sandbox and of stock moto; the page that shows the result is checked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.aws_facts.fact import Fact
from tests.aws_facts.table import FACTS

ROOT = Path(__file__).resolve().parents[2]


ASK = """
import json
from tests.aws_facts import asking
from tests.aws_facts.table import FACTS
with asking.sandbox() as target:
    print(json.dumps({fact.id: asking.ask(target, fact) for fact in FACTS}))
"""


@pytest.fixture(scope="module")
def verdicts() -> dict[str, str]:
    """How true the sandbox's answers are, by facts. In a process of its own: a worker has one sandbox."""
    command = [sys.executable, "-c", ASK]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("fact", FACTS, ids=[fact.id for fact in FACTS])
def test_sandbox(verdicts: dict[str, str], fact: Fact) -> None:
    if fact.not_simulated:
        assert verdicts[fact.id] != "as AWS", "the row says that it is not simulated"
    else:
        assert verdicts[fact.id] == "as AWS"


def test_page() -> None:
    """In a process of its own: the sandbox teaches moto things that stock moto does not know."""
    command = [sys.executable, "tools/docs/aws_facts.py", "--check"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_table_is_whole() -> None:
    assert len({fact.id for fact in FACTS}) == len(FACTS) >= 200
    assert all(fact.says.endswith(".") and fact.source for fact in FACTS)
