"""Reported failures of EKS Pod Identity that were collected after the causes were written."""

from __future__ import annotations

from tests.scenarios.breaks import (
    BY_POD_IDENTITY,
    NO_ANSWER,
    anew,
    annotated,
    associated,
    next_second,
    webhook,
)
from tests.scenarios.reported.cases import HINT, OUTSIDE, UNTOLD, reported
from tests.scenarios.reported.words import LATE, NODE, by_pods, each, running

AGENT_ELSEWHERE = each(by_pods(nodeName="ip-10-0-0-2.ec2.internal"), running(NODE))


reported(
    "awsdocs/amazon-eks-user-guide/pull/894",
    "the pods of an association have no variables",
    "the webhook's configuration was changed, and it does not answer any more",
    "webhook-failing",
    each(annotated(None), webhook(NO_ANSWER), associated, next_second, anew(None)),
    HINT,
)
reported(
    "vectordotdev/helm-charts/issues/452",
    "invalid full URI for ECS provider: URI did not refer to the loopback interface",
    "the SDK is older than EKS Pod Identity",
    "pod-identity-sdk sdk-too-old",
    by_pods("timberio/vector:0.44.0-distroless-libc"),
    HINT,
)
reported(
    "runatlantis/helm-charts/issues/349",
    "invalid endpoint host, only loopback hosts are allowed",
    "the provider that the application downloads is older than EKS Pod Identity",
    "pod-identity-sdk sdk-too-old",
    by_pods("ghcr.io/runatlantis/atlantis:v0.27.0"),
    HINT,
)
reported(
    "aws/aws-sdk-js/issues/4566",
    "Missing credentials in config",
    "that SDK does not know EKS Pod Identity",
    "pod-identity-sdk sdk-too-old",
    by_pods("node:18"),
    HINT,
)
reported(
    "n8n-io/n8n/issues/23584",
    "Service account token cannot be parsed: token is malformed",
    "the application sends the agent its token with a prefix",
    "",
    by_pods("n8nio/n8n:2.1.0"),
    OUTSIDE,
)
reported(
    "mattrobinsonsre/terrapod/pull/1546",
    "not authorized to perform: sts:TagSession on another role",
    "the tags of Pod Identity go with the session to a second role, which does not allow them",
    "",
    BY_POD_IDENTITY,
    OUTSIDE,
)
reported(
    "aws/containers-roadmap/issues/2261",
    "pods on some nodes get no credentials",
    "the agent does not tolerate those nodes' taints, and is not there",
    "pod-identity-agent-down",
    AGENT_ELSEWHERE,
)
reported(
    "awslabs/security-hardened-amis-for-eks/issues/11",
    "credentials time out on hardened nodes; IRSA works there",
    "the node's own firewall drops the way to the agent",
    "",
    by_pods(nodeName=NODE),
    UNTOLD,
)
reported(
    "aws/amazon-eks-pod-identity-webhook/issues/226",
    "Unable to locate credentials; the ServiceAccount shows nothing",
    "the pod is older than the association",
    "pod-older-than-association",
    LATE,
)
