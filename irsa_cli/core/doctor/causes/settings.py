"""Causes in a container's settings that mislead its SDK: profiles, files, endpoints, proxies."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from urllib.parse import urlsplit

from irsa_cli.core.doctor.clues.exchanges import is_admitted
from irsa_cli.core.doctor.clues.injection import POD_IDENTITY_ENV, takes_profile
from irsa_cli.core.doctor.commands import edit
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Judgement, check_of, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.subjects import injected, is_bare, listed, pod_names, where
from irsa_cli.core.objects.agent_access import (
    AGENT_ADDRESSES,
    NEEDED_CLI,
    cli_version,
    has_old_cli,
    is_proxied,
    no_proxy,
)
from irsa_cli.core.objects.kinds import Container, Pod
from irsa_cli.core.objects.unreadable import CannotTell, have
from irsa_cli.core.objects.variables import HIDDEN, variable

_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_FILE, _CONFIG = variable("AWS_SHARED_CREDENTIALS_FILE"), variable("AWS_CONFIG_FILE")
_URL, _STS_URL = variable("AWS_ENDPOINT_URL"), variable("AWS_ENDPOINT_URL_STS")
_IGNORED = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
# https://docs.aws.amazon.com/general/latest/gr/sts.html, and interface endpoints of a VPC.
_AWS_STS = re.compile(
    r"(?:[a-z0-9-]+\.)*sts(?:-fips)?(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|api\.aws)", re.ASCII
)
_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
_NOTHING = "/dev/null"
"""Names no file, so that none is read."""
_KUBE2IAM = "iam.amazonaws.com/role"


def given(facts: Facts, test: Callable[[Container], bool]) -> list[tuple[Pod, Container]]:
    """The containers with an identity of AWS of which the test holds."""
    return [
        (pod, item)
        for pod in facts.named.users()
        for item in pod.containers
        if (injected(item) or POD_IDENTITY_ENV in item.env) and test(item)
    ]


@check_of("pod-profile")
def _profile(facts: Facts) -> Judgement:
    named = given(facts, lambda item: any(item.env.is_set(name) for name in _PROFILES))
    found = [(pod, item) for pod, item in named if not takes_profile(facts, pod, item)]
    if not found:
        return ok("containers use the profile that irsa wrote" if named else "no container selects a profile")
    return unless_admitted(facts, found)(
        "some SDKs use the profile instead of the web identity, and fail without it",
        containers=where(found),
        variables=listed(name for name in _PROFILES if name in found[0][1].env),
    )


@check_of("pod-credentials-file")
def _credentials_file(facts: Facts) -> Judgement:
    found = given(facts, lambda item: item.env.get(_FILE, "") not in ("", _NOTHING))
    if found:
        say = unless_admitted(facts, found)
        return say("some SDKs use the credentials file first", containers=where(found))
    mounted = given(facts, _has_configuration)
    mounted = [(pod, item) for pod, item in mounted if not takes_profile(facts, pod, item)]
    brought = [(pod, item) for pod, item in mounted if _is_brought(pod, item)]
    text = "the container has an AWS configuration whose default profile irsa does not read"
    if brought:
        return unless_admitted(facts, brought)(text, containers=where(brought))
    return hint(text, containers=where(mounted)) if mounted else ok("no container has a credentials file")


def _has_configuration(container: Container) -> bool:
    if container.env.get(_CONFIG, "") not in ("", _NOTHING):
        return True
    return any("/.aws/" in f"{mount}/" for mount in container.mounts.values())


def _is_brought(pod: Pod, container: Container) -> bool:
    """Whether a Secret or a ConfigMap is mounted where SDKs look for profiles and keys."""
    volumes = [item.name for item in pod.volumes if item.secrets or item.config_maps]
    return any("/.aws/" in f"{container.mounts.get(name, '')}/" for name in volumes)


def unless_admitted(facts: Facts, found: list[tuple[Pod, Container]]) -> Callable[..., Judgement]:
    """`suspect`, or `unknown` if STS accepted these pods: then their SDK uses the web identity."""
    return unknown if is_admitted(facts, [pod for pod, _ in found]) else suspect


@check_of("pod-endpoint")
def _endpoint(facts: Facts) -> Judgement:
    found = given(facts, lambda item: _leads(item) is _Endpoint.AWAY)
    if found:
        variable, address = _endpoint_of(found[0][1])
        host = _host(address or "")
        wrong = variable == _URL and host
        return problem(
            "the endpoint applies to every service without its own, including STS"
            if wrong
            else "the value for the STS endpoint is not a URL",
            fix=edit(facts, found[0][0]),
            containers=where(found),
            endpoint=host or f"{variable} has no host",
        )
    hidden = given(facts, lambda item: _leads(item) is _Endpoint.HIDDEN)
    own = hidden or given(facts, lambda item: _leads(item) is _Endpoint.OWN)
    if not own:
        return ok("containers use AWS endpoints")
    variable, address = _endpoint_of(own[0][1])
    text = "the STS endpoint of a container comes from a source that irsa does not read"
    return unless_admitted(facts, own)(
        text if hidden else "irsa cannot tell if the container's STS endpoint answers like STS",
        containers=where(own),
        endpoint=_host(address or "") or f"{variable}, or {_IGNORED}",
    )


class _Endpoint(Enum):
    """Where a container's variables lead the exchange of its token."""

    STS = "an endpoint of AWS for it, or nowhere"
    AWAY = "something that is surely none"
    OWN = "somebody's own, named for STS"
    HIDDEN = "not read"


def _leads(container: Container) -> _Endpoint:
    variable, address = _endpoint_of(container)
    ignored = container.env.get(_IGNORED, "")
    if not variable or not injected(container) or set(container.env) >= _KEYS:
        return _Endpoint.STS
    if (ignored or "").lower() == "true":
        return _Endpoint.STS
    if address is None or ignored is None:
        return _Endpoint.HIDDEN
    host = _host(address)
    if _AWS_STS.fullmatch(host):
        return _Endpoint.STS
    return _Endpoint.OWN if variable == _STS_URL and host else _Endpoint.AWAY


def _endpoint_of(container: Container) -> tuple[str, str | None]:
    for name in (_STS_URL, _URL):
        value = container.env.get(name, "")
        if value != "":
            return name, None if value == HIDDEN else value
    return "", ""


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


@check_of("pod-old-annotation")
def _kube2iam(facts: Facts) -> Judgement:
    found = [pod for pod in facts.named.users() if _KUBE2IAM in pod.annotations and is_bare(pod)]
    if not found:
        return ok("no pod without an identity has another role annotation")
    return unknown(
        "the annotation only works with kube2iam or kiam",
        pods=pod_names(found),
        annotation=found[0].annotations[_KUBE2IAM],
    )


def _of_pod_identity(facts: Facts) -> list[tuple[Pod, Container]]:
    if have(facts.named.association) is None:
        return []
    found = [
        (pod, item) for pod in facts.named.users() for item in pod.containers if POD_IDENTITY_ENV in item.env
    ]
    if not found:
        raise CannotTell("none of its containers has EKS Pod Identity credentials")
    return found


@check_of("pod-identity-proxy")
def _proxy(facts: Facts) -> Judgement:
    found = [(pod, item) for pod, item in _of_pod_identity(facts) if is_proxied(item) is not False]
    if not found:
        return ok("no container calls the EKS Pod Identity agent through a proxy")
    sure = [(pod, item) for pod, item in found if is_proxied(item)]
    if not sure:
        return suspect("irsa cannot tell if NO_PROXY includes the agent", containers=where(found))
    return problem(
        f"HTTP_PROXY is set, and NO_PROXY does not include {AGENT_ADDRESSES['ipv4']}",
        fix=edit(facts, sure[0][0]),
        containers=where(sure),
        no_proxy=no_proxy(sure[0][1]) or "none",
    )


@check_of("pod-identity-sdk")
def _sdk(facts: Facts) -> Judgement:
    found = _of_pod_identity(facts)
    old = [(pod, item) for pod, item in found if has_old_cli(item)]
    if old:
        return problem(
            "this AWS CLI does not support EKS Pod Identity",
            fix=edit(facts, old[0][0]),
            containers=where(old),
            image=old[0][1].image,
            needed=f">= {NEEDED_CLI}",
        )
    hidden = [item.image for _, item in found if cli_version(item) is None]
    if hidden:
        return hint(
            "irsa cannot tell if the SDK in the image supports EKS Pod Identity",
            images=listed(hidden),
        )
    return ok("the images' AWS CLI is recent enough, or there is no association")
