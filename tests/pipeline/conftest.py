"""A job of GitHub's with the action of this repository, on the sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.faults.zygote import HURRIED
from tests.pipeline.github_api import GitHub
from tests.pipeline.runner import Job, event
from tests.scenarios.conftest import sandbox_stage
from tests.support import forks
from tests.support.stage import Stage

MakeJob = Callable[..., Job]


@pytest.fixture
def github() -> Iterator[GitHub]:
    """GitHub's API, with the pull request 7."""
    with GitHub() as running:
        yield running


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    return stage


@pytest.fixture
def job(stage: Stage, github: GitHub, tmp_path: Path) -> MakeJob:
    """Makes jobs of one workflow: each on a machine of its own, with the workflow's artifacts."""
    made: list[Job] = []

    def make(*, user: str = "admin", programs: Path | None = None, **more: str) -> Job:
        folder = tmp_path / f"machine-{len(made)}"
        folder.mkdir()
        env = {name: value for name, value in stage.env(user).items() if name != "IRSA_STATE_DIR"}
        env |= {
            "PATH": f"{programs or forks.programs()}{os.pathsep}{env['PATH']}",
            "HOME": str(folder),
            "GITHUB_API_URL": github.url,
            "GITHUB_SERVER_URL": "https://github.example.com",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_WORKFLOW": "irsa",
            "GITHUB_JOB": "plan",
            "GITHUB_EVENT_PATH": event(folder, pull_request={"number": 7, "head": {"sha": "c0ffee00" * 5}}),
            "TEST_TOKEN": "the-token",
            HURRIED: "1",
        }
        made.append(Job(folder, {**env, **more}, tmp_path / "artifacts"))
        return made[-1]

    return make
