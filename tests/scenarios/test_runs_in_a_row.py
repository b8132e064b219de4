"""Runs on one role, one after the other, while IAM shows the state before them: nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import Json

NAMESPACE = "apps"
OTHERS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize("seed", [None, 2, 3])
def test_each_run_keeps_the_statements_of_the_runs_before(
    sandbox: Sandbox, tmp_path: Path, seed: int | None
) -> None:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    stage.make_namespace(NAMESPACE)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [OTHERS]})
    arn = stage.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if seed is None:
        sandbox.lag = 1.4
    else:
        sandbox.replicate(1.4, seed)

    def attach(name: str) -> None:
        ran = stage.create_sa(name, NAMESPACE, "--attach-role-arn", arn, "--update-trust")
        assert ran.code == 0, ran.err

    for name in ("one", "two", "three"):
        attach(name)
    assert stage.irsa("delete-sa", "one", "-n", NAMESPACE, "-c", "demo").code == 0
    attach("four")
    found: list[Json] = stage.aws_world()["roles"]["shared"]["trust"]["Statement"]
    assert OTHERS in found
    text = json.dumps(found)
    there = [name for name in ("one", "two", "three", "four") if f":{NAMESPACE}:{name}" in text]
    assert there == ["two", "three", "four"]
