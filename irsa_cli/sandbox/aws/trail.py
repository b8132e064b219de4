"""CloudTrail: what STS saw of web identities, and who has written to IAM, as LookupEvents tells it.

AssumeRoleWithWebIdentity is recorded, at once (AWS takes minutes), in the role's account and the region
of the cluster that issued the token, since the unsigned call names none. Tokens that can't be verified leave
no event. So are calls of IAM that have changed something, in the region in which IAM is at home. Of what AWS
records, what was answered and the parts that are the same for all of them are left out.
https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html and
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from irsa_cli.sandbox.aws.callers import Caller, Session, Token, parse_role_arn
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest
from irsa_cli.sandbox.model import BY_NAME, Answer, table

_WRITTEN = {
    "RoleName": "AWS::IAM::Role",
    "PolicyArn": "AWS::IAM::Policy",
    "OpenIDConnectProviderArn": "AWS::IAM::OIDCProvider",
}
_KEYS = table("lookup attributes")
_MOST = 50
_NO_WORDS = "An unknown error occurred"
_ROLE = "AWS::IAM::Role"


@dataclass(frozen=True)
class TokenExchange:
    """A token that was exchanged for credentials (`session`), or refused with a `code` and STS's words."""

    token: Token
    role_arn: str
    region: str
    session_name: str = "pod"
    seconds: int = 3600
    agent: str = ""
    session: Session | None = None
    code: str = ""
    words: str = ""


@dataclass(frozen=True)
class _Event:
    place: tuple[str, str, str]
    time: float
    listed: dict[str, Any]

    def matches(self, key: str, value: str) -> bool:
        if key in ("ResourceType", "ResourceName"):
            return any(resource[key] == value for resource in self.listed["Resources"])
        return bool(self.listed.get(key) == value)


class Trail:
    """All events since start or reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[_Event] = []

    def reset(self) -> None:
        with self._lock:
            self._events.clear()

    def record(self, exchange: TokenExchange) -> None:
        """An exchange at STS, also one that was not made here: what pods have tried, for instance."""
        token = exchange.token
        session = exchange.session
        role_arn = exchange.role_arn
        partition, account = parse_role_arn(role_arn).group(1, 2)
        provider = f"arn:{partition}:iam::{account}:oidc-provider/{token.issuer_path}"
        refusal = {"errorCode": exchange.code, "errorMessage": exchange.words or _NO_WORDS}
        record = {
            "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRoleWithWebIdentity",
            "userIdentity": {
                "type": "WebIdentityUser",
                "principalId": f"{provider}:{token.audiences[0] if token.audiences else ''}:{token.subject}",
                "userName": token.subject,
                "identityProvider": provider,
            },
            "userAgent": exchange.agent,
            "readOnly": True,
            **(refusal if exchange.code else {}),
            "requestParameters": {
                "roleArn": role_arn,
                "roleSessionName": exchange.session_name,
                "durationSeconds": exchange.seconds,
            },
            "resources": [{"accountId": account, "type": _ROLE, "ARN": role_arn}],
        }
        key = session.access_key if session else ""
        self._add((account, partition, exchange.region), record, [(_ROLE, role_arn)], key)

    def record_write(self, request: AwsRequest, caller: Caller) -> None:
        """A call of IAM that has changed something, in the region in which IAM is at home."""
        if request.operation.startswith(("Get", "List", "Simulate", "Generate")):
            return
        record = {
            "eventSource": "iam.amazonaws.com",
            "eventName": request.operation,
            "userIdentity": {"type": "IAMUser", "arn": caller.arn, "userName": caller.name},
            "userAgent": request.headers.get("user-agent", ""),
            "readOnly": False,
        }
        resources = [
            (kind, request.params[name]) for name, kind in _WRITTEN.items() if name in request.params
        ]
        self._add((caller.account, caller.partition, BY_NAME[caller.partition].home), record, resources)

    def _add(
        self,
        place: tuple[str, str, str],
        record: Mapping[str, Any],
        resources: list[tuple[str, str]],
        access_key: str = "",
    ) -> None:
        """An event in an account, partition and region, of which the record says the rest."""
        now = datetime.now(timezone.utc)
        number = str(uuid.uuid4())
        whole = {
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "awsRegion": place[2],
            "eventID": number,
            "eventType": "AwsApiCall",
            "recipientAccountId": place[0],
            **record,
        }
        listed = {
            "EventId": number,
            "EventName": record["eventName"],
            "ReadOnly": str(record["readOnly"]).lower(),
            "EventTime": int(now.timestamp()),
            "EventSource": record["eventSource"],
            "Username": record["userIdentity"]["userName"],
            "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in resources],
            "CloudTrailEvent": json.dumps(whole),
            **({"AccessKeyId": access_key} if access_key else {}),
        }
        with self._lock:
            self._events.append(_Event(place, now.timestamp(), listed))

    def answer(self, request: AwsRequest, caller: Caller) -> Answer:
        if request.operation != "LookupEvents":
            message = f"The sandbox does not serve {request.operation} of CloudTrail."
            raise AwsError("NotImplemented", message, 501)
        parameters = request.json
        place = (caller.account, caller.partition, request.region)
        with self._lock:
            events = [event for event in reversed(self._events) if event.place == place]
        attributes = parameters.get("LookupAttributes", [])
        for attribute in attributes:
            key = attribute.get("AttributeKey")
            value = attribute.get("AttributeValue")
            if len(attributes) > 1 or key not in _KEYS or not value:
                message = "You can specify one lookup attribute, with one of the documented keys and a value."
                raise AwsError("InvalidLookupAttributesException", message)
            events = [event for event in events if event.matches(key, value)]
        start = parameters.get("StartTime", 0)
        end = parameters.get("EndTime", float("inf"))
        if start > end:
            raise AwsError("InvalidTimeRangeException", "The start time is after the end time.")
        return Answer.of_json(_page(parameters, [event for event in events if start <= event.time <= end]))


def _page(parameters: Mapping[str, Any], chosen: list[_Event]) -> dict[str, Any]:
    size = parameters.get("MaxResults", _MOST)
    if not 1 <= size <= _MOST:
        raise AwsError("InvalidMaxResultsException", f"Max results must be between 1 and {_MOST}.")
    last = parameters.get("NextToken")
    ids = [event.listed["EventId"] for event in chosen]
    if last is not None and last not in ids:
        raise AwsError("InvalidNextTokenException", "Invalid token.")
    start = ids.index(last) + 1 if last else 0
    events = [event.listed for event in chosen[start : start + size]]
    more = {"NextToken": events[-1]["EventId"]} if start + size < len(chosen) else {}
    return {"Events": events, **more}
