"""How the trust policies of an EKS Pod Identity association's roles answer.

https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
"""

from __future__ import annotations

from irsa_cli.core.objects.aws import Association
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import Context, PresentKey
from irsa_cli.core.trust import pod_identity
from irsa_cli.core.trust.assuming import Said, names_role, said
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.names import Namespaced


def said_to_service(
    document: Document, cluster: Cluster, subject: Namespaced, association: Association
) -> tuple[Said, ...]:
    """How the trust policy of the association's role answers EKS Pod Identity."""
    tagged = not association.without_tags
    return pod_identity.said_to_service(document, cluster, subject.namespace, subject.name, tagged=tagged)


def said_to_role(
    document: Document, cluster: Cluster, subject: Namespaced, association: Association
) -> tuple[Said, ...]:
    """How the trust policy of the target role answers the association's role."""
    arn = Arn.parse(association.role_arn)
    prefixes = () if association.without_tags else ("aws:requesttag/", "aws:principaltag/")
    names = (cluster, subject.namespace, subject.name)
    tags = [pod_identity.tags_of(*names, prefix).items() for prefix in prefixes]
    context: Context = {
        "aws:principalarn": (association.role_arn,),
        "aws:principalaccount": (arn.account,),
        "aws:principaltype": ("AssumedRole",),
        "aws:principalorgid": PresentKey(),
        "aws:principalorgpaths": PresentKey(),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (cluster.region,),
        **dict(item for pairs in tags for item in pairs),
        **({"sts:externalid": (association.external_id,)} if association.external_id else {}),
    }
    principals = names_role(arn, association.role_arn)
    return tuple(said(document, principals, context, action) for action in actions(association))


def actions(association: Association) -> tuple[str, ...]:
    """The actions that must be allowed."""
    return pod_identity.actions(tagged=not association.without_tags)
