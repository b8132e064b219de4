"""The sandbox's evaluation of identity policies."""

from typing import Any

import pytest

from irsa_cli.sandbox.enforce import Act, Powers, refusal, verdict

ROLE = "arn:aws:iam::111122223333:role/irsa/demo/x"
CREATE = Act("iam:CreateRole", ROLE, {"aws:requesttag/team": ["blue"]})


def _document(**changes: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "iam:CreateRole", "Resource": "*", **changes}
    return {"Statement": {key: value for key, value in statement.items() if value is not None}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "allow"),
        ({"Action": "IAM:create*"}, "allow"),
        ({"Action": "*"}, "allow"),
        ({"Action": ["iam:GetRole", "iam:CreateRole"]}, "allow"),
        ({"Action": "iam:GetRole"}, "silent"),
        ({"Action": None, "NotAction": "s3:*"}, "allow"),
        ({"Action": None, "NotAction": "iam:*"}, "silent"),
        ({"Resource": "arn:aws:iam::*:role/irsa/*"}, "allow"),
        ({"Resource": "arn:aws:iam::*:role/x"}, "silent"),
        ({"Resource": None, "NotResource": "arn:aws:iam::*:role/irsa/*"}, "silent"),
        ({"Resource": None, "NotResource": "arn:aws:iam::*:role/other/*"}, "allow"),
        ({"Effect": "Deny"}, "deny"),
        ({"Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}}}, "allow"),
        ({"Condition": {"StringEquals": {"aws:RequestTag/team": "red"}}}, "silent"),
    ],
)
def test_one_statement(changes: dict[str, Any], expected: str) -> None:
    assert verdict([_document(**changes)], CREATE) == expected


def test_nothing_is_allowed_by_nothing() -> None:
    assert verdict([], CREATE) == "silent"


def test_a_denial_in_another_policy_wins() -> None:
    assert verdict([_document(), _document(Effect="Deny")], CREATE) == "deny"


ALLOWS, DENIES, SILENT = _document(), _document(Effect="Deny"), _document(Action="s3:*")


@pytest.mark.parametrize(
    ("powers", "words"),
    [
        (Powers([ALLOWS]), ""),
        (Powers([ALLOWS], boundary=ALLOWS, session=ALLOWS), ""),
        (Powers([SILENT]), "because no identity-based policy allows the iam:CreateRole action"),
        (Powers([DENIES]), "with an explicit deny in an identity-based policy"),
        (
            Powers([ALLOWS], boundary=SILENT),
            "because no permissions boundary allows the iam:CreateRole action",
        ),
        (Powers([ALLOWS], boundary=DENIES), "with an explicit deny in a permissions boundary"),
        (
            Powers([SILENT], boundary=ALLOWS),
            "because no identity-based policy allows the iam:CreateRole action",
        ),
        (Powers([ALLOWS], session=SILENT), "because no session policy allows the iam:CreateRole action"),
    ],
)
def test_all_layers_must_allow(powers: Powers, words: str) -> None:
    assert refusal(powers, CREATE) == words
