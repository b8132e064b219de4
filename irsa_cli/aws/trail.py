"""Events of CloudTrail: recent writes to a role, exchanges of tokens, evidence of use. Reading only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from importlib.resources import files
from typing import Any

from irsa_cli.aws.errors import call, pages
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.objects.aws import AGENT
from irsa_cli.core.objects.trail import TrailEvent, is_own
from irsa_cli.core.planning.repoint import trusted
from irsa_cli.core.results.applied import Changed
from irsa_cli.core.values import limits
from irsa_cli.core.values.arn import issuer_of
from irsa_cli.core.values.errors import IrsaError, Unreadable, read
from irsa_cli.core.values.names import subject
from irsa_cli.core.values.shown import moment, redacted

EVENTS = 50
"""Events asked for, the most that CloudTrail gives at once."""
HOMES: Mapping[str, str] = json.loads((files(__package__) / "homes.json").read_text(encoding="utf-8"))
"""The region of each partition in which IAM's events are."""
EXCHANGE = "AssumeRoleWithWebIdentity"
MOST_PAGES = 40
"""Pages of events that are read of one subject: CloudTrail allows two calls a second."""
WRITES = 5
"""The most writes to one object that are shown, the newest."""
_REGION = re.compile(r"oidc[.-]eks\.([a-z0-9-]+)\.")
KEPT = timedelta(days=90, minutes=5)
"""For how long CloudTrail keeps its event history, with time for a run that asks for all of it."""


def writes_to(aws: AwsSession, name: str) -> list[Changed]:
    """The newest writes to an object, newest first, without what AWS refused; of 90 days at most.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """
    cloudtrail = aws.moved_to(HOMES.get(aws.partition, aws.region)).client("cloudtrail")
    attributes = [{"AttributeKey": "ResourceName", "AttributeValue": name}]
    events = call(cloudtrail.lookup_events, LookupAttributes=attributes, MaxResults=EVENTS)["Events"]
    writes = [_write_of(name, event) for event in events if event.get("ReadOnly") != "true"]
    return [event for event in writes if event is not None][:WRITES]


def exchanged_since(aws: AwsSession, subject: str, provider: str, since: datetime) -> datetime | None:
    """When STS last took a token of this subject and provider; None for never, or only for irsa.

    Raises `IrsaError` if there are more events than irsa reads, or one that can't be read: then unknown.
    """
    cloudtrail = aws.client("cloudtrail")
    attributes = [{"AttributeKey": "Username", "AttributeValue": subject}]
    parameters = {"LookupAttributes": attributes, "StartTime": since, "MaxResults": EVENTS}
    for number, page in enumerate(pages(cloudtrail.lookup_events, "NextToken", **parameters)):
        if number == MOST_PAGES:
            raise IrsaError(f"CloudTrail has more than {MOST_PAGES * EVENTS} events of {subject}")
        for record in page["Events"]:
            if record.get("EventName") != EXCHANGE:
                continue
            event = _event(record)
            if event is None:
                raise IrsaError(f"an event of {subject} in CloudTrail can't be read")
            # The caller of an event that could be read.
            caller = json.loads(record["CloudTrailEvent"]).get("userIdentity")
            theirs = (caller if isinstance(caller, dict) else {}).get("identityProvider") in (None, provider)
            if theirs and not event.error and not event.own:
                return event.time
    return None


def sts_regions(aws: AwsSession, provider: str, region: str) -> list[str]:
    """Where pods of the provider's cluster call STS: its region (else `region`), or the global endpoint."""
    region_match = _REGION.match(issuer_of(provider))
    own = region_match[1] if region_match else region
    return list(dict.fromkeys((own, HOMES.get(aws.partition, own))))


@dataclass(frozen=True)
class TrailUse:
    """The use of a provider's tokens in CloudTrail, or why it is unknown; both '' for no use."""

    seen: str = ""
    unknown: str = ""


def use_in_trail(aws: AwsSession, trust: Mapping[str, Any], provider: str, since: datetime) -> str:
    """The last use of tokens for what a trust policy allows, or why it is unknown; '' for none."""
    use = look_for_use(aws, trust, provider, since)
    return use.seen or use.unknown


def look_for_use(aws: AwsSession, trust: Mapping[str, Any], provider: str, since: datetime) -> TrailUse:
    """The use of a provider's tokens for what a trust policy allows: each subject is asked for."""
    subjects = trusted(trust, provider)
    if subjects.patterns:
        return TrailUse(unknown="a statement allows a pattern of subjects: CloudTrail can't show who uses it")
    if datetime.now(timezone.utc) - since > KEPT:
        return TrailUse(unknown="CloudTrail keeps 90 days: it can't show who used it before")
    for region in sts_regions(aws, provider, aws.region):
        for name in subjects.names:
            look = partial(exchanged_since, aws.moved_to(region), subject(*name), provider, since)
            last = read(look)
            if isinstance(last, Unreadable):
                return TrailUse(unknown=f"CloudTrail in {region} could not be read: {last.why}")
            if last is not None:
                used = f"{'/'.join(name)} of the old cluster used it on {moment(last)}"
                return TrailUse(seen=f"{used} (CloudTrail in {region})")
    return TrailUse()


def _write_of(name: str, event: Mapping[str, Any]) -> Changed | None:
    try:
        record = json.loads(event["CloudTrailEvent"])
        if record.get("errorCode"):
            return None
        who = (record.get("userIdentity") or {}).get("arn") or event.get("Username") or "unknown"
        agents = str(record.get("userAgent") or "").split(" ")
        agent = next((text for text in agents if text.startswith(f"{AGENT}/")), agents[0])
    except (ValueError, RecursionError, AttributeError, KeyError):
        return None
    time = event["EventTime"].astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Changed(name, str(event.get("EventName", "")), time, redacted(str(who)), redacted(agent))


def web_identity_events(cloudtrail: Any, subject: str) -> tuple[TrailEvent, ...]:
    """The newest exchanges of tokens that STS saw of a subject, newest first; those of 90 days at most.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
    """
    attributes = [{"AttributeKey": "Username", "AttributeValue": subject}]
    records = call(cloudtrail.lookup_events, LookupAttributes=attributes, MaxResults=EVENTS)["Events"]
    events = [_event(record) for record in records if record.get("EventName") == EXCHANGE]
    known = [event for event in events if event is not None]
    return tuple(sorted(known, key=lambda event: event.time, reverse=True))


def _event(entry: Mapping[str, Any]) -> TrailEvent | None:
    """An event, None for a record that can't be read: what it tells is not known."""
    try:
        record = json.loads(entry["CloudTrailEvent"])
    except (ValueError, RecursionError):
        return None
    parameters = (record.get("requestParameters") or {}) if isinstance(record, dict) else None
    if not isinstance(parameters, dict):
        return None
    seconds = parameters.get("durationSeconds")
    return TrailEvent(
        time=limits.moment(record.get("eventTime")) or entry["EventTime"],
        role_arn=_text(parameters.get("roleArn")),
        error=_text(record.get("errorCode")),
        message=redacted(_text(record.get("errorMessage"))),
        seconds=seconds if isinstance(seconds, int) else None,
        own=is_own(_text(parameters.get("roleSessionName")), _text(record.get("userAgent"))),
        region=_text(record.get("awsRegion")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
