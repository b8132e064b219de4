"""`irsa doctor` on failures that people reported, and on set-ups in which nothing is wrong.

Each case has its score written beside it. This is doctor's own measure; docs/reference/causes.md shows it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.sandbox import Sandbox
from tests.scenarios.breaks import BY_POD_IDENTITY
from tests.scenarios.reported.cases import Healthy, Make, Reported, findings, scored
from tests.scenarios.reported.everything import HEALTHY, REPORTED
from tests.scenarios.reported.playing import play, played
from tests.scenarios.reported.world import World
from tests.support.stage import Json


@pytest.fixture(scope="module")
def always(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, frozenset[str]]:
    """What can't be told of a binding that works (True: by EKS Pod Identity): it is no hint elsewhere."""
    found = {}
    for make in (World.exchange, BY_POD_IDENTITY):
        running_sandbox.reset()
        document = play(make, running_sandbox, tmp_path_factory.mktemp("works"))
        # All roles of the sandbox are new: that one is a hint where it is the cause.
        unknown = frozenset(findings(document, "unknown")) - {"role-new"}
        found[make is BY_POD_IDENTITY] = unknown
    return found


BEYOND = ("sts-region", "token-expired")
"""Causes whose fix has no effect on the stage: it has neither regions to activate nor applications."""
BY_WORLD: dict[Make, list[Reported]] = {}
for reported in REPORTED.values():
    BY_WORLD.setdefault(reported.make, []).append(reported)


@pytest.mark.parametrize("make", BY_WORLD, ids=[cases[0].source for cases in BY_WORLD.values()])
def test_a_reported_failure_has_its_score(
    make: Make, sandbox: Sandbox, tmp_path: Path, always: dict[bool, frozenset[str]]
) -> None:
    result = played(make, sandbox, tmp_path)
    document = result.document
    by_pods = "pod-identity" in str(BY_WORLD[make][0].named)
    for case in BY_WORLD[make]:
        score = scored(case, document, always[by_pods])
        end = findings(document, "problem"), document["metadata"]["exitCode"]
        assert score.rank <= case.score.rank, (case.source, score, end)
    for cause, fix in first_fix(document):
        assert cause not in findings(result.after(fix), "problem"), fix


def first_fix(document: Json) -> list[tuple[str, str]]:
    """The first cause whose fix is to be pasted, with it: after it, what is proposed for others is old."""
    every = [finding for item in document["items"] for finding in item["findings"]]
    fixes = [(finding["id"], finding["fix"]) for finding in every if finding["fixKind"] == "command"]
    return [(cause, fix) for cause, fix in fixes if cause not in BEYOND][:1]


@pytest.mark.parametrize("case", HEALTHY.values(), ids=HEALTHY)
def test_nothing_is_wrong_with_a_healthy_set_up(case: Healthy, sandbox: Sandbox, tmp_path: Path) -> None:
    document = play(case.make, sandbox, tmp_path)
    assert (findings(document, "problem"), document["metadata"]["exitCode"]) == ([], case.exit_code)


def test_there_are_as_many_cases_as_the_page_promises_and_each_names_causes() -> None:
    assert len(REPORTED) >= 60
    assert len(HEALTHY) >= 40
    for case in REPORTED.values():
        assert set(case.named) <= set(CAUSES)
