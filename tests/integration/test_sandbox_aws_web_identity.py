"""AssumeRoleWithWebIdentity: what the table of tests/aws_facts does not have of tokens, and what sessions"
" may."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwk, jwt

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Sandbox
from tests.support.aws_lines import do, refused
from tests.support.sandbox_clients import (
    ACCOUNT,
    AUDIENCE,
    S3_READ,
    anonymous,
    client,
    client_of,
    policy,
    trust,
)

HOST = "oidc.example.com/id/TESTS"
ISSUER = f"https://{HOST}"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
SUBJECT = "system:serviceaccount:shop:cart"
CONDITION = {"StringEquals": {f"{HOST}:sub": SUBJECT, f"{HOST}:aud": AUDIENCE}}
KEY = jwk.RSAKey.generate_key(2048, parameters={"kid": "one"})
SECRET = jwk.OctKey.import_key("a-secret-of-32-characters-or-more")
EXCHANGE = (
    "AssumeRoleWithWebIdentity"
    " {RoleArn: $HERE:role/shop/cart, RoleSessionName: session, WebIdentityToken: $TOKEN}"
)
INVALID, DENIED, UNREACHABLE = "InvalidIdentityToken 400", "AccessDenied 403", "IDPCommunicationError 400"


def token(*, key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    """A token of the ServiceAccount, with other claims."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": now + 600, "iat": now, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": "one"}, claims, key, algorithms=["RS256", "HS256"])


@dataclass
class Shop:
    """A cluster with the issuer of these tests, its provider, and a role that trusts one ServiceAccount."""

    sandbox: Sandbox
    keys: Callable[[], dict[str, Any]]
    sts: Any
    iam: Any

    def session(self, service: str, more: str = "") -> Any:
        """A client with the credentials of an exchange."""
        line = f"{EXCHANGE[:-1]}{more}}}"
        return client_of(self.sandbox, service, do(self.sts, line, TOKEN=token())["Credentials"])


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    """All that a token needs to become a role."""
    public = {"keys": [KEY.as_dict(private=False)]}
    shop = Shop(sandbox, lambda: public, anonymous(sandbox, "sts"), client(sandbox, "iam"))
    external = ExternalCluster("https://127.0.0.1:1", "ca", ISSUER, lambda: shop.keys())
    sandbox.add_cluster(ClusterSpec("shop", external=external))
    words = {"URL": ISSUER, "TRUST": trusts()}
    do(shop.iam, f"CreateOpenIDConnectProvider {{Url: $URL, ClientIDList: [{AUDIENCE}]}}", **words)
    do(shop.iam, "CreateRole {RoleName: cart, Path: /shop/, AssumeRolePolicyDocument: $TRUST}", **words)
    do(shop.iam, "AttachRolePolicy {RoleName: cart, PolicyArn: $S3}")
    return shop


def trusts(federated: str = PROVIDER, condition: Any = CONDITION) -> str:
    """A trust policy for tokens."""
    return trust({"Federated": federated}, condition, action="sts:AssumeRoleWithWebIdentity")


@pytest.mark.parametrize(
    ("service", "line", "ends"),
    [
        ("s3", "PutObject {Bucket: $B, Key: x, Body: y}", DENIED),
        ("s3", "CreateBucket {Bucket: mine}", DENIED),
        ("iam", "GetRole {RoleName: cart}", DENIED),
        ("eks", "DescribeCluster {name: shop}", "AccessDeniedException 403"),
    ],
)
def test_the_credentials_do_what_the_policy_allows_and_no_more(
    shop: Shop, service: str, line: str, ends: str
) -> None:
    s3 = shop.session("s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert refused(shop.session(service), line, B=bucket) == ends


def test_what_narrows_a_session(shop: Shop) -> None:
    narrow = json.dumps(policy("s3:GetObject"))
    s3 = shop.session("s3")
    s3.list_buckets()
    assert refused(shop.session("s3", ", Policy: $READS"), "ListBuckets") == DENIED
    boundary = shop.iam.create_policy(PolicyName="boundary", PolicyDocument=narrow)["Policy"]["Arn"]
    shop.iam.put_role_permissions_boundary(RoleName="cart", PermissionsBoundary=boundary)
    assert refused(s3, "ListBuckets") == DENIED
    shop.iam.delete_role_permissions_boundary(RoleName="cart")
    s3.list_buckets()
    shop.iam.detach_role_policy(RoleName="cart", PolicyArn=S3_READ)
    assert refused(s3, "ListBuckets") == DENIED
    shop.iam.delete_role(RoleName="cart")
    assert refused(s3, "ListBuckets").startswith("InvalidAccessKeyId")


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"iss": None}, INVALID),
        ({"exp": None}, "ExpiredTokenException 400"),
        ({"aud": None}, INVALID),
        ({"key": SECRET, "algorithm": "HS256"}, INVALID),
        ({"sub": SUBJECT.upper()}, DENIED),
    ],
)
def test_bad_tokens(shop: Shop, changes: dict[str, Any], ends: str) -> None:
    assert refused(shop.sts, EXCHANGE, TOKEN=token(**changes)) == ends


def test_an_issuer_of_another_cluster_or_of_nobody(shop: Shop) -> None:
    demo = client(shop.sandbox, "eks").describe_cluster(name="demo")["cluster"]["identity"]["oidc"]["issuer"]
    for issuer in (demo, "https://gone.example.com/id/X"):
        shop.iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[AUDIENCE])
        # It is signed by a key of the first issuer.
        assert refused(shop.sts, EXCHANGE, TOKEN=token(iss=issuer)) == INVALID


def test_keys_that_do_not_come(shop: Shop) -> None:
    def unreachable() -> dict[str, Any]:
        raise ConnectionError

    shop.keys = unreachable
    assert refused(shop.sts, EXCHANGE, TOKEN=token()) == UNREACHABLE


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (
            f"RemoveClientIDFromOpenIDConnectProvider {{OpenIDConnectProviderArn: $PROVIDER, ClientID:"
            f" {AUDIENCE}}}",
            INVALID,
        ),
        ("UpdateAssumeRolePolicy {RoleName: cart, PolicyDocument: $OTHER}", DENIED),
        ("UpdateAssumeRolePolicy {RoleName: cart, PolicyDocument: $ELSE}", DENIED),
    ],
)
def test_bad_worlds(shop: Shop, change: str, ends: str) -> None:
    shop.session("sts")
    other, audience = trusts(f"{PROVIDER}X"), trusts(condition={"StringEquals": {f"{HOST}:aud": "other"}})
    do(shop.iam, change, PROVIDER=PROVIDER, OTHER=other, ELSE=audience)
    assert refused(shop.sts, EXCHANGE, TOKEN=token()) == ends


@pytest.mark.parametrize(
    ("parameter", "ends"),
    [
        ("RoleArn: $HERE:role/cart", DENIED),
        ("RoleArn: cart", "ValidationError 400"),
        ("RoleSessionName: no spaces", "ValidationError 400"),
        ("DurationSeconds: 899", "ValidationError 400"),
        ("RoleArn: 'arn:aws:iam::999900001111:role/x'", DENIED),
    ],
)
def test_bad_requests(shop: Shop, parameter: str, ends: str) -> None:
    assert refused(shop.sts, f"{EXCHANGE[:-1]}, {parameter}}}", TOKEN=token()) == ends


def test_the_role_decides_how_long_a_session_may_last(shop: Shop) -> None:
    shop.iam.update_role(RoleName="cart", MaxSessionDuration=7200)
    shop.session("sts", ", DurationSeconds: 7200")
