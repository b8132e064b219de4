"""Causes in what surrounds the SDK in a container: region, endpoints, operating system, files."""

from __future__ import annotations

import re

from irsa_cli.core.doctor.clues.exchanges import is_admitted
from irsa_cli.core.doctor.commands import annotate, edit
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Judgement, check_of, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import TOKEN_ENV, injected_users, listed, where
from irsa_cli.core.objects.agent_access import cli_version
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.unreadable import Unreadable, have
from irsa_cli.core.objects.variables import variable
from irsa_cli.core.plan.states import STS_REGIONAL_ANNOTATION

_WHICH_STS, _STS_URL = variable("AWS_STS_REGIONAL_ENDPOINTS"), variable("AWS_ENDPOINT_URL_STS")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_MINIMUM_CLI = (1, 16, 232)
_REGIONAL_CLI = (1, 18)
_READABLE_SINCE = (1, 19)


@check_of("pod-region")
def _region(facts: Facts) -> Judgement:
    found = _without_region(facts)
    if not found:
        return ok("all containers have a region")
    if is_admitted(facts, [pod for pod, _ in found]):
        return ok("STS accepted the pods' tokens, so they have a region", containers=where(found))
    return hint("only the application itself can set its region", containers=where(found))


def _without_region(facts: Facts) -> list[tuple[Pod, Container]]:
    found = injected_users(facts.named)
    return [(pod, item) for pod, item in found if not any(name in item.env for name in _REGIONS)]


@check_of("pod-china-region")
def _china(facts: Facts) -> Judgement:
    if facts.cluster.partition != "aws-cn":
        return ok("the cluster is not in China")
    found = _without_region(facts)
    if not found:
        return ok("all containers have a region")
    return problem(
        "without a region, the SDK calls STS in another partition",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        expected=f"AWS_DEFAULT_REGION={facts.cluster.region}",
    )


@check_of("pod-sts-endpoint")
def _endpoint(facts: Facts) -> Judgement:
    found = [(pod, item) for pod, item in injected_users(facts.named) if _contradicts(item)]
    if not found:
        return ok("no container has conflicting settings for the STS endpoint")
    return problem(
        "one variable sets the global endpoint, the other one the regional endpoint",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        endpoint=f"AWS_ENDPOINT_URL_STS={found[0][1].env[_STS_URL]}",
        conflict="AWS_STS_REGIONAL_ENDPOINTS=regional",
    )


def _contradicts(container: Container) -> bool:
    url = (container.env.get(_STS_URL) or "").rstrip("/")
    return url == "https://sts.amazonaws.com" and container.env.get(_WHICH_STS) == "regional"


@check_of("sts-global-endpoint")
def _global_endpoint(facts: Facts) -> Judgement:
    annotated = facts.named.existing().annotations.get(STS_REGIONAL_ANNOTATION, "true")
    if annotated != "false":
        return _by_old_sdk(facts)
    if not have(facts.sts_endpoints):
        return unknown("the pods use the global STS endpoint and need internet access from the VPC")
    return suspect(
        "the VPC has a regional STS endpoint, but the annotation disables it for the pods",
        annotation=f"{STS_REGIONAL_ANNOTATION}=false",
        remedy=annotate(facts, "true", STS_REGIONAL_ANNOTATION),
    )


def _by_old_sdk(facts: Facts) -> Judgement:
    """The variable asks for the region's endpoint; whether the SDK heeds it shows in what STS was asked."""
    if not isinstance(facts.sts_endpoints, tuple) or not facts.sts_endpoints:
        return ok("the pods use the regional STS endpoint")
    subject = facts.named
    found = [
        (pod, item)
        for pod, item in injected_users(subject)
        if not item.env.get(_STS_URL) and (cli_version(item) or (0,)) < _REGIONAL_CLI
    ]
    pods = [pod for pod, _ in found]
    if not found or is_admitted(facts, pods):
        return ok("the pods use the regional STS endpoint")
    if any(isinstance(subject.events, Unreadable) and subject.events.follows for _ in found):
        return ok("the pods are configured for the regional STS endpoint")
    # An old SDK asks the global endpoint all the same: without a way out of the VPC nobody answers.
    return hint(
        "the VPC has a regional STS endpoint, and CloudTrail shows no call to STS: an old SDK may call the"
        " global endpoint instead",
        containers=where(found),
        endpoint=listed(item.id for item in facts.sts_endpoints),
    )


@check_of("pod-windows")
def _windows(facts: Facts) -> Judgement:
    found = [
        (pod, item)
        for pod, item in injected_users(facts.named)
        if pod.os == "windows"
        and pod.node_selector.get("kubernetes.io/os") != "windows"
        and (item.env[TOKEN_ENV] or "").startswith("/")
    ]
    if not found:
        return ok("no Windows pod has Linux paths")
    return problem(
        "the webhook treats a pod without nodeSelector as a Linux pod",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        file=str(found[0][1].env[TOKEN_ENV]),
        expected="nodeSelector kubernetes.io/os: windows",
    )


@check_of("pod-token-unreadable")
def _unreadable(facts: Facts) -> Judgement:
    version = re.match(r"(\d+)\.(\d+)", have(facts.eks).version)
    if not version:
        return unknown("the cluster's version is unknown")
    if (int(version[1]), int(version[2])) >= _READABLE_SINCE:
        return ok("this Kubernetes version lets the container's user read the token")
    exposed = [(pod, item) for pod, item in injected_users(facts.named) if pod.fs_group is None]
    found = [(pod, item) for pod, item in exposed if _user(pod, item)]
    if not found:
        silent = [(pod, item) for pod, item in exposed if _user(pod, item) is None]
        if not silent or is_admitted(facts, [pod for pod, _ in silent]):
            return ok("containers run as root, or have an fsGroup")
        return suspect(
            "in this Kubernetes version only root can read the file, and irsa does not know the image's user",
            containers=where(silent),
            images=listed(item.image for _, item in silent),
            version=have(facts.eks).version,
        )
    return problem(
        "in this Kubernetes version only root can read the file",
        fix=edit(facts, found[0][0]),
        containers=where(found),
        version=have(facts.eks).version,
        expected="fsGroup: 65534",
    )


def _user(pod: Pod, container: Container) -> int | None:
    return pod.user if container.user is None else container.user


@check_of("sdk-too-old")
def _sdk(facts: Facts) -> Judgement:
    found = injected_users(facts.named)
    versions = {item.image: cli_version(item) for _, item in found}
    old = [(pod, item) for pod, item in found if (cli_version(item) or _MINIMUM_CLI) < _MINIMUM_CLI]
    if old:
        return problem(
            "this AWS CLI does not support IRSA",
            fix=edit(facts, old[0][0]),
            containers=where(old),
            image=old[0][1].image,
            needed=">= " + ".".join(map(str, _MINIMUM_CLI)),
        )
    hidden = [image for image, version in versions.items() if version is None]
    if hidden:
        return unknown("irsa cannot see which SDK is in the image", images=listed(hidden))
    return ok("the images' AWS CLI is recent enough", images=listed(versions))
