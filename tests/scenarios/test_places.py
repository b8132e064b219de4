"""Regions, clusters and namespaces that are not there, or elsewhere: said before anything is created."""

import shlex
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.documents import policy
from tests.support.rows import Row, play_all
from tests.support.stage import Stage


@pytest.fixture
def here(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The cluster `demo` in eu-west-1, and `payments` in another region."""
    sandbox.add_cluster(ClusterSpec("payments", "us-west-2"))
    return sandbox_stage(sandbox, "demo", tmp_path)


def in_two_regions(stage: Stage) -> None:
    stage.sandbox.add_cluster(ClusterSpec("payments", "eu-north-1"))


def unread_in_one(stage: Stage) -> None:
    document = policy("Allow * on *", "Deny eks:DescribeCluster on arn:aws:eks:us-west-2:*:*")
    stage.sandbox.add_user("blind", policy=document)


ROWS = (
    *(
        Row(f"{region} in {line[:6]}", f"{line} -r {region}", 2, (f"no AWS region {region}", near))
        for region, near, line in (
            ("eu-wset-1", "eu-west-1", "create-sa reader --no-policy"),
            ("us-east1", "us-east-1", "get-sa"),
            ("EU-WEST-1", "eu-west-1", "verify reader"),
        )
    ),
    Row("a region of the environment", "get-sa", 2, "no AWS region x-1", options={"AWS_REGION": "x-1"}),
    Row(
        "a mistyped cluster",
        "create-sa reader -c dmeo --no-policy",
        4,
        ("there is no cluster dmeo in eu-west-1", "clusters with a similar name: demo", "--any-region"),
    ),
    Row("a cluster of another region", "get-sa -c payments", 4, "there is no cluster payments in eu-west-1"),
    Row("a cluster that is nowhere", "get-sa -c no --any-region", 4, "no cluster no in any region of aws"),
    Row(
        "a region that may not be asked",
        "get-sa -c payments --any-region",
        4,
        ("was not found in any region of aws that can be read", "us-west-2"),
        given=unread_in_one,
        options={"user": "blind"},
    ),
    Row(
        "a cluster in several regions",
        "get-sa -c payments --any-region",
        4,
        ("regions: eu-north-1, us-west-2", "add --region eu-north-1", "or --region us-west-2"),
        given=in_two_regions,
    ),
)


def test_what_is_not_there_is_answered_before_anything_is_created(here: Stage) -> None:
    play_all(here, ROWS)


def test_a_cluster_in_another_region_is_looked_for_on_request(here: Stage, namespace: str) -> None:
    here.run("associate-oidc -c payments --any-region", says="payments is in us-west-2")
    here.run("create-sa reader -c payments --any-region --no-policy")
    ran = here.run("get-sa -c payments --any-region -o json")
    assert ran.metadata["cluster"]["region"] == "us-west-2"
    # A command to paste names the region that was found.
    refused = here.run("update-sa lost -c payments --any-region --tags a=b", code=4)
    steps = [line for line in refused.err.splitlines() if line.strip().startswith("irsa ")]
    assert all("us-west-2" in shlex.split(step) for step in steps), steps


def test_a_namespace_with_a_near_name(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    stage.make_namespace(f"{namespace}-backend")
    stage.words["near"] = f"{namespace}-bakcend"
    line = "create-sa reader -n $near --no-policy"
    note = "namespace $near does not exist, so irsa creates it. Did you mean $ns-backend"
    stage.run(f"{line} --dry-run", says=note, changes="")
    named = "namespaces with a similar name: $ns-backend"
    stage.run(f"{line} --no-create-namespace", code=4, says=named, changes="")
    stage.run("verify --all -n $near", code=4, says="$ns-backend")
    stage.run("doctor -n $near", code=4, says="$ns-backend")
    stage.run(line, says=note)


def test_who_may_not_list_namespaces_creates_one_all_the_same(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    user = stage.restricted(
        (("get", "create"), ("namespaces",)), (("get", "create", "list"), ("serviceaccounts",))
    )
    stage.run("create-sa reader -n $ns-new --no-policy", user=user)
