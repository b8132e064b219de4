"""The causes why IRSA doesn't work: each a small pure check over what was observed.

`CAUSES` holds them all. What is observed is in `facts`, what a cause is in `finding`; the rest of the modules
hold the causes of one part of the way from the cluster to the credentials.
"""

from irsa_cli.core.doctor.causes import (
    annotation,
    answers,
    bare_pods,
    cluster,
    containers,
    environment,
    late_containers,
    network,
    own_token,
    pod_identity,
    pod_identity_names,
    pod_identity_pods,
    provider,
    role,
    role_arn,
    seen,
    service_account,
    settings,
    trust,
    uncreated,
    webhook,
    wide_trust,
)
from irsa_cli.core.doctor.finding import REGISTRY, Cause, Group

_HOMES = (
    cluster,
    provider,
    service_account,
    annotation,
    role_arn,
    trust,
    role,
    wide_trust,
    webhook,
    pod_identity,
    pod_identity_names,
    pod_identity_pods,
    bare_pods,
    containers,
    own_token,
    late_containers,
    environment,
    settings,
    network,
    answers,
    uncreated,
    seen,
)
_GROUPS = tuple(Group)
_MODULES = tuple(module.__name__ for module in _HOMES)


def _place(cause: Cause) -> tuple[int, int]:
    return _GROUPS.index(cause.group), _MODULES.index(cause.check.__module__)


CAUSES: dict[str, Cause] = {cause.id: cause for cause in sorted(REGISTRY.values(), key=_place)}
"""All causes by identifier, in the order of the groups."""

__all__ = ["CAUSES", "Cause", "Group"]
