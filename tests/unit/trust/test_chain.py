"""What a target role's trust policy says to a role that goes on to it: yes, no, or not known from here."""

import json

from irsa_cli.core.trust.chain import Chain, answer_of
from irsa_cli.core.trust.evaluation import Answer
from tests.support.documents import Json

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
ROLE = "arn:aws:iam::111122223333:role/irsa/demo/app"
ROOT = {"AWS": "arn:aws:iam::111122223333:root"}
CHAIN = Chain(ROLE, "arn:aws:iam::222222222222:role/data", "tenant-7")


ALLOW = {"Effect": "Allow", "Principal": ROOT, "Action": "sts:AssumeRole"}


def judged(*statements: Json, chain: Chain = CHAIN) -> Answer:
    return answer_of(chain.judge({"Version": "2012-10-17", "Statement": list(statements)}))


PRINCIPALS = {
    '{"AWS": "arn:aws:iam::111122223333:root"}': YES,
    '{"AWS": "111122223333"}': YES,
    '{"AWS": ["arn:aws:iam::333333333333:root", "arn:aws:iam::111122223333:role/irsa/demo/app"]}': YES,
    '"*"': YES,
    '{"AWS": "arn:aws:iam::333333333333:root"}': NO,
    '{"AWS": "AROAEXAMPLEEXAMPLE123"}': NO,
    '{"Service": "ec2.amazonaws.com"}': NO,
    '{"AWS": "arn:aws:sts::111122223333:assumed-role/app/one-name"}': UNKNOWN,
    '{"AWS": "arn:aws:sts::111122223333:assumed-role/other/one-name"}': NO,
}


def test_whom_it_names() -> None:
    for text, answer in PRINCIPALS.items():
        named = {**ALLOW, "Principal": json.loads(text)}
        assert judged(named) is answer, text
        denied = {YES: NO, NO: YES, UNKNOWN: UNKNOWN}[answer]
        assert judged(ALLOW, {**named, "Effect": "Deny"}) is denied, text


CONDITIONS = {
    '{"StringEquals": {"sts:ExternalId": ["other", "tenant-7"]}}': YES,
    '{"StringEquals": {"sts:ExternalId": "other"}}': NO,
    '{"StringEquals": {"aws:PrincipalAccount": "111122223333"}}': YES,
    '{"Bool": {"aws:PrincipalIsAWSService": "false"}}': YES,
    '{"Bool": {"aws:ViaAWSService": "false"}}': YES,
    '{"Bool": {"aws:MultiFactorAuthPresent": "true"}}': NO,
    '{"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}': NO,
    '{"StringEquals": {"aws:PrincipalTag/team": "a"}}': UNKNOWN,
    '{"StringLike": {"aws:userid": "AROA*:app"}}': UNKNOWN,
    '{"StringEquals": {"aws:RequestTag/team": "a"}}': NO,
    '{"StringLike": {"sts:SourceIdentity": "*"}}': NO,
    '{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}': UNKNOWN,
}


def test_what_it_asks_for() -> None:
    for text, answer in CONDITIONS.items():
        assert judged({**ALLOW, "Condition": json.loads(text)}) is answer, text


def test_a_session_that_may_be_tagged_may_have_tags() -> None:
    tagging = Chain(ROLE, CHAIN.target_arn, tag_session=True)
    tagged = {"StringEquals": {"aws:RequestTag/team": "a"}}
    asked = {**ALLOW, "Action": ["sts:AssumeRole", "sts:TagSession"], "Condition": tagged}
    assert judged(asked, chain=tagging) is UNKNOWN
    assert judged(ALLOW, chain=tagging) is NO
