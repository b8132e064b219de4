"""The credentials of a workload's new pods when its ServiceAccount has another way to its role. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.mounted import why_rejected
from irsa_cli.core.objects.workloads import Workload
from irsa_cli.core.uses.credentials import credentials_of
from irsa_cli.core.uses.ways import CREDENTIALS_URI, ROLE, TOKEN_FILE, IdentitySource
from irsa_cli.core.uses.webhook import injected
from irsa_cli.core.values.errors import Refused

REMEDY = (
    f"remove {ROLE}, {TOKEN_FILE}, {CREDENTIALS_URI} and their volumes from the pod template:"
    " the webhook adds what a pod needs"
)


@dataclass(frozen=True)
class Templates:
    """The workloads of a namespace; `unread` says which kinds could not be read, and why."""

    workloads: tuple[Workload, ...] = ()
    unread: tuple[str, ...] = ()

    def of(self, service_account: str) -> list[Workload]:
        """Those that create pods with a ServiceAccount, each once; also those without pods."""
        counted = [workload for workload in self.workloads if workload.is_counted and not workload.former]
        return [workload for workload in counted if workload.service_account == service_account]


@dataclass(frozen=True)
class NewPods:
    """The credentials of a workload's new pods by a way.

    `lost`: containers that get no credentials, and would by the other way. `kept`: containers with a token of
    their own for the other way. `doubts`: fields that irsa does not see into.
    """

    workload: Workload
    lost: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def of_template(workload: Workload, way: IdentitySource, role: str = "") -> NewPods:
    """The answer from the text of the template, by the webhook's published rules; `role` is an ARN."""
    return of_pod(workload, kinds.pod(injected(workload.new_pod, way)), way, role)


def of_pod(workload: Workload, new: Pod, way: IdentitySource, role: str) -> NewPods:
    """The answer from a new pod of the workload, as it is after the webhook."""
    before = kinds.pod(injected(workload.new_pod, way.other))
    rejected = why_rejected(new)
    if why_rejected(before):  # No pod of it can be created by the other way.
        return NewPods(workload)
    if rejected:
        return NewPods(workload, lost=(rejected,))
    with_role = {
        container.name for container in before.containers if credentials_of(before, container).way is not None
    }
    lost: list[str] = []
    kept: list[str] = []
    doubts: list[str] = []
    for container in new.containers:
        name = container.name
        credentials = credentials_of(new, container)
        if name in with_role and credentials.way is None:
            lost.append(f"container {name}: {credentials.why or 'it gets no variables'}")
        elif name in with_role and credentials.doubt:
            doubts.append(f"{credentials.doubt} of container {name}")
        elif credentials.way is way.other and _is_role(container, role):
            kept.append(name)
    return NewPods(workload, tuple(lost), tuple(kept), tuple(doubts))


def _is_role(container: Container, role: str) -> bool:
    """Whether a container with a token of its own uses this role, as far as its variables tell."""
    return container.env.get(ROLE) in (None, role)


def check(pods: NewPods, way: IdentitySource, namespace: str, *, alone: bool = False) -> None:
    """Raise `Refused` if new pods of a workload would lose the role; `alone`: no other way is left."""
    workload = pods.workload
    title = f"{workload.kind} {namespace}/{workload.name}"
    if pods.lost:
        raise Refused(
            f"a new pod of {title} would get no credentials by {way.title}",
            reason=pods.lost[0],
            next_steps=(REMEDY,),
            rests_on=(),
        )
    if pods.kept and alone:
        raise Refused(
            f"new pods of {title} use {way.other.title} with a token of their own",
            reason=f"the pod template sets it for container {', '.join(pods.kept)}",
            next_steps=(REMEDY,),
            rests_on=(),
        )


def doubts_of(judged: Iterable[NewPods], way: IdentitySource) -> Iterator[str]:
    """The fields of templates that decide, and that irsa does not see into: one line for all of them."""
    doubtful = [pods for pods in judged if pods.doubts]
    if not doubtful:
        return
    first = doubtful[0]
    names = first.workload.full_name
    if len(doubtful) > 1:
        names += f" (and {len(doubtful) - 1} more)"
    yield f"not known if new pods of {names} get {way.title}: irsa does not see into {first.doubts[0]}"
