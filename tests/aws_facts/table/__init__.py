"""The table: all facts, by what they are about."""

from tests.aws_facts.table import (
    eks_facts,
    iam_documents,
    iam_policies,
    iam_providers,
    iam_roles,
    limits,
    sts_facts,
)

PARTS = {
    "IAM: roles": iam_roles.FACTS,
    "IAM: OIDC providers": iam_providers.FACTS,
    "IAM: policies and the account": iam_policies.FACTS,
    "IAM: policy documents": iam_documents.FACTS,
    "IAM and STS: rules for parameters": limits.FACTS,
    "STS": sts_facts.FACTS,
    "EKS: clusters, Pod Identity and access entries": eks_facts.FACTS,
}
FACTS = tuple(fact for part in PARTS.values() for fact in part)
