"""Trust policies as tools make them, in their own forms: what is tight in an account that is audited.

eksctl, terraform-aws-modules, CDK, rosa, kOps, and irsa itself. Names of ServiceAccounts are namespace/name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.trust_policy import EXACT, Shared

STS, OPENSHIFT, KOPS = "sts.amazonaws.com", "openshift", "amazonaws.com"
ROSA_ISSUERS = (
    "rh-oidc.s3.us-east-1.amazonaws.com/1srtno3qggal8ujsegvtb2njvbmhdu8c",
    "d3gt1gce2zmg3d.cloudfront.net/246u8c0emqh7885t3drgmnd1h0lcjn0p",
    "oidc.op1.openshiftapps.com/2a9ucd0dk5mqc5a4bjdhb0tgkqvt9mp1",
)
"""Where Red Hat keeps the keys of clusters: in a bucket at first, behind CloudFront, at a name of its own."""
KOPS_ISSUER = "oidc.kops.example.com/clusters/blue"
"""A discovery store behind a name of one's own. In a bucket, it is `issuer-can-be-had`."""


def subject_of(name: str) -> str:
    """The subject of a ServiceAccount's tokens."""
    return f"system:serviceaccount:{name.replace('/', ':')}"


def issuer_in(provider: str) -> str:
    """The issuer of a provider's ARN, without `https://`."""
    return provider.partition("oidc-provider/")[2]


def _policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def eksctl(provider: str, name: str, role: str) -> Document:
    """`eksctl create iamserviceaccount`: a CloudFormation template of its own."""
    issuer = issuer_in(provider)
    return _policy(
        {
            "Action": [ACTION],
            "Condition": {"StringEquals": {f"{issuer}:aud": STS, f"{issuer}:sub": subject_of(name)}},
            "Effect": "Allow",
            "Principal": {"Federated": provider},
        }
    )


def terraform(provider: str, name: str, role: str) -> Document:
    """terraform-aws-modules' iam-role-for-service-accounts-eks, in the form in which IAM shows it."""
    issuer = issuer_in(provider)
    return _policy(
        {
            "Sid": "",
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ACTION,
            "Condition": {"StringEquals": {f"{issuer}:aud": STS, f"{issuer}:sub": [subject_of(name)]}},
        }
    )


def terraform_of_itself(provider: str, name: str, role: str) -> Document:
    """The same with allow_self_assume_role: everybody as principal, and the role alone by its condition."""
    itself = {
        "Sid": "ExplicitSelfRoleAssumption",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": role}},
    }
    return _policy(itself, *terraform(provider, name, role)["Statement"])


def terraform_by_patterns(provider: str, name: str, role: str) -> Document:
    """The same with assume_role_condition_test = "StringLike", and no sign of a pattern in it."""
    (one,) = terraform(provider, name, role)["Statement"]
    return _policy({**one, "Condition": {"StringLike": one["Condition"]["StringEquals"]}})


def cdk(provider: str, name: str, role: str) -> Document:
    """CDK's `cluster.addServiceAccount`."""
    issuer = issuer_in(provider)
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ACTION,
            "Condition": {"StringEquals": {f"{issuer}:aud": STS, f"{issuer}:sub": subject_of(name)}},
        }
    )


def irsa(provider: str, name: str, role: str) -> Document:
    """irsa's own."""
    return _policy(Shared(provider, STS, EXACT, (subject_of(name),)).document)


def rosa(provider: str, name: str, role: str) -> Document:
    """`rosa create operator-roles`: no audience, as the provider takes those of AWS alone."""
    subjects = [subject_of(name), f"{subject_of(name)}-controller"]
    return _policy(
        {
            "Action": [ACTION],
            "Effect": "Allow",
            "Principal": {"Federated": [provider]},
            "Condition": {"StringEquals": {f"{issuer_in(provider)}:sub": subjects}},
        }
    )


def kops(provider: str, name: str, role: str) -> Document:
    """kOps' `iam.serviceAccountExternalPermissions`: the provider takes one audience."""
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ACTION,
            "Condition": {"StringEquals": {f"{issuer_in(provider)}:sub": subject_of(name)}},
        }
    )


Maker = Callable[[str, str, str], Any]
ON_EKS: Mapping[str, Maker] = {
    maker.__name__: maker
    for maker in (eksctl, terraform, terraform_of_itself, terraform_by_patterns, cdk, irsa)
}
