"""`irsa create-sa --well-known-policy` as its users run it."""

from tests.support.stage import Stage


def test_well_known_policies_come_with_the_others(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    line = (
        "create-sa app -n $ns --attach-policy-arn $S3 --well-known-policy vpcCNI,karpenter"
        " --well-known-policy externalDNS:hostedZones=Z1,Z2"
    )
    stage.run(line)
    role = stage.role_of(namespace, "app")
    names = [arn.rpartition("/")[2] for arn in role["attached"]]
    assert sorted(names) == ["AmazonEKS_CNI_Policy", "AmazonS3ReadOnlyAccess"]
    assert sorted(role["inline"]) == ["externalDNS", "karpenter"]
    zones = role["inline"]["externalDNS"]["Statement"][0]["Resource"]
    assert zones == ["arn:aws:route53:::hostedzone/Z1", "arn:aws:route53:::hostedzone/Z2"]
    assert f"KarpenterNodeRole-{stage.cluster}" in str(role["inline"]["karpenter"])
    assert stage.run(f"{line} -o json", changes="").metadata["outcome"] == "unchanged"


def test_what_iam_has_no_room_for_is_refused_before_any_write(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    line = "create-sa app -n $ns --well-known-policy karpenter,awsLoadBalancerController"
    stage.run(line, code=2, says="10240", changes="")
