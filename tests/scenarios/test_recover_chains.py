"""`irsa recover --cluster`: what a run has left for a role to go on to a target of another account."""

import json
import shutil
from typing import Any

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.conftest import recovered
from tests.scenarios.other_account import Elsewhere
from tests.scenarios.other_account import elsewhere_fixture as elsewhere_fixture
from tests.scenarios.other_account import other_account_iam as other_account_iam
from tests.support.stage import VERBS, Json, Stage

TRUST = """{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"""
POLICY = "irsa-assume-target-role"
RECOVER = "recover --min-age 0s"
WAY = "--target-assume-role $deployer"
CHAIN = f"--target-role $target --update-target-trust {WAY} --aws-config-map"
World = tuple[Json, dict[str, Any]]


@pytest.fixture(name="before")
def cut_off(stage: Stage, elsewhere: Elsewhere, unique: str) -> World:
    """What was there before a run that was killed behind all but its last step, on a machine that is lost."""
    made = elsewhere.iam.create_role(RoleName="data", AssumeRolePolicyDocument=TRUST)
    stage.words |= {"target": made["Role"]["Arn"], "deployer": elsewhere.deployer, "ns": unique}
    stage.run("associate-oidc")
    recovered(stage)
    before = stage.world(), elsewhere.world()
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "reset-before", run=stage.kill))
    stage.run(f"create-sa app -n $ns {CHAIN} aws --verify", code=-9)
    stage.sandbox.settle()
    shutil.rmtree(stage.folder / "state")
    assert (len(statements(elsewhere)), config_map(stage, "aws")) == (2, 200)
    return before


def path_of(stage: Stage, name: str) -> str:
    return f"/api/v1/namespaces/{stage.words['ns']}/configmaps/{name}"


def config_map(stage: Stage, name: str) -> int:
    """The API server's answer to a read of a ConfigMap."""
    return stage.kube.get(path_of(stage, name)).status


def statements(elsewhere: Elsewhere) -> list[Json]:
    found: list[Json] = elsewhere.world()["roles"]["data"]["trust"]["Statement"]
    return found


def without_policy(stage: Stage) -> None:
    (role,) = (role for role in stage.aws_world()["roles"].values() if POLICY in role["inline"])
    stage.iam().delete_role_policy(RoleName=role["arn"].rsplit("/", 1)[-1], PolicyName=POLICY)


@pytest.mark.parametrize("known_by", ["policy", "config map"])
def test_all_of_it_is_taken_back(stage: Stage, elsewhere: Elsewhere, before: World, known_by: str) -> None:
    if known_by == "config map":
        without_policy(stage)
    else:
        assert stage.kube.delete(path_of(stage, "aws")).status == 200
    stage.run(f"{RECOVER} --all {WAY}")
    assert (stage.world(), elsewhere.world()) == before


def test_without_credentials_for_the_target_it_is_told_what_may_stay(
    stage: Stage, elsewhere: Elsewhere, unique: str, before: World
) -> None:
    (item,) = (item for item in stage.run(f"{RECOVER} -o json").items if unique in json.dumps(item))
    sid = statements(elsewhere)[1]["Sid"]
    assert any(sid in note and "--target-assume-role" in note for note in item["notes"]), item
    stage.run(RECOVER, says=sid, changes="")
    there = elsewhere.world()
    (result,) = stage.run(f"{RECOVER} --all -o json").items
    assert any(sid in note for note in result["notes"]), result
    assert (stage.world(), elsewhere.world()) == (before[0], there)


def test_what_others_have_is_left_alone(
    stage: Stage, elsewhere: Elsewhere, unique: str, before: World
) -> None:
    """A ConfigMap without the run's mark, a statement of somebody else's, and the chain of another role."""
    stage.run(f"create-sa other -n $ns {CHAIN} other")
    marks = stage.kube.get(path_of(stage, "aws")).body["metadata"]["labels"]
    body = {"metadata": {"name": "mine", "labels": marks}, "data": {"config": "mine"}}
    assert stage.kube.create(path_of(stage, "")[:-1], body).status == 201
    ran = stage.irsa(*f"{RECOVER} --all --target-assume-role {elsewhere.deployer} -c {stage.cluster}".split())
    assert ran.code in (0, 3), ran.err  # The run's namespace stays, as there is something in it.
    assert stage.account(unique, "app") is None
    assert [config_map(stage, name) for name in ("aws", "other", "mine")] == [404, 200, 200]
    assert len(statements(elsewhere)) == 2
    stage.run(f"verify other -n $ns {WAY}")


def test_config_maps_that_can_not_be_read_are_never_taken_for_none(
    stage: Stage, elsewhere: Elsewhere, before: World
) -> None:
    """The policy tells that there may be one: with it gone, nothing would."""
    there = elsewhere.world()
    user = stage.restricted((VERBS, ("serviceaccounts", "namespaces")))
    stage.run(f"{RECOVER} --all {WAY}", code=1, says="configmaps", changes="", user=user)
    assert elsewhere.world() == there
    without_policy(stage)
    items = stage.run("recover -o json", user=user).items
    assert any("ConfigMap" in note for item in items for note in item["notes"]), items
    stage.run(f"{RECOVER} --all {WAY}")
