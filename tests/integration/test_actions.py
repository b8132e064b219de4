"""The actions of services as IAM names them: what there is passes, what is not is refused with a hint."""

from __future__ import annotations

import pytest

from irsa_cli.aws.permissions import check_action
from irsa_cli.core.trust.rules.power import ACTIONS
from irsa_cli.core.values.errors import InvalidInput

KNOWN = (
    "s3:DeleteBucket",
    "S3:deletebucket",
    "s3:ListAllMyBuckets",
    "s3:GetObjectVersion",
    "s3:CreateAccessPoint",
    "lambda:InvokeFunction",
    "lambda:InvokeFunctionUrl",
    "iam:PassRole",
    "sts:TagSession",
    "kms:ReEncryptFrom",
    "dynamodb:PartiQLSelect",
    "elasticfilesystem:ClientMount",
    "elasticloadbalancing:DescribeTargetGroups",
    "states:StartExecution",
    "es:ESHttpGet",
    "ses:SendEmail",
    "ecr:GetAuthorizationToken",
    "bedrock:InvokeModel",
    *ACTIONS,
)


def test_actions_of_iam() -> None:
    assert {action: told for action in KNOWN if (told := check_action(action))} == {}


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("s3:DeletBucket", '"s3:DeletBucket" is not an S3 action. Did you mean s3:DeleteBucket?'),
        ("s3:ListBuckets", '"s3:ListBuckets" is not an S3 action. Did you mean s3:ListAllMyBuckets?'),
        ("lambda:Invoke", '"lambda:Invoke" is not a Lambda action. Did you mean lambda:InvokeFunction?'),
        ("ec2:RunInstance", '"ec2:RunInstance" is not an EC2 action. Did you mean ec2:RunInstances?'),
        ("sqs:ReceivMessage", '"sqs:ReceivMessage" is not an SQS action. Did you mean sqs:ReceiveMessage?'),
        ("iam:PasRole", '"iam:PasRole" is not an IAM action. Did you mean iam:PassRole?'),
        ("lamda:InvokeFunction", '"lamda" is not a service in IAM. Did you mean lambda:InvokeFunction?'),
        (
            "efs:CreateFileSystem",
            '"efs" is not a service in IAM. Did you mean elasticfilesystem:CreateFileSystem?',
        ),
    ],
)
def test_what_is_no_action_is_refused(action: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_action(action)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("action", "similar"),
    [
        ("s3:Xyzzy", ""),
        ("ec2-instance-connect:OpenTunnel", ""),
        ("elasticache:Connect", ""),
        ("neptune-db:connect", ""),
        ("guardduty:SendSecurityTelemetry", ""),
        (
            "dynamodb:PurchaseReservedCapacityOfferings",
            "; similar: dynamodb:DescribeReservedCapacityOfferings",
        ),
    ],
)
def test_an_action_of_a_known_service_may_be_in_no_list(action: str, similar: str) -> None:
    told = f'"{action}" is not in irsa\'s list of {action.partition(":")[0]} actions'
    assert check_action(action).startswith(f"{told}{similar}")


@pytest.mark.parametrize(
    "action", ["rds-db:connect", "ssmmessages:OpenDataChannel", "qqqqqqq:Do", "drs:Anything"]
)
def test_what_is_not_known_is_not_refused(action: str) -> None:
    assert f'"{action}" was not checked: irsa has no list' in check_action(action)
