"""Runs one after the other, while IAM shows the state before them: nothing is lost, and nothing is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon
from tests.support.stage import Stage

OTHERS = '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'


@pytest.fixture
def late(sandbox: Sandbox, tmp_path: Path, seed: int | None) -> Stage:
    """Each read is 1.4 s late, or of any age up to that."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    stage.run("associate-oidc")
    stage.make_namespace("apps")
    trust = f'{{"Version": "2012-10-17", "Statement": [{OTHERS}]}}'
    stage.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=trust)
    if seed is None:
        sandbox.lag = 1.4
    else:
        sandbox.replicate(1.4, seed)
    return stage


@pytest.mark.parametrize("seed", [None, 2, 3])
def test_each_run_keeps_the_statements_of_the_runs_before(late: Stage) -> None:
    attach = "-n apps --attach-role-arn arn:aws:iam::$account:role/shared --update-trust"
    for line in (
        *(f"create-sa {name} {attach}" for name in ("one", "two", "three")),
        "delete-sa one -n apps",
        f"create-sa four {attach}",
    ):
        late.run(line)
    text = json.dumps(late.aws_world()["roles"]["shared"]["trust"]["Statement"])
    assert OTHERS in text
    names = ["one", "two", "three", "four"]
    assert [name for name in names if f":apps:{name}" in text] == ["two", "three", "four"]


CREATE = "create-sa app -n apps --attach-policy-arn $S3"
WITH_AGENT = f"{CREATE} --pod-identity"
UPDATE = "update-sa app -n apps --attach-policy-arn $SQS"
ALSO = "update-sa app -n apps --also pod-identity"
DELETE = "delete-sa app -n apps"
TO_AGENT, TO_IRSA = "migrate --to pod-identity -n apps", "migrate --to irsa -n apps"
THERE_AND_BACK = (CREATE, TO_AGENT, f"{TO_AGENT} --finish", TO_IRSA, f"{TO_IRSA} --finish", TO_AGENT)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(
    ("runs", "ways"),
    [
        ((CREATE, UPDATE, DELETE), None),
        ((CREATE, ALSO, DELETE), None),
        ((CREATE, DELETE, CREATE), "oidc"),
        ((WITH_AGENT, DELETE, CREATE), "oidc"),
        ((CREATE, DELETE, WITH_AGENT), "agent"),
        (("disassociate-oidc", "associate-oidc"), None),
        (THERE_AND_BACK, "oidc agent"),
    ],
)
def test_each_run_goes_on_from_the_one_before(late: Stage, runs: tuple[str, ...], ways: str | None) -> None:
    """`ways` are the statements of the role in the end; None: there is no role."""
    for line in runs:
        late.run(line, FAULTS_PROPAGATION_SECONDS="6")
    world = late.aws_world()
    assert len(world["oidc_providers"]) == 1
    of_agent = '"pods.eks.amazonaws.com"'
    statements = [
        ["agent" if of_agent in json.dumps(item) else "oidc" for item in role["trust"]["Statement"]]
        for name, role in world["roles"].items()
        if name != "shared"
    ]
    assert statements == ([] if ways is None else [ways.split()])
    assert len(world["associations"]) == ("agent" in (ways or ""))
