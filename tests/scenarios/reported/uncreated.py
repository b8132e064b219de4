"""Reported failures in which pods are not created at all, and agents of EKS Pod Identity that do not run."""

from __future__ import annotations

from typing import Any

from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import BY_POD_IDENTITY, associate
from tests.scenarios.reported.cases import healthy, reported
from tests.scenarios.reported.words import (
    NODE,
    OTHER_NODE,
    account,
    beside,
    by_pods,
    crashing,
    each,
    not_made,
    running,
)
from tests.scenarios.reported.world import SKIPPED, World
from tests.scenarios.uncreating import failing_webhook, mounted_twice, no_pod


def webhook_of_others(world: World) -> None:
    failing_webhook(world, "pods.kube-secrets-init.admission.doit-intl.com")


def neighbour_is_associated(world: World) -> None:
    associate(world, name=f"{NAME}-sa")


NONE_SCHEDULED: Any = {
    "kind": "DaemonSet",
    "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 0},
}


reported(
    "aws/amazon-eks-pod-identity-webhook/issues/159",
    "no pod: mountPath: Invalid value: /var/run/secrets/eks.amazonaws.com/serviceaccount: must be unique",
    "another mount is where the webhook puts the token's, so that the API server refuses the pod",
    "pod-not-created",
    each(no_pod, not_made(NAME, **mounted_twice())),
)
reported(
    "goauthentik/helm/issues/182",
    "no pod: error looking up service account",
    "the chart creates one ServiceAccount, and the workers use one of another name",
    "pod-not-created",
    each(no_pod, not_made(f"{NAME}-worker", f"{NAME}-authentik")),
)
reported(
    "sagikazarmark/helm-charts/issues/154",
    "no pods of aws-node, and nodes that do not become ready",
    "a webhook of another application has no endpoint, and is not to be skipped",
    "pod-not-created",
    each(no_pod, webhook_of_others, not_made(NAME, **NONE_SCHEDULED)),
)
reported(
    "aws/eks-pod-identity-agent/issues/16",
    "the agent's pods crash: bind: cannot assign requested address",
    "the agent listens on an IPv6 address that its nodes do not have",
    "pod-identity-agent-down",
    each(BY_POD_IDENTITY, crashing(NODE), crashing(OTHER_NODE)),
)
reported(
    "aws/eks-pod-identity-agent/issues/26",
    "the agent's pods crash on some nodes: their probe is answered with 503",
    "the agent does not run on the pod's node, although its add-on is there",
    "pod-identity-agent-down",
    each(by_pods(nodeName=NODE), crashing(NODE), running(OTHER_NODE)),
)
healthy(
    "EKS Pod Identity, with its agent on the pod's node and one that crashes on another",
    each(by_pods(nodeName=NODE), running(NODE), crashing(OTHER_NODE)),
)
healthy(
    "EKS Pod Identity, with a debug pod that opts out",
    each(BY_POD_IDENTITY, beside("debug", labels=SKIPPED)),
)
healthy(
    "an association of another application, of nearly the same name, whose pods run",
    each(account(f"{NAME}-sa"), neighbour_is_associated, beside("neighbour", f"{NAME}-sa")),
)
healthy(
    "a Deployment of another application whose pods can't be created",
    not_made("cache", "cache-sa"),
)
healthy(
    "pods that were refused for a while, and run by now",
    not_made(NAME, status={"replicas": 1}, **mounted_twice()),
)
