"""What a target role's trust policy says to a role that goes on to it: yes, no, or not known from here."""

from typing import Any

import pytest

from irsa_cli.core.trust.chain import Chain, answer_of
from irsa_cli.core.trust.evaluation import Answer
from tests.support.documents import Json

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
ROLE = "arn:aws:iam::111122223333:role/irsa/demo/app"
ROOT = {"AWS": "arn:aws:iam::111122223333:root"}
CHAIN = Chain(ROLE, "arn:aws:iam::222222222222:role/data", "tenant-7")


def statement(principal: Any, conditions: Any = None, **more: Any) -> Json:
    found = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return {**found, "Condition": conditions} if conditions else found


def judged(*statements: Json, chain: Chain = CHAIN) -> Answer:
    return answer_of(chain.judge({"Version": "2012-10-17", "Statement": list(statements)}))


@pytest.mark.parametrize(
    ("answer", "principal"),
    [
        (YES, ROOT),
        (YES, {"AWS": "111122223333"}),
        (YES, {"AWS": ["arn:aws:iam::333333333333:root", ROLE]}),
        (YES, "*"),
        (NO, {"AWS": "arn:aws:iam::333333333333:root"}),
        (NO, {"AWS": "AROAEXAMPLEEXAMPLE123"}),
        (NO, {"Service": "ec2.amazonaws.com"}),
        (UNKNOWN, {"AWS": "arn:aws:sts::111122223333:assumed-role/app/one-name"}),
        (NO, {"AWS": "arn:aws:sts::111122223333:assumed-role/other/one-name"}),
    ],
)
def test_whom_it_names(answer: Answer, principal: Any) -> None:
    assert judged(statement(principal)) is answer
    denied = {YES: NO, NO: YES, UNKNOWN: UNKNOWN}[answer]
    assert judged(statement(ROOT), statement(principal, Effect="Deny")) is denied


@pytest.mark.parametrize(
    ("answer", "conditions"),
    [
        (YES, {"StringEquals": {"sts:ExternalId": ["other", "tenant-7"]}}),
        (NO, {"StringEquals": {"sts:ExternalId": "other"}}),
        (YES, {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}),
        (YES, {"Bool": {"aws:PrincipalIsAWSService": "false"}}),
        (YES, {"Bool": {"aws:ViaAWSService": "false"}}),
        (NO, {"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        (NO, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}),
        (UNKNOWN, {"StringEquals": {"aws:PrincipalTag/team": "a"}}),
        (UNKNOWN, {"StringLike": {"aws:userid": "AROA*:app"}}),
        (NO, {"StringEquals": {"aws:RequestTag/team": "a"}}),
        (NO, {"StringLike": {"sts:SourceIdentity": "*"}}),
        (UNKNOWN, {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    ],
)
def test_what_it_asks_for(answer: Answer, conditions: Any) -> None:
    assert judged(statement(ROOT, conditions)) is answer


def test_a_session_that_may_be_tagged_may_have_tags() -> None:
    tagging = Chain(ROLE, CHAIN.target_arn, tag_session=True)
    asked = statement(
        ROOT,
        {"StringEquals": {"aws:RequestTag/team": "a"}},
        Action=["sts:AssumeRole", "sts:TagSession"],
    )
    assert judged(asked, chain=tagging) is UNKNOWN
    assert judged(statement(ROOT), chain=tagging) is NO
