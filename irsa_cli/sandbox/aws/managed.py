"""A few of the policies that AWS manages, for roles to be given: as AWS publishes them, by moto's collection.

Those below stand in for the ones that a version of moto does not have.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any


def _allow(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


_READ_S3 = ("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*")

DOCUMENTS: dict[str, dict[str, Any]] = {
    "AdministratorAccess": _policy(_allow("*")),
    "PowerUserAccess": _policy(
        {
            "Effect": "Allow",
            "NotAction": ["iam:*", "organizations:*", "account:*"],
            "Resource": "*",
        },
        _allow("iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles"),
    ),
    "ReadOnlyAccess": _policy(
        _allow("iam:Get*", "iam:List*", "s3:Get*", "s3:List*", "eks:Describe*", "eks:List*", "sts:Get*")
    ),
    "SecurityAudit": _policy(
        _allow("iam:Get*", "iam:List*", "eks:Describe*", "eks:List*", "s3:GetBucket*", "s3:ListAllMyBuckets")
    ),
    "IAMFullAccess": _policy(_allow("iam:*")),
    "AmazonS3FullAccess": _policy(_allow("s3:*", "s3-object-lambda:*")),
    "AmazonS3ReadOnlyAccess": _policy(_allow(*_READ_S3)),
    "AmazonDynamoDBFullAccess": _policy(_allow("dynamodb:*")),
    "AmazonDynamoDBReadOnlyAccess": _policy(
        _allow("dynamodb:BatchGetItem", "dynamodb:Describe*", "dynamodb:List*", "dynamodb:GetItem")
    ),
    "AmazonSQSFullAccess": _policy(_allow("sqs:*")),
    "AmazonSQSReadOnlyAccess": _policy(
        _allow("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueues", "sqs:ListQueueTags")
    ),
    "AmazonSNSReadOnlyAccess": _policy(_allow("sns:GetTopicAttributes", "sns:List*")),
    "AmazonEC2ReadOnlyAccess": _policy(_allow("ec2:Describe*", "ec2:GetSecurityGroupsForVpc")),
    "AmazonEC2ContainerRegistryReadOnly": _policy(
        _allow("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    ),
    "AmazonEC2ContainerRegistryPowerUser": _policy(
        _allow("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:PutImage", "ecr:UploadLayerPart")
    ),
    "AmazonElastiCacheFullAccess": _policy(_allow("elasticache:*")),
    "AmazonFSxFullAccess": _policy(_allow("fsx:*")),
    "AmazonPrometheusRemoteWriteAccess": _policy(_allow("aps:RemoteWrite")),
    "AWSXrayWriteOnlyAccess": _policy(_allow("xray:PutTraceSegments", "xray:PutTelemetryRecords")),
    "AmazonEKS_CNI_Policy": _policy(_allow("ec2:AssignPrivateIpAddresses", "ec2:DescribeInstances")),
    "AmazonEBSCSIDriverPolicy": _policy(_allow("ec2:CreateSnapshot", "ec2:AttachVolume", "ec2:DetachVolume")),
    "CloudWatchAgentServerPolicy": _policy(
        _allow("cloudwatch:PutMetricData", "ec2:DescribeTags", "logs:PutLogEvents", "logs:CreateLogStream")
    ),
    "CloudWatchReadOnlyAccess": _policy(_allow("cloudwatch:Describe*", "cloudwatch:Get*", "logs:Get*")),
    "SecretsManagerReadWrite": _policy(_allow("secretsmanager:*", "kms:DescribeKey", "kms:ListAliases")),
}
"""Documents by policy name, the long ones shortened; the path is / but for those in `PATHS`."""

PATHS = {"AmazonEBSCSIDriverPolicy": "/service-role/"}


@cache
def document(name: str) -> str:
    """The text of a policy's document."""
    found = published(name)
    return json.dumps(DOCUMENTS[name] if found is None else found)


def published(name: str) -> dict[str, Any] | None:
    """The document as AWS publishes it; None where moto has none of that name.

    Only this one is parsed: the collection has more than a thousand, in a text of some megabytes.
    """
    try:
        from moto.iam.aws_managed_policies import aws_managed_policies_data as collection
    except ImportError:
        return None
    at = collection.find(f"\n {json.dumps(name)}:")
    if at < 0:
        return None
    try:
        entry, _ = json.JSONDecoder().raw_decode(collection, collection.index("{", at))
        found = entry["Document"]
    except (ValueError, KeyError):
        return None
    return found if isinstance(found, dict) else None
