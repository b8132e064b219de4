"""CloudTrail's LookupEvents: what STS saw of a ServiceAccount, granted and refused.

Judged by https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html (the record) and the
LookupEvents reference (attributes, pages, errors).
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from joserfc import jwk, jwt

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Sandbox
from tests.support.aws_lines import do, refused, tried
from tests.support.sandbox_clients import ACCOUNT, AUDIENCE, anonymous, client, trust

REGION = "eu-central-1"
PATH = "oidc.eks.eu-central-1.amazonaws.com/id/TRAIL"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PATH}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cart"
CART = "system:serviceaccount:shop:cart"
OTHER = "system:serviceaccount:shop:other"
KEY = jwk.RSAKey.generate_key(2048, parameters={"kid": "one"})
NOW = datetime.now(timezone.utc)
HOUR = timedelta(hours=1)


@dataclass
class Shop:
    """A cluster in another region, its provider, and a role that admits one ServiceAccount."""

    sandbox: Sandbox
    trail: Any

    def assume(self, subject: str = CART, role: str = ROLE, audience: str = AUDIENCE) -> str:
        """Exchange a token; returns how it ends."""
        now = int(time.time())
        claims = {"iss": f"https://{PATH}", "sub": subject, "aud": [audience], "exp": now + 600, "iat": now}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        exchange = (
            "AssumeRoleWithWebIdentity {RoleArn: $ROLE, RoleSessionName: pod, DurationSeconds: 900,"
            " WebIdentityToken: $TOKEN}"
        )
        return tried(anonymous(self.sandbox, "sts"), exchange, ROLE=role, TOKEN=token)

    def events(self, value: str = CART, key: str = "Username") -> list[dict[str, Any]]:
        """All events of a user name, newest first."""
        line = "LookupEvents {LookupAttributes: [{AttributeKey: $KEY, AttributeValue: $VALUE}]}"
        found: list[dict[str, Any]] = do(self.trail, line, KEY=key, VALUE=value)["Events"]
        return found


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    public = {"keys": [KEY.as_dict(private=False)]}
    external = ExternalCluster("https://127.0.0.1:1", "ca", f"https://{PATH}", lambda: public)
    sandbox.add_cluster(ClusterSpec("shop", REGION, external=external))
    iam = client(sandbox, "iam")
    iam.create_open_id_connect_provider(Url=f"https://{PATH}", ClientIDList=[AUDIENCE])
    condition = {"StringEquals": {f"{PATH}:sub": CART, f"{PATH}:aud": AUDIENCE}}
    document = trust({"Federated": PROVIDER}, condition, action="sts:AssumeRoleWithWebIdentity")
    iam.create_role(RoleName="cart", AssumeRolePolicyDocument=document)
    return Shop(sandbox, client(sandbox, "cloudtrail", region=REGION))


def test_a_granted_exchange(shop: Shop) -> None:
    assert shop.assume() == ""
    (event,) = shop.events()
    text = event["CloudTrailEvent"]
    assert "essionToken" not in text
    assert "ecret" not in text
    record = json.loads(text)
    told = [event[name] for name in ("EventName", "EventSource", "Username", "ReadOnly")]
    assert told == ["AssumeRoleWithWebIdentity", "sts.amazonaws.com", CART, "true"]
    assert event["Resources"] == [{"ResourceType": "AWS::IAM::Role", "ResourceName": ROLE}]
    assert NOW - timedelta(seconds=1) <= event["EventTime"] <= datetime.now(timezone.utc)
    assert record["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{PROVIDER}:{AUDIENCE}:{CART}",
        "userName": CART,
        "identityProvider": PROVIDER,
    }
    asked = {"roleArn": ROLE, "roleSessionName": "pod", "durationSeconds": 900}
    assert record["requestParameters"] == asked
    assert (record["awsRegion"], record["recipientAccountId"]) == (REGION, ACCOUNT)
    assert (record["eventID"], "errorCode" in record) == (event["EventId"], False)
    assert event["AccessKeyId"].startswith("ASIA")


def test_the_role_was_used_where_the_cluster_is(shop: Shop) -> None:
    iam = client(shop.sandbox, "iam")
    used = []
    for subject in (OTHER, CART):
        shop.assume(subject)
        used.append(iam.get_role(RoleName="cart")["Role"]["RoleLastUsed"].get("Region"))
    assert used == [None, REGION]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"subject": OTHER}, "AccessDenied"),
        ({"role": f"arn:aws:iam::{ACCOUNT}:role/nowhere"}, "AccessDenied"),
        ({"audience": "another"}, "InvalidIdentityToken"),
    ],
)
def test_a_refused_exchange(shop: Shop, asked: dict[str, str], code: str) -> None:
    assert shop.assume(**asked).startswith(f"{code} ")
    subject = asked.get("subject", CART)
    (event,) = shop.events(subject)
    record = json.loads(event["CloudTrailEvent"])
    assert (record["errorCode"], record["errorMessage"]) == (code, "An unknown error occurred")
    assert record["requestParameters"]["roleArn"] == asked.get("role", ROLE)
    assert (record["userIdentity"]["userName"], "AccessKeyId" in event) == (subject, False)


def test_only_of_the_name_region_and_account_that_are_asked_for(shop: Shop) -> None:
    for subject in (CART, OTHER):
        shop.assume(subject)
    assert len(shop.events()) == len(shop.events(OTHER)) == 1
    assert shop.events(CART[:-1]) == []
    assert len(shop.trail.lookup_events()["Events"]) == 2
    for place in ({"region": "eu-west-1"}, {"account": "222233334444", "region": REGION}):
        assert client(shop.sandbox, "cloudtrail", **place).lookup_events()["Events"] == []
    shop.sandbox.reset()
    assert client(shop.sandbox, "cloudtrail", region=REGION).lookup_events()["Events"] == []


def test_newest_first_in_pages(shop: Shop) -> None:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/r{number}" for number in range(5)]
    for role in roles:
        shop.assume(role=role)
    pages = list(shop.trail.get_paginator("lookup_events").paginate(PaginationConfig={"PageSize": 2}))
    found = [event["Resources"][0]["ResourceName"] for page in pages for event in page["Events"]]
    assert (found, len(pages)) == (roles[::-1], 3)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ResourceName", ROLE),
        ("EventName", "AssumeRoleWithWebIdentity"),
        ("EventSource", "sts.amazonaws.com"),
    ],
)
def test_other_attributes(shop: Shop, key: str, value: str) -> None:
    shop.assume()
    assert [len(shop.events(text, key)) for text in (value, "another")] == [1, 0]


@pytest.mark.parametrize(
    ("times", "count"),
    [
        ({"StartTime": NOW - HOUR, "EndTime": NOW + 10 * HOUR}, 1),
        ({"StartTime": NOW + 10 * HOUR}, 0),
        ({"EndTime": NOW - HOUR}, 0),
    ],
)
def test_times(shop: Shop, times: dict[str, datetime], count: int) -> None:
    shop.assume()
    assert len(shop.trail.lookup_events(**times)["Events"]) == count


ATTRIBUTE = "{AttributeKey: Username, AttributeValue: x}"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (f"LookupAttributes: [{ATTRIBUTE}, {ATTRIBUTE}]", "InvalidLookupAttributesException"),
        (f"LookupAttributes: [{ATTRIBUTE.replace('Username', 'Color')}]", "InvalidLookupAttributesException"),
        ("MaxResults: 51", "InvalidMaxResultsException"),
        ("NextToken: x", "InvalidNextTokenException"),
        ("StartTime: 2026-01-02T00:00:00Z, EndTime: 2026-01-01T00:00:00Z", "InvalidTimeRangeException"),
    ],
)
def test_what_it_refuses(shop: Shop, asked: str, code: str) -> None:
    assert refused(shop.trail, f"LookupEvents {{{asked}}}").startswith(f"{code} ")
