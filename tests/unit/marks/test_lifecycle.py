"""How far a role has come: one reading, by its tags and what names it, and no other reader of the tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Stage
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    COMMIT_TAG,
    DELETING,
    DONE,
    PENDING,
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    CommitState,
)

OURS = {CLUSTER_TAG: "arn:aws:eks:eu-west-1:111122223333:cluster/demo", SERVICE_ACCOUNT_TAG: "backend/app"}
RUN = "20260601T115900000Z-00000001"
MADE = {**OURS, TRANSACTION_TAG: RUN}
OPTIONS = "-c demo -r eu-west-1"


@pytest.mark.parametrize(
    ("tags", "named", "stage"),
    [
        ({}, True, Stage.FOREIGN),
        ({"team": "a", COMMIT_TAG: PENDING, TRANSACTION_TAG: RUN}, True, Stage.FOREIGN),
        ({CLUSTER_TAG: "x", TRANSACTION_TAG: RUN}, False, Stage.FOREIGN),
        ({SERVICE_ACCOUNT_TAG: "x/y", TRANSACTION_TAG: RUN}, False, Stage.FOREIGN),
        (OURS, False, Stage.COMPLETE),
        (OURS, True, Stage.COMPLETE),
        (MADE, True, Stage.COMPLETE),
        (MADE, False, Stage.INCOMPLETE),
        ({**MADE, COMMIT_TAG: DONE}, False, Stage.COMPLETE),
        ({**MADE, COMMIT_TAG: DONE}, True, Stage.COMPLETE),
        ({**MADE, COMMIT_TAG: PENDING}, True, Stage.INCOMPLETE),
        ({**MADE, COMMIT_TAG: PENDING}, False, Stage.INCOMPLETE),
        ({**OURS, COMMIT_TAG: PENDING}, True, Stage.INCOMPLETE),
        ({**MADE, COMMIT_TAG: DELETING}, True, Stage.DELETING),
        ({**OURS, COMMIT_TAG: DELETING}, False, Stage.DELETING),
        ({**MADE, COMMIT_TAG: "paused"}, True, Stage.INCOMPLETE),
        ({**MADE, COMMIT_TAG: ""}, True, Stage.INCOMPLETE),
    ],
)
def test_what_the_marks_mean(tags: dict[str, str], named: bool, stage: Stage) -> None:
    assert lifecycle.of(tags, named=named).stage is stage


VALUES = st.sampled_from([None, "", PENDING, DONE, DELETING, "paused"])


@given(VALUES, st.booleans(), st.sampled_from([None, RUN]))
def test_what_is_not_over_is_told_with_what_ends_it(said: str | None, named: bool, run: str | None) -> None:
    tags = {**OURS, **({} if said is None else {COMMIT_TAG: said}), **({TRANSACTION_TAG: run} if run else {})}
    life = lifecycle.of(tags, named=named)
    assert life.account == "backend/app"
    assert bool(life.why) is bool(life.next_steps(OPTIONS)) is not life.is_over
    if not life.is_over:
        commands = [step for step in life.next_steps(OPTIONS) if step.startswith("irsa ")]
        assert any(step.startswith(f"irsa delete-sa app -n backend {OPTIONS} ") for step in commands)
        assert run is None or run in life.why or not life.is_readable
    # A run that is known to be none of irsa's is never proposed to be taken back.
    assert not any(step.startswith("irsa recover ''") for step in life.next_steps(OPTIONS))


@given(st.text(), st.text())
def test_texts_of_others_in_commands_are_quoted(account: str, run: str) -> None:
    tags = {**OURS, SERVICE_ACCOUNT_TAG: f"ns/{account}; rm", TRANSACTION_TAG: f"{run} $(rm)"}
    for commit in (PENDING, DELETING):
        life = lifecycle.of({**tags, COMMIT_TAG: commit}, named=True)
        for step in life.next_steps(OPTIONS):
            assert not step.startswith("irsa delete-sa") or step.startswith("irsa delete-sa '")
            assert not step.startswith("irsa recover") or step.startswith("irsa recover '")


def test_a_role_without_its_account_is_completed_or_deleted_and_not_rolled_back() -> None:
    steps = lifecycle.of(MADE, named=False).next_steps(OPTIONS, "--attach-policy-arn A")
    assert len(steps) == 2
    assert steps[0].startswith(f"irsa create-sa app -n backend {OPTIONS} --attach-policy-arn A  #")
    assert "recover" not in "".join(steps)


def test_what_a_role_says_itself() -> None:
    assert lifecycle.commit_of({COMMIT_TAG: PENDING}) == CommitState(PENDING)
    assert lifecycle.commit_of({}) is None
    assert lifecycle.tells_itself({COMMIT_TAG: ""})
    assert lifecycle.is_recorded_by_account(MADE)
    assert not lifecycle.is_recorded_by_account(OURS)
