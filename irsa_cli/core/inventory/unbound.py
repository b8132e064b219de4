"""The judgement of a role created by irsa that its ServiceAccount does not name."""

from __future__ import annotations

from collections.abc import Mapping

from irsa_cli.core.inventory.bindings import BindingStatus, ListedBinding, interrupted, wide
from irsa_cli.core.marks import lifecycle, makers
from irsa_cli.core.marks.lifecycle import Stage
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, SERVICE_ACCOUNT_TAG
from irsa_cli.core.recovery import leftovers
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.trust_policy import trusts_service
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.shown import shown


def unbound(
    cluster: Cluster, role: Role, accounts: Mapping[str, ServiceAccount], granted: str = ""
) -> ListedBinding:
    """Judge a role created by irsa without an annotated ServiceAccount; `accounts` are by full name.

    `granted`: the options of create-sa that complete it, if they are known.
    """
    full_name = lifecycle.account_of(role.tags)
    namespace, _, name = full_name.partition("/")
    there = accounts.get(full_name)
    annotations = there.annotations if there is not None else {}
    life = lifecycle.of(role.tags, named=False, marked=lifecycle.was_bound(annotations, role.arn))
    steps = life.next_steps(cluster.options, granted)
    if there is not None and life.stage is Stage.UNBOUND:
        manager = makers.manager_of_account(there.labels, there.annotations, there.managers)
        status, reason = (
            BindingStatus.ANNOTATION_CHANGED,
            lifecycle.unbinding(full_name, annotations, manager),
        )
        steps = life.rebinding(role.arn, cluster.options, annotations)
    elif not full_name:
        status = BindingStatus.NO_SERVICE_ACCOUNT
        text = shown(role.tags.get(SERVICE_ACCOUNT_TAG, ""))
        reason = f"its tag {SERVICE_ACCOUNT_TAG} names no ServiceAccount: {text}"
    elif lifecycle.tells_itself(role.tags):
        apart = f"no association gives it to {full_name}" if trusts_service(role.trust, SERVICE) else ""
        status, reason = (BindingStatus.ROLE_ONLY, apart) if life.is_over else interrupted(life)
    else:
        other = annotations.get(ROLE_ARN_ANNOTATION, "")
        why = leftovers.unnamed(full_name, exists=there is not None, other=other)
        # Its run was interrupted before the last step, or that step was undone later.
        doubt = "" if life.is_over else f": it was changed later, or run {life.transaction} was interrupted"
        status, reason = BindingStatus.NO_SERVICE_ACCOUNT, why + doubt
    risks = wide(cluster, role)
    return ListedBinding(
        namespace, name, role.arn, status, reason, role=role, next_steps=steps, wide=risks, bare=there
    )
