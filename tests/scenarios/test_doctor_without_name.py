"""`irsa doctor` without a name: which ServiceAccounts it looks at, and which it has no business with."""

from __future__ import annotations

from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import BY_POD_IDENTITY, associated
from tests.scenarios.reported.cases import Make, findings
from tests.scenarios.reported.playing import NAMESPACE, play
from tests.scenarios.reported.world import World
from tests.scenarios.uncreating import no_account
from tests.support.stage import ROLE_ARN, Json

HERE = ("-n", NAMESPACE)


def _associated(world: World) -> tuple[str, ...]:
    BY_POD_IDENTITY(world)
    return HERE


def _associated_after_its_pod(world: World) -> tuple[str, ...]:
    world.annotate(None)
    world.new_pod()
    world.next_second()
    associated(world)
    return HERE


def _gone(world: World) -> tuple[str, ...]:
    no_account(world)
    return HERE


def _gone_of_a_bare_pod(world: World) -> tuple[str, ...]:
    world.annotate(None)
    world.new_pod()
    no_account(world)
    return ()


def _gone_and_never_with_a_role(world: World) -> tuple[str, ...]:
    world.account_named("cache")
    world.pod("cache-0", "cache")
    world.stage.kube.delete(f"/api/v1/namespaces/{world.namespace}/serviceaccounts/cache")
    return HERE


def _empty_annotation(world: World) -> tuple[str, ...]:
    world.account_named("chart", **{ROLE_ARN: ""})
    world.pod("chart-0", "chart")
    return HERE


@pytest.mark.parametrize(
    ("make", "problems", "code"),
    [
        (_associated, [], 0),
        (_associated_after_its_pod, ["pod-older-than-association"], 5),
        (_gone, ["service-account-missing"], 5),
        (_gone_of_a_bare_pod, ["service-account-missing"], 5),
        (_gone_and_never_with_a_role, [], 0),
        (_empty_annotation, [], 0),
    ],
)
def test_looks_at_all_that_have_a_role_and_those_that_are_gone(
    make: Make, problems: list[str], code: int, sandbox: Sandbox, tmp_path: Path
) -> None:
    document = play(make, sandbox, tmp_path)
    assert (findings(document, "problem"), document["metadata"]["exitCode"]) == (problems, code)
    assert _names(document) == [NAME]


def _names(document: Json) -> list[str]:
    return [item["serviceAccount"]["name"] for item in document["items"][1:]]
