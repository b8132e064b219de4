"""The table: all facts, by what they are about."""

from tests.aws_facts.table import (
    eks_facts,
    eks_more,
    iam_documents,
    iam_more,
    iam_policies,
    iam_providers,
    iam_roles,
    limits,
    sts_facts,
    sts_more,
)

PARTS = {
    "IAM: roles": iam_roles.FACTS,
    "IAM: OIDC providers": iam_providers.FACTS,
    "IAM: policies and the account": iam_policies.FACTS,
    "IAM: policy documents": iam_documents.FACTS,
    "IAM and STS: rules for parameters": limits.FACTS,
    "IAM: roles of AWS, and limits": iam_more.FACTS,
    "STS": (*sts_facts.FACTS, *sts_more.FACTS),
    "EKS: clusters, Pod Identity, access entries and add-ons": (*eks_facts.FACTS, *eks_more.FACTS),
}
FACTS = tuple(fact for part in PARTS.values() for fact in part)
