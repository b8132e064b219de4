"""Roles and ServiceAccounts as other tools make them: trust policies, tags and labels, without the tools."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.documents import doc
from tests.support.sandbox_clients import administrator
from tests.support.stage import ROLE_ARN, Json, Stage

AUDIENCE = "sts.amazonaws.com"
ADMITTING = """{"Effect": "Allow", "Principal": {"Federated": "<provider>"},
    "Action": "sts:AssumeRoleWithWebIdentity"}"""


def issuer_of(stage: Stage) -> str:
    """The cluster's issuer without `https://`."""
    eks = administrator(stage.sandbox, "eks", stage.account_id, stage.region)
    found: str = eks.describe_cluster(name=stage.cluster)["cluster"]["identity"]["oidc"]["issuer"]
    return found.removeprefix("https://")


def admitting(
    stage: Stage,
    subject: str | list[str] | None,
    operator: str = "StringEquals",
    condition: Mapping[str, Any] | None = None,
    **more: Any,
) -> Json:
    """A statement that admits subjects of the cluster; None: all of them. `condition` is demanded besides."""
    issuer = issuer_of(stage)
    block: dict[str, dict[str, Any]] = {"StringEquals": {f"{issuer}:aud": AUDIENCE}}
    if subject is not None:
        block.setdefault(operator, {})[f"{issuer}:sub"] = subject
    for name, pairs in (condition or {}).items():
        block.setdefault(name, {}).update(pairs)
    provider = f"arn:aws:iam::{stage.account_id}:oidc-provider/{issuer}"
    return {**more, **doc(ADMITTING, provider=provider), "Condition": block}


def make_role(
    stage: Stage, name: str, *statements: Json, tags: Mapping[str, str] = {}, path: str = "/"
) -> str:
    """Make a role of somebody else's; returns its ARN."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    made = stage.iam().create_role(
        RoleName=name,
        Path=path,
        AssumeRolePolicyDocument=json.dumps(document),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    arn: str = made["Role"]["Arn"]
    return arn


def write_trust(stage: Stage, name: str, *statements: Json) -> None:
    """Write a trust policy as its owner does."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    stage.iam().update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))


def trust_of(stage: Stage, name: str) -> Json:
    """The trust policy of a role as the world has it."""
    found: Json = copy.deepcopy(stage.aws_world()["roles"][name]["trust"])
    return found


@dataclass(frozen=True)
class Tool:
    """How a tool marks what it makes, and whom the roles that it makes admit."""

    name: str
    tags: Mapping[str, str]
    maker: str
    operator: str = "StringEquals"
    subject: str = "system:serviceaccount:{namespace}:{name}"
    path: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def make(self, stage: Stage, namespace: str, name: str, role: str) -> str:
        """Make the role and the ServiceAccount; returns the role's ARN."""
        subject = self.subject.format(namespace=namespace, name=name)
        arn = make_role(stage, role, admitting(stage, subject, self.operator), tags=self.tags, path=self.path)
        annotations = {ROLE_ARN: arn, **self.annotations}
        stage.make_account(namespace, name, annotations=annotations, labels=dict(self.labels))
        return arn


TOOLS = (
    # https://github.com/terraform-aws-modules/terraform-aws-iam: iam-role-for-service-accounts
    Tool(
        "terraform-module",
        {"Terraform": "true", "Environment": "dev"},
        "Terraform",
        labels={"app.kubernetes.io/managed-by": "Helm"},
        annotations={"meta.helm.sh/release-name": "app"},
    ),
    Tool(
        "terraform-wildcard",
        {"ManagedBy": "terraform"},
        "Terraform",
        "StringLike",
        "system:serviceaccount:*:{name}",
    ),
    Tool(
        "eksctl",
        {"alpha.eksctl.io/cluster-name": "sandbox", "alpha.eksctl.io/iamserviceaccount-name": "a/b"},
        "eksctl",
        labels={"app.kubernetes.io/managed-by": "eksctl"},
    ),
    Tool("cdk", {"managed-by": "aws-cdk"}, "CDK"),
    Tool(
        "crossplane",
        {
            "crossplane-kind": "role.iam.aws.upbound.io",
            "crossplane-name": "app-x7k2p",
            "crossplane-providerconfig": "default",
        },
        "Crossplane",
    ),
    Tool(
        "ack",
        {"services.k8s.aws/controller-version": "iam-1.3.8", "services.k8s.aws/namespace": "ack-system"},
        "ACK",
    ),
    # https://github.com/openshift/rosa: operator roles
    Tool(
        "rosa",
        {"red-hat-managed": "true", "operator_namespace": "openshift-x", "operator_name": "creds"},
        "rosa",
        path="/rosa/",
    ),
    Tool("hand", {}, "unknown"),
)
