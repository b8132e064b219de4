"""The sandbox's own reading of trust policies. It shares no code with irsa's."""

import json
from typing import Any

import pytest

from irsa_cli.sandbox.enforce import Who, admits, of_every_request

PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A"
ISSUER = "oidc.example/id/A"
ACTION = "sts:AssumeRoleWithWebIdentity"
CONTEXT = {
    f"{ISSUER}:sub".lower(): ["system:serviceaccount:shop:cart"],
    f"{ISSUER}:aud".lower(): ["sts.amazonaws.com"],
}
EXACT = {f"{ISSUER}:sub": "system:serviceaccount:shop:cart", f"{ISSUER}:aud": "sts.amazonaws.com"}


def _statement(**changes: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ACTION,
        "Condition": {"StringEquals": EXACT},
        **changes,
    }
    return {key: value for key, value in statement.items() if value is not None}


def _admits(*statements: Any) -> bool:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return admits(document, ACTION, Who(federated=PROVIDER), CONTEXT)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Action": ["sts:TagSession", ACTION]},
        {"Action": "sts:*"},
        {"Action": "STS:assumerolewithwebidentity"},
        {"Principal": {"Federated": ["arn:other", PROVIDER]}},
        {"Principal": "*"},
        {"Condition": None},
        {"Condition": {"StringLike": {f"{ISSUER}:sub": "system:serviceaccount:shop:*"}}},
        {"Condition": {"ForAnyValue:StringLike": {f"{ISSUER}:sub": ["x", "*:cart"]}}},
        {"Action": None, "NotAction": "sts:AssumeRole"},
    ],
)
def test_admitted(changes: dict[str, Any]) -> None:
    assert _admits(_statement(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": "Deny"},
        {"Action": "sts:AssumeRole"},
        {"Principal": {"Federated": PROVIDER + "x"}},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Condition": {"StringEquals": {f"https://{ISSUER}:sub": "system:serviceaccount:shop:cart"}}},
        {"Condition": {"StringEquals": {**EXACT, f"{ISSUER}:aud": "other"}}},
        {"Condition": {"StringEquals": {f"{ISSUER}:sub": "system:serviceaccount:shop:*"}}},
        {"Condition": {"StringEquals": {f"{ISSUER}:sub": "system:serviceaccount:shop:Cart"}}},
        {"Condition": {"DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"}}},
    ],
)
def test_not_admitted(changes: dict[str, Any]) -> None:
    assert not _admits(_statement(**changes))


def test_variables_take_the_version_that_knows_them() -> None:
    condition = {"StringEquals": {f"{ISSUER}:sub": "${" + ISSUER + ":sub}"}}
    for version, expected in (("2012-10-17", True), ("2008-10-17", False), (None, False)):
        head = {"Version": version} if version else {}
        document = json.dumps({**head, "Statement": _statement(Condition=condition)})
        assert admits(document, ACTION, Who(federated=PROVIDER), CONTEXT) is expected


def test_every_request_is_made_now_over_tls() -> None:
    context = {**CONTEXT, **of_every_request()}
    condition = {
        "Bool": {"aws:SecureTransport": "true"},
        "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
        "DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"},
    }
    document = json.dumps({"Statement": _statement(Condition=condition)})
    assert admits(document, ACTION, Who(federated=PROVIDER), context)


def test_a_denial_wins_wherever_it_stands() -> None:
    denial = _statement(Effect="Deny", Condition=None)
    assert not _admits(denial, _statement())
    assert not _admits(_statement(), denial)


def test_a_denial_of_others_does_not_matter() -> None:
    other = {"StringNotEquals": {f"{ISSUER}:sub": "system:serviceaccount:shop:cart"}}
    assert _admits(_statement(), _statement(Effect="Deny", Condition=other))


def test_one_statement_may_stand_without_a_list() -> None:
    document = json.dumps({"Statement": _statement()})
    assert admits(document, ACTION, Who(federated=PROVIDER), CONTEXT)
