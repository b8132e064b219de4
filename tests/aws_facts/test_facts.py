"""The whole table, asked of the sandbox and of stock moto; the page that shows the result is checked here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws_facts import asking
from tests.aws_facts.fact import Fact
from tests.aws_facts.table import FACTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[asking.Target]:
    """irsa's sandbox, for all facts."""
    with asking.sandbox() as target:
        yield target


@pytest.mark.parametrize("fact", FACTS, ids=[fact.id for fact in FACTS])
def test_sandbox(sandbox: asking.Target, fact: Fact) -> None:
    answer, saved = asking.answer_of(sandbox, fact)
    verdict = asking.compare(fact, answer, saved)
    if fact.not_simulated:
        assert verdict != "as AWS", "the row says that it is not simulated"
    else:
        assert verdict == "as AWS", answer


def test_page() -> None:
    """In a process of its own: the sandbox teaches moto things that stock moto does not know."""
    command = [sys.executable, "tools/docs/aws_facts.py", "--check"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_table_is_whole() -> None:
    assert len({fact.id for fact in FACTS}) == len(FACTS) >= 200
    assert all(fact.says.endswith(".") and fact.source for fact in FACTS)
