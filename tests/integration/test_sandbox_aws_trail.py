"""CloudTrail's LookupEvents: what STS saw of a ServiceAccount, granted and refused.

Judged by https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html (the record) and the
LookupEvents reference (attributes, pages, errors).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError
from joserfc import jwk, jwt

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Sandbox
from tests.support.sandbox_clients import ACCOUNT, AUDIENCE, anonymous, client, policy, refusal, trust

REGION = "eu-central-1"
PATH = "oidc.eks.eu-central-1.amazonaws.com/id/TRAIL"
ISSUER = f"https://{PATH}"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PATH}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cart"
CART = "system:serviceaccount:shop:cart"
KEY = jwk.RSAKey.generate_key(2048, parameters={"kid": "one"})


@dataclass
class Shop:
    """A cluster in another region, its provider, and a role that admits one ServiceAccount."""

    sandbox: Sandbox
    sts: Any
    trail: Any

    def assume(self, subject: str = CART, role: str = ROLE, audience: str = AUDIENCE, **more: Any) -> str:
        """Exchange a token; returns the error's code, or nothing."""
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": subject, "aud": [audience], "exp": now + 600, "iat": now}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        wanted = {"RoleArn": role, "RoleSessionName": "pod", "WebIdentityToken": token, **more}
        try:
            self.sts.assume_role_with_web_identity(**wanted)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    def events(self, username: str = CART) -> list[dict[str, Any]]:
        """All events of a user name, newest first."""
        attributes = [{"AttributeKey": "Username", "AttributeValue": username}]
        found: list[dict[str, Any]] = self.trail.lookup_events(LookupAttributes=attributes)["Events"]
        return found


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    public = {"keys": [KEY.as_dict(private=False)]}
    external = ExternalCluster("https://127.0.0.1:1", "ca", ISSUER, lambda: public)
    sandbox.add_cluster(ClusterSpec("shop", REGION, external=external))
    iam = client(sandbox, "iam")
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE])
    condition = {"StringEquals": {f"{PATH}:sub": CART, f"{PATH}:aud": AUDIENCE}}
    document = trust({"Federated": PROVIDER}, condition, action="sts:AssumeRoleWithWebIdentity")
    iam.create_role(RoleName="cart", AssumeRolePolicyDocument=document)
    return Shop(sandbox, anonymous(sandbox, "sts"), client(sandbox, "cloudtrail", region=REGION))


def test_a_granted_exchange(shop: Shop) -> None:
    assert shop.assume(DurationSeconds=900) == ""
    (event,) = shop.events()
    record = json.loads(event["CloudTrailEvent"])
    assert (event["EventName"], event["EventSource"], event["Username"], event["ReadOnly"]) == (
        "AssumeRoleWithWebIdentity",
        "sts.amazonaws.com",
        CART,
        "true",
    )
    assert event["Resources"] == [{"ResourceType": "AWS::IAM::Role", "ResourceName": ROLE}]
    assert abs(event["EventTime"] - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert record["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{PROVIDER}:{AUDIENCE}:{CART}",
        "userName": CART,
        "identityProvider": PROVIDER,
    }
    assert record["requestParameters"] == {
        "roleArn": ROLE,
        "roleSessionName": "pod",
        "durationSeconds": 900,
    }
    assert (record["awsRegion"], record["recipientAccountId"]) == (REGION, ACCOUNT)
    assert record["eventID"] == event["EventId"]
    assert "errorCode" not in record
    assert event["AccessKeyId"].startswith("ASIA")


def test_the_role_was_used_where_the_cluster_is(shop: Shop) -> None:
    shop.assume("system:serviceaccount:shop:other")
    iam = client(shop.sandbox, "iam")
    assert iam.get_role(RoleName="cart")["Role"]["RoleLastUsed"] == {}
    shop.assume()
    assert iam.get_role(RoleName="cart")["Role"]["RoleLastUsed"]["Region"] == REGION


def test_it_holds_no_secrets(shop: Shop) -> None:
    shop.assume()
    (event,) = shop.events()
    assert "essionToken" not in event["CloudTrailEvent"]
    assert "ecret" not in event["CloudTrailEvent"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"subject": "system:serviceaccount:shop:other"}, "AccessDenied"),
        ({"role": f"arn:aws:iam::{ACCOUNT}:role/nowhere"}, "AccessDenied"),
        ({"audience": "another"}, "InvalidIdentityToken"),
    ],
)
def test_a_refused_exchange(shop: Shop, asked: dict[str, str], code: str) -> None:
    assert shop.assume(**asked) == code
    (event,) = shop.events(asked.get("subject", CART))
    record = json.loads(event["CloudTrailEvent"])
    assert (record["errorCode"], record["errorMessage"]) == (code, "An unknown error occurred")
    assert record["requestParameters"]["roleArn"] == asked.get("role", ROLE)
    assert record["userIdentity"]["userName"] == asked.get("subject", CART)
    assert "AccessKeyId" not in event


def test_only_of_the_name_that_is_asked_for(shop: Shop) -> None:
    shop.assume()
    shop.assume("system:serviceaccount:shop:other")
    assert len(shop.events()) == len(shop.events("system:serviceaccount:shop:other")) == 1
    assert shop.events("system:serviceaccount:shop:car") == []
    assert len(shop.trail.lookup_events()["Events"]) == 2


def test_in_the_region_of_the_cluster_and_the_account_of_the_role(shop: Shop) -> None:
    shop.assume()
    elsewhere = client(shop.sandbox, "cloudtrail", region="eu-west-1")
    others = client(shop.sandbox, "cloudtrail", account="222233334444", region=REGION)
    assert elsewhere.lookup_events()["Events"] == others.lookup_events()["Events"] == []


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
    for wanted, count in ((value, 1), ("another", 0)):
        attributes = [{"AttributeKey": key, "AttributeValue": wanted}]
        assert len(shop.trail.lookup_events(LookupAttributes=attributes)["Events"]) == count


def test_times(shop: Shop) -> None:
    shop.assume()
    now = datetime.now(timezone.utc)
    hour = timedelta(hours=1)
    assert len(shop.trail.lookup_events(StartTime=now - hour, EndTime=now + hour)["Events"]) == 1
    assert shop.trail.lookup_events(StartTime=now + hour)["Events"] == []
    assert shop.trail.lookup_events(EndTime=now - hour)["Events"] == []


def _refused(shop: Shop, **asked: Any) -> str:
    return refusal(lambda: shop.trail.lookup_events(**asked))[0]


def test_what_it_refuses(shop: Shop) -> None:
    one = {"AttributeKey": "Username", "AttributeValue": CART}
    now = datetime.now(timezone.utc)
    assert _refused(shop, LookupAttributes=[one, one]) == "InvalidLookupAttributesException"
    unknown = {"AttributeKey": "Color", "AttributeValue": "red"}
    assert _refused(shop, LookupAttributes=[unknown]) == "InvalidLookupAttributesException"
    assert _refused(shop, MaxResults=51) == "InvalidMaxResultsException"
    assert _refused(shop, NextToken="x") == "InvalidNextTokenException"
    backwards = {"StartTime": now, "EndTime": now - timedelta(hours=1)}
    assert _refused(shop, **backwards) == "InvalidTimeRangeException"


def test_permission(shop: Shop) -> None:
    shop.sandbox.add_user("one", policy=policy("cloudtrail:LookupEvents"))
    shop.sandbox.add_user("two", policy=policy("cloudtrail:Get*"))
    calls: dict[str, Callable[[], Any]] = {
        user: client(shop.sandbox, "cloudtrail", user=user, region=REGION).lookup_events
        for user in ("one", "two")
    }
    assert calls["one"]()["Events"] == []
    assert refusal(calls["two"]) == ("AccessDeniedException", 403)


def test_reset_forgets_them(shop: Shop) -> None:
    shop.assume()
    shop.sandbox.reset()
    assert client(shop.sandbox, "cloudtrail", region=REGION).lookup_events()["Events"] == []
