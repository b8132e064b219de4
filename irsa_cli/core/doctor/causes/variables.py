"""Causes in variables (`data/variables.json` says which SDK reads which), and a proxy before STS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from irsa_cli.core.doctor.causes.settings import given, unless_admitted
from irsa_cli.core.doctor.clues.exchanges import is_admitted
from irsa_cli.core.doctor.commands import edit
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Judgement, check_of, hint, ok, problem, suspect
from irsa_cli.core.doctor.subjects import injected, listed, where
from irsa_cli.core.objects.agent_access import no_proxy
from irsa_cli.core.objects.kinds import Container
from irsa_cli.core.objects.variables import HIDDEN, variable
from irsa_cli.core.values.shown import shown

_DATA: dict[str, Any] = json.loads(
    (files("irsa_cli.core.doctor") / "data" / "variables.json").read_text(encoding="utf-8")
)
DATE, SOURCES, VARIABLES = _DATA["read"], _DATA["sources"], _DATA["variables"]
"""The variables that SDKs read for identity, region, endpoint and proxy, with the cause that checks each."""
_PARTITIONS = {name: partition for partition, names in _DATA["regions"].items() for name in names}
_REGION, _DEFAULT = variable("AWS_REGION"), variable("AWS_DEFAULT_REGION")
_FORM = re.compile(r"([a-z]{2}|eusc)(-[a-z]+)?-(central|(north|south)(east|west)?|east|west)-\d", re.ASCII)
_NO_REGION = re.compile(r"aws(-[a-z]+)*-global|fips-.+|.+-fips", re.ASCII)
"""Names that SDKs take for a region all the same."""
_FIPS, _SESSION = variable("AWS_USE_FIPS_ENDPOINT"), variable("AWS_ROLE_SESSION_NAME")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_VALUES = {variable(row["name"]): row["values"] for row in VARIABLES if "values" in row}
_OPAQUE = {row["name"]: row for row in VARIABLES if "unseen" in row}
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def _text(container: Container, name: Any) -> str:
    value = container.env.get(name) if name in container.env else ""
    return "" if value is None or value == HIDDEN or "$(" in value else value


def _region(container: Container) -> str:
    return _text(container, _REGION) or _text(container, _DEFAULT)


@check_of("pod-setting")
def _setting(facts: Facts) -> Judgement:
    found = given(facts, lambda item: any(_flaws(facts, item)) or any(map(item.env.is_set, _OPAQUE)))
    found = [(pod, item) for pod, item in found if not is_admitted(facts, [pod])]
    flaws = sorted((flaw for _, item in found for flaw in _flaws(facts, item)), reverse=True)
    if flaws:
        sure, text, value = flaws[0]
        found = [pair for pair in found if flaws[0] in _flaws(facts, pair[1])]
        said = {"containers": where(found), "variable": value, "region_of_the_cluster": facts.cluster.region}
        return problem(text, fix=edit(facts, found[0][0]), **said) if sure else suspect(text, **said)
    if not found:
        return ok("no container has a value that STS or an SDK rejects")
    names = dict.fromkeys(name for _, item in found for name in _OPAQUE if item.env.is_set(name))
    say = suspect if any("suspect" in _OPAQUE[name] for name in names) else hint
    text = "irsa cannot tell the effect of these variables"
    return say(text, containers=where(found), variables=listed(names))


def _flaws(facts: Facts, container: Container) -> Iterator[tuple[bool, str, str]]:
    """Whether it is sure, what is wrong with a value, and the variable with it."""
    for name in (_REGION, _DEFAULT):
        value, partition = _text(container, name), facts.cluster.partition
        is_one = value in ("", facts.cluster.region) or _NO_REGION.fullmatch(value)
        if not is_one and _PARTITIONS.get(value) != partition:
            text = f"not a region of the partition {partition} (as of {DATE})"
            # Some SDKs read the one variable only, and some the other.
            sure = value in _PARTITIONS or not _FORM.fullmatch(value)
            yield sure and value == _region(container), text, f"{name}={shown(value)}"
    for name, form in _VALUES.items():
        value = _text(container, name)
        if value and not re.fullmatch(form, value, re.IGNORECASE):
            yield False, "some SDKs reject this value and do not start", f"{name}={shown(value)}"
    session, region = _text(container, _SESSION), _region(container)
    if injected(container) and session and not _SESSION_NAME.fullmatch(session):
        text = "a session name has 2 to 64 letters, digits or +=,.@-_"
        yield True, text, f"{_SESSION}={shown(session)}"
    fips = container.env.get(_FIPS, "") if injected(container) else ""
    asked = (fips is None or fips.lower() == "true") and not container.env.is_set("AWS_ENDPOINT_URL_STS")
    if asked and region not in _DATA["fips"]:
        # Those of other partitions are in no public list.
        sure = fips is not None and _PARTITIONS.get(region) in ("aws", "aws-cn", "aws-us-gov")
        text = f"STS has FIPS endpoints only in {', '.join(_DATA['fips'])}"
        yield sure, text, f"{_FIPS}={fips or '(not read)'} in {region or 'an unknown region'}"


@check_of("pod-sts-proxy")
def _proxy(facts: Facts) -> Judgement:
    found = given(facts, lambda item: injected(item) and _is_proxied(facts, item))
    if not found:
        return ok("no container calls STS through a proxy")
    text = f"the proxy must allow CONNECT to {_host(facts, found[0][1])}:443"
    return unless_admitted(facts, found)(
        f"{text}; irsa cannot tell if it does",
        containers=where(found),
        variables=listed(filter(found[0][1].env.is_set, _PROXIES)),
        no_proxy=no_proxy(found[0][1]) or "none, or unknown",
    )


def _is_proxied(facts: Facts, container: Container) -> bool:
    host, direct = _host(facts, container), (no_proxy(container) or "").split(",")
    names = [name.strip().lstrip("*").removeprefix(".") for name in direct if name.strip()]
    exempt = any(name in ("", host) or host.endswith(f".{name}") for name in names)
    return any(map(container.env.is_set, _PROXIES)) and not exempt


def _host(facts: Facts, container: Container) -> str:
    china = ".cn" if facts.cluster.partition == "aws-cn" else ""
    return f"sts.{_region(container) or facts.cluster.region}.amazonaws.com{china}"
