"""Reported failures of EKS Pod Identity."""

from __future__ import annotations

import json

from tests.scenarios.breaking import NAME
from tests.scenarios.reported.cases import HINT, OUTSIDE, reported
from tests.scenarios.reported.world import SKIP, World

IGNORED = "Ignoring, HTTP credential provider invalid endpoint host, only loopback hosts are allowed"
NOTHING_INJECTED = "the pods have none of the variables, and the node's role"


@reported(
    "mattrobinsonsre/terrapod/issues/1500",
    "AccessDenied that names neither action nor principal",
    "the role's trust policy does not allow sts:TagSession",
    "pod-identity-trust",
)
def trust_without_session_tags(world: World) -> None:
    world.by_pod_identity(None, "sts:AssumeRole")


@reported(
    "awslabs/mountpoint-s3-csi-driver/issues/781",
    "NoSigningCredentials; nothing is refused in the pod's own variables",
    "a condition of the trust policy asks for the ARN of an association of the cluster",
    "pod-identity-trust",
)
def condition_on_the_association(world: World) -> None:
    like = f"arn:aws:eks:*:111122223333:podidentityassociation/{world.stage.cluster}/*"
    condition = {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": like},
    }
    world.by_pod_identity(condition)


@reported(
    "hashicorp/terraform-provider-aws/issues/41483",
    "Trust policy of the role provided is invalid",
    "the role's trust policy is for IRSA",
    "pod-identity-trust",
)
def trust_that_is_for_irsa(world: World) -> None:
    role = world.role_of_pods("irsa")
    world.annotate(None)
    world.associate(role)
    document = world.iam.get_role(RoleName=world.role)["Role"]["AssumeRolePolicyDocument"]

    world.iam.update_assume_role_policy(
        RoleName=f"{world.namespace}-irsa", PolicyDocument=json.dumps(document)
    )
    world.new_pod()


@reported(
    "aws/eks-pod-identity-agent/issues/52",
    NOTHING_INJECTED,
    "the pod was created some seconds after the association, which the webhook did not know yet",
    "pod-identity-missed",
)
def pod_made_right_after_the_association(world: World) -> None:
    world.annotate(None)
    world.associate(world.role_of_pods())
    world.next_second()
    world.new_pod(metadata={"labels": SKIP})
    path = f"/api/v1/namespaces/{world.namespace}/pods/{NAME}-0"
    world.stage.kube.patch(path, {"metadata": {"labels": dict.fromkeys(SKIP)}})


@reported(
    "aws/eks-pod-identity-agent/issues/153",
    f"{NOTHING_INJECTED}, now and then",
    "the webhook failed open for some pods",
    "pod-identity-missed",
)
def injection_that_comes_and_goes(world: World) -> None:
    pod_made_right_after_the_association(world)
    world.pod(f"{NAME}-1")


@reported(
    "aws/amazon-eks-pod-identity-webhook/issues/210",
    NOTHING_INJECTED,
    "the association was created after the pod",
    "pod-older-than-association",
)
def association_made_after_the_pod(world: World) -> None:
    world.without_annotation()
    world.next_second()
    world.associate(world.role_of_pods())


@reported(
    "awsdocs/amazon-eks-user-guide/pull/878",
    "Error when retrieving credentials from container-role, through a proxy",
    "NO_PROXY lacks the agent's address",
    "pod-identity-proxy",
)
def proxy_without_the_exception(world: World) -> None:
    proxy = {"HTTP_PROXY": "http://proxy.example:3128", "NO_PROXY": "localhost,10.0.0.0/8"}
    env = [{"name": name, "value": value} for name, value in proxy.items()]
    world.by_pod_identity(container={"env": env})


@reported(
    "kubernetes-sigs/external-dns/issues/4353",
    IGNORED,
    "the SDK is older than EKS Pod Identity",
    "sdk-too-old",
    "pod-identity-sdk",
    score=HINT,
)
def sdk_before_pod_identity(world: World) -> None:
    world.by_pod_identity(container={"image": "registry.k8s.io/external-dns/external-dns:v0.14.1"})


@reported(
    "getsentry/vroom/issues/661",
    IGNORED,
    "the SDK is older than EKS Pod Identity",
    "sdk-too-old",
    "pod-identity-sdk",
    score=HINT,
)
def service_with_an_old_sdk(world: World) -> None:
    world.by_pod_identity(container={"image": "getsentry/vroom:25.1.0"})


@reported(
    "aws-samples/elasticache-iam-auth-demo-app/issues/7",
    "no credentials are found in the pod",
    "the SDK is older than EKS Pod Identity",
    "sdk-too-old",
    "pod-identity-sdk",
    score=HINT,
)
def demo_with_an_old_sdk(world: World) -> None:
    world.by_pod_identity(container={"image": "demo:1.0"})


@reported(
    "aws/secrets-store-csi-driver-provider-aws/issues/300",
    "An IAM role must be associated with service account",
    "the driver asks for the annotation, and does not know EKS Pod Identity",
    score=OUTSIDE,
    outside=True,
)
def driver_without_pod_identity(world: World) -> None:
    world.by_pod_identity()


@reported(
    "aws/aws-cli/issues/8912",
    "a role can't be assumed by a named profile",
    "no credential_source of a profile means EKS Pod Identity",
    "pod-profile",
    "pod-static-credentials",
    score=HINT,
)
def profile_with_pod_identity(world: World) -> None:
    world.by_pod_identity(container={"env": [{"name": "AWS_PROFILE", "value": "external"}]})


@reported(
    "boto/botocore/issues/3117",
    "ExpiredTokenException: Error when retrieving credentials from container-role, after a day",
    "that version of the SDK reads the token's file only once",
    score=OUTSIDE,
    outside=True,
)
def sdk_that_reads_the_token_once(world: World) -> None:
    world.by_pod_identity()
