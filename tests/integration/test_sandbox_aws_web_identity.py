"""AssumeRoleWithWebIdentity: who gets credentials, who doesn't and why, and what the credentials can do."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from joserfc import jwk, jwt

from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Sandbox
from tests.support.sandbox_clients import (
    ACCOUNT,
    AUDIENCE,
    S3_READ,
    anonymous,
    client,
    client_of,
    policy,
    refusal,
    trust,
)

ISSUER = "https://oidc.example.com/id/TESTS"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.com/id/TESTS"
SUBJECT = "system:serviceaccount:shop:cart"
CONDITION = {
    "StringEquals": {"oidc.example.com/id/TESTS:sub": SUBJECT, "oidc.example.com/id/TESTS:aud": AUDIENCE}
}
KEY = jwk.RSAKey.generate_key(2048, parameters={"kid": "one"})
OTHER_KEY = jwk.RSAKey.generate_key(2048, parameters={"kid": "one"})
ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop/cart"


def _token(*, key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": now + 600, "iat": now, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": "one"}, claims, key, algorithms=["RS256", "ES256", "HS256"])


@dataclass
class Shop:
    """A cluster with the issuer of these tests, its provider, and a role that trusts one ServiceAccount."""

    sandbox: Sandbox
    keys: Callable[[], dict[str, Any]]
    sts: Any
    iam: Any
    asked: dict[str, Any] = field(default_factory=dict)

    def assume(self, token: str, **changes: Any) -> dict[str, Any]:
        """Exchange a token at STS."""
        wanted = {"RoleArn": ROLE, "RoleSessionName": "session", "WebIdentityToken": token, **changes}
        answer: dict[str, Any] = self.sts.assume_role_with_web_identity(**wanted)
        return answer


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    """All that a token needs to become a role."""
    public = {"keys": [KEY.as_dict(private=False)]}
    shop = Shop(sandbox, lambda: public, anonymous(sandbox, "sts"), client(sandbox, "iam"))
    external = ExternalCluster("https://127.0.0.1:1", "ca", ISSUER, lambda: shop.keys())
    sandbox.add_cluster(ClusterSpec("shop", external=external))
    shop.iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE])
    document = trust({"Federated": PROVIDER}, CONDITION, action="sts:AssumeRoleWithWebIdentity")
    shop.iam.create_role(RoleName="cart", Path="/shop/", AssumeRolePolicyDocument=document)
    shop.iam.attach_role_policy(RoleName="cart", PolicyArn=S3_READ)
    return shop


def test_a_good_token_becomes_the_role(shop: Shop) -> None:
    answer = shop.assume(_token())
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Audience"] == AUDIENCE
    assert answer["Provider"] == PROVIDER
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/cart/session"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    assert answer["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
    identity = client_of(shop.sandbox, "sts", answer["Credentials"]).get_caller_identity()
    assert (identity["Arn"], identity["Account"]) == (arn, ACCOUNT)
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def test_an_elliptic_curve_signs_as_well(shop: Shop) -> None:
    curve = jwk.ECKey.generate_key("P-256", parameters={"kid": "one"})
    token = _token(key=curve, algorithm="ES256")
    assert refusal(lambda: shop.assume(token)) == ("InvalidIdentityToken", 400)
    shop.keys = lambda: {"keys": [curve.as_dict(private=False)]}
    assert shop.assume(token)["SubjectFromWebIdentityToken"] == SUBJECT


def test_the_credentials_do_what_the_policy_allows_and_no_more(shop: Shop) -> None:
    credentials = shop.assume(_token())["Credentials"]
    s3 = client_of(shop.sandbox, "s3", credentials)
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert len(buckets) == 2
    assert s3.list_objects_v2(Bucket=buckets[0])["KeyCount"] == 0
    assert refusal(lambda: s3.put_object(Bucket=buckets[0], Key="x", Body=b"y")) == ("AccessDenied", 403)
    assert refusal(lambda: s3.create_bucket(Bucket="mine")) == ("AccessDenied", 403)
    iam = client_of(shop.sandbox, "iam", credentials)
    assert refusal(lambda: iam.get_role(RoleName="cart")) == ("AccessDenied", 403)
    eks = client_of(shop.sandbox, "eks", credentials)
    assert refusal(lambda: eks.describe_cluster(name="shop")) == ("AccessDeniedException", 403)


def test_detaching_the_policy_takes_its_powers_from_the_session(shop: Shop) -> None:
    s3 = client_of(shop.sandbox, "s3", shop.assume(_token())["Credentials"])
    s3.list_buckets()
    shop.iam.detach_role_policy(RoleName="cart", PolicyArn=S3_READ)
    assert refusal(s3.list_buckets) == ("AccessDenied", 403)


def test_a_boundary_and_a_session_policy_narrow_the_session(shop: Shop) -> None:
    narrow = json.dumps(policy("s3:GetObject"))
    s3 = client_of(shop.sandbox, "s3", shop.assume(_token(), Policy=narrow)["Credentials"])
    assert refusal(s3.list_buckets) == ("AccessDenied", 403)
    boundary = shop.iam.create_policy(PolicyName="boundary", PolicyDocument=narrow)["Policy"]["Arn"]
    shop.iam.put_role_permissions_boundary(RoleName="cart", PermissionsBoundary=boundary)
    bounded = client_of(shop.sandbox, "s3", shop.assume(_token())["Credentials"])
    assert refusal(bounded.list_buckets) == ("AccessDenied", 403)


def test_the_session_ends_with_its_role(shop: Shop) -> None:
    credentials = shop.assume(_token())["Credentials"]
    shop.iam.detach_role_policy(RoleName="cart", PolicyArn=S3_READ)
    shop.iam.delete_role(RoleName="cart")
    sts = client_of(shop.sandbox, "sts", credentials)
    assert refusal(sts.get_caller_identity) == ("InvalidClientTokenId", 403)


INVALID, DENIED = ("InvalidIdentityToken", 400), ("AccessDenied", 403)
BAD_TOKENS: dict[str, tuple[Callable[[], str], tuple[str, int]]] = {
    "no JWT": (lambda: "token", INVALID),
    "no JSON": (lambda: "a.b.c", INVALID),
    "no subject": (lambda: _token(sub=None), INVALID),
    "no issuer": (lambda: _token(iss=None), INVALID),
    "expired": (lambda: _token(exp=int(time.time()) - 1), ("ExpiredTokenException", 400)),
    "never expires": (lambda: _token(exp=None), ("ExpiredTokenException", 400)),
    "issuer without provider": (lambda: _token(iss="https://oidc.example.com/id/OTHER"), INVALID),
    "audience not registered": (lambda: _token(aud=["https://kubernetes.default.svc"]), INVALID),
    "no audience": (lambda: _token(aud=None), INVALID),
    "signed by another key": (lambda: _token(key=OTHER_KEY), INVALID),
    "signed with a shared secret": (
        lambda: _token(key=jwk.OctKey.import_key("a-secret-of-32-characters-or-more"), algorithm="HS256"),
        INVALID,
    ),
    "other subject": (lambda: _token(sub="system:serviceaccount:shop:other"), DENIED),
    "subject in other case": (lambda: _token(sub=SUBJECT.upper()), DENIED),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_bad_tokens(shop: Shop, name: str) -> None:
    make, expected = BAD_TOKENS[name]
    assert refusal(lambda: shop.assume(make())) == expected


def test_a_token_of_another_issuer_is_no_good_although_signed_by_its_key(shop: Shop) -> None:
    demo = client(shop.sandbox, "eks").describe_cluster(name="demo")["cluster"]["identity"]["oidc"]["issuer"]
    shop.iam.create_open_id_connect_provider(Url=demo, ClientIDList=[AUDIENCE])
    assert refusal(lambda: shop.assume(_token(iss=demo))) == INVALID


def test_keys_that_do_not_come(shop: Shop) -> None:
    def unreachable() -> dict[str, Any]:
        raise ConnectionError

    shop.keys = unreachable
    assert refusal(lambda: shop.assume(_token())) == ("IDPCommunicationError", 400)


def test_an_issuer_that_nobody_serves(shop: Shop) -> None:
    url = "https://gone.example.com/id/X"
    shop.iam.create_open_id_connect_provider(Url=url, ClientIDList=[AUDIENCE])
    assert refusal(lambda: shop.assume(_token(iss=url))) == ("IDPCommunicationError", 400)


def _without_provider(shop: Shop) -> None:
    shop.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)


def _without_audience(shop: Shop) -> None:
    arguments = {"OpenIDConnectProviderArn": PROVIDER, "ClientID": AUDIENCE}
    shop.iam.remove_client_id_from_open_id_connect_provider(**arguments)


def _with_trust(**changes: Any) -> Callable[[Shop], None]:
    arguments = {"principal": {"Federated": PROVIDER}, "condition": CONDITION, **changes}
    document = trust(**{"action": "sts:AssumeRoleWithWebIdentity", **arguments})
    return lambda shop: shop.iam.update_assume_role_policy(RoleName="cart", PolicyDocument=document)


BAD_WORLDS: dict[str, tuple[Callable[[Shop], None], tuple[str, int]]] = {
    "no provider": (_without_provider, INVALID),
    "audience removed": (_without_audience, INVALID),
    "trusts a service": (_with_trust(principal={"Service": "ec2.amazonaws.com"}, condition=None), DENIED),
    "trusts another provider": (_with_trust(principal={"Federated": PROVIDER + "X"}), DENIED),
    "other action": (_with_trust(action="sts:AssumeRole"), DENIED),
    "wildcard in StringEquals": (
        _with_trust(condition={"StringEquals": {"oidc.example.com/id/TESTS:sub": "system:*"}}),
        DENIED,
    ),
    "other audience": (
        _with_trust(condition={"StringEquals": {"oidc.example.com/id/TESTS:aud": "other"}}),
        DENIED,
    ),
}


@pytest.mark.parametrize("name", BAD_WORLDS)
def test_bad_worlds(shop: Shop, name: str) -> None:
    change, expected = BAD_WORLDS[name]
    shop.assume(_token())
    change(shop)
    assert refusal(lambda: shop.assume(_token())) == expected


def test_a_wildcard_in_string_like_admits(shop: Shop) -> None:
    _with_trust(condition={"StringLike": {"oidc.example.com/id/TESTS:sub": "system:serviceaccount:shop:*"}})(
        shop
    )
    shop.assume(_token())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/shop/nobody"}, DENIED),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/cart"}, DENIED),
        ({"RoleArn": "cart"}, ("ValidationError", 400)),
        ({"RoleSessionName": "no spaces"}, ("ValidationError", 400)),
        ({"DurationSeconds": 899}, ("ValidationError", 400)),
        ({"DurationSeconds": 3601}, ("ValidationError", 400)),
    ],
)
def test_bad_requests(shop: Shop, changes: dict[str, Any], expected: tuple[str, int]) -> None:
    assert refusal(lambda: shop.assume(_token(), **changes)) == expected


def test_the_role_decides_how_long_a_session_may_last(shop: Shop) -> None:
    shop.iam.update_role(RoleName="cart", MaxSessionDuration=7200)
    shop.assume(_token(), DurationSeconds=7200)


def test_an_account_without_anything(shop: Shop) -> None:
    arn = "arn:aws:iam::999900001111:role/x"
    assert refusal(lambda: shop.assume(_token(), RoleArn=arn))[0] in ("AccessDenied", "InvalidIdentityToken")
