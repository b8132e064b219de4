"""Roles whose ServiceAccount irsa does not write: `create-sa --role-only`, and `roleOnly` in files.

Such a binding is done when somebody else, as a rule a repository, has put the annotation onto the
ServiceAccount. How far that has come is judged here, for all commands. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from irsa_cli.core.binding.spec import ServiceAccountRef
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Stage
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.trust.trust_policy import trusts_service
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.names import default_role_path


class HandOver(Enum):
    """Whether the ServiceAccount of a role-only binding has its role."""

    ANNOTATED = "it has the annotation"
    WAITS = "it is missing, or has no annotation"
    OTHER_ROLE = "its annotation names another role"
    UNKNOWN = "it could not be read"


def hand_over(role: Role, annotations: Mapping[str, str] | Unreadable) -> HandOver | None:
    """How far the ServiceAccount with these annotations has come; one that does not exist has none.

    None for a role that is not complete, and for one that pods get otherwise: by an annotation that irsa
    writes (then its mark is on the ServiceAccount), or by an EKS Pod Identity association.
    """
    is_complete = lifecycle.of(role.tags, named=False).stage is Stage.COMPLETE
    if not is_complete or not lifecycle.tells_itself(role.tags) or trusts_service(role.trust, SERVICE):
        return None
    if isinstance(annotations, Unreadable):
        return HandOver.UNKNOWN
    return None if lifecycle.was_bound(annotations, role.arn) else of_annotations(role.arn, annotations)


def of_annotations(role_arn: str, annotations: Mapping[str, str]) -> HandOver:
    """The same of a role that is known to be role-only and complete."""
    annotated = annotations.get(ROLE_ARN_ANNOTATION, "")
    if not annotated:
        return HandOver.WAITS
    return HandOver.ANNOTATED if annotated == role_arn else HandOver.OTHER_ROLE


def annotation_line(role_arn: str) -> str:
    """The line that the manifest of the ServiceAccount needs, below `annotations:`."""
    return f"{ROLE_ARN_ANNOTATION}: {role_arn}"


def waiting(account: ServiceAccountRef, role_arn: str) -> str:
    """The note about the part that a run leaves to the repository."""
    line = annotation_line(role_arn)
    return f"{account.full_name} waits for Git: add to its annotations there: {line}"


def options_of_export(cluster: Cluster, role: Role) -> str:
    """The option by which `irsa export` also looks for a role outside of irsa's path."""
    return "" if role.path.startswith(default_role_path(cluster.name)) else "--all-paths"


def steps_in_git(state: HandOver | None, account: ServiceAccountRef, role: Role) -> tuple[str, ...]:
    """The next steps in the repository; irsa takes none of them in the cluster."""
    line = annotation_line(role.arn)
    if state is HandOver.OTHER_ROLE:
        return (f"to use this role, change the annotation of {account.full_name} in Git: {line}",)
    if state is not HandOver.WAITS:
        return ()
    command = f"{account.command('export')} {options_of_export(account.cluster, role)}".rstrip()
    return (
        f"{command}  # prints the manifest",
        f"add to the annotations of {account.full_name} in Git: {line}",
    )
