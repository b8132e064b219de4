"""Several clusters and partitions: side by side, of the same name in another region, in China."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.scenarios.conftest import real_stage, sandbox_stage
from tests.scenarios.verifying import all_ok, open_checks, statuses
from tests.support.controlplane import Etcd
from tests.support.fixtures import RealCluster, real_cluster
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage


@pytest.fixture(scope="session")
def china(running_sandbox: Sandbox, etcd: Etcd) -> Iterator[RealCluster]:
    """A second real control plane, in a region of China, that signs its tokens with ES256."""
    with real_cluster(running_sandbox, etcd, "china", "cn-north-1", elliptic=True) as cluster:
        yield cluster


def binding(stage: Stage, namespace: str, policy: str) -> str:
    """Associate and create as a user would; returns the role's ARN."""
    associated = stage.associate()
    assert associated.code == 0, associated.err
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", policy, "--verify")
    assert ran.code == 0, ran.err
    account = stage.account(namespace, "reader")
    assert account is not None
    arn: str = account["annotations"][ROLE_ARN]
    return arn


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_every_partition_works_in_the_sandbox(
    sandbox: Sandbox, tmp_path: Path, region: str, partition: str
) -> None:
    sandbox.add_cluster(ClusterSpec("elsewhere", region))
    stage = sandbox_stage(sandbox, "elsewhere", tmp_path, region=region)
    arn = binding(stage, "default", f"arn:{partition}:iam::aws:policy/AmazonS3ReadOnlyAccess")
    assert arn.startswith(f"arn:{partition}:iam::111122223333:role/irsa/elsewhere/")
    (provider,) = stage.world()["oidc_providers"]
    assert provider.startswith(f"arn:{partition}:iam::111122223333:oidc-provider/")
    (statement,) = stage.role_of("default", "reader")["trust"]["Statement"]
    assert statement["Principal"]["Federated"] == provider
    assert "sts.amazonaws.com" in str(statement["Condition"])


@pytest.mark.e2e
def test_a_real_cluster_in_china(sandbox: Sandbox, china: RealCluster, tmp_path: Path, unique: str) -> None:
    stage = real_stage(sandbox, china, tmp_path)
    arn = binding(stage, unique, "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess")
    assert arn.startswith("arn:aws-cn:iam::111122223333:role/irsa/china/")
    (provider,) = stage.world()["oidc_providers"]
    assert ".amazonaws.com.cn/id/" in provider


@pytest.mark.e2e
def test_a_real_cluster_that_signs_with_an_elliptic_curve(
    sandbox: Sandbox, china: RealCluster, tmp_path: Path, unique: str
) -> None:
    stage = real_stage(sandbox, china, tmp_path)
    binding(stage, unique, "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess")
    common = ("reader", "-n", unique, "-c", "china", "-r", "cn-north-1", "-o", "json")
    assert stage.irsa("token", *common, "--decode").item["header"]["alg"] == "ES256"
    ran = stage.irsa("verify", *common)
    assert ran.code == 0, ran.err
    assert statuses(ran.item) == all_ok()
    assert open_checks(ran.item, "claims") == []


@pytest.mark.e2e
def test_two_real_clusters_do_not_touch_each_other(
    sandbox: Sandbox, real: RealCluster, china: RealCluster, tmp_path: Path, unique: str
) -> None:
    one, other = real_stage(sandbox, real, tmp_path), real_stage(sandbox, china, tmp_path)
    first = binding(one, unique, READ_ONLY)
    before = one.world()
    second = binding(other, unique, "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess")
    assert first != second
    assert one.world() == before


def test_a_cluster_of_the_same_name_in_another_region_has_roles_of_its_own(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.add_cluster(ClusterSpec("demo", "us-west-2"))
    here = sandbox_stage(sandbox, "demo", tmp_path)
    there = sandbox_stage(sandbox, "demo", tmp_path, region="us-west-2")
    ran = [stage.associate().code for stage in (here, there)]
    assert ran == [0, 0]
    for stage in (here, there):
        arguments = ("create-sa", "reader", "-c", "demo", "-r", stage.region, "--role-only", "--no-policy")
        assert stage.irsa(*arguments).code == 0
    roles = sandbox.world()["roles"]
    assert len(roles) == 2
    assert len(sandbox.world()["oidc_providers"]) == 2


def test_a_token_of_another_cluster_does_not_become_the_role(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    one, other = sandbox_stage(sandbox, "demo", tmp_path), sandbox_stage(sandbox, "second", tmp_path)
    arn = binding(one, "default", READ_ONLY)
    assert other.associate().code == 0
    # The same namespace and name in the other cluster: its issuer is not in the trust policy.
    ran = other.create_sa("reader", "default", "--attach-role-arn", arn)
    assert ran.code == 4
    ran = other.create_sa("reader", "default", "--attach-role-arn", arn, "--update-trust", "--verify")
    assert ran.code == 0, ran.err
