"""The pods of a ServiceAccount: which of them have its role, and which must be made anew to get it.

The webhook changes a pod when it is created, never later. Why it passed over one that is young enough is
`irsa doctor`'s business (`irsa_cli.core.doctor.causes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from irsa_cli.core.doctor.clues.injection import has_pod_identity, opted_out
from irsa_cli.core.doctor.facts import Subject
from irsa_cli.core.doctor.owners import Makers, restarts
from irsa_cli.core.doctor.subjects import ROLE_ENV, users_of
from irsa_cli.core.inventory.bindings import annotation_of
from irsa_cli.core.objects.kinds import Pod, ServiceAccount
from irsa_cli.core.objects.unreadable import CannotTell
from irsa_cli.core.values.cluster import Reach


class Identity(str, Enum):
    """What a pod has of its ServiceAccount's role."""

    CURRENT = "current"
    OTHER_ROLE = "other-role"
    NONE = "none"
    OPTED_OUT = "opted-out"
    """The pod asks the webhook to pass it over."""
    POD_IDENTITY = "pod-identity"
    """Its credentials come from EKS Pod Identity instead."""


@dataclass(frozen=True)
class PodIdentity:
    """A pod. `needs_restart` is None where it can't be known whether a new pod would have the role."""

    pod: Pod
    identity: Identity
    reason: str = ""
    needs_restart: bool | None = False


def pods_of(account: ServiceAccount, pods: Iterable[Pod]) -> tuple[PodIdentity, ...]:
    """The pods that use a ServiceAccount and have not ended, of all those of its namespace."""
    subject = Subject(account.namespace, account.name, pods=tuple(pods))
    try:
        return tuple(identity_of(pod, account) for pod in users_of(subject))
    except CannotTell:
        return ()


def identity_of(pod: Pod, account: ServiceAccount) -> PodIdentity:
    """What a pod has of its ServiceAccount's role, by its environment and by when it was created."""
    roles = sorted({item.env[ROLE_ENV] or "" for item in pod.containers if ROLE_ENV in item.env})
    if roles == [annotation_of(account)]:
        return PodIdentity(pod, Identity.CURRENT)
    if roles:
        return PodIdentity(
            pod, Identity.OTHER_ROLE, f"it was started with {', '.join(roles)}", needs_restart=True
        )
    if has_pod_identity(pod):
        return PodIdentity(pod, Identity.POD_IDENTITY, "it has its credentials from EKS Pod Identity")
    if opted_out(pod):
        return PodIdentity(pod, Identity.OPTED_OUT, "it asks the webhook to pass it over")
    return _bare(pod, account)


def _bare(pod: Pod, account: ServiceAccount) -> PodIdentity:
    annotated = account.annotated
    if annotated is None or pod.created is None:
        reason = "it has no role, and when the annotation was written is not known"
        return PodIdentity(pod, Identity.NONE, reason, needs_restart=True)
    # Times have whole seconds: of two equal ones nobody knows which came first.
    if pod.created <= annotated:
        return PodIdentity(pod, Identity.NONE, "it was started before the annotation", needs_restart=True)
    reason = "it was started after the annotation and has no role: irsa doctor tells why"
    return PodIdentity(pod, Identity.NONE, reason, needs_restart=None)


def restart_commands(reach: Reach, pods: Iterable[PodIdentity], makers: Makers) -> tuple[str, ...]:
    """The commands that have those pods made anew that need it, one for each workload, at most five."""
    old = [item.pod for item in pods if item.needs_restart]
    return tuple(restarts(reach, old, makers).splitlines())
