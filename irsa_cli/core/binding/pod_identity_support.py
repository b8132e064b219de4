"""Whether a cluster can give pods of a namespace credentials by EKS Pod Identity. Pure.

https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html#pod-id-considerations
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused


@dataclass(frozen=True)
class PodIdentitySupport:
    """The facts of a cluster that decide about EKS Pod Identity.

    `platforms` are those of its nodes (`linux`, `windows`, `fargate`), none without nodes; `profile` is the
    Fargate profile that takes all pods of the namespace, '' for none.
    """

    agent: bool | Unreadable
    platforms: frozenset[str] | Unreadable
    profile: str | Unreadable

    def check(self, cluster: Cluster, namespace: str) -> None:
        """Raise `Refused` if pods would certainly get no credentials."""
        use = "without --pod-identity, irsa uses IRSA, which works there"
        if self.profile and isinstance(self.profile, str):
            raise Refused(
                f"pods of {namespace} run on Fargate (profile {self.profile}), without EKS Pod Identity",
                reason="the EKS Pod Identity agent does not run on Fargate",
                next_steps=(use,),
            )
        if self.agent is False:
            raise Refused(
                f"cluster {cluster.name} has no EKS Pod Identity agent",
                reason="nothing would answer the pods' credential requests",
                next_steps=(
                    f"aws eks create-addon --cluster-name {cluster.name} --region {cluster.region}"
                    f" --addon-name {AGENT}",
                    "without --pod-identity, irsa uses IRSA, which needs no agent",
                ),
            )
        if not isinstance(self.platforms, Unreadable) and self.platforms and "linux" not in self.platforms:
            found = " and ".join(sorted(self.platforms)).replace("windows", "Windows")
            raise Refused(
                f"the nodes of cluster {cluster.name} run {found.replace('fargate', 'Fargate')} only",
                reason="the EKS Pod Identity agent runs on Linux nodes of EC2",
                next_steps=(use,),
            )

    @property
    def notes(self) -> Iterator[str]:
        """The checks that were not possible, and why."""
        for what, found in (
            ("the EKS Pod Identity agent", self.agent),
            ("the platform of the nodes", self.platforms),
            ("the Fargate profiles", self.profile),
        ):
            if isinstance(found, Unreadable):
                yield f"not checked: {what} ({found.why})"
