"""Several clusters and partitions: side by side, of the same name in another region, in China."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from irsa_cli.sandbox.model import partition_of
from tests.scenarios.conftest import real_stage, sandbox_stage
from tests.scenarios.verifying import all_ok, open_checks, statuses
from tests.support.acts import refused
from tests.support.controlplane import Etcd
from tests.support.fixtures import RealCluster, real_cluster
from tests.support.rows import Row
from tests.support.stage import Stage


@pytest.fixture(scope="session")
def china(running_sandbox: Sandbox, etcd: Etcd) -> Iterator[RealCluster]:
    """A second real control plane, in a region of China, that signs its tokens with ES256."""
    with real_cluster(running_sandbox, etcd, "china", "cn-north-1", elliptic=True) as cluster:
        yield cluster


def binding(stage: Stage, namespace: str) -> str:
    """Associate and create as a user would; returns the role's ARN."""
    stage.words["ns"] = namespace
    policy = f"arn:{partition_of(stage.region).name}:iam::aws:policy/AmazonS3ReadOnlyAccess"
    ran = stage.run(f"create-sa reader -n $ns --attach-policy-arn {policy} --associate-oidc --verify -o json")
    return str(ran.item["role"]["arn"])


@pytest.mark.parametrize(
    ("region", "partition"),
    [("cn-north-1", "aws-cn"), ("us-isob-east-1", "aws-iso-b"), ("eusc-de-east-1", "aws-eusc")],
)
def test_every_partition_works_in_the_sandbox(
    sandbox: Sandbox, tmp_path: Path, region: str, partition: str
) -> None:
    sandbox.add_cluster(ClusterSpec("elsewhere", region))
    stage = sandbox_stage(sandbox, "elsewhere", tmp_path, region=region)
    arn = binding(stage, "default")
    assert arn.startswith(f"arn:{partition}:iam::111122223333:role/irsa/elsewhere/")
    (provider,) = stage.world()["oidc_providers"]
    assert provider.startswith(f"arn:{partition}:iam::111122223333:oidc-provider/")
    (statement,) = stage.role_of("default", "reader")["trust"]["Statement"]
    assert statement["Principal"]["Federated"] == provider
    assert "sts.amazonaws.com" in str(statement["Condition"])


@pytest.mark.e2e
def test_a_real_cluster_in_china_that_signs_with_an_elliptic_curve(
    sandbox: Sandbox, china: RealCluster, tmp_path: Path, unique: str
) -> None:
    stage = real_stage(sandbox, china, tmp_path)
    assert binding(stage, unique).startswith("arn:aws-cn:iam::111122223333:role/irsa/china/")
    (provider,) = stage.world()["oidc_providers"]
    assert ".amazonaws.com.cn/id/" in provider
    header = {"items.0.header.alg": "ES256"}
    Row("token", "token reader -n $ns -r cn-north-1 -o json --decode", document=header).play(stage)
    item = stage.run("verify reader -n $ns -r cn-north-1 -o json").item
    assert (statuses(item), open_checks(item, "claims")) == (all_ok(), [])


@pytest.mark.e2e
def test_two_real_clusters_do_not_touch_each_other(
    sandbox: Sandbox, real: RealCluster, china: RealCluster, tmp_path: Path, unique: str
) -> None:
    one, other = real_stage(sandbox, real, tmp_path), real_stage(sandbox, china, tmp_path)
    first = binding(one, unique)
    before = one.world()
    assert first != binding(other, unique)
    assert one.world() == before


def test_a_cluster_of_the_same_name_in_another_region_has_roles_of_its_own(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.add_cluster(ClusterSpec("demo", "us-west-2"))
    for region in ("eu-west-1", "us-west-2"):
        stage = sandbox_stage(sandbox, "demo", tmp_path, region=region)
        stage.run("create-sa reader -r $region --role-only --no-policy --associate-oidc")
    world = sandbox.world()
    assert (len(world["roles"]), len(world["oidc_providers"])) == (2, 2)


def test_a_token_of_another_cluster_does_not_become_the_role(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    one, other = sandbox_stage(sandbox, "demo", tmp_path), sandbox_stage(sandbox, "second", tmp_path)
    use = f"create-sa reader -n default --attach-role-arn {binding(one, 'default')}"
    other.run("associate-oidc")
    # The same namespace and name in the other cluster: its issuer is not in the trust policy.
    refused(other, use)
    other.run(f"{use} --update-trust --verify")
