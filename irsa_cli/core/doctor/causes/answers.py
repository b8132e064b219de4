"""Causes that answers show: those of STS in CloudTrail, and that of a pod which irsa starts (`--in-pod`)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from contextlib import suppress

from irsa_cli.core.doctor import subjects
from irsa_cli.core.doctor.causes.own_token import own_tokens
from irsa_cli.core.doctor.clues.trust_flaws import require_admitted
from irsa_cli.core.doctor.commands import in_account, of_account, restart
from irsa_cli.core.doctor.facts import Facts, Subject, there
from irsa_cli.core.doctor.finding import Group, Judgement, check_of, hint, ok, problem, suspect, unknown
from irsa_cli.core.doctor.reported import EXPECTED, WRONG
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Container, Pod, variable
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, STS_REGIONAL_ANNOTATION
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import CannotTell, Unreadable, have

_WHICH_STS = variable("AWS_STS_REGIONAL_ENDPOINTS")
_STS_URL = variable("AWS_ENDPOINT_URL_STS")
_REGIONS = (variable("AWS_REGION"), variable("AWS_DEFAULT_REGION"))
_THROTTLED = ("Throttling", "RequestLimitExceeded", "IDPCommunicationError", "TooManyRequests")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException")
_DISABLED = "RegionDisabled"
_INVALID = ("InvalidIdentityToken", "InvalidIdentityTokenException")
_FOR_THAT = "STS rejected the newest call for that reason"
_SEE_REFUSED = "the error of STS may have this cause; see sts-refused"
# Of what STS says of a text that is no token, and of an issuer that it does not know.
_NOT_A_JWT = "jwt"
_NO_PROVIDER = "provider found"


@check_of("session-duration", Group.STS, weight=80)
def _duration(facts: Facts) -> Judgement:
    role = facts.named.annotated_role()
    event = subjects.newest(facts)
    if not event.error or event.seconds is None:
        return ok("no request for too long a session")
    hidden = "irsa did not read the role's MaxSessionDuration: pass the ServiceAccount's name"
    longest = there(role.max_session_duration, hidden)
    if event.seconds <= longest:
        return ok("no request for too long a session", allowed=f"{longest} s")
    command = f"iam update-role --role-name {shlex.quote(role.name)}"
    command += f" --max-session-duration {min(event.seconds, 43200)}"
    return problem(
        "the newest call requested too long a session",
        fix=in_account(facts, role.account, command),
        requested=f"{event.seconds} s at {event.time.isoformat()}",
        allowed=f"{longest} s",
    )


@check_of("sts-region", Group.STS, weight=78)
def _region(facts: Facts) -> Judgement:
    event = subjects.newest(facts)
    region = facts.cluster.region
    if _is_unexplained(facts, event):
        if _NO_PROVIDER not in event.message.lower():
            return unknown(_SEE_REFUSED)
        text = "STS reports no provider although one exists, as it does in a region where STS is not active"
        return suspect(text, error=subjects.in_words(event), region=event.region or region)
    if not event.error.startswith(_DISABLED):
        return ok("STS is active in the region", last=event.time.isoformat())
    command = f"account enable-region --region-name {shlex.quote(region)}"
    fix = in_account(facts, subjects.role_account(facts), command)
    return problem(_FOR_THAT, fix=fix, error=subjects.in_words(event), region=region)


@check_of("token-expired", Group.STS, weight=77)
def _expired(facts: Facts) -> Judgement:
    event = subjects.newest(facts)
    if event.error not in _EXPIRED:
        return ok("the newest call had a valid token", last=event.time.isoformat())
    fix = restart(facts, facts.named.users())
    return problem("the newest call sent an expired token", fix=fix, error=subjects.in_words(event))


@check_of("token-malformed", Group.STS, weight=12)
def _malformed(facts: Facts) -> Judgement:
    facts.named.users()
    last = subjects.newest(facts)
    if not _is_unexplained(facts, last):
        return ok("STS could read the ServiceAccount's token", last=last.time.isoformat())
    if _NOT_A_JWT in last.message.lower():
        return suspect("the application did not send a token to STS", error=subjects.in_words(last))
    return unknown(_SEE_REFUSED)


@check_of("sts-refused", Group.STS, weight=76)
def _refused(facts: Facts) -> Judgement:
    pods = {pod.name: pod for pod, _ in subjects.injected_users(facts.named)}
    last = subjects.newest(facts)
    if _names_its_cause(last) and _is_unexplained(facts, last):
        raise CannotTell("see sts-region and token-malformed")
    # The roles that its pods are to ask for: the annotation's, and those that containers name themselves.
    annotated = subjects.annotations_of(facts.named).get(ROLE_ARN_ANNOTATION, "")
    set_by_containers = [token.role for token in own_tokens(facts.named)]
    roles = [annotated, *set_by_containers]
    newest = subjects.newest_by_role(facts, pods.values())
    refused = [event for event in newest.values() if event.error and not _is_others(facts, event)]
    own = [event for event in refused if event.role_arn in ("", *roles)]
    if own:
        return _undecided(facts, own[0], pods.values())
    if refused:
        return _for_another_role(refused, roles)
    if last.error and last not in newest.values():
        text = "STS rejected the newest exchange before the current pods were created"
        return hint(text, answer=subjects.in_words(last))
    return ok("STS rejected no exchange for an unknown reason", last=last.time.isoformat())


def _for_another_role(refused: list[TrailEvent], roles: list[str]) -> Judgement:
    text = "STS rejected the token for another role than the ServiceAccount's"
    return suspect(
        f"{text}: {subjects.in_words(refused[0])}",
        requested=subjects.listed(event.role_arn for event in refused),
        role=subjects.listed(filter(None, roles)) or "none",
    )


def _undecided(facts: Facts, event: TrailEvent, pods: Iterable[Pod]) -> Judgement:
    """A refusal that nothing explains; what irsa tried after it tells whether it would happen again."""
    if event.role_arn not in [token.role for token in own_tokens(facts.named)]:  # pod-own-token judges those.
        _require_in_order(facts)
    text = f"STS rejected the newest exchange: {subjects.in_words(event)}"
    evidence = {"role": event.role_arn, "pods": subjects.pod_names(pods)}
    for later in have(facts.named.events):
        if later.own and later.time > event.time and not later.error and later.role_arn == event.role_arn:
            return hint(f"{text}; a later exchange by irsa succeeded", **evidence)
    return suspect(
        f"{text}; trust policy and provider allow the token",
        **evidence,
        to_see=of_account(facts, "verify", facts.named),
    )


def _is_others(facts: Facts, event: TrailEvent) -> bool:
    """Whether another check is about such a refusal: its reason is in its code."""
    if event.error.startswith((*_THROTTLED, _DISABLED)) or event.error in _EXPIRED:
        return True
    with suppress(CannotTell):
        longest = facts.named.annotated_role().max_session_duration
        return event.seconds is not None and longest is not None and event.seconds > longest
    return False


def _require_in_order(facts: Facts) -> None:
    """Raise `CannotTell` where something that can be seen explains a refusal."""
    require_admitted(facts)
    provider = there(subjects.provider_there(facts), "the issuer has no OIDC provider")
    if subjects.audience_of(facts, facts.named) not in provider.audiences:
        raise CannotTell("the provider does not accept the token's audience")


def _names_its_cause(event: TrailEvent) -> bool:
    """Whether STS itself says that the token, or the provider, is the problem."""
    return any(cause in event.message.lower() for cause in (_NOT_A_JWT, _NO_PROVIDER))


def _is_unexplained(facts: Facts, event: TrailEvent) -> bool:
    """Whether the newest call's token was refused, and trust policy and provider are in order."""
    with suppress(CannotTell):
        if event.error in _INVALID:
            _require_in_order(facts)
            pods = [pod for pod, _ in subjects.injected_users(facts.named)]
            return event in subjects.newest_by_role(facts, pods).values()
    return False


@check_of("sts-throttled", Group.STS, weight=50)
def _throttled(facts: Facts) -> Judgement:
    last = subjects.newest(facts)
    throttled = [event for event in subjects.calls(facts) if event.error.startswith(_THROTTLED)]
    if last not in throttled:
        return ok("STS did not throttle the newest call", last=last.time.isoformat())
    fix = facts.reach.kubectl("get pods # check how many start at once", facts.named.namespace)
    return problem(_FOR_THAT, fix=fix, errors=f"{len(throttled)}, the newest {subjects.in_words(last)}")


@check_of("sts-never-asked", Group.STS, weight=40)
def _never(facts: Facts) -> Judgement:
    subject = facts.named
    hidden = facts.named.events
    if not own_tokens(subject):
        subject.annotation()
    users = subjects.injected_users(subject)
    if isinstance(hidden, Unreadable) and not hidden.follows:
        return hint(f"irsa cannot see if the application called STS: {hidden.why}")
    events = subjects.calls(facts)
    if events:
        return ok("pods have called STS", last=max(event.time for event in events).isoformat())
    uses_global = subject.existing().annotations.get(STS_REGIONAL_ANNOTATION) == "false"
    if uses_global or any(_asks_elsewhere(facts, container) for _, container in users):
        return hint("CloudTrail of this region has no call; the pods may call STS in another region")
    long_enough = subjects.run_long_enough(facts, {pod.name: pod for pod, _ in users}.values())
    if not long_enough:
        return hint(subjects.EARLY)
    return suspect(
        "the pods have a web identity, but CloudTrail shows no call to STS: they did not need AWS yet, use"
        " other credentials, or cannot reach STS",
        pods=subjects.pod_names(long_enough),
    )


def _asks_elsewhere(facts: Facts, container: Container) -> bool:
    """Whether its variables may lead it to STS of another region, whose CloudTrail is not read."""
    if container.env.get(_WHICH_STS) == "legacy":
        return True
    endpoint = container.env.get(_STS_URL, facts.cluster.region)
    if facts.cluster.region not in (endpoint or ""):
        return True
    own = (None, "", facts.cluster.region)
    regions = [container.env[name] for name in _REGIONS if name in container.env]
    return any(region not in own for region in regions)


INSIDE = "pod-inside"


def expected_role(subject: Subject) -> str:
    """The ARN of the role that new pods get, '' if irsa does not know it."""
    association = subject.association
    if isinstance(association, Association):
        return association.last_role
    if isinstance(association, Unreadable):
        return ""
    with suppress(CannotTell):
        return str(subject.role_arn())
    return ""


@check_of(INSIDE, Group.PODS, weight=26)
def _inside(facts: Facts) -> Judgement:
    answer = facts.named.inside
    expected = expected_role(facts.named)
    if answer is None:
        raise CannotTell("no new pod was requested (--in-pod)")
    if isinstance(answer, Unreadable):
        return suspect(f"not examined from inside a pod: {answer.why}")
    evidence = {**answer.evidence, "expected": expected or "not known"}
    text = f"in a new pod: {answer.sentence}"
    is_other = bool(answer.identity and expected) and not _is_session(answer.identity, expected)
    if answer.verdict == WRONG or (is_other and answer.verdict != EXPECTED):
        return problem(text, fix=of_account(facts, "verify", facts.named), **evidence)
    if is_other:
        return suspect(f"{text} But it is not the expected role.", **evidence)
    if answer.verdict == EXPECTED:
        return ok(text, **evidence)
    return suspect(text, **evidence)


def _is_session(identity: str, role: str) -> bool:
    """Whether a caller's ARN is a session of a role."""
    caller = Arn.parse(identity)
    expected = Arn.parse(role)
    is_of_role = caller.resource.startswith(f"assumed-role/{expected.name}/")
    return is_of_role and caller.account == expected.account
