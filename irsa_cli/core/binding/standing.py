"""How far a role has come that a run is about, by its tags and by who annotated the ServiceAccount; pure."""

from __future__ import annotations

from irsa_cli.core.binding.spec import CurrentState, DesiredState
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Lifecycle
from irsa_cli.core.marks.notes import wrote
from irsa_cli.core.plan.states import CLUSTER_TAG, ROLE_ARN_ANNOTATION, SPEC_HASH_TAG
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.errors import Refused


def life_of(desired: DesiredState, current: CurrentState) -> Lifecycle:
    """How far the role has come that is there under the desired one's name."""
    tags = current.role.state.tags if current.role is not None else {}
    return lifecycle.of(tags, named=is_annotated(desired, current), recorded=is_recorded(desired, current))


def is_recorded(desired: DesiredState, current: CurrentState) -> bool:
    """Whether irsa wrote that annotation, a run's last step; a role for something else does not count."""
    tags = current.role.state.tags if current.role is not None else {}
    wanted = desired.role.tags.get(SPEC_HASH_TAG) if desired.role is not None else tags.get(SPEC_HASH_TAG)
    if tags.get(SPEC_HASH_TAG) != wanted or wanted is None:
        return is_annotated(desired, current)
    account = current.service_account
    marked = account is not None and wrote(account.annotations, ROLE_ARN_ANNOTATION)
    return marked and is_annotated(desired, current)


def is_annotated(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the ServiceAccount's annotation is the ARN of the role, or of the role to create."""
    account, arn = current.service_account, desired.role_arn
    if desired.role is not None and current.role is not None:
        resource = f"role{current.role.state.path}{desired.role_name}"
        arn = iam_arn(desired.cluster.partition, desired.cluster.home, resource)
    return account is not None and account.annotations.get(ROLE_ARN_ANNOTATION) == arn


def is_incomplete(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the role is there, and no run for it has ended yet."""
    return desired.role is not None and current.role is not None and not life_of(desired, current).is_over


def check_whole(desired: DesiredState, current: CurrentState) -> None:
    """Raise `Refused` for a role to be used that irsa makes for this ServiceAccount, and is not whole."""
    life = life_of(desired, current)
    tags = current.role.state.tags if current.role is not None else {}
    if tags.get(CLUSTER_TAG, desired.cluster.arn) != desired.cluster.arn:
        return  # Of another cluster's, nothing is known here.
    if life.account == desired.full_name and not life.is_over:
        raise Refused(
            f"role {desired.role_arn} is {life.stage.value}",
            reason=life.why,
            next_steps=life.next_steps(desired.cluster.options),
        )
