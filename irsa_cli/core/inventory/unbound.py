"""The judgement of a role created by irsa that its ServiceAccount does not name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.role_only import HandOver, hand_over, steps_in_git
from irsa_cli.core.inventory.bindings import BindingStatus, ListedBinding, interrupted, wide
from irsa_cli.core.marks import lifecycle, makers
from irsa_cli.core.marks.lifecycle import Stage
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG
from irsa_cli.core.recovery import leftovers
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.trust_policy import trusts_service
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.shown import shown


def unbound(
    cluster: Cluster,
    role: Role,
    accounts: Mapping[str, ServiceAccount],
    granted: str = "",
    association: Association | None = None,
) -> ListedBinding:
    """Judge a role created by irsa without an annotated ServiceAccount; `accounts` are by full name.

    `granted`: the options of create-sa that complete it, if they are known. `association`: the one of its
    ServiceAccount, which gives another role.
    """
    full_name = lifecycle.account_of(role.tags)
    namespace, _, name = full_name.partition("/")
    account = accounts.get(full_name)
    binding = Binding(cluster, namespace, name, account, role, named_role=role.arn)
    life = binding.life_of(role)
    steps = life.next_steps(cluster.options, granted)
    awaited = hand_over(role, binding.annotations)
    if account is not None and life.stage is Stage.UNBOUND:
        manager = makers.manager_of_account(account.labels, account.annotations, account.managers)
        status = BindingStatus.ANNOTATION_CHANGED
        reason = lifecycle.unbinding(full_name, account.annotations, manager)
        steps = life.rebinding(role.arn, cluster.options, account.annotations)
    elif not full_name:
        status = BindingStatus.NO_SERVICE_ACCOUNT
        tag = shown(role.tags.get(SERVICE_ACCOUNT_TAG, ""))
        reason = f"its tag {SERVICE_ACCOUNT_TAG} names no ServiceAccount: {tag}"
    elif awaited is not None:
        status = BindingStatus.ROLE_ONLY
        reason = _of_git(binding, awaited, association)
        steps = steps_in_git(awaited, binding, role)
    elif lifecycle.tells_itself(role.tags):
        apart = f"no association gives it to {full_name}" if trusts_service(role.trust, SERVICE) else ""
        status, reason = (BindingStatus.ROLE_ONLY, apart) if life.is_over else interrupted(life)
    else:
        status = BindingStatus.NO_SERVICE_ACCOUNT
        reason = leftovers.unnamed(full_name, exists=account is not None, other=binding.annotation)
        if not life.is_over:
            # Its run was interrupted before the last step, or that step was undone later.
            reason += f": it was changed later, or run {life.transaction} was interrupted"
    judged = ListedBinding(binding, status, reason, next_steps=steps, wide=wide(binding), is_unbound=True)
    return replace(judged, hand_over=awaited)


def _of_git(binding: Binding, awaited: HandOver, association: Association | None) -> str:
    """Why no pod has a role-only role yet; its association counts more than an annotation."""
    reason = leftovers.unnamed(
        binding.full_name, exists=binding.existing is not None, other=binding.annotation
    )
    if awaited is HandOver.WAITS:
        reason = f"waits for Git: {reason}"
    return f"{reason}; {association.effect}" if association is not None else reason
