"""ServiceAccounts without an annotation that get their role by an EKS Pod Identity association."""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.inventory.bindings import (
    NO_AGENT,
    BindingStatus,
    BoundRole,
    ListedBinding,
    PodIdentityState,
    ReadRole,
    interrupted,
    wide,
)
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.trust.assuming import lacking, said_to_service
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable


def associated(
    cluster: Cluster,
    names: tuple[str, str],
    account: ServiceAccount | None,
    role: ReadRole,
    served: PodIdentityState,
) -> ListedBinding:
    """Judge the association of a ServiceAccount (`names`: namespace and name) by its role."""
    association = served.association
    arn = association.role_arn if isinstance(association, Association) else ""
    there = ListedBinding(*names, arn, BindingStatus.OK, account=account, role=role)
    found = replace(there, wide=wide(cluster, role), association=association, agent=served.agent)
    if isinstance(role, BoundRole):
        # The association is the last step of its run.
        life = lifecycle.of(role.tags, named=True, recorded=True)
        if not life.is_over:
            status, reason = interrupted(life)
            return replace(found, status=status, reason=reason, next_steps=life.next_steps(cluster.options))
    status, reason = _judged(cluster, found)
    return replace(found, status=status, reason=reason)


def _judged(cluster: Cluster, found: ListedBinding) -> tuple[BindingStatus, str]:
    association, role = found.association, found.role
    if not isinstance(association, Association) or not association.role_arn:
        return BindingStatus.UNCERTAIN, "EKS did not return the role of its association"
    if role is None:
        why = f"there is no role {association.role_arn}; association {association.id} has it"
        return BindingStatus.NO_ROLE, why
    if isinstance(role, Unreadable):
        return BindingStatus.UNCERTAIN, f"the role can't be read: {role.why}"
    answers = said_to_service(role.trust, cluster, found, tagged=not association.without_tags)
    for refused in lacking(answers, Answer.NO):
        why = f"the trust policy does not allow {refused.action} to EKS Pod Identity: {refused.why}"
        return BindingStatus.NOT_ADMITTED, why
    for unknown in lacking(answers, Answer.UNKNOWN):
        return BindingStatus.UNCERTAIN, f"{unknown.action} for EKS Pod Identity: {unknown.why}"
    if found.account is None:
        return BindingStatus.NO_SERVICE_ACCOUNT, f"association {association.id} has no ServiceAccount"
    if isinstance(found.agent, Unreadable):
        why = f"irsa can't see if the EKS Pod Identity agent runs: {found.agent.why}"
        return BindingStatus.UNCERTAIN, why
    return (BindingStatus.NO_AGENT, NO_AGENT) if found.agent is False else (BindingStatus.OK, "")
