"""Which tokens a trust policy admits: IAM's documented grammar, one line for each rule.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.core.trust.trust_policy import admits
from tests.unit.trust.written import TOKEN, allow, on, policy, written


def admitted(*statements: Any) -> bool:
    return admits(policy(*statements), TOKEN)


TRUE = [
    '{"StringEquals": {"<P>:sub": "<SUB>"}}',
    '{"StringEquals": {"<P>:sub": ["system:serviceaccount:backend:other", "<SUB>"]}}',
    '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "sts.amazonaws.com"}}',
    '{"StringEquals": {"OIDC.EKS.EU-WEST-1.AMAZONAWS.COM/ID/ABC:SUB": "<SUB>"}}',
    '{"StringNotEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"StringNotEquals": {"<P>:sub": ["system:serviceaccount:backend:other", "x"]}}',
    '{"StringNotEquals": {"<P>:nothing": "x"}}',
    '{"StringEqualsIgnoreCase": {"<P>:sub": "SYSTEM:SERVICEACCOUNT:BACKEND:READER"}}',
    '{"StringNotEqualsIgnoreCase": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"StringNotEqualsIgnoreCase": {"<P>:nothing": "x"}}',
    '{"StringLike": {"<P>:sub": "system:serviceaccount:backend:*"}}',
    '{"StringLike": {"<P>:sub": "system:serviceaccount:*"}}',
    '{"StringLike": {"<P>:sub": "system:*:reader"}}',
    '{"StringLike": {"<P>:sub": "*"}}',
    '{"StringLike": {"<P>:sub": "<SUB>"}}',
    '{"StringLike": {"<P>:sub": "<SUB>*"}}',
    '{"StringLike": {"<P>:sub": "system:serviceaccount:backend:reade?"}}',
    '{"StringLike": {"<P>:sub": ["nobody*", "system:*"]}}',
    '{"StringNotLike": {"<P>:sub": "nobody*"}}',
    '{"StringNotLike": {"<P>:nothing": "*"}}',
    '{"StringEqualsIfExists": {"<P>:sub": "<SUB>"}}',
    '{"StringEqualsIfExists": {"<P>:nothing": "x"}}',
    '{"StringLikeIfExists": {"<P>:nothing": "x"}}',
    '{"StringNotEqualsIfExists": {"<P>:nothing": "x"}}',
    '{"ForAllValues:StringEquals": {"<P>:sub": ["<SUB>", "system:serviceaccount:backend:other"]}}',
    '{"ForAllValues:StringEquals": {"<P>:nothing": "x"}}',
    '{"ForAllValues:StringLike": {"<P>:sub": "system:*"}}',
    '{"ForAllValues:StringLike": {"<P>:nothing": "x"}}',
    '{"ForAllValues:StringNotEquals": {"<P>:nothing": "x"}}',
    '{"ForAnyValue:StringEquals": {"<P>:sub": ["system:serviceaccount:backend:other", "<SUB>"]}}',
    '{"ForAnyValue:StringLike": {"<P>:sub": "system:*"}}',
    '{"ForAnyValue:StringNotEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"Null": {"<P>:sub": "false"}}',
    '{"Null": {"<P>:sub": false}}',
    '{"Null": {"<P>:sub": ["false"]}}',
    '{"Null": {"<P>:nothing": "true"}}',
    '{"Null": {"<P>:nothing": true}}',
    '{"Null": {"<P>:nothing": ["true"]}}',
    '{"Null": {"<P>:sub": "false", "<P>:nothing": "true"}}',
    '{"StringEquals": {"<P>:sub": "${<P>:sub}"}}',
    "{}",
    '{"StringEquals": {"<P>:sub": "<SUB>"}, "StringLike": {"<P>:aud": "sts.*"}}',
    '{"StringEquals": {}}',
]
FALSE = [
    '{"StringEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"StringEquals": {"<P>:sub": []}}',
    '{"StringEquals": {"<P>:sub": "<SUB>", "<P>:aud": "other"}}',
    '{"StringEquals": {"<P>:sub": "system:serviceaccount:backend:other", "<P>:aud": "sts.amazonaws.com"}}',
    '{"StringEquals": {"<P>:sub": "SYSTEM:SERVICEACCOUNT:BACKEND:READER"}}',
    '{"StringEquals": {"<P>:sub": "system:serviceaccount:backend:*"}}',
    '{"StringEquals": {"<P>:sub": "*"}}',
    '{"StringEquals": {"<P>:nothing": "x"}}',
    '{"StringNotEquals": {"<P>:sub": "<SUB>"}}',
    '{"StringNotEquals": {"<P>:sub": ["system:serviceaccount:backend:other", "<SUB>"]}}',
    '{"StringNotEquals": {"<P>:sub": "system:serviceaccount:backend:other", "<P>:aud": "sts.amazonaws.com"}}',
    '{"StringEqualsIgnoreCase": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"StringEqualsIgnoreCase": {"<P>:nothing": "x"}}',
    '{"StringNotEqualsIgnoreCase": {"<P>:sub": "SYSTEM:SERVICEACCOUNT:BACKEND:READER"}}',
    '{"StringLike": {"<P>:sub": "<SUB>?"}}',
    '{"StringLike": {"<P>:sub": "system:serviceaccount:backend:READ*"}}',
    '{"StringLike": {"<P>:sub": "system.serviceaccount.backend.reader"}}',
    '{"StringLike": {"<P>:nothing": "*"}}',
    '{"StringNotLike": {"<P>:sub": "system:*"}}',
    '{"StringNotLike": {"<P>:sub": ["nobody*", "system:*"]}}',
    '{"StringEqualsIfExists": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"StringLikeIfExists": {"<P>:sub": "nobody*"}}',
    '{"StringNotEqualsIfExists": {"<P>:sub": "<SUB>"}}',
    '{"ForAllValues:StringEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"ForAllValues:StringNotEquals": {"<P>:sub": "<SUB>"}}',
    '{"ForAnyValue:StringEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}',
    '{"ForAnyValue:StringEquals": {"<P>:nothing": "x"}}',
    '{"ForAnyValue:StringNotEquals": {"<P>:sub": "<SUB>"}}',
    '{"ForAnyValue:StringNotEquals": {"<P>:nothing": "x"}}',
    '{"Null": {"<P>:sub": "true"}}',
    '{"Null": {"<P>:nothing": "false"}}',
    '{"Null": {"<P>:sub": "false", "<P>:aud": "true"}}',
    '{"StringEquals": {"<P>:sub": "${<P>:aud}"}}',
    '{"StringLike": {"<P>:sub": "${aws:username}*"}}',
    '{"StringEquals": {"<P>:sub": "<SUB>"}, "StringLike": {"<P>:aud": "other*"}}',
    '{"StringEquals": {"<P>:sub": "system:serviceaccount:backend:other"}, "StringLike": {"<P>:aud": '
    '"sts.*"}}',
]
UNKNOWN = [
    '{"stringequals": {"<P>:sub": "<SUB>"}}',
    '{"NumericEquals": {"<P>:sub": "1"}}',
    '{"DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"}}',
    '{"StringEqual": {"<P>:sub": "<SUB>"}}',
    '{"ForAllValues:Nonsense": {"<P>:sub": "<SUB>"}}',
    '{"StringEquals": {"<P>:sub": "<SUB>"}, "Nonsense": {"<P>:aud": "x"}}',
    '{"StringEquals": "<SUB>"}',
    '"junk"',
]
"""What is no operator over strings, or is none at all; IAM refuses operators in another case."""


def test_conditions() -> None:
    """What can't be understood is true in a Deny: a policy is rather refused than wrongly trusted."""
    for text in (*TRUE, *FALSE, *UNKNOWN):
        assert admitted(on(text)) is (text in TRUE), text
        deny = on(text, Effect="Deny")
        assert admitted(allow(), deny) is admitted(deny, allow()) is (text in FALSE), text
        assert not admitted(deny), text


ADMITTING = [
    "{}",
    '{"Principal": {"Federated": ["arn:x", "<PROVIDER>"]}}',
    '{"Principal": "*"}',
    '{"Principal": null, "NotPrincipal": {"Federated": "arn:x"}}',
    '{"Action": "sts:*"}',
    '{"Action": "*"}',
    '{"Action": "STS:assumerolewithwebidentity"}',
    '{"Action": "sts:AssumeRoleWith*"}',
    '{"Action": "sts:AssumeRoleWithWebIdentit?"}',
    '{"Action": ["sts:TagSession", "sts:AssumeRoleWithWebIdentity"]}',
    '{"Action": null, "NotAction": "sts:TagSession"}',
]
OTHERS = [
    '{"Principal": {"Federated": "*"}}',
    '{"Principal": {"AWS": "*"}}',
    '{"Principal": {"AWS": ["x", "*"]}}',
    '{"Principal": {"AWS": "111122223333"}}',
    '{"Principal": {"AWS": "<PROVIDER>"}}',
    '{"Principal": {"Service": "*"}}',
    '{"Principal": {"Federated": '
    '"ARN:AWS:IAM::111122223333:OIDC-PROVIDER/OIDC.EKS.EU-WEST-1.AMAZONAWS.COM/ID/ABC"}}',
    '{"Principal": {"Federated": '
    '"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB*"}}',
    '{"Principal": {"Federated": []}}',
    '{"Principal": {}}',
    '{"Principal": "<PROVIDER>"}',
    '{"Principal": null}',
    '{"Principal": null, "NotPrincipal": {"Federated": "<PROVIDER>"}}',
    '{"Principal": null, "NotPrincipal": "*"}',
    '{"Action": "sts:AssumeRole"}',
    '{"Action": "sts:AssumeRoleWithSAML"}',
    '{"Action": []}',
    '{"Action": null}',
    '{"Action": null, "NotAction": "sts:Assume*"}',
    '{"Action": null, "NotAction": ["sts:TagSession", "sts:AssumeRoleWithWebIdentity"]}',
    '{"Effect": "allow"}',
    '{"Effect": null}',
]
"""What `*` under a kind of principals means for a web identity is not documented."""


def test_principals_and_actions() -> None:
    for text in (*ADMITTING, *OTHERS):
        assert admitted(allow(text)) is (text in ADMITTING), text


def test_statements_are_alternatives_and_a_deny_comes_first() -> None:
    good = on('{"StringEquals": {"<P>:sub": "<SUB>"}}')
    bad = on('{"StringEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}')
    assert admitted(bad, good)
    assert not admitted(bad, bad)
    assert admitted(bad, allow())
    assert not admitted(good, allow(Effect="Deny", Principal="*", Action="sts:*"))
    assert admitted(good, allow(Effect="Deny", Principal={"Service": "ec2.amazonaws.com"}))
    assert admitted(good, allow(Effect="Deny", Action="sts:AssumeRole"))


@pytest.mark.parametrize(
    "text", ["{}", '{"Statement": []}', '{"Statement": ["x", null, 1]}', '{"Statement": "x"}']
)
def test_a_policy_without_statements_admits_nobody(text: str) -> None:
    assert not admits(written(text), TOKEN)


def test_a_single_statement_needs_no_brackets() -> None:
    assert admits({"Statement": allow()}, TOKEN)
    # The language of 2008 has the same operators.
    assert admits(policy(on('{"StringLike": {"<P>:sub": "*"}}'), Version="2008-10-17"), TOKEN)


PATTERNS = {
    False: {
        "action of another kind of principal": '{"Action": "sts:AssumeRole"}',
        "only for nodes": '{"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}',
        "provider of another cluster": '{"Principal": {"Federated": "<PROVIDER>D"}}',
        "provider of another account": (
            '{"Principal": {"Federated": '
            '"arn:aws:iam::222222223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}}'
        ),
        "provider with https": (
            '{"Principal": {"Federated": '
            '"arn:aws:iam::111122223333:oidc-provider/https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"}}'
        ),
        "another ServiceAccount": (
            '{"Condition": {"StringEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}}'
        ),
        "another namespace": (
            '{"Condition": {"StringEquals": {"<P>:sub": "system:serviceaccount:web:reader"}}}'
        ),
        "wildcard under StringEquals": (
            '{"Condition": {"StringEquals": {"<P>:sub": "system:serviceaccount:*"}}}'
        ),
        "space in the subject": (
            '{"Condition": {"StringEquals": {"<P>:sub": "system:serviceaccount: backend:reader"}}}'
        ),
        "newline after the subject": '{"Condition": {"StringEquals": {"<P>:sub": "<SUB>\\n"}}}',
        "ARN as the key": (
            '{"Condition": {"StringEquals": {"arn:aws:iam::111122223333:oidc-provider/<P>:sub": "<SUB>"}}}'
        ),
        "key with https": '{"Condition": {"StringEquals": {"https://<P>:sub": "<SUB>"}}}',
        "key with a slash": (
            '{"Condition": {"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/ABC/:sub": "<SUB>"}}}'
        ),
        "key sub:aud": '{"Condition": {"StringEquals": {"<P>:sub:aud": "<SUB>"}}}',
        "subject under aud": '{"Condition": {"StringEquals": {"<P>:aud": "<SUB>"}}}',
        "key of another issuer": (
            '{"Condition": {"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/ABCD:sub": "<SUB>"}}}'
        ),
        "R11 any account, other action": '{"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}',
    },
    True: {
        "generated names, prefix": (
            '{"Condition": {"StringLike": {"<P>:sub": "system:serviceaccount:backend:read*"}}}'
        ),
        "R01 no condition": "{}",
        "R02 audience only": '{"Condition": {"StringEquals": {"<P>:aud": "sts.amazonaws.com"}}}',
        "R03 every subject": '{"Condition": {"StringLike": {"<P>:sub": "system:serviceaccount:*"}}}',
        "R03 every subject, twice": (
            '{"Condition": {"StringLike": {"<P>:sub": "system:serviceaccount:*:*"}}}'
        ),
        "R03 anything": '{"Condition": {"StringLike": {"<P>:sub": "*"}}}',
        "R04 any namespace": '{"Condition": {"StringLike": {"<P>:sub": "system:serviceaccount:*:reader"}}}',
        "R05 whole namespace": (
            '{"Condition": {"StringLike": {"<P>:sub": "system:serviceaccount:backend:*"}}}'
        ),
        "R06 subject only": '{"Condition": {"StringEquals": {"<P>:sub": "<SUB>"}}}',
        "R07 star crosses colons": (
            '{"Condition": {"StringLike": {"<P>:sub": "system:serviceaccount:back*"}}}'
        ),
        "R07 star within": '{"Condition": {"StringLike": {"<P>:sub": "system:serviceaccount:b*:reader"}}}',
        "R08 ForAllValues, misspelt key": '{"Condition": {"ForAllValues:StringLike": {"<P>:sup": "x"}}}',
        "R09 IfExists, wrong issuer": (
            '{"Condition": {"StringEqualsIfExists": {"oidc.eks.eu-west-1.amazonaws.com/id/ABCD:sub": '
            '"system:serviceaccount:backend:other"}}}'
        ),
        "R10 all but one": (
            '{"Condition": {"StringNotEquals": {"<P>:sub": "system:serviceaccount:backend:other"}}}'
        ),
        "R10 all but a pattern": (
            '{"Condition": {"StringNotLike": {"<P>:sub": "system:serviceaccount:kube-*"}}}'
        ),
        "R11 everybody": '{"Principal": "*"}',
        "R12 any action of STS": '{"Action": "sts:*", "Condition": {"StringEquals": {"<P>:sub": "<SUB>"}}}',
        "R12 any action": '{"Action": "*", "Condition": {"StringEquals": {"<P>:sub": "<SUB>"}}}',
    },
}
"""Causes of failure; and policies that admit more than they should: they do admit."""


def test_known_patterns() -> None:
    for expected, named in PATTERNS.items():
        for name, text in named.items():
            assert admitted(allow(text)) is expected, name
