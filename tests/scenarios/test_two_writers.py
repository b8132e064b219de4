"""Two runs that change one role's trust policy, of two clusters, each in the window of the other.

Their locks are in different clusters, and IAM compares nothing: the second write undoes what the first one
has changed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.faults.windows import LATENESS, Case, play

OTHERS = ("create-sa", "delete-sa", "migrate")


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("late", LATENESS)
def test_a_change_that_another_machine_writes_over_is_made_again(
    sandbox: Sandbox, tmp_path: Path, other: str, late: str
) -> None:
    """The other run reads before, and writes when this one has written and looked."""
    case = Case("write", other, late, is_add_held=other != "migrate", is_same_machine=False, seed=3)
    outcome, story = play(case, sandbox, tmp_path)
    assert outcome == "kept", story


@pytest.mark.parametrize("other", OTHERS)
def test_a_run_restores_what_it_undid_of_one_that_has_ended_on_this_machine(
    sandbox: Sandbox, tmp_path: Path, other: str
) -> None:
    case = Case("run", other, "any age", is_add_held=True, is_same_machine=True, seed=3)
    outcome, story = play(case, sandbox, tmp_path)
    assert outcome == "kept", story


def test_a_write_that_took_long_says_that_others_may_have_lost_theirs(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A run on another machine has ended in the meantime: nobody else can tell."""
    case = Case("run", "create-sa", "in time", is_add_held=True, is_same_machine=False, seed=3)
    outcome, story = play(case, sandbox, tmp_path)
    assert outcome == "said", story
    assert "aws iam get-role --role-name shared" in story
