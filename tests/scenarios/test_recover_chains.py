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
from tests.support.stage import VERBS, Json, Ran, Stage

SERVICE = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
POLICY = "irsa-assume-target-role"
World = tuple[Json, dict[str, Any]]


@pytest.fixture(name="target")
def target_role(elsewhere: Elsewhere) -> str:
    """A role of the other account that admits only a service."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [SERVICE]})
    arn: str = elsewhere.iam.create_role(RoleName="data", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    return arn


@pytest.fixture(name="before")
def cut_off(stage: Stage, elsewhere: Elsewhere, target: str, unique: str) -> World:
    """What was there before a run that was killed behind all but its last step, on a machine that is lost."""
    assert stage.associate().code == 0
    recovered(stage)
    before = stage.world(), elsewhere.world()
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "reset-before", run=stage.kill))
    chain = ("--target-role", target, "--update-target-trust", "--aws-config-map", "aws")
    ran = stage.create_sa("app", unique, *chain, "--target-assume-role", elsewhere.deployer, "--verify")
    assert ran.code == -9, ran.err
    stage.sandbox.settle()
    shutil.rmtree(stage.folder / "state")
    assert len(statements(elsewhere)) == 2
    assert stage.kube.get(config_map(unique)).status == 200
    return before


def config_map(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/aws"


def statements(elsewhere: Elsewhere) -> list[Json]:
    found: list[Json] = elsewhere.world()["roles"]["data"]["trust"]["Statement"]
    return found


def recover(stage: Stage, *arguments: str) -> Ran:
    return stage.irsa("recover", "-c", stage.cluster, "--min-age", "0s", *arguments)


@pytest.mark.parametrize("known_by", ["policy", "config map", "both"])
def test_all_of_it_is_taken_back(
    stage: Stage, elsewhere: Elsewhere, unique: str, before: World, known_by: str
) -> None:
    if known_by == "config map":
        (role,) = (role for role in stage.aws_world()["roles"].values() if POLICY in role["inline"])
        stage.iam().delete_role_policy(RoleName=role["arn"].rsplit("/", 1)[-1], PolicyName=POLICY)
    elif known_by == "policy":
        assert stage.kube.delete(config_map(unique)).status == 200
    ran = recover(stage, "--all", "--target-assume-role", elsewhere.deployer)
    assert ran.code == 0, ran.err
    assert (stage.world(), elsewhere.world()) == before


def test_without_credentials_for_the_target_it_is_told_what_may_stay(
    stage: Stage, elsewhere: Elsewhere, unique: str, before: World
) -> None:
    listed = recover(stage, "-o", "json")
    (item,) = (item for item in listed.items if unique in json.dumps(item))
    sid = statements(elsewhere)[1]["Sid"]
    assert any(sid in note and "--target-assume-role" in note for note in item["notes"]), item
    assert sid in recover(stage).out
    there = elsewhere.world()
    ran = recover(stage, "--all", "-o", "json")
    assert ran.code == 0, ran.err
    (result,) = ran.items
    assert any(sid in note for note in result["notes"]), result
    assert (stage.world(), elsewhere.world()) == (before[0], there)


def test_what_others_have_is_left_alone(
    stage: Stage, elsewhere: Elsewhere, target: str, unique: str, before: World
) -> None:
    """A ConfigMap without the run's mark, a statement of somebody else's, and the chain of another role."""
    chain = ("--target-role", target, "--update-target-trust", "--aws-config-map", "other")
    way = ("--target-assume-role", elsewhere.deployer)
    assert stage.create_sa("other", unique, *chain, *way).code == 0
    marks = stage.kube.get(config_map(unique)).body["metadata"]
    body = {"metadata": {"name": "mine", "labels": marks["labels"]}, "data": {"config": "mine"}}
    assert stage.kube.create(config_map(unique).rpartition("/")[0], body).status == 201
    ran = recover(stage, "--all", *way)
    assert ran.code in (0, 3), ran.err  # The run's namespace stays, as there is something in it.
    assert stage.account(unique, "app") is None
    for name, status in (("aws", 404), ("other", 200), ("mine", 200)):
        assert stage.kube.get(config_map(unique).replace("/aws", f"/{name}")).status == status
    assert len(statements(elsewhere)) == 2
    shown = stage.irsa("verify", "other", "-n", unique, "-c", stage.cluster, *way)
    assert shown.code == 0, shown.out


def test_config_maps_that_can_not_be_read_are_never_taken_for_none(
    stage: Stage, elsewhere: Elsewhere, before: World
) -> None:
    """The policy tells that there may be one: with it gone, nothing would."""
    left = stage.world(), elsewhere.world()
    user = stage.restricted((VERBS, ("serviceaccounts", "namespaces")))
    way = ("--target-assume-role", elsewhere.deployer)
    ran = stage.irsa("recover", "-c", stage.cluster, "--min-age", "0s", "--all", *way, user=user)
    assert ran.code == 1, ran.err
    assert "configmaps" in ran.err
    assert (stage.world(), elsewhere.world()) == left
    (role,) = (role for role in stage.aws_world()["roles"].values() if POLICY in role["inline"])
    stage.iam().delete_role_policy(RoleName=role["arn"].rsplit("/", 1)[-1], PolicyName=POLICY)
    listed = stage.irsa("recover", "-c", stage.cluster, "-o", "json", user=user)
    assert listed.code == 0, listed.err
    assert any("ConfigMap" in note for item in listed.items for note in item["notes"]), listed.out
    assert recover(stage, "--all", *way).code == 0
