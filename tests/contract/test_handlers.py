"""Every handler of irsa_cli/changes, played from one list on the cloud in memory and on the sandbox.

So the quick tests, which play on the former, and the slow ones, which play on the latter, can't drift apart;
nor either of them from the model of tests/unit/world.py, by which plans are tried. A handler without a case
fails.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import pytest

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.values.errors import Conflict, MadeAgain, Outcome, ServiceError
from irsa_cli.sandbox import Sandbox
from irsa_cli.transaction.protocol import Applied, Claim, Run
from tests.contract.handler_cases import CASES, WITHOUT_AN_OWNER, Case
from tests.contract.handler_stages import AFTER, BEFORE, REFUSED, InMemory, InSandbox, Stage, impatient, told
from tests.support.memory import MemoryCloud
from tests.unit.world import THIS_RUN, World, apply


@pytest.fixture(scope="module")
def sandbox_stage(running_sandbox: Sandbox) -> InSandbox:
    """The sandbox; each test fills it anew."""
    running_sandbox.reset()
    return InSandbox(running_sandbox)


@pytest.fixture(params=["memory", "sandbox"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Each of the two that must agree."""
    with impatient():
        if request.param == "sandbox":
            yield request.getfixturevalue("sandbox_stage")
        else:
            with MemoryCloud().ruling() as cloud:
                yield InMemory(cloud)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each case."""
    return CASES[request.param]


def do(stage: Stage, case: Case) -> Applied:
    """Make the change, as a run does."""
    return stage.handlers[case.change.kind].apply(case.change, Run(THIS_RUN, 60))


def outcome(stage: Stage, case: Case) -> Outcome | bool:
    """Whether making it has changed something; of a call that failed, what is known of it."""
    try:
        return do(stage, case).changed
    except ServiceError as error:
        return error.outcome


def undo(stage: Stage, case: Case, applied: Applied) -> None:
    """Take it back, as a rollback of the run does; a ServiceAccount that is another one by then is said."""
    claim = Claim(THIS_RUN, applied.identity)
    with suppress(MadeAgain):
        stage.handlers[case.change.kind].apply(case.change.inverse, Run(THIS_RUN, 60), claim)


def is_done(stage: Stage, case: Case) -> bool:
    """Whether the handler sees the change in effect."""
    return stage.handlers[case.change.kind].look(case.change, THIS_RUN)


def after(case: Case) -> World:
    """What the model says is there after the change."""
    return told(apply(copy.deepcopy(case.before), case.change))


def test_each_kind_has_a_handler_and_each_handler_a_case() -> None:
    # The memory has no EKS: associations are tried in tests/scenarios/test_pod_identity.py and tests/faults.
    kinds = set(Kind) - {Kind.ASSOCIATION}
    with MemoryCloud().ruling() as cloud:
        assert set(InMemory(cloud).handlers) == kinds
    kinds = {kind for kind in kinds if not kind.traits.outside}  # Those are carried out by their command.
    assert {case.change.kind for case in CASES.values()} == kinds
    contested = {case.change.kind for case in CASES.values() if case.theirs is not None}
    assert contested == kinds - WITHOUT_AN_OWNER


def test_it_is_done_and_taken_back_and_neither_twice(stage: Stage, case: Case) -> None:
    stage.fill(case.before)
    assert stage.world() == told(case.before)
    assert not is_done(stage, case)
    applied = do(stage, case)
    assert applied.changed
    for _ in range(2):
        assert stage.world() == after(case)
        assert is_done(stage, case)
        with suppress(Conflict):  # Of an owner, who takes over has to find the old one.
            do(stage, case)
    for _ in range(2):
        undo(stage, case, applied)
        assert stage.world() == told(case.before)
        assert not is_done(stage, case)


def test_what_was_not_begun_is_not_taken_back(stage: Stage, case: Case) -> None:
    stage.fill(case.before)
    undo(stage, case, Applied(changed=True))
    assert stage.world() == told(case.before)


def test_a_write_that_is_refused_has_done_nothing(stage: Stage, case: Case) -> None:
    stage.break_(writes(stage, case), REFUSED)
    # A mark that may not be written may be gone on without.
    assert outcome(stage, case) in (Outcome.REFUSED, False)
    assert stage.world() == told(case.before)
    assert not is_done(stage, case)


def test_an_answer_that_is_lost_is_settled_by_looking(stage: Stage, case: Case) -> None:
    stage.break_(writes(stage, case), AFTER)
    assert outcome(stage, case) in (Outcome.UNKNOWN, True)
    stage.mend()
    assert stage.world() == after(case)
    assert is_done(stage, case)
    undo(stage, case, Applied(changed=True))
    assert stage.world() == told(case.before)


def test_a_write_that_never_arrives_is_not_called_done(stage: Stage, case: Case) -> None:
    stage.break_(writes(stage, case), BEFORE)
    assert outcome(stage, case) is Outcome.UNKNOWN
    stage.mend()
    assert stage.world() == told(case.before)
    assert not is_done(stage, case)
    undo(stage, case, Applied(changed=True))
    assert stage.world() == told(case.before)


@pytest.mark.parametrize("case", [name for name, case in CASES.items() if case.theirs], indirect=True)
def test_what_somebody_else_has_made_of_it_is_a_conflict(stage: Stage, case: Case) -> None:
    assert case.theirs is not None
    theirs = case.theirs(copy.deepcopy(case.before))
    stage.fill(theirs)
    with pytest.raises(Conflict):
        do(stage, case)
    assert stage.world() == told(theirs)


@pytest.mark.parametrize(
    "case", [name for name, case in CASES.items() if case.since or case.theirs], indirect=True
)
def test_what_somebody_else_has_made_of_it_since_stays(stage: Stage, case: Case) -> None:
    edit = case.since or case.theirs
    assert edit is not None
    theirs = edit(apply(copy.deepcopy(case.before), case.change))
    stage.fill(theirs)
    with suppress(Conflict):  # Or nothing of it is left, which is no conflict.
        undo(stage, case, Applied(changed=True))
    assert stage.world() == told(theirs)


@pytest.mark.parametrize("is_changed", [False, True])
def test_what_a_run_has_patched_is_deleted_unread_unless_somebody_else_has_written_it(
    is_changed: bool,
) -> None:
    unbound = CASES["a ServiceAccount loses its annotation"]
    binding = CASES["a ServiceAccount is annotated"].change
    deletion = Change(Kind.SERVICE_ACCOUNT, binding.target, unbound.change.after, None)
    with MemoryCloud().ruling() as cloud:
        own, theirs = (InMemory(cloud).handlers[Kind.SERVICE_ACCOUNT] for _ in range(2))
        cloud.fill(unbound.before)
        own.apply(unbound.change, Run(THIS_RUN, 60))
        if is_changed:
            theirs.apply(binding, Run("other", 60))
        cloud.calls.clear()
        with pytest.raises(Conflict) if is_changed else nullcontext():
            own.apply(deletion, Run(THIS_RUN, 60))
        assert ("get serviceaccounts" in cloud.calls) is is_changed
        assert bool(cloud.world.accounts) is is_changed


def writes(stage: Stage, case: Case) -> list[tuple[str, str]]:
    """The calls by which the change is made; the world is as before it again."""
    stage.fill(case.before)
    do(stage, case)
    found = stage.writes()
    assert found
    stage.fill(case.before)
    return found
