"""Causes that show in what STS has answered to the ServiceAccount's pods, as CloudTrail has it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
"""

from __future__ import annotations

from datetime import timedelta

from irsa_cli.core.causes.facts import CannotTell, Event, Facts, have
from irsa_cli.core.causes.finding import Group, Judgement, cause, ok, problem, unknown
from irsa_cli.core.causes.subjects import annotation_of, injected_users, pod_names, restart, role_of, users_of

_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_STS = "https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html"
_LOOKS_AT = "cloudtrail LookupEvents (AssumeRoleWithWebIdentity of this ServiceAccount, newest first)"
_DELAY = timedelta(minutes=15)
"""For how long an event may not be in CloudTrail yet, by its documentation."""


def _calls(facts: Facts) -> tuple[Event, ...]:
    """The application's calls: what irsa tried itself, or a command under `irsa exec`, says nothing of it."""
    return tuple(event for event in have(facts.named.events) if not event.own)


def _newest(facts: Facts) -> Event:
    events = _calls(facts)
    if not events:
        more = " but irsa's own" if have(facts.named.events) else ""
        raise CannotTell(f"CloudTrail has no call of this ServiceAccount to STS{more}")
    return max(events, key=lambda event: event.time)


@cause(
    "session-duration",
    Group.STS,
    80,
    title="The application asks for a longer session than the role allows.",
    symptom="ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role",
    looks_at=f"{_LOOKS_AT}, iam GetRole (MaxSessionDuration)",
    remedy="Raise the role's MaxSessionDuration (at most 43200), or ask for less.",
    source=f"{_IAM}/id_roles_update-role-settings.html",
)
def _duration(facts: Facts) -> Judgement:
    role, event = role_of(facts.named), _newest(facts)
    if not event.error or event.seconds is None or event.seconds <= role.max_session_duration:
        return ok("no session was asked for that is too long", allowed=f"{role.max_session_duration} s")
    return problem(
        "the newest call asked for too much",
        fix=f"aws iam update-role --role-name {role.name} --max-session-duration {min(event.seconds, 43200)}",
        asked_for=f"{event.seconds} s at {event.time.isoformat()}",
        allowed=f"{role.max_session_duration} s",
    )


@cause(
    "sts-region",
    Group.STS,
    78,
    title="STS is not active in the pods' region for the role's account.",
    symptom="RegionDisabledException: STS is not activated in this region for account",
    looks_at=_LOOKS_AT,
    remedy="Activate the region for STS in the account settings of IAM's console.",
    source=f"{_IAM}/id_credentials_temp_enable-regions.html",
)
def _region(facts: Facts) -> Judgement:
    event = _newest(facts)
    if not event.error.startswith("RegionDisabled"):
        return ok("STS is active in the region", last=event.time.isoformat())
    return problem(
        "the newest call was refused for that reason",
        fix=f"aws account enable-region --region-name {facts.cluster.region}",
        error=f"{event.error} at {event.time.isoformat()}",
        region=facts.cluster.region,
    )


@cause(
    "token-expired",
    Group.STS,
    77,
    title="The application sends a token that has expired.",
    symptom="ExpiredTokenException: Token expired",
    looks_at=_LOOKS_AT,
    remedy="Read the token's file before each exchange, as recent SDKs do: kubelet renews it.",
    source=_STS,
)
def _expired(facts: Facts) -> Judgement:
    event = _newest(facts)
    if event.error not in ("ExpiredToken", "ExpiredTokenException"):
        return ok("the newest call had a fresh token", last=event.time.isoformat())
    return problem(
        "the newest call had an old token",
        fix=restart(facts.named, users_of(facts.named)),
        error=f"{event.error} at {event.time.isoformat()}",
    )


@cause(
    "token-malformed",
    Group.STS,
    12,
    title="What is in the token's file is no token.",
    symptom="InvalidIdentityToken: The ID Token provided is not a valid JWT",
    looks_at="cloudtrail LookupEvents: STS notes the ServiceAccount only of tokens that it can read",
    remedy="Make the pod anew. The file has to hold three parts between dots, as irsa token shows them.",
    source="https://github.com/aws/amazon-eks-pod-identity-webhook/issues/232",
)
def _malformed(facts: Facts) -> Judgement:
    events = _calls(facts)
    if events:
        return ok("STS has read a token of the ServiceAccount", last=events[0].time.isoformat())
    users_of(facts.named)
    return unknown("STS has not been seen to read one, and the file can be looked at only inside of the pod")


@cause(
    "sts-throttled",
    Group.STS,
    50,
    title="STS is called too often, or can't reach the issuer in time.",
    symptom="Throttling or IDPCommunicationError, then the node's role",
    looks_at=_LOOKS_AT,
    remedy="Start fewer pods at once, share sessions, retry; at scale, EKS Pod Identity does not call STS.",
    source=_STS,
)
def _throttled(facts: Facts) -> Judgement:
    newest = _newest(facts)
    causes = ("Throttling", "RequestLimitExceeded", "IDPCommunicationError", "TooManyRequests")
    found = [event for event in _calls(facts) if event.error.startswith(causes)]
    if newest not in found:
        return ok("the newest call was not throttled", last=newest.time.isoformat())
    return problem(
        "the newest call was refused for that reason",
        fix=f"kubectl -n {facts.named.namespace} get pods # how many start at once",
        errors=f"{len(found)}, the newest {newest.error} at {newest.time.isoformat()}",
    )


@cause(
    "sts-never-asked",
    Group.STS,
    40,
    title="The application does not use its web identity.",
    symptom="The node's role as principal, although the environment is right",
    looks_at=f"{_LOOKS_AT}, since when the pods run",
    remedy="Let the SDK find credentials by its default chain; configure neither keys nor a profile.",
    source="https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html",
)
def _never(facts: Facts) -> Judgement:
    subject = facts.named
    annotation_of(subject)
    events = _calls(facts)
    if events:
        return ok("pods have called STS", last=max(event.time for event in events).isoformat())
    long_enough = {
        pod.name: pod
        for pod, _ in injected_users(subject)
        if pod.created is not None and facts.now - pod.created > _DELAY
    }
    if not long_enough:
        return unknown("no pod runs long enough: CloudTrail may be 15 minutes late")
    return unknown(
        "pods have had a web identity for a while and never called STS; they may not have needed to",
        pods=pod_names(long_enough.values()),
    )
