"""Whether a cluster can give pods of a namespace credentials by EKS Pod Identity. Pure.

https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html#pod-id-considerations
Obstacles of single pods, running or of a template, are a proxy, and an image with an old AWS CLI:
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-minimum-sdk.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import AGENT, Container, Pod, variable
from irsa_cli.core.objects.workloads import Workload
from irsa_cli.core.policies.operators import like
from irsa_cli.core.uses.new_pods import NewPods, Templates, check, doubts_of, of_template
from irsa_cli.core.uses.ways import IdentitySource
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused, Unreadable

LIMIT = 5000
"""Associations in a cluster: https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html"""
AGENT_ADDRESSES = {"ipv4": "169.254.170.23", "ipv6": "fd00:ec2::23"}
"""The agent's address, by the cluster's IP family."""
_TITLES = {"windows": "Windows", "fargate": "Fargate", "outposts": "AWS Outposts"}


@dataclass(frozen=True)
class PodIdentitySupport:
    """The facts of a cluster that decide about EKS Pod Identity.

    `platforms` are those of its nodes (`linux` and the keys of `_TITLES`), none without nodes; `profile` is
    the Fargate profile that takes all pods of the namespace, '' for none. `pods` and `templates` are those of
    the namespace, `associations` the number in the cluster. `labelled_profiles` are Fargate profiles that
    take pods of the namespace with these labels. `absence` is what there is to say about a ServiceAccount
    that does not exist, '' for one that exists or was not looked for.
    """

    agent: bool | Unreadable
    platforms: frozenset[str] | Unreadable
    profile: str | Unreadable
    associations: int | Unreadable = 0
    pods: Sequence[Pod] | Unreadable = ()
    agent_address: str = AGENT_ADDRESSES["ipv4"]
    templates: Templates = field(default_factory=Templates)
    labelled_profiles: Sequence[tuple[str, Mapping[str, str]]] = ()
    absence: str | Unreadable = ""

    @property
    def is_without_account(self) -> bool:
        """Whether the ServiceAccount is known not to exist."""
        return isinstance(self.absence, str) and bool(self.absence)

    def check(self, cluster: Cluster, namespace: str, name: str) -> None:
        """Raise `Refused` if pods of the ServiceAccount would certainly get no credentials."""
        use = "use IRSA, which works there"
        if self.profile and isinstance(self.profile, str):
            raise Refused(
                f"pods of {namespace} run on Fargate (profile {self.profile}), without EKS Pod Identity",
                reason="the EKS Pod Identity agent does not run on Fargate",
                next_steps=(use,),
                rests_on=(),
            )
        if not isinstance(self.platforms, Unreadable) and self.platforms and "linux" not in self.platforms:
            found = " and ".join(_TITLES.get(name, name) for name in sorted(self.platforms))
            raise Refused(
                f"cluster {cluster.name} has only {found} nodes",
                reason="the EKS Pod Identity agent runs on Linux nodes of EC2",
                next_steps=(use,),
                rests_on=(),
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
                rests_on=(),
            )
        if isinstance(self.associations, int) and self.associations >= LIMIT:
            raise Refused(
                f"cluster {cluster.name} has {self.associations} EKS Pod Identity associations",
                reason=f"EKS allows {LIMIT}, and does not raise this quota",
                next_steps=(f"aws eks list-pod-identity-associations --cluster-name {cluster.name}"
                            f" --region {cluster.region}  # delete unused ones",), rests_on=(),)  # fmt: skip
        self.check_pods(namespace, name)
        for workload in self.templates.of(name):
            check(_new_pods(workload), IdentitySource.POD_IDENTITY, namespace)

    def check_pods(self, namespace: str, name: str) -> None:
        """Raise `Refused` if a pod, running or of a template, would certainly get no credentials."""
        running = ((f"pod {namespace}/{pod.name}", pod) for pod in self._pods_of(name))
        found = [(title, obstacles(pod, self.agent_address)) for title, pod in running]
        found += [
            (f"a new pod of {workload.kind} {namespace}/{workload.name}", self._obstacles_of(workload))
            for workload in self.templates.of(name)
        ]
        for title, reasons in found:
            for why, remedy in reasons:
                raise Refused(
                    f"{title} would get no credentials by EKS Pod Identity",
                    reason=why,
                    next_steps=(remedy,),
                    rests_on=(),
                )

    def _obstacles_of(self, workload: Workload) -> Iterator[tuple[str, str]]:
        """Why new pods of a workload would get no credentials, each with the remedy."""
        pod = kinds.pod(workload.new_pod)
        yield from obstacles(pod, self.agent_address)
        for profile, labels in self.labelled_profiles:
            if all(like(pod.labels.get(key, ""), value) for key, value in labels.items()):
                yield f"it runs on Fargate (profile {profile})", "use IRSA, which works there"

    def _pods_of(self, name: str) -> list[Pod]:
        pods = () if isinstance(self.pods, Unreadable) else self.pods
        return [pod for pod in pods if pod.service_account == name and pod.is_alive]

    def notes(self, name: str) -> Iterator[str]:
        """The checks that were not possible, and why; and that the ServiceAccount does not exist."""
        if self.is_without_account:
            yield str(self.absence)
        for title, answer in (
            ("the EKS Pod Identity agent", self.agent),
            ("the platform of the nodes", self.platforms),
            ("the Fargate profiles", self.profile),
            ("the number of associations", self.associations),
            ("the running pods", self.pods),
            ("the ServiceAccount", self.absence),
        ):
            if isinstance(answer, Unreadable):
                yield f"not checked: {title} ({answer.why})"
        yield from (f"not checked: {text}" for text in self.templates.unread)
        pods = [(pod.name, pod) for pod in self._pods_of(name)]
        workloads = self.templates.of(name)
        pods += [(workload.full_name, kinds.pod(workload.new_pod)) for workload in workloads]
        unclear = [
            title
            for title, pod in pods
            if any(is_proxied(container, self.agent_address) is None for container in pod.containers)
        ]
        if unclear:
            yield f"irsa cannot tell if NO_PROXY of {unclear[0]} includes {self.agent_address}"
        yield from doubts_of(map(_new_pods, workloads), IdentitySource.POD_IDENTITY)


def _new_pods(workload: Workload) -> NewPods:
    return of_template(workload, IdentitySource.POD_IDENTITY)


def is_agent(name: str, labels: Mapping[str, str], images: Iterable[str]) -> bool:
    """Whether a DaemonSet or a pod of kube-system is the agent: by its name, its label or an image."""
    # The name of an image: what is before it is a registry, what is behind it a tag or a digest.
    named = {re.split("[:@]", image.rpartition("/")[2])[0] for image in images}
    return AGENT in {name, labels.get("app.kubernetes.io/name"), *named}


_PREFIX = 7
"""The characters that an address shares with a range that includes it."""
NEEDED_CLI = "1.30.0 or 2.15.0"
_CLI_SINCE = {1: 30, 2: 15}
_CLI_IMAGE = re.compile(
    r"(?:.*/)?(?:amazon/aws-cli|aws-cli/aws-cli):v?(?P<version>\d+\.\d+\.\d+)(?:@.*)?", re.ASCII
)
_FARGATE = "eks.amazonaws.com/fargate-profile"
_NO_PROXY = (variable("NO_PROXY"), variable("no_proxy"))
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
"""The agent is asked by HTTP: HTTPS_PROXY does not count."""


def runs_without(pod: Pod) -> bool:
    """Whether a pod runs on Fargate or Windows, without EKS Pod Identity."""
    return _FARGATE in pod.labels or pod.os == "windows"


def no_proxy(container: Container) -> str | None:
    """The value of NO_PROXY; None if irsa does not read it."""
    found = [container.env[name] for name in _NO_PROXY if name in container.env]
    return None if None in found else ",".join(str(text) for text in found)


def is_proxied(container: Container, address: str = AGENT_ADDRESSES["ipv4"]) -> bool | None:
    """Whether a container asks the agent through a proxy; None if its variables don't tell."""
    if not any(name in container.env for name in _PROXIES):
        return False
    direct = no_proxy(container)
    if direct is None:
        return None
    names = {name.strip().strip("[]") for name in direct.split(",")}
    if names & {address, "*"}:
        return False
    # Some SDKs read ranges.
    return None if any(name.startswith(address[:_PREFIX]) for name in names) else True


def cli_version(container: Container) -> tuple[int, ...] | None:
    """The version of an image's AWS CLI; None where the image does not tell."""
    match = _CLI_IMAGE.fullmatch(container.image)
    return tuple(map(int, match["version"].split("."))) if match else None


def has_old_cli(container: Container) -> bool:
    """Whether the AWS CLI of an image is known to be older than EKS Pod Identity."""
    version = cli_version(container)
    return version is not None and version[1] < _CLI_SINCE.get(version[0], 0)


def obstacles(pod: Pod, address: str) -> Iterator[tuple[str, str]]:
    """Why a new pod like this one would certainly get no credentials, each with the remedy."""
    if runs_without(pod):
        where = "Windows" if pod.os == "windows" else "Fargate"
        yield f"it runs on {where}, without an EKS Pod Identity agent", "use IRSA, which works there"
    for item in pod.containers:
        if is_proxied(item, address):
            why = f"container {item.name} has a proxy, and its NO_PROXY does not include {address}"
            yield why, f"add {address} to NO_PROXY in the pod template"
        if has_old_cli(item):
            yield f"the AWS CLI of {item.image} does not support it", f"use an AWS CLI >= {NEEDED_CLI}"
