"""The pods and workloads that lose something when roles or a ServiceAccount go. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.workloads import Workload
from irsa_cli.core.uses.credentials import ways_of
from irsa_cli.core.uses.ways import ROLE, IdentitySource


@dataclass(frozen=True)
class Going:
    """The parts of a ServiceAccount that go: itself, its association, and roles, by their ARNs.

    `shared` are deleted roles that may trust other ServiceAccounts of the namespace: each with one of them.
    """

    service_account: str
    roles: Collection[str] = ()
    account: bool = False
    association: bool = False
    shared: Collection[tuple[str, str]] = ()

    def __bool__(self) -> bool:
        return bool(self.roles or self.account or self.association)

    def is_used_by(self, pod: Pod) -> bool:
        """Whether a pod loses something, as far as its variables and mounts tell."""
        if pod.phase not in ("Running", "Pending"):
            return False
        roles = {container.env[ROLE] for container in pod.containers if ROLE in container.env}
        if pod.service_account != self.service_account:
            return any((str(role), pod.service_account) in self.shared for role in roles)
        by_agent = self.association and IdentitySource.POD_IDENTITY in ways_of(pod)
        return self.account or by_agent or None in roles or not roles.isdisjoint(self.roles)

    def is_used_by_new_pods(self, workload: Workload) -> bool:
        """Whether the pods that a workload creates from its template would lose something."""
        if not (self and workload.is_counted):
            return False
        if workload.service_account == self.service_account:
            return True
        roles = (container.env.get(ROLE) for container in kinds.pod(workload.new_pod).containers)
        return any((str(role), workload.service_account) in self.shared for role in roles)
