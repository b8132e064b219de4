"""Causes in a container's settings for its SDK: profiles, files, endpoints, proxies, values of variables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from irsa_cli.core.binding.pod_identity_support import (
    AGENT_ADDRESSES,
    NEEDED_CLI,
    cli_version,
    has_old_cli,
    is_proxied,
    no_proxy,
)
from irsa_cli.core.doctor import subjects
from irsa_cli.core.doctor.commands import by_template, edit
from irsa_cli.core.doctor.facts import Facts, there
from irsa_cli.core.doctor.finding import Group, Judgement, check_of, hint, ok, problem, some, suspect, unknown
from irsa_cli.core.objects.kinds import HIDDEN, Container, Pod, Variable, variable
from irsa_cli.core.values.errors import have
from irsa_cli.core.values.shown import shown

_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_FILE = variable("AWS_SHARED_CREDENTIALS_FILE")
_CONFIG = variable("AWS_CONFIG_FILE")
_URL = variable("AWS_ENDPOINT_URL")
_STS_URL = variable("AWS_ENDPOINT_URL_STS")
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
    return subjects.users_with(
        facts.named,
        lambda container: (
            (subjects.injected(container) or subjects.POD_IDENTITY_ENV in container.env) and test(container)
        ),
    )


@check_of("pod-profile", Group.PODS, weight=44)
def _profile(facts: Facts) -> Judgement:
    profiled = some(
        given(facts, lambda container: any(map(container.env.is_set, _PROFILES))),
        "no container selects a profile",
    )
    users = some(_without_profile(facts, profiled), "containers use the profile that irsa wrote")
    return unless_admitted(facts, users)(
        "some SDKs use the profile instead of the web identity, and fail without it",
        containers=subjects.where(users),
        variables=subjects.listed(name for name in _PROFILES if name in users[0][1].env),
    )


def _without_profile(facts: Facts, users: Iterable[tuple[Pod, Container]]) -> list[tuple[Pod, Container]]:
    """The containers that do not use the profile that irsa wrote."""
    return [(pod, container) for pod, container in users if not subjects.takes_profile(facts, pod, container)]


@check_of("pod-credentials-file", Group.PODS, weight=43)
def _credentials_file(facts: Facts) -> Judgement:
    users = given(facts, lambda container: container.env.get(_FILE, "") not in ("", _NOTHING))
    if users:
        say = unless_admitted(facts, users)
        return say("some SDKs use the credentials file first", containers=subjects.where(users))
    configured = _without_profile(facts, given(facts, _has_configuration))
    mounted = some(configured, "no container has a credentials file")
    text = "the container has an AWS configuration whose default profile irsa does not read"
    brought = [(pod, container) for pod, container in mounted if _brings_configuration(pod, container)]
    if brought:
        return unless_admitted(facts, brought)(text, containers=subjects.where(brought))
    return hint(text, containers=subjects.where(mounted))


def _brings_configuration(pod: Pod, container: Container) -> bool:
    """Whether a Secret or a ConfigMap is mounted where SDKs look for profiles and keys."""
    volumes = [volume.name for volume in pod.volumes if volume.secrets or volume.config_maps]
    return any(_is_home(container.mounts.get(name, "")) for name in volumes)


def _has_configuration(container: Container) -> bool:
    is_set = container.env.get(_CONFIG, "") not in ("", _NOTHING)
    return is_set or any(map(_is_home, container.mounts.values()))


def _is_home(mount: str) -> bool:
    return "/.aws/" in f"{mount}/"


def unless_admitted(facts: Facts, users: list[tuple[Pod, Container]]) -> Callable[..., Judgement]:
    """`suspect`, or `unknown` if STS accepted these pods: then their SDK uses the web identity."""
    if subjects.is_admitted(facts, [pod for pod, _ in users]):
        return unknown
    return suspect


@check_of("pod-endpoint", Group.PODS, weight=56)
def _endpoint(facts: Facts) -> Judgement:
    users = given(facts, lambda container: _leads(container) == _AWAY)
    if users:
        variable, address = _endpoint_of(users[0][1])
        host = _host(address or "")
        text = "the value for the STS endpoint is not a URL"
        if variable == _URL and host:
            text = "the endpoint applies to every service without its own, including STS"
        return by_template(facts, users, text, endpoint=host or f"{variable} has no host")
    hidden = given(facts, lambda container: _leads(container) == _HIDDEN)
    own = some(
        hidden or given(facts, lambda container: _leads(container) == _OWN), "containers use AWS endpoints"
    )
    variable, address = _endpoint_of(own[0][1])
    text = "irsa cannot tell if the container's STS endpoint answers like STS"
    if hidden:
        text = "the STS endpoint of a container comes from a source that irsa does not read"
    endpoint = _host(address or "") or f"{variable}, or {_IGNORED}"
    return unless_admitted(facts, own)(text, containers=subjects.where(own), endpoint=endpoint)


_AWAY = "surely not STS"
_OWN = "somebody's own, named for STS"
_HIDDEN = "not read"


def _leads(container: Container) -> str:
    """Where a container's variables lead the exchange of its token; '' for an endpoint of AWS, or nowhere."""
    variable, address = _endpoint_of(container)
    if not variable or not subjects.injected(container) or set(container.env) >= _KEYS:
        return ""
    ignored = container.env.get(_IGNORED, "")
    if ignored is not None and ignored.lower() == "true":
        return ""
    if address is None or ignored is None:
        return _HIDDEN
    host = _host(address)
    if _AWS_STS.fullmatch(host):
        return ""
    if variable == _STS_URL and host:
        return _OWN
    return _AWAY


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


@check_of("pod-old-annotation", Group.PODS, weight=42)
def _kube2iam(facts: Facts) -> Judgement:
    bare = [pod for pod in facts.named.users() if _KUBE2IAM in pod.annotations and subjects.is_bare(pod)]
    pods = some(bare, "no pod without an identity has another role annotation")
    annotation = pods[0].annotations[_KUBE2IAM]
    text = "the annotation only works with kube2iam or kiam"
    return unknown(text, pods=subjects.pod_names(pods), annotation=annotation)


def _of_pod_identity(facts: Facts) -> list[tuple[Pod, Container]]:
    if have(facts.named.association) is None:
        return []
    users = subjects.users_with(facts.named, lambda container: subjects.POD_IDENTITY_ENV in container.env)
    return there(users, "none of its containers has EKS Pod Identity credentials")


@check_of("pod-identity-proxy", Group.PODS, weight=60)
def _proxy(facts: Facts) -> Judgement:
    proxied = [
        (pod, container) for pod, container in _of_pod_identity(facts) if is_proxied(container) is not False
    ]
    users = some(proxied, "no container calls the EKS Pod Identity agent through a proxy")
    sure = [(pod, container) for pod, container in users if is_proxied(container)]
    if not sure:
        return suspect("irsa cannot tell if NO_PROXY includes the agent", containers=subjects.where(users))
    text = f"HTTP_PROXY is set, and NO_PROXY does not include {AGENT_ADDRESSES['ipv4']}"
    return by_template(facts, sure, text, no_proxy=no_proxy(sure[0][1]) or "none")


@check_of("pod-identity-sdk", Group.PODS, weight=59)
def _sdk(facts: Facts) -> Judgement:
    users = _of_pod_identity(facts)
    old = [(pod, container) for pod, container in users if has_old_cli(container)]
    if old:
        text = "this AWS CLI does not support EKS Pod Identity"
        return by_template(facts, old, text, image=old[0][1].image, needed=f">= {NEEDED_CLI}")
    images = [container.image for _, container in users if cli_version(container) is None]
    hidden = some(images, "the images' AWS CLI is recent enough, or there is no association")
    text = "irsa cannot tell if the SDK in the image supports EKS Pod Identity"
    return hint(text, images=subjects.listed(hidden))


_DATA: dict[str, Any] = json.loads(
    (files("irsa_cli.core.doctor") / "data" / "variables.json").read_text(encoding="utf-8")
)
DATE = _DATA["read"]
SOURCES = _DATA["sources"]
VARIABLES = _DATA["variables"]
"""The variables that SDKs read for identity, region, endpoint and proxy, with the cause that checks each."""
_PARTITIONS = {name: partition for partition, names in _DATA["regions"].items() for name in names}
_REGION = variable("AWS_REGION")
_DEFAULT = variable("AWS_DEFAULT_REGION")
_FORM = re.compile(r"([a-z]{2}|eusc)(-[a-z]+)?-(central|(north|south)(east|west)?|east|west)-\d", re.ASCII)
_NO_REGION = re.compile(r"aws(-[a-z]+)*-global|fips-.+|.+-fips", re.ASCII)
"""Names that SDKs take for a region all the same."""
_FIPS = variable("AWS_USE_FIPS_ENDPOINT")
_SESSION = variable("AWS_ROLE_SESSION_NAME")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_VALUES = {variable(row["name"]): row["values"] for row in VARIABLES if "values" in row}
_OPAQUE = {row["name"]: row for row in VARIABLES if "unseen" in row}
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def _text(container: Container, name: Any) -> str:
    value = container.env.get(name)
    if value is None or value == HIDDEN:
        return ""
    return value


def _region(container: Container) -> str:
    return _text(container, _REGION) or _text(container, _DEFAULT)


@dataclass(frozen=True, order=True)
class _Flaw:
    """A value that STS or an SDK rejects: whether that is sure, what is wrong, and the variable with it."""

    is_sure: bool
    text: str
    variable: str


@check_of("pod-setting", Group.PODS, weight=57)
def _setting(facts: Facts) -> Judgement:
    with_settings = given(
        facts, lambda container: any(_flaws(facts, container)) or any(map(container.env.is_set, _OPAQUE))
    )
    users = [(pod, container) for pod, container in with_settings if not subjects.is_admitted(facts, [pod])]
    if not users:
        return ok("no container has a value that STS or an SDK rejects")
    flaws = list(chain.from_iterable(_flaws(facts, container) for _, container in users))
    if flaws:
        return _rejected(facts, max(flaws), users)
    names: dict[str, None] = {}
    for _, container in users:
        names.update(dict.fromkeys(filter(container.env.is_set, _OPAQUE)))
    say = suspect if any("suspect" in _OPAQUE[name] for name in names) else hint
    text = "irsa cannot tell the effect of these variables"
    return say(text, containers=subjects.where(users), variables=subjects.listed(names))


def _rejected(facts: Facts, flaw: _Flaw, users: list[tuple[Pod, Container]]) -> Judgement:
    with_it = [(pod, container) for pod, container in users if flaw in _flaws(facts, container)]
    evidence = {
        "containers": subjects.where(with_it),
        "variable": flaw.variable,
        "region_of_the_cluster": facts.cluster.region,
    }
    if not flaw.is_sure:
        return suspect(flaw.text, **evidence)
    first_pod, _ = with_it[0]
    return problem(flaw.text, fix=edit(facts, first_pod), **evidence)


def _flaws(facts: Facts, container: Container) -> Iterator[_Flaw]:
    for name in (_REGION, _DEFAULT):
        yield from _region_flaw(facts, container, name)
    for name, form in _VALUES.items():
        value = _text(container, name)
        if value and not re.fullmatch(form, value, re.IGNORECASE):
            text = "some SDKs reject this value and do not start"
            yield _Flaw(False, text, f"{name}={shown(value)}")
    if subjects.injected(container):
        yield from _session_flaw(container)
        yield from _fips_flaw(container)


def _region_flaw(facts: Facts, container: Container, name: Variable) -> Iterator[_Flaw]:
    value = _text(container, name)
    partition = facts.cluster.partition
    if value in ("", facts.cluster.region) or _NO_REGION.fullmatch(value):
        return
    if _PARTITIONS.get(value) != partition:
        text = f"not a region of the partition {partition} (as of {DATE})"
        # Some SDKs read the one variable only, and some the other.
        is_sure = value in _PARTITIONS or not _FORM.fullmatch(value)
        yield _Flaw(is_sure and value == _region(container), text, f"{name}={shown(value)}")


def _session_flaw(container: Container) -> Iterator[_Flaw]:
    session = _text(container, _SESSION)
    if session and not _SESSION_NAME.fullmatch(session):
        text = "a session name has 2 to 64 letters, digits or +=,.@-_"
        yield _Flaw(True, text, f"{_SESSION}={shown(session)} ({len(session)} characters)")


def _fips_flaw(container: Container) -> Iterator[_Flaw]:
    fips = container.env.get(_FIPS, "")
    region = _region(container)
    is_used = fips is None or fips.lower() == "true"
    if not is_used or container.env.is_set("AWS_ENDPOINT_URL_STS") or region in _DATA["fips"]:
        return
    # Those of other partitions are in no public list.
    is_sure = fips is not None and _PARTITIONS.get(region) in ("aws", "aws-cn", "aws-us-gov")
    text = f"STS has FIPS endpoints only in {', '.join(_DATA['fips'])}"
    yield _Flaw(is_sure, text, f"{_FIPS}={fips or '(not read)'} in {region or 'an unknown region'}")


@check_of("pod-sts-proxy", Group.PODS, weight=41)
def _sts_proxy(facts: Facts) -> Judgement:
    proxied = given(facts, lambda container: subjects.injected(container) and _is_proxied(facts, container))
    users = some(proxied, "no container calls STS through a proxy")
    text = f"the proxy must allow CONNECT to {_sts_host(facts, users[0][1])}:443"
    return unless_admitted(facts, users)(
        f"{text}; irsa cannot tell if it does",
        containers=subjects.where(users),
        variables=subjects.listed(filter(users[0][1].env.is_set, _PROXIES)),
        no_proxy=no_proxy(users[0][1]) or "none, or unknown",
    )


def _is_proxied(facts: Facts, container: Container) -> bool:
    if not any(map(container.env.is_set, _PROXIES)):
        return False
    host = _sts_host(facts, container)
    direct = (no_proxy(container) or "").split(",")
    names = [name.strip().lstrip("*").removeprefix(".") for name in direct if name.strip()]
    return not any(name in ("", host) or host.endswith(f".{name}") for name in names)


def _sts_host(facts: Facts, container: Container) -> str:
    domain = "amazonaws.com.cn" if facts.cluster.partition == "aws-cn" else "amazonaws.com"
    return f"sts.{_region(container) or facts.cluster.region}.{domain}"
