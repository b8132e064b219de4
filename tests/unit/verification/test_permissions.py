"""Calls on the command line: what is taken, and that nothing is taken that may change something."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.aws.permissions import _EXCEPTIONS, READING, read_call, why_not
from irsa_cli.core.values.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "service", "operation", "parameters"),
    [
        ("s3 list-buckets", "s3", "ListBuckets", {}),
        ("s3api list-buckets", "s3", "ListBuckets", {}),
        ("s3 head-bucket --bucket b", "s3", "HeadBucket", {"Bucket": "b"}),
        ("s3 list-objects-v2 --bucket b --max-keys 5", "s3", "ListObjectsV2", {"Bucket": "b", "MaxKeys": 5}),
        ("s3 list-objects-v2 --bucket 'a b'", "s3", "ListObjectsV2", {"Bucket": "a b"}),
        (
            "ec2 describe-instances --instance-ids i-1 i-2",
            "ec2",
            "DescribeInstances",
            {"InstanceIds": ["i-1", "i-2"]},
        ),
        (
            "ec2 describe-instances --instance-ids '[\"i-1\"]'",
            "ec2",
            "DescribeInstances",
            {"InstanceIds": ["i-1"]},
        ),
        ("ec2 describe-instances --dry-run", "ec2", "DescribeInstances", {"DryRun": True}),
        ("ec2 describe-instances --no-dry-run", "ec2", "DescribeInstances", {"DryRun": False}),
        ("ec2 describe-instances --dry-run true", "ec2", "DescribeInstances", {"DryRun": True}),
        (
            'dynamodb get-item --table-name t --key \'{"id": {"S": "1"}}\'',
            "dynamodb",
            "GetItem",
            {"TableName": "t", "Key": {"id": {"S": "1"}}},
        ),
        (
            "s3 get-object --bucket b --key file:///etc/passwd",
            "s3",
            "GetObject",
            {"Bucket": "b", "Key": "file:///etc/passwd"},
        ),
    ],
)
def test_calls_that_read(text: str, service: str, operation: str, parameters: dict[str, Any]) -> None:
    found = read_call(text)
    assert (found.service, found.operation, found.parameters) == (service, operation, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3",
        "s3 ls",
        "--debug s3 list-buckets",
        "s3 --debug list-buckets",
        "nothing list-buckets",
        "s3 'list-buckets",
        "s3 list-buckets stray",
        "s3 list-buckets --endpoint-url http://127.0.0.1",
        "s3 list-buckets --profile admin",
        "s3 list-buckets --cli-input-json file://x",
        "s3 list-objects-v2",
        "s3 list-objects-v2 --bucket",
        "s3 list-objects-v2 --bucket a b",
        "s3 list-objects-v2 --bucket b --max-keys many",
        "ec2 describe-instances --dry-run perhaps",
        "dynamodb get-item --table-name t --key {id}",
        "s3 delete-bucket --bucket b",
        "s3 put-object --bucket b --key k",
        "iam create-user --user-name u",
        "sqs receive-message --queue-url q",
        "redshift get-cluster-credentials --db-user u --cluster-identifier c --auto-create",
        "cognito-identity get-id --identity-pool-id p",
        "cognito-identity get-credentials-for-identity --identity-id i",
        "sso list-accounts --access-token t",
        "stepfunctions get-activity-task --activity-arn a",
        "sts assume-role --role-arn arn:aws:iam::111122223333:role/x --role-session-name x",
    ],
)
def test_what_is_no_such_call_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_call(text)


WRITING = (
    "Create",
    "Delete",
    "Put",
    "Update",
    "Start",
    "Stop",
    "Attach",
    "Detach",
    "Set",
    "Send",
    "Terminate",
)


def test_no_operation_that_is_named_after_a_change_counts_as_reading() -> None:
    session = botocore.session.get_session()
    for service in ("s3", "iam", "ec2", "sqs", "sts", "dynamodb", "secretsmanager"):
        operations = session.get_service_model(service).operation_names
        assert [name for name in operations if READING.match(name)] or service == "sts"
        assert not [name for name in operations if READING.match(name) and name.startswith(WRITING)]


@pytest.mark.parametrize(
    "text",
    [
        "sts get-caller-identity",
        "sts get-session-token",
        "ecr get-authorization-token",
        "secretsmanager get-secret-value --secret-id s",
    ],
)
def test_what_hands_out_secrets_reads(text: str) -> None:
    """They are neither shown nor kept, and applications need the permission."""
    assert read_call(text).operation.startswith("Get")


def test_exceptions_are_operations_whose_names_look_like_reading() -> None:
    session = botocore.session.get_session()
    known = set(session.get_available_services())
    for service, name in map(str.split, _EXCEPTIONS):
        assert READING.match(name)
        operations = session.get_service_model(service).operation_names if service in known else ()
        if name in operations:
            assert why_not(session.get_service_model(service).operation_model(name))


@given(st.sampled_from(["Getaway", "Listen", "Describer", "Headline", "GET", "lists"]), st.text(max_size=5))
def test_a_name_that_only_begins_alike_is_no_reading_one(name: str, rest: str) -> None:
    assert not READING.match(name + rest.lower())
