"""Who has written to an object of IAM, as CloudTrail has it: of the last 90 days, some minutes late.

What STS saw of tokens is read in `irsa_cli.aws.diagnosis`.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
"""

from __future__ import annotations

import json
from typing import Any

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.pod.own_calls import AGENT
from irsa_cli.core.results.changed_by import Changed
from irsa_cli.core.values.redaction import redacted

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
MOST = 5
"""So many writes to one object are told, the newest."""


def writes_to(aws: AwsSession, name: str) -> list[Changed]:
    """The newest writes to an object, newest first, without what AWS refused; raises `ServiceError`."""
    cloudtrail = aws.moved_to(HOMES.get(aws.partition, aws.region)).client("cloudtrail")
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": name}]
    found = call(cloudtrail.lookup_events, LookupAttributes=wanted, MaxResults=50)["Events"]
    writes = [_write(name, item) for item in found if item.get("ReadOnly") != "true"]
    return [item for item in writes if item is not None][:MOST]


def _write(name: str, item: dict[str, Any]) -> Changed | None:
    try:
        record = json.loads(item["CloudTrailEvent"])
        failed, identity = record.get("errorCode"), record.get("userIdentity") or {}
        who = identity.get("arn") or item.get("Username") or "unknown"
        agents = str(record.get("userAgent") or "").split(" ")
        agent = next((text for text in agents if text.startswith(f"{AGENT}/")), agents[0])
    except (ValueError, RecursionError, AttributeError, KeyError):
        return None
    if failed:
        return None
    time = item["EventTime"].isoformat(timespec="seconds").replace("+00:00", "Z")
    return Changed(name, str(item.get("EventName", "")), time, redacted(str(who)), redacted(agent))
