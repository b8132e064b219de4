"""Containers that have nothing of the identity that others of their pod have, as those that were added later.

Webhooks are asked in turn: what one adds after that of EKS was asked, may get no variables. A hint only: most
of what is added so calls nothing of AWS. Containers that bring something of a web identity themselves are in
`irsa_cli.core.doctor.causes.containers` and `irsa_cli.core.doctor.causes.own_token`.
"""

from __future__ import annotations

from irsa_cli.core.doctor.clues.injection import (
    POD_IDENTITY_ENV,
    SKIP_LABEL,
    has_pod_identity,
    is_injected,
    skipped,
)
from irsa_cli.core.doctor.facts import Facts, Subject
from irsa_cli.core.doctor.finding import Group, Judgement, cause, hint, ok
from irsa_cli.core.doctor.subjects import ROLE_ENV, TOKEN_ENV, heeded, pod_names, users_of, where
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.unreadable import CannotTell

_GIVEN = (ROLE_ENV, TOKEN_ENV, POD_IDENTITY_ENV)
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_MESHES = frozenset(
    {
        "istio-proxy",
        "istio-init",
        "istio-validation",
        "linkerd-proxy",
        "linkerd-init",
        "linkerd-network-validator",
        "envoy",
        "envoy-sidecar",
        "consul-dataplane",
        "consul-connect-inject-init",
        "proxyinit",
        "kuma-sidecar",
        "kuma-init",
    }
)
"""What service meshes call their containers, which call nothing of AWS with the pod's role."""


@cause(
    "pod-container-missed",
    Group.PODS,
    27,
    title="A container has nothing of the identity that others of its pod have.",
    symptom="One container of the pod has the node's role, or finds no credentials.",
    looks_at="the environment of each of the pods' containers",
    remedy="Where another webhook adds the container, that has to be asked before the one of EKS, whose"
    " reinvocationPolicy has to be IfNeeded; or let the container be given variables and mount by that one.",
    source="https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/"
    "#reinvocation-policy",
)
def _missed(facts: Facts) -> Judgement:
    subject = facts.named
    pods = [pod for pod in users_of(subject) if is_injected(pod) or has_pod_identity(pod)]
    if not pods:
        raise CannotTell("no container of its pods has an identity of AWS")
    if not _is_injected_for_all(subject):
        return ok("no webhook gives its pods an identity")
    found = [(pod, item) for pod in pods for item in pod.containers if _is_left_out(pod, item)]
    if not found:
        return ok("all containers that may need it have an identity", pods=pod_names(pods))
    return hint(
        "other containers of the pod have an identity; whether these need one can't be seen from outside",
        containers=where(found),
    )


def _is_injected_for_all(subject: Subject) -> bool:
    """Whether it is the webhook that gives identities, to every container; by hand some are left out."""
    if isinstance(subject.association, Association):
        return True
    try:
        return bool(heeded(subject))
    except CannotTell:
        return False


def _is_left_out(pod: Pod, container: Container) -> bool:
    """Whether it has nothing, and nobody wants it so as far as can be seen."""
    if SKIP_LABEL in pod.labels or container.name in skipped(pod) or container.name in _MESHES:
        return False
    return not any(name in container.env for name in (*_GIVEN, *_KEYS))
