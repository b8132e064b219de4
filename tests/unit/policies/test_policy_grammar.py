"""What IAM refuses in a permissions policy: found with its place; whatever AWS itself publishes passes."""

from __future__ import annotations

import json

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from irsa_cli.core.config.documents import parse
from irsa_cli.core.config.policies import read_policy
from irsa_cli.core.policies.grammar import problems
from irsa_cli.core.values.errors import InvalidInput


def _problems(elements: str) -> list[str]:
    base = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    whole = {key: value for key, value in {**base, **json.loads(elements)}.items() if value is not None}
    return [problem.text for problem in problems({"Version": "2012-10-17", "Statement": [whole]})]


def test_all_managed_policies_of_aws_pass() -> None:
    documents = {name: item["Document"] for name, item in json.loads(aws_managed_policies_data).items()}
    assert len(documents) > 1_000
    assert {
        name: list(map(str, problems(item))) for name, item in documents.items() if [*problems(item)]
    } == {}


TAKEN = """{"Sid": ""}
{"Sid": "Read0nly"}
{"Action": "*"}
{"Action": "*:*"}
{"Action": ["s3:*", "ec2:Describe?nstances", "execute-api:Invoke"]}
{"Resource": ["arn:aws:s3:::bucket/${aws:username}/*", "arn:*:iam::*:role/*"]}
{"Resource": "arn:aws:s3:::bucket/${aws:PrincipalTag/team, 'none'}"}
{"Resource": "arn:aws:s3:::b/${*}${?}${$}"}
{"Resource": "arn:aws:s3:*:*:accesspoint/*"}
{"Resource": "arn:aws:ec2:${aws:RequestedRegion}:${aws:PrincipalAccount}:instance/*"}
{"Resource": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:a:b-*"}
{"Resource": "arn:aws-cn:iam::aws:policy/X"}
{"Resource": null, "NotResource": "arn:aws:s3:::b"}
{"Action": null, "NotAction": ["iam:*"]}
{"Condition": {}}
{"Condition": {"StringEquals": {"aws:RequestTag/eks:cluster": ["a", "b"]}}}
{"Condition": {"Bool": {"aws:SecureTransport": true}, "NumericLessThan": {"s3:max-keys": 10}}}
{"Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": "${aws:PrincipalTag/key}"}}}
{"Condition": {"DateGreaterThan": {"aws:CurrentTime": ["2026-01-01T00:00:00Z", "1767225600", 1]}}}"""


def test_what_iam_takes_passes() -> None:
    for elements in TAKEN.splitlines():
        assert _problems(elements) == [], elements


REFUSED = {
    '{"Sid": "read only"}': "other characters than",
    '{"Sid": 1}': "Sid must be a string",
    '{"Effect": "allow"}': "Effect must be Allow or Deny, not 'allow'",
    '{"Effect": ["Allow"]}': "Effect must be Allow or Deny",
    '{"Effect": null}': "Effect must be Allow or Deny",
    '{"Action": null}': "needs one of Action and NotAction",
    '{"Resource": null}': "needs one of Resource and NotResource",
    '{"NotAction": "s3:*"}': "needs one of Action and NotAction, not both",
    '{"NotResource": "*"}': "needs one of Resource and NotResource, not both",
    '{"Action": "GetObject"}': "names no service",
    '{"Action": "s3:Get:Object"}': "two colons",
    '{"Action": "s_3:Get"}': "is not an action",
    '{"Action": [""]}': "must be a string",
    '{"Action": []}': "an empty list",
    '{"Action": {"a": 1}}': "must be a string",
    '{"Resource": "bucket"}': "neither an ARN nor *",
    '{"Resource": "*bucket"}': "neither an ARN nor *",
    '{"Resource": "arn:aws"}': "neither an ARN nor *",
    '{"Resource": "arn:aws:"}': "is not an ARN",
    '{"Resource": "arn:aws:s3::bucket"}': "is not an ARN",
    '{"Resource": "arn::s3:::bucket"}': "partition",
    '{"Resource": "arn:aws:iam:eu-west-1:111122223333:role/x"}': "IAM is in none",
    '{"Resource": "arn:aws:iam::ACCOUNT_ID:role/x"}': "has the account 'ACCOUNT_ID'",
    '{"Resource": "${KMS_KEY_ARN}"}': "'${KMS_KEY_ARN}' is a placeholder",
    '{"Resource": "arn:aws:s3:::${BUCKET}/*"}': "'${BUCKET}' is a placeholder",
    '{"Resource": "arn:aws:iam::<ACCOUNT>:role/x"}': "'<ACCOUNT>' is a placeholder",
    '{"Resource": "arn:aws:s3:::REPLACE_ME/*"}': "'REPLACE_ME' is a placeholder",
    '{"Resource": "arn:aws:s3:::{{ .Values.bucket }}"}': "is a placeholder",
    '{"Resource": {"Fn::Sub": "arn:x"}}': "Fn::Sub is CloudFormation syntax",
    '{"Resource": {"a": "b"}}': "must be a string",
    '{"Resource": "arn:${AWS::Partition}:s3:::b"}': "'${AWS::Partition}' is a placeholder",
    '{"Principal": "*"}': "has no Principal",
    '{"NotPrincipal": "*"}': "has no NotPrincipal",
    '{"resource": "*"}': "did you mean 'Resource'?",
    '{"Conditions": {}}': "did you mean 'Condition'?",
    '{"Condition": []}': "Condition must be an object",
    '{"Condition": {"StringEqual": {"aws:x": "y"}}}': "did you mean 'StringEquals'?",
    '{"Condition": {"StringEquals": "y"}}': "must be an object",
    '{"Condition": {"StringEquals": {"x": "y"}}}': "names no service",
    '{"Condition": {"StringEquals": {"aws:x": {"y": "z"}}}}': "must be a string",
    '{"Condition": {"StringEquals": {"aws:SourceVpc": "${VPC}"}}}': "'${VPC}' is a placeholder",
    '{"Condition": {"DateLessThan": {"aws:CurrentTime": "tomorrow"}}}': "is not a date",
}


def test_what_iam_refuses_is_found() -> None:
    for elements, words in REFUSED.items():
        assert words in "\n".join(_problems(elements)), elements


FILE = """{
  "Version": "2012-10-18",
  "Statement": [
    {
      "Sid": "one",
      "Effect": "Allow",
      "Action": ["s3:GetObject", "PutObject"],
      "Resource": "bucket"
    },
    {
      "Sid": "one",
      "Effect": "Allow", "Action": "s3:*", "Resource": "*",
      "Condition": {"StringLikes": {"aws:x": "y"}}
    }
  ]
}
"""


def _lines(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read_policy(text, "p.json")
    return list(caught.value.details) or [str(caught.value)]


def test_all_problems_of_a_file_are_told_with_their_places() -> None:
    places = [line.partition(": ")[0] for line in _lines(FILE)]
    assert places == ["p.json:2:14", "p.json:7:34", "p.json:8:19", "p.json:13:21", "p.json:11:14"]


def test_a_file_that_is_no_policy() -> None:
    for text, line in {
        '{"Statement": [],\n "Statement": []}': "p.json:2:2: 'Statement' is given twice (first in line 1)",
        "{\n}": "p.json:1:1: it has no Statement",
        '{"Statement": [\n3]}': "p.json:2:1: a statement is an object",
        '{"Statement": [{}': "p.json is not JSON: line 1, column 18: Expecting ',' delimiter",
        "[]": "p.json is not a policy: a policy is a JSON object",
        "a: b": "p.json is not JSON: line 1, column 1: Expecting value",
    }.items():
        assert _lines(text)[0] == line


def test_places_in_yaml() -> None:
    text = """apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: prod}
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {name: a}
    attachPolicy: &policy
      Version: 2012-10-17
      Statement:
      - Effect: Allow
        Action: [s3:GetObject, getObject]
        Resource: ${KMS_KEY_ARN}
      - Effect: Alow
        Action: "*"
        Resource: "*"
        Principal: "*"
  - metadata: {name: b}
    attachPolicy: *policy
"""
    with pytest.raises(InvalidInput) as caught:
        parse(text, "f.yaml")
    places = [line.partition(": ")[0] for line in caught.value.details]
    assert sorted(places) == ["f.yaml:12:32", "f.yaml:13:19", "f.yaml:14:17", "f.yaml:17:9"]
