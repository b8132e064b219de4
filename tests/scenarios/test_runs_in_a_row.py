"""Runs one after the other, while IAM shows the state before them: nothing is lost, and nothing is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon
from tests.support.stage import Json

NAMESPACE = "apps"
OTHERS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def lag(sandbox: Sandbox, seed: int | None) -> None:
    """Let each read be 1.4 s late, or of any age up to that."""
    if seed is None:
        sandbox.lag = 1.4
    else:
        sandbox.replicate(1.4, seed)


@pytest.mark.parametrize("seed", [None, 2, 3])
def test_each_run_keeps_the_statements_of_the_runs_before(
    sandbox: Sandbox, tmp_path: Path, seed: int | None
) -> None:
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    stage.make_namespace(NAMESPACE)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [OTHERS]})
    arn = stage.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    lag(sandbox, seed)

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


READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
OF_CLUSTER = ("-c", "demo")
OF_APP = ("app", "-n", NAMESPACE, *OF_CLUSTER)
CREATE = ("create-sa", *OF_APP, "--attach-policy-arn", READ_ONLY)
WITH_AGENT = (*CREATE, "--pod-identity")
UPDATE = ("update-sa", *OF_APP, "--attach-policy-arn", "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
ALSO = ("update-sa", *OF_APP, "--also", "pod-identity")
DELETE = ("delete-sa", *OF_APP)
ASSOCIATE, DISASSOCIATE = ("associate-oidc", *OF_CLUSTER), ("disassociate-oidc", *OF_CLUSTER)
TO_AGENT, TO_IRSA = (
    ("migrate", "--to", way, "-n", NAMESPACE, *OF_CLUSTER) for way in ("pod-identity", "irsa")
)
FINISH = ("--finish",)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(
    ("runs", "ways"),
    [
        ((CREATE, UPDATE, DELETE), None),
        ((CREATE, ALSO, DELETE), None),
        ((CREATE, DELETE, CREATE), ["oidc"]),
        ((WITH_AGENT, DELETE, CREATE), ["oidc"]),
        ((CREATE, DELETE, WITH_AGENT), ["agent"]),
        ((DISASSOCIATE, ASSOCIATE), None),
        ((CREATE, TO_AGENT, (*TO_AGENT, *FINISH), TO_IRSA, (*TO_IRSA, *FINISH), TO_AGENT), ["oidc", "agent"]),
    ],
)
def test_each_run_goes_on_from_the_one_before(
    sandbox: Sandbox,
    tmp_path: Path,
    runs: tuple[tuple[str, ...], ...],
    ways: list[str] | None,
    seed: int | None,
) -> None:
    """`ways` are the statements of the role in the end; None: there is no role."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    assert stage.associate().code == 0
    stage.make_namespace(NAMESPACE)
    lag(sandbox, seed)
    for words in runs:
        ran = stage.irsa(*words, FAULTS_PROPAGATION_SECONDS="6")
        assert ran.code == 0, (words, ran.err)
    world = stage.aws_world()
    assert len(world["oidc_providers"]) == 1
    found = [
        [
            "agent" if "pods.eks.amazonaws.com" in json.dumps(item) else "oidc"
            for item in role["trust"]["Statement"]
        ]
        for role in world["roles"].values()
    ]
    assert found == ([] if ways is None else [ways])
    assert len(world["associations"]) == (ways is not None and "agent" in ways)
