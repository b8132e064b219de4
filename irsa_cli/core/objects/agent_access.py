"""Obstacles between a pod and EKS Pod Identity: its platform, a proxy, an image with an old AWS CLI.

https://docs.aws.amazon.com/eks/latest/userguide/pod-id-minimum-sdk.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.variables import variable

AGENT_ADDRESSES = {"ipv4": "169.254.170.23", "ipv6": "fd00:ec2::23"}
"""The agent's address, by the cluster's IP family."""
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
