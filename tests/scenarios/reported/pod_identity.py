"""Reported failures of EKS Pod Identity."""

from __future__ import annotations

from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import BY_POD_IDENTITY, annotated, associated, next_second
from tests.scenarios.reported.cases import HINT, OUTSIDE, reported
from tests.scenarios.reported.words import LATE, beside, by_pods, each
from tests.scenarios.reported.world import World
from tests.support.documents import doc

IGNORED = "Ignoring, HTTP credential provider invalid endpoint host, only loopback hosts are allowed"
NOTHING_INJECTED = "the pods have none of the variables, and the node's role"


MISSED = each(annotated(None), associated, next_second, World.new_pod_unseen)
BY_ASSOCIATION = doc("""{"StringEquals": {"aws:SourceAccount": "111122223333"},
    "ArnLike": {"aws:SourceArn": "arn:aws:eks:*:111122223333:podidentityassociation/demo/*"}}""")
PROXY = doc("""{"env": [{"name": "HTTP_PROXY", "value": "http://proxy.example:3128"},
    {"name": "NO_PROXY", "value": "localhost,10.0.0.0/8"}]}""")
PROFILE = doc('{"env": [{"name": "AWS_PROFILE", "value": "external"}]}')


def without_session_tags(world: World) -> None:
    by_pods(actions=("sts:AssumeRole",))(world)


def trust_for_irsa(world: World) -> None:
    each(annotated(None), associated)(world)
    world.write_trust(f"{world.namespace}-pi", world.statement)
    world.new_pod()


reported(
    "mattrobinsonsre/terrapod/issues/1500",
    "AccessDenied that names neither action nor principal",
    "the role's trust policy does not allow sts:TagSession",
    "pod-identity-trust",
    without_session_tags,
)
reported(
    "awslabs/mountpoint-s3-csi-driver/issues/781",
    "NoSigningCredentials; nothing is refused in the pod's own variables",
    "a condition of the trust policy asks for the ARN of an association of the cluster",
    "pod-identity-trust",
    by_pods(condition=BY_ASSOCIATION),
)
reported(
    "hashicorp/terraform-provider-aws/issues/41483",
    "Trust policy of the role provided is invalid",
    "the role's trust policy is for IRSA",
    "pod-identity-trust",
    trust_for_irsa,
)
reported(
    "aws/eks-pod-identity-agent/issues/52",
    NOTHING_INJECTED,
    "the pod was created some seconds after the association, which the webhook did not know yet",
    "pod-identity-missed",
    MISSED,
)
reported(
    "aws/eks-pod-identity-agent/issues/153",
    "the pods have none of the variables, and the node's role, now and then",
    "the webhook failed open for some pods",
    "pod-identity-missed",
    each(MISSED, beside(f"{NAME}-1")),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/210",
    NOTHING_INJECTED,
    "the association was created after the pod",
    "pod-older-than-association",
    LATE,
)
reported(
    "awsdocs/amazon-eks-user-guide/pull/878",
    "Error when retrieving credentials from container-role, through a proxy",
    "NO_PROXY lacks the agent's address",
    "pod-identity-proxy",
    by_pods(container=PROXY),
)
reported(
    "kubernetes-sigs/external-dns/issues/4353",
    IGNORED,
    "the SDK is older than EKS Pod Identity",
    "sdk-too-old pod-identity-sdk",
    by_pods("registry.k8s.io/external-dns/external-dns:v0.14.1"),
    HINT,
)
reported(
    "getsentry/vroom/issues/661",
    IGNORED,
    "the SDK is older than EKS Pod Identity",
    "sdk-too-old pod-identity-sdk",
    by_pods("getsentry/vroom:25.1.0"),
    HINT,
)
reported(
    "aws-samples/elasticache-iam-auth-demo-app/issues/7",
    "no credentials are found in the pod",
    "the SDK is older than EKS Pod Identity",
    "sdk-too-old pod-identity-sdk",
    by_pods("demo:1.0"),
    HINT,
)
reported(
    "aws/secrets-store-csi-driver-provider-aws/issues/300",
    "An IAM role must be associated with service account",
    "the driver asks for the annotation, and does not know EKS Pod Identity",
    "",
    BY_POD_IDENTITY,
    OUTSIDE,
)
reported(
    "aws/aws-cli/issues/8912",
    "a role can't be assumed by a named profile",
    "no credential_source of a profile means EKS Pod Identity",
    "pod-profile pod-static-credentials",
    by_pods(container=PROFILE),
    HINT,
)
reported(
    "boto/botocore/issues/3117",
    "ExpiredTokenException: Error when retrieving credentials from container-role, after a day",
    "that version of the SDK reads the token's file only once",
    "",
    BY_POD_IDENTITY,
    OUTSIDE,
)
