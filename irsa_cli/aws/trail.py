"""Recent writes to a role, by CloudTrail. Reading only."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.objects.credentials import AGENT
from irsa_cli.core.results.applied import Changed
from irsa_cli.core.values.shown import redacted

EVENTS = 50
"""Events asked for, the most that CloudTrail gives at once."""
HOMES = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}
"""The region of each partition in which IAM's events are."""
WRITES = 5
"""The most writes to one object that are shown, the newest."""


def writes_to(aws: AwsSession, name: str) -> list[Changed]:
    """The newest writes to an object, newest first, without what AWS refused; of 90 days at most.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """
    cloudtrail = aws.moved_to(HOMES.get(aws.partition, aws.region)).client("cloudtrail")
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": name}]
    found = call(cloudtrail.lookup_events, LookupAttributes=wanted, MaxResults=EVENTS)["Events"]
    writes = [_write_of(name, item) for item in found if item.get("ReadOnly") != "true"]
    return [item for item in writes if item is not None][:WRITES]


def last_exchange(aws: AwsSession, subject: str) -> datetime | None:
    """When STS last gave a token of this subject credentials, irsa's own exchanges aside; None if unknown."""
    wanted = [{"AttributeKey": "Username", "AttributeValue": subject}]
    cloudtrail = aws.client("cloudtrail")
    found = call(cloudtrail.lookup_events, LookupAttributes=wanted, MaxResults=EVENTS)["Events"]
    exchanges = (item for item in found if item.get("EventName") == "AssumeRoleWithWebIdentity")
    writes = ((item["EventTime"], _write_of(subject, item)) for item in exchanges)
    times = [time for time, write in writes if write is not None and not write.agent.startswith(f"{AGENT}/")]
    return max(times, default=None)


def _write_of(name: str, item: dict[str, Any]) -> Changed | None:
    try:
        record = json.loads(item["CloudTrailEvent"])
        if record.get("errorCode"):
            return None
        who = (record.get("userIdentity") or {}).get("arn") or item.get("Username") or "unknown"
        agents = str(record.get("userAgent") or "").split(" ")
        agent = next((text for text in agents if text.startswith(f"{AGENT}/")), agents[0])
    except (ValueError, RecursionError, AttributeError, KeyError):
        return None
    time = item["EventTime"].astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Changed(name, str(item.get("EventName", "")), time, redacted(str(who)), redacted(agent))
