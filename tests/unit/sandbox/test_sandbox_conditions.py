"""The sandbox's evaluation of conditions, against the rules in IAM's documentation."""

from typing import Any

import pytest

from irsa_cli.sandbox.enforce import holds, like

CONTEXT = {
    "aws:requesttag/team": ["blue"],
    "aws:tagkeys": ["team", "cost"],
    "sts:roleid": ["AROA:x"],
    "empty": [""],
}


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("StringEquals", "aws:RequestTag/team", "blue", True),
        ("StringEquals", "aws:RequestTag/team", ["red", "blue"], True),
        ("StringEquals", "aws:RequestTag/team", "Blue", False),
        ("StringEquals", "aws:RequestTag/team", "bl*", False),
        ("StringEquals", "absent", "blue", False),
        ("StringEqualsIfExists", "absent", "blue", True),
        ("StringEqualsIfExists", "aws:RequestTag/team", "red", False),
        ("StringEqualsIgnoreCase", "aws:RequestTag/team", "BLUE", True),
        ("StringNotEquals", "aws:RequestTag/team", "red", True),
        ("StringNotEquals", "aws:RequestTag/team", ["red", "blue"], False),
        ("StringNotEquals", "absent", "blue", True),
        ("StringLike", "aws:RequestTag/team", "b?u*", True),
        ("StringLike", "aws:RequestTag/team", "blu", False),
        ("StringNotLike", "aws:RequestTag/team", "b*", False),
        ("StringNotLike", "aws:RequestTag/team", "r*", True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["cost"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["other"], False),
        ("ForAnyValue:StringEquals", "absent", ["other"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["cost"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["cost", "team", "x"], True),
        ("ForAllValues:StringEquals", "absent", ["x"], True),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["cost"], True),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["cost"], False),
        ("Null", "absent", "true", True),
        ("Null", "absent", True, True),
        ("Null", "aws:RequestTag/team", "true", False),
        ("Null", "aws:RequestTag/team", "false", True),
        ("DateGreaterThan", "aws:RequestTag/team", "2020-01-01", False),
        ("stringEquals", "aws:RequestTag/team", "blue", False),
        ("ForAllValues:StringEqualsIfExists", "absent", "x", True),
        ("ArnLike", "aws:RequestTag/team", "arn:aws:iam::*:role/x", False),
        ("BinaryEquals", "aws:RequestTag/team", "Ymx1ZQ==", False),
        # An empty value counts as none for set operators.
        ("ForAllValues:StringEquals", "empty", "x", True),
        ("ForAnyValue:StringLike", "empty", "*", False),
        ("NoSuchOperator", "aws:RequestTag/team", "blue", False),
    ],
)
def test_one_operator(operator: str, key: str, wanted: Any, expected: bool) -> None:
    assert holds({operator: {key: wanted}}, CONTEXT) is expected


def test_all_operators_and_all_keys_must_hold() -> None:
    team, cost = {"aws:RequestTag/team": "blue"}, {"aws:TagKeys": ["cost", "team"]}
    assert holds({"StringEquals": team, "ForAllValues:StringEquals": cost}, CONTEXT)
    assert not holds({"StringEquals": {**team, "sts:roleid": "other"}}, CONTEXT)
    assert not holds({"StringEquals": team, "StringNotEquals": team}, CONTEXT)


@pytest.mark.parametrize(
    ("value", "bound", "expected"),
    [("5", "10", True), ("10", "10", False), ("words", "10", False)],
)
def test_numbers_are_compared_as_numbers(value: str, bound: str, expected: bool) -> None:
    assert holds({"NumericLessThan": {"s3:max-keys": bound}}, {"s3:max-keys": [value]}) is expected


@pytest.mark.parametrize(
    ("pattern", "arn", "expected"),
    [
        ("arn:aws:iam::*:policy/base", "arn:aws:iam::111122223333:policy/base", True),
        ("arn:aws:iam::*:policy/base*", "arn:aws:iam::1:policy/base-2", True),
        ("arn:aws:iam:*", "arn:aws:iam::1:policy/base", False),
    ],
)
def test_arn_like_compares_part_by_part(pattern: str, arn: str, expected: bool) -> None:
    assert holds({"ArnLike": {"iam:PolicyARN": pattern}}, {"iam:policyarn": [arn]}) is expected


REQUEST = {
    "aws:currenttime": ["2026-05-01T10:00:00Z"],
    "aws:sourceip": ["203.0.113.77"],
    "aws:securetransport": ["true"],
    "sub": ["a*b"],
    "name": ["blue"],
    "keys": ["one", "two"],
    "arn": ["arn:aws:iam::1:role/blue"],
}


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("DateLessThan", "aws:CurrentTime", "2026-05-01T10:00:01Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-05-01T10:00:00Z", False),
        ("DateLessThanEquals", "aws:CurrentTime", "2026-05-01T12:00:00+02:00", True),
        ("DateGreaterThan", "aws:CurrentTime", "2020-01-01", True),
        ("DateGreaterThan", "aws:CurrentTime", "1500000000", True),
        ("DateNotEquals", "aws:CurrentTime", "2026-05-01T10:00Z", False),
        ("DateEquals", "aws:CurrentTime", "soon", False),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", True),
        ("IpAddress", "aws:SourceIp", "203.0.113.7", False),
        ("IpAddress", "aws:SourceIp", ["2001:db8::/32", "203.0.113.77"], True),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", False),
        ("Bool", "aws:SecureTransport", "true", True),
        ("Bool", "aws:SecureTransport", False, False),
        ("Bool", "name", "blue", False),
    ],
)
def test_other_kinds_of_values(operator: str, key: str, wanted: Any, expected: bool) -> None:
    assert holds({operator: {key: wanted}}, REQUEST) is expected


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("StringEquals", "name", "${Name}", True),
        ("StringEquals", "name", "${sub}", False),
        ("StringEquals", "name", "${missing}", False),
        ("StringNotEquals", "name", "${missing}", True),
        ("StringEquals", "name", "${missing, 'blue'}", True),
        ("StringEquals", "name", "bl${missing, 'u'}e", True),
        ("StringEquals", "name", "${sub, 'blue'}", False),
        ("StringEquals", "name", "${keys}", False),
        ("StringEqualsIgnoreCase", "name", "BL${missing, 'U'}E", True),
        ("StringLike", "sub", "a${*}b", True),
        ("StringLike", "name", "${*}", False),
        ("StringLike", "name", "b${?}ue", False),
        ("StringLike", "sub", "${sub}", True),
        # Wildcards in a variable's value mean themselves.
        ("StringLike", "name", "${sub}", False),
        ("StringEquals", "sub", "a${*}b", True),
        ("StringEquals", "name", "${unclosed", False),
        ("ArnLike", "arn", "arn:aws:iam::*:role/${name}", True),
        ("ArnLike", "arn", "arn:aws:iam::*:role/${missing}", False),
    ],
)
def test_variables(operator: str, key: str, wanted: str, expected: bool) -> None:
    assert holds({operator: {key: wanted}}, REQUEST, variables=True) is expected


def test_without_variables_their_form_is_text() -> None:
    assert holds({"StringEquals": {"name": "${name}"}}, {"name": ["${name}"]})
    assert not holds({"StringEquals": {"name": "${name}"}}, REQUEST)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("*", "", True),
        ("**", "abc", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*ab", "aab", True),
        ("?", "", False),
        ("??*", "ab", True),
        ("a.c", "abc", False),
        ("a*", "ba", False),
        ("a\n*", "a\nb", True),
    ],
)
def test_wildcards(pattern: str, value: str, expected: bool) -> None:
    assert like(pattern, value) is expected


def test_brackets_in_a_pattern_are_themselves() -> None:
    assert like("a[b]*", "a[b]c")
    assert not like("a[b]", "ab")


@pytest.mark.parametrize(
    ("operator", "wanted", "allows", "denies"),
    [
        # A token for several audiences: the key has several values, and the operator no quantifier.
        ("StringEquals", "sts", False, True),
        ("StringEquals", ["sts", "vault"], False, True),
        ("StringEquals", "other", False, True),
        ("StringLike", "s*", False, True),
        ("StringNotEquals", "sts", False, True),
        ("StringNotEquals", "other", False, True),
        ("ForAnyValue:StringEquals", "sts", True, True),
        ("ForAllValues:StringEquals", "sts", False, False),
    ],
)
def test_several_values_without_a_quantifier_count_against_the_caller(
    operator: str, wanted: Any, allows: bool, denies: bool
) -> None:
    context = {"issuer:aud": ["sts", "vault"]}
    assert holds({operator: {"issuer:aud": wanted}}, context) is allows
    assert holds({operator: {"issuer:aud": wanted}}, context, denies=True) is denies
