"""Regions, clusters and namespaces that are not there, or elsewhere: said before anything is created."""

import shlex
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Stage

POLICY = ("--attach-policy-arn", READ_ONLY)


@pytest.fixture
def here(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The cluster `demo` in eu-west-1, and `payments` in another region."""
    sandbox.add_cluster(ClusterSpec("payments", "us-west-2"))
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.mark.parametrize(
    ("region", "near"), [("eu-wset-1", "eu-west-1"), ("us-east1", "us-east-1"), ("EU-WEST-1", "eu-west-1")]
)
def test_a_region_that_does_not_exist(region: str, near: str, here: Stage) -> None:
    before = here.world()
    for arguments in (("create-sa", "reader", *POLICY), ("get-sa",), ("exec", "reader")):
        ran = here.irsa(*arguments, "-c", "demo", "-r", region, *(("--", "true") * (arguments[0] == "exec")))
        assert ran.code == 2, ran.err
        assert f"no AWS region {region}" in ran.err
        assert near in ran.err
    assert here.irsa("get-sa", "-c", "demo", AWS_REGION=region).code == 2
    assert here.world() == before


def test_a_cluster_that_is_not_there_is_answered_with_near_names(here: Stage) -> None:
    before = here.world()
    ran = here.irsa("create-sa", "reader", "-c", "dmeo", *POLICY, "-o", "json")
    assert ran.code == 4
    assert ran.error["message"] == "there is no cluster dmeo in eu-west-1"
    assert "clusters with a similar name: demo" in ran.error["details"]
    assert any("--any-region" in step for step in ran.error["next"])
    assert here.world() == before


def test_a_cluster_in_another_region_is_looked_for_on_request(here: Stage, namespace: str) -> None:
    ran = here.irsa("get-sa", "-c", "payments")
    assert ran.code == 4
    ran = here.irsa("associate-oidc", "-c", "payments", "--any-region")
    assert ran.code == 0, ran.err
    assert "payments is in us-west-2" in ran.err
    ran = here.irsa("create-sa", "reader", "-c", "payments", "--any-region", "-n", namespace, *POLICY)
    assert ran.code == 0, ran.err
    found = here.irsa("get-sa", "-c", "payments", "--any-region", "-o", "json")
    assert found.metadata["cluster"]["region"] == "us-west-2"
    # A command to paste names the region that was found.
    refused = here.irsa(
        "update-sa", "lost", "-n", namespace, "-c", "payments", "--any-region", "--tags", "a=b"
    )
    assert refused.code == 4
    for step in (line.strip() for line in refused.err.splitlines() if line.strip().startswith("irsa ")):
        assert "us-west-2" in shlex.split(step), step


def test_a_cluster_that_is_nowhere(here: Stage) -> None:
    ran = here.irsa("get-sa", "-c", "nowhere", "--any-region", "-o", "json")
    assert ran.code == 4
    assert "no cluster nowhere in any region of aws" in ran.error["message"]


def test_a_cluster_in_several_regions(here: Stage, sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("payments", "eu-north-1"))
    ran = here.irsa("get-sa", "-c", "payments", "--any-region", "-o", "json")
    assert ran.code == 4
    assert ran.error["details"] == ["regions: eu-north-1, us-west-2"]
    assert ran.error["next"] == [
        "add --region eu-north-1",
        "or --region us-west-2",
    ]


def test_where_a_cluster_may_not_be_asked_for_is_said(here: Stage, sandbox: Sandbox) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "eks:DescribeCluster", "Resource": "arn:aws:eks:us-west-2:*:*"},
        ],
    }
    sandbox.add_user("blind", policy=policy)
    ran = here.irsa("get-sa", "-c", "payments", "--any-region", "-o", "json", user="blind")
    assert ran.code == 4
    assert "was not found in any region of aws that can be read" in ran.error["message"]
    assert any("us-west-2" in detail for detail in ran.error["details"])


def test_a_namespace_with_a_near_name(stage: Stage, namespace: str) -> None:
    assert stage.associate("-q").code == 0
    stage.make_namespace(f"{namespace}-backend")
    mistyped = f"{namespace}-bakcend"
    before = stage.world()
    planned = stage.create_sa("reader", mistyped, *POLICY, "--dry-run", "-o", "json")
    note = f"namespace {mistyped} does not exist, so irsa creates it. Did you mean {namespace}-backend"
    assert any(said.startswith(note) for said in planned.item["notes"])
    refused = stage.create_sa("reader", mistyped, *POLICY, "--no-create-namespace", "-o", "json")
    assert refused.code == 4
    named = f"namespaces with a similar name: {namespace}-backend"
    assert any(said.startswith(named) for said in refused.error["details"])
    assert stage.world() == before
    for command in ("verify", "doctor"):
        ran = stage.irsa(command, *(("--all",) * (command == "verify")), "-n", mistyped, "-c", stage.cluster)
        assert ran.code == 4
        assert f"{namespace}-backend" in ran.err
    made = stage.create_sa("reader", mistyped, *POLICY)
    assert made.code == 0
    assert note in made.err


def test_who_may_not_list_namespaces_creates_one_all_the_same(stage: Stage, namespace: str) -> None:
    assert stage.associate("-q").code == 0
    user = stage.restricted(
        (("get", "create"), ("namespaces",)), (("get", "create", "list"), ("serviceaccounts",))
    )
    ran = stage.create_sa("reader", f"{namespace}-new", *POLICY, user=user)
    assert ran.code == 0, ran.err
