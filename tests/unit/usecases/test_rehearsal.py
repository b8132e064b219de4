"""What is rehearsed is what is made afterwards, but for the mark of the run that makes it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from irsa_cli.core.plan.states import TRANSACTION_TAG
from tests.support.memory.kube import Asked
from tests.support.memory.playing import Play
from tests.unit.usecases.commands import CREATE, provider


@pytest.mark.parametrize("resource", ["namespaces", "serviceaccounts"])
def test_what_is_rehearsed_is_what_is_made(
    play: Play, resource: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider(play)
    bodies: dict[bool, Any] = {}
    answer = play.cloud.kube.answer

    def noting(asked: Asked) -> Any:
        if (asked.method, asked.resource) == ("POST", resource):
            bodies[asked.rehearsed] = copy.deepcopy(asked.body)
        return answer(asked)

    monkeypatch.setattr(play.cloud.kube, "answer", noting)
    play.irsa(*CREATE, "--label", "team=a", "--annotation", "note=x", "--audience", "sts.amazonaws.com")
    made, rehearsed = bodies[False], bodies[True]
    del made["metadata"]["annotations"][TRANSACTION_TAG]
    assert rehearsed == made
