"""The sandbox's evaluation of conditions, against the rules in IAM's documentation."""

from typing import Any

import pytest

from irsa_cli.sandbox.conditions import holds, is_operator, like

CONTEXT = {"aws:requesttag/team": ["blue"], "aws:tagkeys": ["team", "cost"], "sts:roleid": ["AROA:x"]}


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
        ("NoSuchOperator", "aws:RequestTag/team", "blue", False),
    ],
)
def test_one_operator(operator: str, key: str, wanted: Any, expected: bool) -> None:
    assert holds({operator: {key: wanted}}, CONTEXT) is expected


def test_all_operators_and_all_keys_must_hold() -> None:
    team, cost = {"aws:RequestTag/team": "blue"}, {"aws:TagKeys": "cost"}
    assert holds({"StringEquals": {**team, **cost}}, CONTEXT)
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


def test_brackets_in_a_pattern_are_themselves() -> None:
    assert like("a[b]*", "a[b]c")
    assert not like("a[b]", "ab")


@pytest.mark.parametrize("name", ["StringEquals", "ForAnyValue:StringLikeIfExists", "Null", "IpAddress"])
def test_known_operators(name: str) -> None:
    assert is_operator(name)


@pytest.mark.parametrize("name", ["StringEqual", "ForSome:StringLike", "stringequals!", ""])
def test_unknown_operators(name: str) -> None:
    assert not is_operator(name)
