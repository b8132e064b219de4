"""The part of `irsa update-sa` about an EKS Pod Identity association: target role, session policy. Pure."""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.update_request import Update
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.trust.chain import POLICY_NAME, Chain
from irsa_cli.core.values.errors import Refused

_OF_IRSA = (
    "audience",
    "sts_regional_endpoints",
    "token_expiration",
    "external_id",
    "target_tag_session",
    "aws_config_map",
    "update_target_trust",
)


def check(update: Update, binding: Binding, *, verify: bool = False) -> None:
    """Raise `Refused` for what irsa, or EKS, can't change of an association."""
    association = binding.known_association
    if update.session_policy is not None and association is None:
        raise Refused(
            f"{binding.full_name} has no EKS Pod Identity association to limit",
            next_steps=(f"{binding.command('update-sa')} --also pod-identity  # creates one",),
            rests_on=(),
        )
    if binding.has_association_only:
        fields = [name for name in _OF_IRSA if getattr(update, name) != getattr(Update(), name)]
        flags = [f"--{name.replace('_', '-')}" for name in (*fields, *(["verify"] if verify else []))]
        if flags:
            raise Refused(
                f"{' and '.join(flags)} can't be used with EKS Pod Identity",
                reason=f"pods of {binding.full_name} get no token for STS, and EKS chooses the external ID",
                next_steps=(f"{binding.command('migrate --to irsa')}  # adds IRSA",),
                rests_on=(),
            )
        if binding.existing is None and (update.labels or update.annotations):
            raise Refused(
                f"there is no ServiceAccount {binding.full_name}",
                next_steps=("create it first, or leave out labels and annotations",),
                rests_on=(),
            )
    if association is None or not _concerns(update, binding):
        return
    # Raise `Refused` for an association that irsa does not manage.
    check_owner(association, binding)
    if not association.is_of(binding.cluster, binding.full_name):
        raise Refused(
            f"the association {association.id} of {binding.full_name} is not managed by irsa",
            reason="it does not have irsa's tags",
            next_steps=(f"{binding.command('adopt')}  # adopts it unchanged",),
            rests_on=(),
        )
    if update.session_policy and not association.without_tags:
        raise Refused(
            f"the association {association.id} of {binding.full_name} has session tags",
            reason="EKS accepts a session policy only without them, and its trust policy compares them",
            next_steps=("irsa docs how-to/pod-identity  # how to create it without session tags",),
            rests_on=(),
        )
    if update.target_role == binding.role_arn:
        raise Refused(f"{binding.role_arn} can't be its own target role", rests_on=())


def check_owner(association: Association, binding: Binding) -> None:
    """Raise `Refused` for an association of an add-on."""
    if association.owner:
        raise Refused(
            f"the association {association.id} of {binding.full_name} belongs to an add-on",
            reason=f"{association.owner} owns it, and would change it back",
            next_steps=("change it with: aws eks update-addon --pod-identity-associations",),
            rests_on=(),
        )


def _concerns(update: Update, binding: Binding) -> bool:
    return update.session_policy is not None or (
        update.target_role is not None and binding.has_association_only
    )


def adoption(binding: Binding) -> list[Change]:
    """The change that adds irsa's tags to an association; raises `Refused` for one of an add-on."""
    association = binding.known_association
    if association is None or association.is_of(binding.cluster, binding.full_name):
        return []
    check_owner(association, binding)
    after = replace(association.state, tags={**association.state.tags, **binding.marks})
    return [Change(Kind.ASSOCIATION, binding.association_target, association.state, after)]


def target_of(update: Update, binding: Binding) -> Chain | None:
    """The new target role of an association, None if it does not change or is removed."""
    association = binding.known_association
    if association is None or not update.target_role:
        return None
    return Chain(binding.role_arn, update.target_role, association.external_id, not association.without_tags)


def with_permission(update: Update, binding: Binding) -> Update:
    """The update with the role's permission to assume the target role, in place of IRSA's chain."""
    if update.target_role is None:
        return update
    chain = target_of(update, binding)
    role = binding.seen_role
    is_permitted = role is not None and POLICY_NAME in role.inline
    permission = {POLICY_NAME: chain.permission if chain else None} if chain or is_permitted else {}
    return replace(update, target_role=None, inline={**update.inline, **permission})


def with_association(plan: Plan, update: Update, binding: Binding) -> Plan:
    """The plan with the change of the association: before a target's permission goes, else at the end."""
    association = binding.known_association
    if association is None or not _concerns(update, binding):
        return plan
    before = association.state
    after = association.state
    if update.session_policy is not None:
        after = replace(after, session_policy=dict(update.session_policy))
    if update.target_role is not None and binding.has_association_only:
        after = replace(after, target_role_arn=update.target_role)
    if after == before:
        return plan
    changes = [Change(Kind.ASSOCIATION, binding.association_target, before, after)]
    stages = list(map(list, plan.stages))
    return Plan.of(*stages, changes) if after.target_role_arn else Plan.of(changes, *stages)
