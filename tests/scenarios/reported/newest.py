"""Reported failures that were collected last, after doctor could resolve variables: see `cases`."""

from __future__ import annotations

import json

from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import BREAKS, anew, annotated, no_provider, pod, provider, trust
from tests.scenarios.reported.cases import HINT, OUTSIDE, Make, reported
from tests.scenarios.reported.pods import BY_NODE, TIMEOUT, UNREADABLE
from tests.scenarios.reported.words import (
    beside,
    each,
    endpoint,
    exchange,
    for_hours,
    image,
    refused,
    sub,
    variables,
    version,
)
from tests.scenarios.reported.world import World
from tests.scenarios.uncreating import no_pod
from tests.support.stage import ROLE_ARN

DENIED = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
PULL_ROLE = "eks.amazonaws.com/ecr-role-arn"
LONG = "jenkins-agent-builder-base-feature-2-fcore-devop-67-inspec-container-test-2-ds4q3"
"""A pod's name: 81 characters."""
SESSION = (
    '{"container": {"env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},'
    ' {"name": "AWS_ROLE_SESSION_NAME", "value": "%s"}]}}'
)
WAITS = """{"phase": "Pending", "containerStatuses": [{"name": "app", "image": "app", "imageID": "",
    "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}"""
DEFAULT_TOKEN = (
    '{"container": {"env": [{"name": "AWS_ROLE_ARN", "value": "$role"}, {"name":'
    ' "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/secrets/kubernetes.io/serviceaccount/token"}]}}'
)


def broken(name: str) -> Make:
    """One of the breaks, by its name."""
    _, make = BREAKS[name]
    return make


def unseen(name: str, owner: str) -> Make:
    """A pod besides that the webhook missed, of another workload; nothing of it says so."""

    def do(world: World) -> None:
        world.next_second()
        world.pod(name, labels="eks.amazonaws.com/skip-pod-identity-webhook=true", owner=owner)
        world.forget_skipping(name)

    return do


def named_by_pod(world: World) -> None:
    """A pod with a long name, which is its session's name by `fieldRef`."""
    no_pod(world)
    text = SESSION.replace("%s", "$(POD)")
    world.pod(LONG, containers=[{"name": "app", "image": "app:1", **json.loads(text)["container"]}])


def waiting(world: World) -> None:
    """No role; the pod waits for its image, and nothing of it tells of AWS."""
    world.values(sub="system:serviceaccount:front:web")
    world.annotate(None)
    world.new_pod(container={"image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1"})
    world.say_status(f"{NAME}-0", WAITS)


def pulled_by_role(world: World) -> None:
    """The role is for kubelet, which pulls the image by it; the pod does nothing else."""
    annotated("$role", PULL_ROLE)(world)
    world.annotate(None)
    world.new_pod(container={"image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1"})


reported(
    "aws/amazon-eks-pod-identity-webhook/issues/108",
    "403s by the node's role, in some pods only",
    "the webhook did not see some pods; new ones get their variables",
    "pod-missed",
    unseen("web-7d4b9c6f5-abcde", "ReplicaSet/web-7d4b9c6f5"),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/194",
    "one workload of two stopped getting its variables",
    "its pods were created while the webhook passed them over",
    "pod-missed",
    unseen("batch-0", "StatefulSet/batch"),
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/228",
    BY_NODE,
    "the tool in the image does not use the variables",
    "sts-never-asked",
    each(image("python:3.8"), for_hours),
    HINT,
)
reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/2627",
    BY_NODE,
    "the chart's value for the annotation has another name, so that the annotation is missing",
    "annotation-missing",
    anew(None),
)
reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/1728",
    "InvalidIdentityToken: Incorrect token audience",
    "the provider accepts the name of the regional endpoint only",
    "provider-audience",
    each(no_provider, provider("https://$prefix", "sts.eu-west-1.amazonaws.com")),
)
reported(
    "kubernetes-sigs/aws-load-balancer-controller/issues/2315",
    "InvalidIdentityToken: No OpenIDConnect provider found in your account",
    "there is no provider",
    "provider-missing",
    no_provider,
)
reported(
    "aws-ia/terraform-aws-eks-blueprints-addons/issues/267",
    DENIED,
    "the role trusts the chart's usual name, and the release has another",
    "trust-subject",
    sub("$ns:cert-manager"),
)
reported(
    "pulumi/pulumi-aws/issues/4629",
    DENIED,
    "a letter of the action is wrong",
    "trust-action",
    trust('{"Action": "sts:AssumeRoleWithSAML"}'),
)
reported(
    "garden-io/garden/pull/6011",
    DENIED,
    "a pattern under StringEquals",
    "trust-wildcard",
    sub("$ns:*"),
)
reported(
    "crossplane-contrib/provider-aws/issues/887",
    DENIED,
    "the documentation has a pattern under StringEquals",
    "trust-wildcard",
    sub("$ns:doctor-*"),
)
reported(
    "kubernetes-sigs/cluster-api-provider-aws/issues/3554",
    DENIED,
    "the role trusts a namespace that does not exist",
    "trust-subject",
    sub(f"capa-system:{NAME}"),
)
reported(
    "alphagov/govuk-infrastructure/pull/441",
    DENIED,
    "the role trusts the namespace from which the text was copied",
    "trust-subject",
    sub(f"kube-system:{NAME}"),
)
reported(
    "aws/amazon-vpc-cni-k8s/issues/1338",
    "UnauthorizedOperation after the add-on's role was changed",
    "the pods keep the role that they were created with",
    "pod-role-differs",
    broken("pod_of_the_previous_role"),
)
reported(
    "awsdocs/amazon-eks-user-guide/pull/621",
    BY_NODE,
    "the pods are older than the annotation",
    "pod-older-than-annotation",
    broken("pod_started_before_the_annotation"),
)
reported(
    "kubernetes-sigs/external-dns/issues/1684",
    BY_NODE,
    "the webhook is not installed",
    "webhook-missing",
    broken("no_webhook"),
)
reported(
    "aws-controllers-k8s/community/issues/1756",
    BY_NODE,
    "after a pause of the cluster, the webhook started after the pods",
    "pod-older-than-webhook",
    broken("pod_started_before_the_webhook"),
)
reported(
    "harness/developer-hub/pull/10711",
    BY_NODE,
    "the guide annotates the pod",
    "annotation-place",
    each(anew(None), pod(f'{{"metadata": {{"annotations": {{"{ROLE_ARN}": "$role"}}}}}}')),
)
reported(
    "kubernetes/cloud-provider-aws/issues/1264",
    "the image is not pulled with the annotated role",
    "kubelet's plug-in is not set up for it; pods need no role",
    "annotation-missing",
    pulled_by_role,
    HINT,
)
reported(
    "aws-quickstart/quickstart-amazon-eks/issues/490",
    "ImagePullBackOff",
    "images are pulled with the node's role, whatever the ServiceAccount has",
    "annotation-missing",
    waiting,
    HINT,
)
reported(
    "getsops/sops/issues/741",
    "ValidationError: 'roleSessionName' must have length less than or equal to 64",
    "the session has the pod's name",
    "pod-setting",
    named_by_pod,
)
reported(
    "boto/botocore/issues/2245",
    "the profile's credential_source knows no web identity",
    "a profile is set besides the variables",
    "pod-profile",
    variables(AWS_PROFILE="target", AWS_CONFIG_FILE="/aws/config"),
    HINT,
)
reported(
    "mezmo/aura/issues/470",
    "AccessDenied for the user of the keys",
    "keys in the environment come first",
    "pod-static-credentials",
    variables(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="x"),
)
reported(
    "hashicorp/aws-sdk-go-base/pull/15",
    BY_NODE,
    "the provider's old SDK leaves web identities out",
    "sts-never-asked",
    each(image("hashicorp/terraform:0.12.12"), for_hours),
    HINT,
)
reported(
    "bitnami/containers/issues/75359",
    UNREADABLE,
    "the image's entry point changes the user, who may not read the token",
    "sts-never-asked",
    each(image("bitnami/discourse:3.3.2"), for_hours),
    HINT,
)
reported(
    "gruntwork-io/helm-kubernetes-services/issues/109",
    UNREADABLE,
    "the container's user is not root in an old cluster",
    "pod-token-unreadable",
    each(version("1.18"), pod('{"container": {"securityContext": {"runAsUser": 1000}}}')),
)
reported(
    "aws/aws-eks-best-practices/issues/27",
    UNREADABLE,
    "the image's user is not root in an old cluster",
    "pod-token-unreadable",
    version("1.17"),
    HINT,
)
reported(
    "aws/aws-sdk-ruby/issues/2698",
    "InvalidIdentityToken: Missing a required claim: aud",
    "the template names the file of the API server's token",
    "pod-token-volume pod-own-token",
    each(annotated(None), pod(DEFAULT_TOKEN)),
)
reported(
    "prometheus-community/helm-charts/issues/3596",
    "AccessDenied: ROLE is not authorized to perform sts:AssumeRole on itself",
    "the application's configuration names the role that the pod has already",
    "pod-role-twice",
    exchange,
    OUTSIDE,
)
reported(
    "flyteorg/flyte/pull/7485",
    "403 in pods of tasks",
    "they use the ServiceAccount default",
    "pod-service-account",
    each(
        pod('{"metadata": {"labels": {"app.kubernetes.io/instance": "flyte"}}}'),
        beside("task-n0-0", "default", labels="app.kubernetes.io/instance=flyte"),
    ),
    HINT,
)
reported(
    "dragonflydb/dragonfly/issues/7666",
    "ExpiredToken after an hour",
    "the application keeps its first credentials",
    "token-expired",
    exchange,
    OUTSIDE,
)
reported(
    "aws/aws-sdk-js-v3/issues/3052",
    "InvalidIdentityToken: Couldn't retrieve verification key, now and then",
    "STS did not reach the issuer in time",
    "sts-throttled sts-refused issuer-documents",
    refused("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"),
    HINT,
)
reported(
    "aws/aws-msk-iam-auth/pull/119",
    TIMEOUT,
    "the library calls the global endpoint in a VPC without internet",
    "sts-global-endpoint",
    each(endpoint, image("confluentinc/cp-kafka-connect:7.3.3"), for_hours),
    HINT,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/58",
    DENIED,
    "the pattern has the namespace's prefix of another environment",
    "trust-subject",
    trust(
        '{"Condition": {"StringLike": {"$prefix:sub": "system:serviceaccount:preview-*:doctor-reader"},'
        ' "StringEquals": {"$prefix:aud": "sts.amazonaws.com"}}}'
    ),
)
