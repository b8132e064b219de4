"""Which tokens a trust policy admits: IAM's documented grammar, one line for each rule.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy

P = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{P}"
SUB = "system:serviceaccount:backend:reader"
AUD = "sts.amazonaws.com"
TOKEN = WebIdentity(PROVIDER, f"https://{P}", SUB, AUD)
S, A, MISSING = f"{P}:sub", f"{P}:aud", f"{P}:nothing"
OTHER = "system:serviceaccount:backend:other"


def allow(condition: Any = None, **elements: Any) -> dict[str, Any]:
    """An Allow for the provider with this condition; `elements` are added, or removed by None."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        **({} if condition is None else {"Condition": condition}),
        **elements,
    }
    return {key: value for key, value in statement.items() if value is not None}


def admitted(*statements: Any) -> bool:
    return trust_policy.admits({"Version": "2012-10-17", "Statement": list(statements)}, TOKEN)


OPERATORS: list[tuple[str, dict[str, Any], bool]] = [
    # operator, keys, whether the token is admitted
    ("StringEquals", {S: SUB}, True),
    ("StringEquals", {S: OTHER}, False),
    ("StringEquals", {S: [OTHER, SUB]}, True),
    ("StringEquals", {S: []}, False),
    ("StringEquals", {S: SUB, A: AUD}, True),
    ("StringEquals", {S: SUB, A: "other"}, False),
    ("StringEquals", {S: OTHER, A: AUD}, False),
    ("StringEquals", {S.upper(): SUB}, True),
    ("StringEquals", {S: SUB.upper()}, False),
    ("StringEquals", {S: "system:serviceaccount:backend:*"}, False),
    ("StringEquals", {S: "*"}, False),
    ("StringEquals", {MISSING: "x"}, False),
    # IAM refuses operators in another case.
    ("stringequals", {S: SUB}, False),
    ("StringNotEquals", {S: OTHER}, True),
    ("StringNotEquals", {S: SUB}, False),
    ("StringNotEquals", {S: [OTHER, SUB]}, False),
    ("StringNotEquals", {S: [OTHER, "x"]}, True),
    ("StringNotEquals", {MISSING: "x"}, True),
    ("StringNotEquals", {S: OTHER, A: AUD}, False),
    ("StringEqualsIgnoreCase", {S: SUB.upper()}, True),
    ("StringEqualsIgnoreCase", {S: OTHER}, False),
    ("StringEqualsIgnoreCase", {MISSING: "x"}, False),
    ("StringNotEqualsIgnoreCase", {S: SUB.upper()}, False),
    ("StringNotEqualsIgnoreCase", {S: OTHER}, True),
    ("StringNotEqualsIgnoreCase", {MISSING: "x"}, True),
    ("StringLike", {S: "system:serviceaccount:backend:*"}, True),
    ("StringLike", {S: "system:serviceaccount:*"}, True),
    ("StringLike", {S: "system:*:reader"}, True),
    ("StringLike", {S: "*"}, True),
    ("StringLike", {S: SUB}, True),
    ("StringLike", {S: SUB + "*"}, True),
    ("StringLike", {S: SUB + "?"}, False),
    ("StringLike", {S: "system:serviceaccount:backend:reade?"}, True),
    ("StringLike", {S: "system:serviceaccount:backend:READ*"}, False),
    ("StringLike", {S: "system.serviceaccount.backend.reader"}, False),
    ("StringLike", {S: ["nobody*", "system:*"]}, True),
    ("StringLike", {MISSING: "*"}, False),
    ("StringNotLike", {S: "system:*"}, False),
    ("StringNotLike", {S: "nobody*"}, True),
    ("StringNotLike", {S: ["nobody*", "system:*"]}, False),
    ("StringNotLike", {MISSING: "*"}, True),
    ("StringEqualsIfExists", {S: SUB}, True),
    ("StringEqualsIfExists", {S: OTHER}, False),
    ("StringEqualsIfExists", {MISSING: "x"}, True),
    ("StringLikeIfExists", {MISSING: "x"}, True),
    ("StringLikeIfExists", {S: "nobody*"}, False),
    ("StringNotEqualsIfExists", {S: SUB}, False),
    ("StringNotEqualsIfExists", {MISSING: "x"}, True),
    ("ForAllValues:StringEquals", {S: [SUB, OTHER]}, True),
    ("ForAllValues:StringEquals", {S: OTHER}, False),
    ("ForAllValues:StringEquals", {MISSING: "x"}, True),
    ("ForAllValues:StringLike", {S: "system:*"}, True),
    ("ForAllValues:StringLike", {MISSING: "x"}, True),
    ("ForAllValues:StringNotEquals", {S: SUB}, False),
    ("ForAllValues:StringNotEquals", {MISSING: "x"}, True),
    ("ForAnyValue:StringEquals", {S: [OTHER, SUB]}, True),
    ("ForAnyValue:StringEquals", {S: OTHER}, False),
    ("ForAnyValue:StringEquals", {MISSING: "x"}, False),
    ("ForAnyValue:StringLike", {S: "system:*"}, True),
    ("ForAnyValue:StringNotEquals", {S: OTHER}, True),
    ("ForAnyValue:StringNotEquals", {S: SUB}, False),
    ("ForAnyValue:StringNotEquals", {MISSING: "x"}, False),
    ("Null", {S: "false"}, True),
    ("Null", {S: False}, True),
    ("Null", {S: ["false"]}, True),
    ("Null", {S: "true"}, False),
    ("Null", {MISSING: "true"}, True),
    ("Null", {MISSING: True}, True),
    ("Null", {MISSING: ["true"]}, True),
    ("Null", {MISSING: "false"}, False),
    ("Null", {S: "false", MISSING: "true"}, True),
    ("Null", {S: "false", A: "true"}, False),
    # What is no operator over strings can't be true here.
    ("NumericEquals", {S: "1"}, False),
    ("DateLessThan", {"aws:CurrentTime": "2999-01-01T00:00:00Z"}, False),
    ("StringEqual", {S: SUB}, False),
    ("ForAllValues:Nonsense", {S: SUB}, False),
    # Variables stand for the token's own values; those without a value match nothing.
    ("StringEquals", {S: "${" + S + "}"}, True),
    ("StringEquals", {S: "${" + A + "}"}, False),
    ("StringLike", {S: "${aws:username}*"}, False),
]


@pytest.mark.parametrize(("operator", "keys", "expected"), OPERATORS, ids=lambda value: str(value)[:90])
def test_condition_operators(operator: str, keys: dict[str, Any], expected: bool) -> None:
    assert admitted(allow({operator: keys})) is expected


@pytest.mark.parametrize(("operator", "keys", "expected"), OPERATORS, ids=lambda value: str(value)[:90])
def test_a_deny_applies_where_its_condition_is_true(
    operator: str, keys: dict[str, Any], expected: bool
) -> None:
    deny = allow({operator: keys}, Effect="Deny")
    # What can't be understood counts as a match: a policy is rather refused than wrongly trusted.
    unknown = operator in (
        "NumericEquals",
        "DateLessThan",
        "StringEqual",
        "stringequals",
        "ForAllValues:Nonsense",
    )
    assert admitted(allow(), deny) is not (expected or unknown)
    assert admitted(deny, allow()) is not (expected or unknown)
    assert admitted(deny) is False


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"StringEquals": {S: SUB}, "StringLike": {A: "sts.*"}}, True),
        ({"StringEquals": {S: SUB}, "StringLike": {A: "other*"}}, False),
        ({"StringEquals": {S: OTHER}, "StringLike": {A: "sts.*"}}, False),
        ({"StringEquals": {S: SUB}, "Nonsense": {A: "x"}}, False),
        ({"StringEquals": SUB}, False),
        ({"StringEquals": {}}, True),
        ("junk", False),
    ],
)
def test_all_operators_must_hold(condition: Any, expected: bool) -> None:
    assert admitted(allow(condition)) is expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, True),
        ({"Principal": {"Federated": ["arn:x", PROVIDER]}}, True),
        ({"Principal": "*"}, True),
        # What these mean for a web identity is not documented.
        ({"Principal": {"Federated": "*"}}, False),
        ({"Principal": {"AWS": "*"}}, False),
        ({"Principal": {"AWS": ["x", "*"]}}, False),
        ({"Principal": {"AWS": "111122223333"}}, False),
        ({"Principal": {"AWS": PROVIDER}}, False),
        ({"Principal": {"Service": "*"}}, False),
        ({"Principal": {"Federated": PROVIDER.upper()}}, False),
        ({"Principal": {"Federated": PROVIDER[:-1] + "*"}}, False),
        ({"Principal": {"Federated": []}}, False),
        ({"Principal": {}}, False),
        ({"Principal": PROVIDER}, False),
        ({"Principal": None}, False),
        ({"Principal": None, "NotPrincipal": {"Federated": PROVIDER}}, False),
        ({"Principal": None, "NotPrincipal": {"Federated": "arn:x"}}, True),
        ({"Principal": None, "NotPrincipal": "*"}, False),
        ({"Action": "sts:*"}, True),
        ({"Action": "*"}, True),
        ({"Action": "STS:assumerolewithwebidentity"}, True),
        ({"Action": "sts:AssumeRoleWith*"}, True),
        ({"Action": "sts:AssumeRoleWithWebIdentit?"}, True),
        ({"Action": ["sts:TagSession", "sts:AssumeRoleWithWebIdentity"]}, True),
        ({"Action": "sts:AssumeRole"}, False),
        ({"Action": "sts:AssumeRoleWithSAML"}, False),
        ({"Action": []}, False),
        ({"Action": None}, False),
        ({"Action": None, "NotAction": "sts:TagSession"}, True),
        ({"Action": None, "NotAction": "sts:Assume*"}, False),
        ({"Action": None, "NotAction": ["sts:TagSession", "sts:AssumeRoleWithWebIdentity"]}, False),
        ({"Effect": "allow"}, False),
        ({"Effect": None}, False),
    ],
    ids=str,
)
def test_principals_and_actions(elements: dict[str, Any], expected: bool) -> None:
    assert admitted(allow(**elements)) is expected


def test_statements_are_alternatives_and_a_deny_comes_first() -> None:
    good, bad = allow({"StringEquals": {S: SUB}}), allow({"StringEquals": {S: OTHER}})
    assert admitted(bad, good)
    assert not admitted(bad, bad)
    assert not admitted(good, allow(Effect="Deny", Principal="*", Action="sts:*"))
    assert admitted(good, allow(Effect="Deny", Principal={"Service": "ec2.amazonaws.com"}))
    assert admitted(good, allow(Effect="Deny", Action="sts:AssumeRole"))


@pytest.mark.parametrize(
    "document", [{}, {"Statement": []}, {"Statement": ["x", None, 1]}, {"Statement": "x"}]
)
def test_a_policy_without_statements_admits_nobody(document: dict[str, Any]) -> None:
    assert not trust_policy.admits(document, TOKEN)


def test_a_single_statement_needs_no_brackets() -> None:
    assert trust_policy.admits({"Statement": allow()}, TOKEN)
    # The language of 2008 has the same operators.
    assert trust_policy.admits(
        {"Version": "2008-10-17", "Statement": [allow({"StringLike": {S: "*"}})]}, TOKEN
    )


STAR = "system:serviceaccount:*"
PATTERNS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    # Causes of failure.
    "action of another kind of principal": ([allow(Action="sts:AssumeRole")], False),
    "only for nodes": ([allow(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole")], False),
    "provider of another cluster": ([allow(Principal={"Federated": PROVIDER + "D"})], False),
    "provider of another account": (
        [allow(Principal={"Federated": PROVIDER.replace("1111", "2222")})],
        False,
    ),
    "provider with https": ([allow(Principal={"Federated": PROVIDER.replace(P, "https://" + P)})], False),
    "another ServiceAccount": ([allow({"StringEquals": {S: OTHER}})], False),
    "another namespace": ([allow({"StringEquals": {S: SUB.replace("backend", "web")}})], False),
    "wildcard under StringEquals": ([allow({"StringEquals": {S: STAR}})], False),
    "generated names, prefix": ([allow({"StringLike": {S: SUB[:-2] + "*"}})], True),
    "space in the subject": ([allow({"StringEquals": {S: SUB.replace("backend", " backend")}})], False),
    "newline after the subject": ([allow({"StringEquals": {S: SUB + "\n"}})], False),
    "ARN as the key": ([allow({"StringEquals": {f"{PROVIDER}:sub": SUB}})], False),
    "key with https": ([allow({"StringEquals": {f"https://{S}": SUB}})], False),
    "key with a slash": ([allow({"StringEquals": {f"{P}/:sub": SUB}})], False),
    "key sub:aud": ([allow({"StringEquals": {f"{S}:aud": SUB}})], False),
    "subject under aud": ([allow({"StringEquals": {A: SUB}})], False),
    "key of another issuer": ([allow({"StringEquals": {f"{P}D:sub": SUB}})], False),
    # Policies that admit more than they should: they do admit.
    "R01 no condition": ([allow()], True),
    "R02 audience only": ([allow({"StringEquals": {A: AUD}})], True),
    "R03 every subject": ([allow({"StringLike": {S: STAR}})], True),
    "R03 every subject, twice": ([allow({"StringLike": {S: "system:serviceaccount:*:*"}})], True),
    "R03 anything": ([allow({"StringLike": {S: "*"}})], True),
    "R04 any namespace": ([allow({"StringLike": {S: "system:serviceaccount:*:reader"}})], True),
    "R05 whole namespace": ([allow({"StringLike": {S: "system:serviceaccount:backend:*"}})], True),
    "R06 subject only": ([allow({"StringEquals": {S: SUB}})], True),
    "R07 star crosses colons": ([allow({"StringLike": {S: "system:serviceaccount:back*"}})], True),
    "R07 star within": ([allow({"StringLike": {S: "system:serviceaccount:b*:reader"}})], True),
    "R08 ForAllValues, misspelt key": ([allow({"ForAllValues:StringLike": {P + ":sup": "x"}})], True),
    "R09 IfExists, wrong issuer": ([allow({"StringEqualsIfExists": {P + "D:sub": OTHER}})], True),
    "R10 all but one": ([allow({"StringNotEquals": {S: OTHER}})], True),
    "R10 all but a pattern": ([allow({"StringNotLike": {S: "system:serviceaccount:kube-*"}})], True),
    "R11 everybody": ([allow(Principal="*")], True),
    "R11 any account, other action": ([allow(Principal={"AWS": "*"}, Action="sts:AssumeRole")], False),
    "R12 any action of STS": ([allow({"StringEquals": {S: SUB}}, Action="sts:*")], True),
    "R12 any action": ([allow({"StringEquals": {S: SUB}}, Action="*")], True),
    "R13 a tight and a loose statement": ([allow({"StringEquals": {S: OTHER}}), allow()], True),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_known_patterns(name: str) -> None:
    statements, expected = PATTERNS[name]
    assert admitted(*statements) is expected
