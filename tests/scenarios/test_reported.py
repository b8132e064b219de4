"""`irsa doctor` on failures that people reported, and on set-ups in which nothing is wrong.

Each case has its score written beside it. This is doctor's own measure; docs/reference/causes.md shows it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.reported.cases import Score, findings, scored
from tests.scenarios.reported.everything import HEALTHY, REPORTED
from tests.scenarios.reported.playing import play
from tests.scenarios.reported.world import World


def _works(world: World) -> None:
    world.exchange()


@pytest.fixture(scope="module")
def always(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """What can't be told of a binding that works: it is no hint elsewhere."""
    running_sandbox.reset()
    document = play(_works, running_sandbox, tmp_path_factory.mktemp("works"))
    return frozenset(findings(document, "can't tell"))


@pytest.mark.parametrize("name", REPORTED)
def test_a_reported_failure_has_its_score(
    name: str, sandbox: Sandbox, tmp_path: Path, always: frozenset[str]
) -> None:
    case = REPORTED[name]
    document = play(case.make, sandbox, tmp_path)
    found = scored(document, case.named, always)
    assert found is case.score, (found, findings(document, "problem"), document["exitCode"])


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_wrong_with_a_healthy_set_up(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    case = HEALTHY[name]
    document = play(case.make, sandbox, tmp_path)
    assert findings(document, "problem") == []
    assert document["exitCode"] == case.exit_code
