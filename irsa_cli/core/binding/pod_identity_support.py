"""Whether a cluster can give pods of a namespace credentials by EKS Pod Identity. Pure.

https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html#pod-id-considerations
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from irsa_cli.core.objects.agent_access import AGENT_ADDRESSES, is_proxied, obstacles
from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused

LIMIT = 5000
"""Associations in a cluster: https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html"""
_TITLES = {"windows": "Windows", "fargate": "Fargate", "outposts": "AWS Outposts"}


@dataclass(frozen=True)
class PodIdentitySupport:
    """The facts of a cluster that decide about EKS Pod Identity.

    `platforms` are those of its nodes (`linux` and the keys of `_TITLES`), none without nodes; `profile` is
    the Fargate profile that takes all pods of the namespace, '' for none. `pods` are those of the namespace,
    `associations` the number in the cluster.
    """

    agent: bool | Unreadable
    platforms: frozenset[str] | Unreadable
    profile: str | Unreadable
    associations: int | Unreadable = 0
    pods: Sequence[Pod] | Unreadable = ()
    agent_address: str = AGENT_ADDRESSES["ipv4"]

    def check(self, cluster: Cluster, namespace: str, name: str) -> None:
        """Raise `Refused` if pods of the ServiceAccount would certainly get no credentials."""
        use = "use IRSA, which works there"
        if self.profile and isinstance(self.profile, str):
            raise Refused(
                f"pods of {namespace} run on Fargate (profile {self.profile}), without EKS Pod Identity",
                reason="the EKS Pod Identity agent does not run on Fargate",
                next_steps=(use,),
            )
        if not isinstance(self.platforms, Unreadable) and self.platforms and "linux" not in self.platforms:
            found = " and ".join(_TITLES.get(name, name) for name in sorted(self.platforms))
            raise Refused(
                f"cluster {cluster.name} has only {found} nodes",
                reason="the EKS Pod Identity agent runs on Linux nodes of EC2",
                next_steps=(use,),
            )
        if self.agent is False:
            raise Refused(
                f"cluster {cluster.name} has no EKS Pod Identity agent",
                reason="nothing would answer the pods' credential requests",
                next_steps=(
                    f"aws eks create-addon --cluster-name {cluster.name} --region {cluster.region}"
                    f" --addon-name {AGENT}",
                    "or use IRSA, which needs no agent",
                ),
            )
        if isinstance(self.associations, int) and self.associations >= LIMIT:
            raise Refused(
                f"cluster {cluster.name} has {self.associations} EKS Pod Identity associations",
                reason=f"EKS allows {LIMIT}, and does not raise this quota",
                next_steps=(f"aws eks list-pod-identity-associations --cluster-name {cluster.name}"
                            f" --region {cluster.region}  # delete unused ones",),
            )  # fmt: skip
        for pod in self._pods_of(name):
            for why, remedy in obstacles(pod, self.agent_address):
                raise Refused(
                    f"pod {namespace}/{pod.name} would get no credentials by EKS Pod Identity",
                    reason=why,
                    next_steps=(remedy,),
                )

    def _pods_of(self, name: str) -> list[Pod]:
        pods = () if isinstance(self.pods, Unreadable) else self.pods
        return [pod for pod in pods if pod.service_account == name and pod.is_alive]

    def notes(self, name: str) -> Iterator[str]:
        """The checks that were not possible, and why."""
        for what, found in (
            ("the EKS Pod Identity agent", self.agent),
            ("the platform of the nodes", self.platforms),
            ("the Fargate profiles", self.profile),
            ("the number of associations", self.associations),
            ("the running pods", self.pods),
        ):
            if isinstance(found, Unreadable):
                yield f"not checked: {what} ({found.why})"
        unclear = [
            pod.name
            for pod in self._pods_of(name)
            if any(is_proxied(item, self.agent_address) is None for item in pod.containers)
        ]
        if unclear:
            yield f"irsa cannot tell if NO_PROXY of {unclear[0]} includes {self.agent_address}"
