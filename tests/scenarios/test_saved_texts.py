"""A saved plan that was altered with a new digest: no text reaches a call, and none hides in a terminal."""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import config, reader
from tests.scenarios.test_saved_plans import apply_plan, plan_file, saved
from tests.support.stage import READ_ONLY, Stage


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API."""
    return sandbox_stage(sandbox, "demo", tmp_path)


def alter(stage: Stage, **request: Any) -> None:
    """Change the request of the plan as somebody does who can reckon a digest."""
    plan = json.loads(plan_file(stage).read_text())
    plan["request"] |= request
    plan["digest"] = digest_of(plan)
    plan_file(stage).write_text(json.dumps(plan))


@pytest.mark.parametrize("name", ["..", ".", "", "a/../../kube-system", "%2e%2e", "\u202ex", "a\x1b[2Jb"])
def test_a_name_that_leaves_its_place_is_not_loaded(small: Stage, unique: str, name: str) -> None:
    made = small.create_sa("app", unique, "--attach-policy-arn", READ_ONLY, "--associate-oidc")
    assert made.code == 0, made.err
    saved(small, "migrate", "app", "-n", unique, "-c", small.cluster, "--to", "irsa")
    alter(small, names=[name])
    before = small.world()
    small.sandbox.calls.clear()
    ran = apply_plan(small)
    assert (ran.code, "can't be read" in ran.err) == (2, True), ran.err
    assert small.sandbox.calls == []
    assert small.world() == before
    shown = small.irsa("show", str(plan_file(small)))
    assert shown.code == 2
    assert all(line.isprintable() for line in (shown.out + shown.err).splitlines())


def test_what_could_not_be_loaded_is_not_saved(small: Stage, unique: str) -> None:
    """A place in a file is a text for people; one with invisible characters would be loaded by nobody."""
    file = small.folder / "a\u202eb.yaml"
    file.write_text(config(small, reader(unique)), encoding="utf-8")
    ran = small.irsa("diff", "-f", str(file), "--out", str(plan_file(small)))
    assert ran.code == 1, ran.err
    assert "the plan cannot be saved" in ran.err
    assert "expected printable characters" in ran.err
    assert "\u202e" not in ran.err
    assert not plan_file(small).exists()
