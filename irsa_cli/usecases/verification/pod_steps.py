"""The steps of a ServiceAccount that has its role by an EKS Pod Identity association."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

from irsa_cli.core.binding.pod_identity_trust import said_to_service
from irsa_cli.core.inventory.bindings import NO_AGENT
from irsa_cli.core.results.verification import Check, Name, VerificationStep
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.usecases.verification import steps
from irsa_cli.usecases.verification.iam_steps import FAILED, STATUS, attempt, open_check, step

if TYPE_CHECKING:
    from irsa_cli.aws.sts import Exchange
    from irsa_cli.core.objects.aws import Association
    from irsa_cli.core.objects.unreadable import Unreadable
    from irsa_cli.core.plan.states import RoleState
    from irsa_cli.core.values.cluster import Cluster
    from irsa_cli.core.values.names import Namespaced


def at_aws(
    found: Future[RoleState | None],
    result: Exchange | IrsaError,
    association: Association,
    cluster: Cluster,
    named: Namespaced,
    *,
    bound: bool,
) -> Iterator[VerificationStep]:
    """Trust policy and exchange; `bound`: the token is bound to a pod, as those of pods are."""
    trusted = _trust(found, association, cluster, named)
    sent = f"eks-auth AssumeRoleForPodIdentity, association {association.id}"
    yield trusted
    denied = isinstance(result, ServiceError) and result.status == 403
    unbound = isinstance(result, ServiceError) and result.code == "InvalidTokenException" and not bound
    if isinstance(result, IrsaError) and (denied or unbound):
        advice = ("add --pod NAME: EKS may want a token that is bound to a pod",) if unbound else ()
        yield step(Name.EXCHANGE, sent, open_check("credentials", result), advice=advice)
    else:
        yield steps.exchange(result, sent, "", trusted)


def missing_agent(found: bool | Unreadable) -> Iterator[VerificationStep]:
    """A step if the cluster has no agent: its pods then get no credentials."""
    if found is False:
        sent = "ListAddons, and the DaemonSets of kube-system"
        yield step(Name.PODS, sent, Check("agent", FAILED, NO_AGENT))


def _trust(
    found: Future[RoleState | None], association: Association, cluster: Cluster, named: Namespaced
) -> VerificationStep:
    sent = f"GetRole {association.role_arn}, its trust policy evaluated for EKS Pod Identity"
    state = attempt(found.result)
    if isinstance(state, IrsaError):
        return step(Name.TRUST, sent, open_check("trust policy", state))
    if state is None:
        return step(Name.TRUST, sent, Check("role", FAILED, f"role {association.role_arn} does not exist"))
    answers = said_to_service(state.trust, cluster, named, association)
    texts = ((STATUS[it.answer], f"{it.action}: {it.why or 'allowed'}") for it in answers)
    return step(Name.TRUST, sent, *(Check("trust policy", status, text) for status, text in texts))
