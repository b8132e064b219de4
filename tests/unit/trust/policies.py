"""Trust policies and tokens at random, about half of them fitting; the same ones for the same seed.

Made for comparing two evaluations: the values are few, so that wildcards, variables, other cases and
other issuers meet often.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from irsa_cli.core.policies.web_identity import WebIdentity
from tests.support.documents import Json, doc

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
OTHER = "oidc.eks.eu-west-1.amazonaws.com/id/DEF"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
ACTION = "sts:AssumeRoleWithWebIdentity"
_NAMESPACES = ("shop", "Shop", "shop-2", "kube-system")
_NAMES = ("cart", "cart-x", "c", "default")
_AUDIENCES = ("sts.amazonaws.com", "example.com", "sts.amazonaws.com.cn")
_KEYS = ("sub", "sub", "sub", "aud", "aud", "amr", "nothing")
_REQUEST = {
    "sts:RoleSessionName": ("irsa-verify", "pod", "system:x"),
    "aws:SourceIp": ("203.0.113.7", "198.51.100.9"),
    "aws:CurrentTime": ("2026-05-01T10:00:00Z", "2019-01-01T00:00:00Z"),
    "aws:UserAgent": ("aws-sdk-go", "boto3"),
}
_ALWAYS_THERE = ("sts:RoleSessionName", "aws:CurrentTime")
_STRING = ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase")
_LIKE = ("StringLike", "StringNotLike")
_ARN = ("ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals")
_OTHER_OPERATORS = doc(
    """{"Bool": [["aws:SecureTransport", ["true", "false"]], ["aws:ViaAWSService", [true, false]]],
    "Null": [["aws:TokenIssueTime", ["true", true]], ["<ISSUER>:sub", [false, "true", "false"]]],
    "IpAddress": [["aws:SourceIp", ["203.0.113.0/24", "0.0.0.0/0", "2001:DB8::/32"]]],
    "NotIpAddress": [["aws:SourceIp", ["203.0.113.0/24", "10.0.0.0/8"]]],
    "DateLessThan": [["aws:CurrentTime", ["2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z"]]],
    "DateGreaterThanEquals": [["aws:CurrentTime", ["2026-05-01T10:00:00Z", "2020-01-01"]]],
    "NumericLessThan": [["aws:MultiFactorAuthAge", ["3600"]], ["<ISSUER>:sub", [5]]],
    "NumericNotEquals": [["aws:MultiFactorAuthAge", [3600]]],
    "BinaryEquals": [["<ISSUER>:nothing", ["QUJD"]]]}""",
    ISSUER=ISSUER,
)
_ACTIONS = doc(
    """{"fitting": ["<ACTION>", "<ACTION>", "<ACTION>", "sts:*", "*", "sts:assumerolewithwebidentity",
    "sts:AssumeRoleWith*", ["<ACTION>", "sts:TagSession"]],
    "others": ["sts:AssumeRole", "sts:AssumeRoleWithSAML", ["sts:TagSession"],
    "sts:AssumeRoleWithWebIdentity?"]}""",
    ACTION=ACTION,
)
_PRINCIPALS = doc(
    """{"fitting": [{"Federated": "<P>"}, {"Federated": "<P>"}, {"Federated": ["accounts.google.com", "<P>"]},
    {"Federated": ["<P>"], "Service": "ec2.amazonaws.com"}, "*"],
    "others": [{"Federated": "<account>"}, {"Federated": "<other>"}, {"Federated": "<pattern>"},
    {"Service": "ec2.amazonaws.com"}, {"AWS": "111122223333"}, {"AWS": "*"}, {"Federated": "*"}]}""",
    P=PROVIDER,
    account=PROVIDER.replace("1111", "2222"),
    other=PROVIDER.replace(ISSUER, OTHER),
    pattern=f"{PROVIDER[:-1]}*",
)


@dataclass(frozen=True)
class Case:
    """A policy, a token as irsa knows it, and all condition keys of the request as STS knows them."""

    document: Json
    identity: WebIdentity
    context: dict[str, list[str]]


def cases(count: int, seed: int) -> list[Case]:
    """That many cases; the same for the same seed."""
    some = Random(seed)
    return [_case(some) for _ in range(count)]


def _case(some: Random) -> Case:
    identity = _identity(some)
    document: Json = {"Statement": [_statement(some, identity) for _ in range(some.choice((1, 1, 2, 3)))]}
    version = some.choice(("2012-10-17",) * 5 + ("2008-10-17", None))
    if version:
        document["Version"] = version
    if len(document["Statement"]) == 1 and some.random() < 0.3:
        document["Statement"] = document["Statement"][0]
    return Case(document, identity, _context(some, identity))


def _identity(some: Random) -> WebIdentity:
    audience = some.choice(_AUDIENCES)
    more = (some.choice(_AUDIENCES),) if some.random() < 0.05 else ()
    claims = {"amr": ("mfa", "pwd")} if some.random() < 0.3 else {}
    request = {"sts:RoleSessionName": ("irsa-verify",)} if some.random() < 0.5 else {}
    subject = f"system:serviceaccount:{some.choice(_NAMESPACES)}:{some.choice(_NAMES)}"
    return WebIdentity(PROVIDER, f"https://{ISSUER}", subject, audience, more, claims, request)


def _context(some: Random, identity: WebIdentity) -> dict[str, list[str]]:
    """What STS sees, with values for what can't be known from outside: each there or not."""
    prefix = ISSUER.lower()
    context = {
        f"{prefix}:sub": [identity.subject],
        f"{prefix}:aud": [identity.audience, *identity.more_audiences],
        "aws:securetransport": ["true"],
        "aws:viaawsservice": ["false"],
    }
    if "amr" in identity.claims:
        context[f"{prefix}:amr"] = ["mfa", "pwd"]
    for key, values in _REQUEST.items():
        if key in _ALWAYS_THERE or some.random() < 0.7:
            context[key.lower()] = [some.choice(values)]
    return {
        **context,
        **{
            key.lower(): list(values) for key, values in identity.request.items() if isinstance(values, tuple)
        },
    }


def _statement(some: Random, identity: WebIdentity) -> Json:
    statement: Json = {"Effect": "Allow" if some.random() < 0.85 else "Deny"}
    if some.random() < 0.3:
        statement["Sid"] = f"S{some.randrange(9)}"
    statement |= _element(some, "Action", _one_of(some, _ACTIONS), none_of=("sts:TagSession", "sts:Get*"))
    statement |= _element(
        some, "Principal", _one_of(some, _PRINCIPALS), none_of=({"Federated": "arn:x"}, {"AWS": "1"})
    )
    block = _condition(some, identity)
    if block or some.random() < 0.2:
        statement["Condition"] = block
    return statement


def _element(some: Random, name: str, value: Any, *, none_of: tuple[Any, ...]) -> Json:
    """The element, or now and then its negation, mostly with something else in it."""
    if some.random() < 0.93:
        return {name: value}
    return {f"Not{name}": some.choice((*none_of, value))}


def _one_of(some: Random, values: Json) -> Any:
    return some.choice(values["fitting" if some.random() < 0.92 else "others"])


def _condition(some: Random, identity: WebIdentity) -> dict[str, Json]:
    block: dict[str, Json] = {}
    for _ in range(some.choice((0, 1, 1, 1, 2, 3))):
        operator, key, wanted = _test(some, identity)
        block.setdefault(operator, {})[key] = wanted
    return block


def _test(some: Random, identity: WebIdentity) -> tuple[str, str, Any]:
    if some.random() < 0.12:
        operator = some.choice(tuple(_OTHER_OPERATORS))
        key, values = some.choice(_OTHER_OPERATORS[operator])
        return _dressed(some, operator), key, some.choice(values)
    operator = some.choice((*_STRING, *_LIKE, *_LIKE, "StringEquals", "StringLike"))
    if some.random() < 0.04:
        operator = some.choice(_ARN)
    key = _key(some)
    wanted = [_value(some, identity, key, operator) for _ in range(some.choice((1, 1, 1, 2, 3)))]
    return _dressed(some, operator), key, wanted if len(wanted) > 1 or some.random() < 0.3 else wanted[0]


def _dressed(some: Random, operator: str) -> str:
    if operator == "Null":
        return operator
    quantifier = some.choice(("",) * 8 + ("ForAnyValue:", "ForAllValues:"))
    return f"{quantifier}{operator}{'IfExists' if some.random() < 0.15 else ''}"


def _key(some: Random) -> str:
    if some.random() < 0.06:
        return some.choice((*_REQUEST, "aws:PrincipalTag/team"))
    issuer = some.choice((ISSUER,) * 9 + (OTHER,))
    key = f"{issuer}:{some.choice(_KEYS)}"
    return some.choice((key,) * 6 + (key.upper(), key.lower(), f"https://{key}"))


def _value(some: Random, identity: WebIdentity, key: str, operator: str) -> str:
    """A value that the token has for the key, dressed in many ways; or another one."""
    fits = some.random() < (0.2 if "Not" in operator else 0.85)
    kind = key.lower().rpartition(":")[2]
    own = {"sub": identity.subject, "aud": identity.audience, "amr": "mfa"}.get(kind, "x")
    strange = {"sub": "system:serviceaccount:web:other", "aud": "other.example"}.get(kind, "y")
    value = own if fits else strange
    if "Arn" in operator:
        return some.choice((PROVIDER, "arn:aws:iam::*:role/x", value))
    return some.choice(
        (
            value,
            value,
            value,
            value.upper() if "IgnoreCase" in operator else value,
            value[: len(value) // 2] + "*" if "Like" in operator else value,
            value[:-1] + "?" if "Like" in operator else value,
            "${" + key + "}" if fits else "${aws:username}",
            value.replace("s", "${" + f"{OTHER}:sub, 's'" + "}", 1) if fits else "${*}",
            value.replace("cart", "${*}") if some.random() < 0.2 else value,
            "${aws:UserAgent}" if some.random() < 0.2 else value,
        )
    )
