"""A working binding made without irsa: provider, role and ServiceAccount, as by somebody else."""

import json
from typing import Any

from tests.support.sandbox_clients import administrator
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage


def make_binding(stage: Stage, namespace: str, name: str = "reader") -> str:
    """Make the ServiceAccount with a role that may read S3; returns the role's ARN."""
    issuer = str(
        _client(stage, "eks").describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
    )
    iam = stage.iam()
    provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["sts.amazonaws.com"])
    prefix = issuer.removeprefix("https://")
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{prefix}:sub": f"system:serviceaccount:{namespace}:{name}",
                f"{prefix}:aud": "sts.amazonaws.com",
            }
        },
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = f"{namespace}-{name}"
    arn: str = iam.create_role(RoleName=role, Path="/own/", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY.replace("aws", arn.split(":")[1], 1))
    stage.make_account(namespace, name, annotations={ROLE_ARN: arn})
    return arn


def _client(stage: Stage, service: str) -> Any:
    return administrator(stage.sandbox, service, stage.account_id, stage.region)
