"""The vocabulary of reversible changes: one module for each kind of object, and how each is applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from irsa_cli.changes.association import AssociationHandler
from irsa_cli.changes.kubernetes import ConfigMapHandler, NamespaceHandler, ServiceAccountHandler
from irsa_cli.changes.provider import AudienceHandler, ProviderHandler
from irsa_cli.changes.role import AttachmentHandler, InlinePolicyHandler, RoleHandler
from irsa_cli.changes.role_parts import (
    BoundaryHandler,
    RoleCommitHandler,
    RoleOwnerHandler,
    RoleTagsHandler,
    SettingsHandler,
    TrustPolicyHandler,
)
from irsa_cli.changes.trust_statement import IamOf, TargetTrustHandler, TrustStatementHandler
from irsa_cli.core.plan.changes import Kind
from irsa_cli.transaction.protocol import Handler

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient

    from irsa_cli.kube.client import Kube


def handlers(
    iam: IAMClient, kube: Kube | None, iam_of: IamOf | None = None, eks: EKSClient | None = None
) -> Mapping[Kind, Handler]:
    """The handler of each kind of change; without a cluster's API, or EKS's, those of the others only.

    `iam_of` gives IAM of other accounts; without it all is in one.
    """
    found: dict[Kind, Handler] = {
        Kind.PROVIDER: ProviderHandler(iam),
        Kind.AUDIENCE: AudienceHandler(iam),
        Kind.ROLE: RoleHandler(iam),
        Kind.ATTACHMENT: AttachmentHandler(iam),
        Kind.INLINE_POLICY: InlinePolicyHandler(iam),
        Kind.TRUST_STATEMENT: TrustStatementHandler(iam),
        Kind.ROLE_OWNER: RoleOwnerHandler(iam),
        Kind.ROLE_COMMIT: RoleCommitHandler(iam),
        Kind.ROLE_SETTINGS: SettingsHandler(iam),
        Kind.BOUNDARY: BoundaryHandler(iam),
        Kind.ROLE_TAGS: RoleTagsHandler(iam),
        Kind.TRUST_POLICY: TrustPolicyHandler(iam),
        Kind.TARGET_TRUST: TargetTrustHandler(iam_of or (lambda _: iam)),
    }
    if eks is not None:
        found[Kind.ASSOCIATION] = AssociationHandler(eks, iam)
    if kube is not None:
        found[Kind.NAMESPACE] = NamespaceHandler(kube)
        found[Kind.CONFIG_MAP] = ConfigMapHandler(kube)
        found[Kind.SERVICE_ACCOUNT] = ServiceAccountHandler(kube)
    return found
