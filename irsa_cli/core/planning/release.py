"""Release a role to another owner: irsa's tags and marks go, and nothing else; the inverse of `adopt`."""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.binding import ownership
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import account_changes
from irsa_cli.core.binding.ownership import Belongs, belonging
from irsa_cli.core.marks import own_keys
from irsa_cli.core.marks.own_keys import is_own_tag
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.values.errors import Refused


def release(binding: Binding, *, leaves_account: bool = False) -> Plan:
    """The plan that removes irsa's marks from role, association and ServiceAccount; empty if there are none.

    `leaves_account`: the ServiceAccount keeps them, as irsa does not write it.

    Raises `Refused` for a role of another ServiceAccount, one whose run is not over, and for a target role,
    whose ConfigMap and statement nobody would remove any more.
    """
    ownership.check_account(binding)
    role = ownership.check_there(binding)
    who = belonging(role, binding)
    account = [] if leaves_account else _account(binding)
    if who is Belongs.OTHERS:
        raise ownership.theirs(binding, role)
    if who is Belongs.NOBODY:
        # Tags of a role that irsa only uses are not what irsa owns it by: they stay.
        return Plan.of(_association(binding), account)
    ownership.check_over(binding, role)
    _check_no_target(binding)
    # The role before its ServiceAccount, whose marks mean nothing without the role's tags.
    return Plan.of(_association(binding), _role(role), account)


def _check_no_target(binding: Binding) -> None:
    noted = [
        key for key in (states.TARGET_ANNOTATION, states.CONFIG_MAP_ANNOTATION) if key in binding.annotations
    ]
    if noted:
        raise Refused(
            f"{binding.full_name} has a target role, which irsa manages with it",
            reason=f"the ServiceAccount has the annotation {noted[0]}",
            next_steps=(f"{binding.command('update-sa')} --remove-target-role  # removes the target first",),
            rests_on=(),
        )


def _role(role: Role) -> list[Change]:
    tags = {key: value for key, value in sorted(role.tags.items()) if is_own_tag(key)}
    if not tags:
        return []
    after = states.TagsState(dict.fromkeys(tags))
    return [Change(Kind.ROLE_TAGS, (role.name,), states.TagsState({**tags}), after)]


def _association(binding: Binding) -> list[Change]:
    association = binding.own_association
    if association is None:
        return []
    tags = {key: value for key, value in association.state.tags.items() if not is_own_tag(key)}
    after = replace(association.state, tags=tags)
    return [Change(Kind.ASSOCIATION, binding.association_target, association.state, after)]


def _account(binding: Binding) -> list[Change]:
    """The marks of a ServiceAccount: annotations of irsa, and the label of one that irsa created."""
    labels: dict[str, str | None] = {states.MANAGED_BY_LABEL: None} if binding.is_made else {}
    marks: dict[str, str | None] = dict.fromkeys(
        key for key in sorted(binding.annotations) if key in own_keys.ANNOTATIONS
    )
    return account_changes(binding, binding.existing, marks, labels, own=False)
