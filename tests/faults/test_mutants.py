"""The matrix is judged: an irsa that is broken on purpose must fail it, in the way that it is broken."""

from collections.abc import Iterator, Mapping

import pytest

from tests.faults.cases import Recording, choose, matrix
from tests.faults.injections import Call
from tests.faults.judge import Verdict
from tests.faults.mutants import MUTANTS
from tests.faults.workers import Workers

CREATE_ROLE = Call("iam", "CreateRole", 0)
ATTACH = Call("iam", "AttachRolePolicy", 0)
DELETE_ROLE = Call("iam", "DeleteRole", 0)
COMMIT = Call("kubernetes", "POST serviceaccounts", 1)
ANNOTATE = Call("kubernetes", "PATCH serviceaccounts", 0)
DELETE_ACCOUNT = Call("kubernetes", "DELETE serviceaccounts", 0)
DELETE_ACCOUNT_AFTER_REHEARSAL = Call("kubernetes", "DELETE serviceaccounts", 1)
DELETE_PROVIDER = Call("iam", "DeleteOpenIDConnectProvider", 0)
LEAK, LIE, CUT, STUCK = Verdict.LEAK, Verdict.LIE, Verdict.CUT, Verdict.STUCK

# The mutant, the case that it must fail, how; and what follows, where only that tells. The command is
# `fresh`, but for calls that only `verify` makes.
NOTICED: list[tuple[str, str, Call, Call | None, Verdict, str]] = [
    ("nothing-is-taken-back", "denied", COMMIT, None, LIE, ""),
    ("the-first-stage-is-not-taken-back", "denied", COMMIT, None, LIE, ""),
    ("one-inverse-is-dropped", "denied", COMMIT, None, LEAK, ""),
    ("preconditions-are-ignored", "meddled", DELETE_ACCOUNT, ANNOTATE, LEAK, ""),
    ("a-role-that-exists-counts-as-made", "meddled", CREATE_ROLE, None, LIE, ""),
    ("what-is-left-is-not-named", "denied", DELETE_ROLE, COMMIT, LIE, ""),
    ("failures-are-called-success", "denied", CREATE_ROLE, None, LIE, ""),
    ("old-readings-are-believed", "denied-lagging", ATTACH, None, LIE, ""),
    ("unknown-outcomes-count-as-refused", "late-last", CREATE_ROLE, None, LIE, ""),
    ("refusals-are-believed", "did-denied", CREATE_ROLE, None, LIE, ""),
    ("nothing-is-journaled", "kill-after", ATTACH, None, CUT, "recover"),
    ("nothing-is-synced", "kill-after", ATTACH, None, CUT, ""),
    ("names-differ-from-run-to-run", "503-once", CREATE_ROLE, None, LIE, ""),
    ("what-a-crash-left-is-refused", "kill-after", ATTACH, None, CUT, "again"),
    ("a-lost-answer-is-a-strangers-object", "late-last", CREATE_ROLE, None, LIE, ""),
    ("signals-raise", "sigterm", ATTACH, None, LIE, ""),
    ("second-signals-are-swallowed", "sigterm-twice", ATTACH, None, STUCK, ""),
    ("without-its-lock-a-run-goes-on", "paused-answered", CREATE_ROLE, None, LEAK, ""),
    ("locks-are-not-given-back", "503-once", CREATE_ROLE, None, LEAK, ""),
    ("all-bindings-are-ok", "kill-after", ATTACH, None, CUT, "get-sa"),
]


OF_SCHEDULES = {
    "locks-are-never-renewed",
    "locks-are-taken-from-the-living",
    "another-runs-lock-is-given-back",
}
"""What only several runs tell: see `test_schedules`."""

# What harms objects that are none of the run's business: the mutant, the command, the case.
HARMFUL: list[tuple[str, str, str, Call]] = [
    ("neighbours-go-with-a-service-account", "delete", "503-once", DELETE_ACCOUNT_AFTER_REHEARSAL),
    ("whatever-irsa-made-is-pruned", "apply-prune", "reset-after", DELETE_ROLE),
    ("marks-go-onto-all-roles-of-the-path", "half-made", "reset-after", Call("iam", "TagRole", 0)),
    ("other-providers-go-with-the-clusters", "disassociate", "503-once", DELETE_PROVIDER),
]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers("sandbox", 1) as running:
        yield running


@pytest.fixture(scope="module")
def recordings(workers: Workers) -> Mapping[str, Recording]:
    return workers.record(["fresh", "verify", *(command for _, command, *_ in HARMFUL)])


def test_every_mutant_has_to_be_noticed() -> None:
    assert {name for name, *_ in (*NOTICED, *HARMFUL)} | OF_SCHEDULES == MUTANTS.keys()


@pytest.mark.parametrize(
    ("mutant", "injection", "call", "broken", "verdict", "after"), NOTICED, ids=[item[0] for item in NOTICED]
)
def test_the_mutant_fails_and_irsa_does_not(
    workers: Workers,
    recordings: Mapping[str, Recording],
    mutant: str,
    injection: str,
    call: Call,
    broken: Call | None,
    verdict: Verdict,
    after: str,
) -> None:
    command = "verify" if ANNOTATE in (call, broken) else "fresh"
    (case,) = (
        case
        for case in matrix("sandbox", recordings[command])
        if (case.injection, case.call, case.broken) == (injection, call, broken)
    )
    seed = next(seed for seed in range(100) if not after or choose(case, seed, unfinished=True) == after)
    (right,) = workers.play([case], recordings, seed)
    assert not right.failed, right.story
    # What only a late answer tells, a busy machine may not tell: it is as late itself.
    plays = (next(workers.play([case], recordings, seed, mutant=mutant)) for _ in range(10))
    wrong = next((played for played in plays if played.failed), right)
    assert (wrong.failed, wrong.verdict) == (True, verdict), wrong.story


@pytest.mark.parametrize(
    ("mutant", "command", "injection", "call"), HARMFUL, ids=[item[0] for item in HARMFUL]
)
def test_harm_to_others_is_noticed_whatever_the_run_says(
    workers: Workers,
    recordings: Mapping[str, Recording],
    mutant: str,
    command: str,
    injection: str,
    call: Call,
) -> None:
    (case,) = (
        case
        for case in matrix("sandbox", recordings[command])
        if (case.injection, case.call, case.broken) == (injection, call, None)
    )
    (right,) = workers.play([case], recordings, 0)
    assert not right.failed, right.story
    (wrong,) = workers.play([case], recordings, 0, mutant=mutant)
    assert wrong.verdict is Verdict.HARM, wrong.story
