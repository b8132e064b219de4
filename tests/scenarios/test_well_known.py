"""`irsa create-sa --well-known-policy` as its users run it."""

import pytest

from tests.support.stage import READ_ONLY, Stage


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    ran = stage.associate()
    assert ran.code == 0, ran.err


def test_well_known_policies_come_with_the_others(stage: Stage, namespace: str) -> None:
    desired_states = ["--attach-policy-arn", READ_ONLY, "--well-known-policy", "vpcCNI,karpenter"]
    desired_states += ["--well-known-policy", "externalDNS:hostedZones=Z1,Z2"]
    ran = stage.create_sa("app", namespace, *desired_states)
    assert ran.code == 0, ran.err
    role = stage.role_of(namespace, "app")
    assert sorted(role["attached"]) == ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy", READ_ONLY]
    assert sorted(role["inline"]) == ["externalDNS", "karpenter"]
    zones = role["inline"]["externalDNS"]["Statement"][0]["Resource"]
    assert zones == ["arn:aws:route53:::hostedzone/Z1", "arn:aws:route53:::hostedzone/Z2"]
    assert f"KarpenterNodeRole-{stage.cluster}" in str(role["inline"]["karpenter"])
    before = stage.world()
    assert stage.create_sa("app", namespace, *desired_states, "-o", "json").metadata["outcome"] == "unchanged"
    assert stage.world() == before


def test_what_iam_has_no_room_for_is_refused_before_any_write(stage: Stage, namespace: str) -> None:
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--well-known-policy", "karpenter,awsLoadBalancerController")
    assert ran.code == 2
    assert "10240" in ran.err
    assert stage.world() == before
