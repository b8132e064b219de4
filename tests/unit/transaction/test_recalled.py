"""What a run knows of the runs before it: the trust statements that they have just written."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import DocumentState, TagsState
from irsa_cli.core.values import limits
from irsa_cli.transaction.journal import Journal
from irsa_cli.transaction.protocol import Claim
from irsa_cli.transaction.reading import recall_recent

ACCOUNT = "111122223333"
STATEMENT = DocumentState({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
ADDED = Change(Kind.TRUST_STATEMENT, ("shared", "apps/app"), None, STATEMENT)
TAGGED = Change(Kind.ROLE_TAGS, ("shared",), TagsState({}), TagsState({"team": "a"}))


@dataclass
class Memory:
    """A handler that notes what it is told."""

    recalled: list[tuple[Change, float]] = field(default_factory=list)

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        self.recalled.append((change, ago))


def ran(folder: Path, *events: str, account: str = ACCOUNT, age: float = 1.0) -> Path:
    """A run's journal; `events`: an outcome, `undone` for the statement, `half`: it is all that was done."""
    context: dict[str, Any] = {"cluster": f"arn:aws:eks:eu-west-1:{account}:cluster/demo"}
    name = f"run-{len(list(folder.iterdir()))}"
    journal = Journal.open(folder, name, Plan.of([TAGGED, ADDED]), context)
    for index in (1,) if "half" in events else (0, 1):
        journal.event("begin", index)
        journal.event("done", index, changed=True, identity={})
    if "undone" in events:
        journal.event("undo", 1)
        journal.event("undone", 1)
    for outcome in set(events) & {"committed", "rolled-back"}:
        journal.event("outcome", outcome=outcome)
    journal.close()
    moment = time.time() - age
    os.utime(journal.path, (moment, moment))
    return journal.path


def recalled(folder: Path, known: set[str] | None = None) -> list[Change]:
    memory = Memory()
    handlers: Any = mock.MagicMock()
    handlers.__getitem__.return_value = memory
    recall_recent(folder, handlers.__getitem__, ACCOUNT, set() if known is None else known)
    assert all(0 <= ago < limits.PROPAGATION_SECONDS for _, ago in memory.recalled)
    return [change for change, _ in memory.recalled]


def test_statements_count_in_the_order_of_the_runs(tmp_path: Path) -> None:
    ran(tmp_path, "committed")
    ran(tmp_path, "undone", "rolled-back")
    assert recalled(tmp_path) == [ADDED, ADDED.inverse]


@pytest.mark.parametrize("how", [{"account": "999999999999"}, {"age": limits.PROPAGATION_SECONDS + 60}])
def test_other_accounts_and_earlier_runs_do_not_count(tmp_path: Path, how: Any) -> None:
    ran(tmp_path, "committed", **how)
    assert recalled(tmp_path) == []


def test_a_finished_run_is_read_once_and_an_unfinished_one_again(tmp_path: Path) -> None:
    ran(tmp_path, "committed")
    ran(tmp_path, "half")
    known: set[str] = set()
    assert recalled(tmp_path, known) == [ADDED, ADDED]
    assert recalled(tmp_path, known) == [ADDED]


def test_what_is_no_journal_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text("{")
    ran(tmp_path, "committed")
    assert recalled(tmp_path) == [ADDED]
