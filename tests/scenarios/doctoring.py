"""What the scenarios of `irsa doctor` share: running it in this process, and reading its document."""

from __future__ import annotations

import json
import os
import signal
from unittest import mock

import pytest

from irsa_cli.cli.main import run
from tests.scenarios.breaking import NAME, Binding
from tests.support.ran import check
from tests.support.stage import Json, Stage


def doctor(
    binding: Binding, capsys: pytest.CaptureFixture[str], *arguments: str, user: str = "admin"
) -> Json:
    """The document of a run for the binding's cluster; see `run_doctor`."""
    return run_doctor(binding.stage, capsys, *arguments, user=user)


def run_doctor(
    stage: Stage, capsys: pytest.CaptureFixture[str], *arguments: str, user: str = "admin"
) -> Json:
    """The document of a run, which changes nothing; its exit code is the one in the document."""
    before = stage.world()
    terminate = signal.getsignal(signal.SIGTERM)
    capsys.readouterr()
    with mock.patch.dict(os.environ, stage.env(user)):
        code = run(["doctor", *arguments, "-c", stage.cluster, "-o", "json", "-q"])
    signal.signal(signal.SIGTERM, terminate)
    assert stage.world() == before
    document: Json = json.loads(capsys.readouterr().out)
    check(document, code)
    return document


def of(binding: Binding) -> tuple[str, ...]:
    """The arguments that name the binding."""
    return NAME, "-n", binding.namespace


def problems(document: Json) -> list[str]:
    """The causes that were found, of the cluster and of the ServiceAccount that was asked for."""
    return _having(document, "problem")


def untold(document: Json) -> set[str]:
    """The causes of which nothing could be told."""
    return set(_having(document, "unknown"))


def _having(document: Json, verdict: str) -> list[str]:
    return [item["id"] for item in document["items"][0]["findings"] if item["verdict"] == verdict]
