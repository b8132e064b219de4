"""How each kind of change is carried out: one handler for each, and the only code that writes.

A rollback must not destroy what somebody else has made meanwhile, so every handler compares before it sets:
what is there as before is written, what is there as after is done already, everything else is a conflict.
IAM has no conditional writes; each module says which window is left. Two handlers do not call each other,
because only `irsa_cli.transaction` knows what has happened and in which order to undo it.

Here nothing is decided: which changes a command needs is planned in `irsa_cli.core.planning`, and what the
other rooms must know of a kind is a row of `irsa_cli.core.plan.kinds`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from irsa_cli.changes.kubernetes import ConfigMapHandler, NamespaceHandler, ServiceAccountHandler
from irsa_cli.changes.role import AttachmentHandler, InlinePolicyHandler, RoleHandler
from irsa_cli.core.plan.changes import Kind
from irsa_cli.transaction.protocol import Handler

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient

    from irsa_cli.changes.trust_statement import IamOf
    from irsa_cli.kube.client import Kube

_PROVIDERS = {Kind.PROVIDER, Kind.AUDIENCE}
_STATEMENTS = {Kind.TRUST_STATEMENT, Kind.TARGET_TRUST}


def handlers(
    iam: IAMClient,
    kube: Kube | None,
    iam_of: IamOf | None = None,
    eks: EKSClient | None = None,
    *,
    kinds: Collection[Kind] = tuple(Kind),
) -> Mapping[Kind, Handler]:
    """The handlers of these kinds of change, and perhaps more.

    A run imports those of its plan at its start, none later. Without a cluster's API, or EKS's, there are
    those of the other kinds only. `iam_of` gives IAM of other accounts; without it all is in one.
    """
    needed = frozenset(kinds)
    by_kind: dict[Kind, Handler] = {
        Kind.ROLE: RoleHandler(iam),
        Kind.ATTACHMENT: AttachmentHandler(iam),
        Kind.INLINE_POLICY: InlinePolicyHandler(iam),
    }
    if needed & _PROVIDERS:
        from irsa_cli.changes.provider import AudienceHandler, ProviderHandler

        by_kind |= {Kind.PROVIDER: ProviderHandler(iam), Kind.AUDIENCE: AudienceHandler(iam)}
    if needed & _STATEMENTS:
        from irsa_cli.changes.trust_statement import TargetTrustHandler, TrustStatementHandler

        by_kind[Kind.TRUST_STATEMENT] = TrustStatementHandler(iam)
        by_kind[Kind.TARGET_TRUST] = TargetTrustHandler(iam_of or (lambda _: iam))
    if eks is not None and Kind.ASSOCIATION in needed:
        from irsa_cli.changes.association import AssociationHandler

        by_kind[Kind.ASSOCIATION] = AssociationHandler(eks, iam)
    if kube is not None:
        by_kind |= _in_cluster(kube, needed)
    if needed - by_kind.keys():
        from irsa_cli.changes import role_parts as parts

        by_kind |= {
            Kind.ROLE_OWNER: parts.RoleOwnerHandler(iam),
            Kind.ROLE_COMMIT: parts.RoleCommitHandler(iam),
            Kind.ROLE_SETTINGS: parts.SettingsHandler(iam),
            Kind.BOUNDARY: parts.BoundaryHandler(iam),
            Kind.ROLE_TAGS: parts.RoleTagsHandler(iam),
            Kind.TRUST_POLICY: parts.TrustPolicyHandler(iam),
        }
    return by_kind


def _in_cluster(kube: Kube, needed: Collection[Kind]) -> dict[Kind, Handler]:
    by_kind: dict[Kind, Handler] = {
        Kind.NAMESPACE: NamespaceHandler(kube),
        Kind.CONFIG_MAP: ConfigMapHandler(kube),
        Kind.SERVICE_ACCOUNT: ServiceAccountHandler(kube),
    }
    if Kind.RESTART in needed:
        from irsa_cli.changes.restart import RestartHandler

        by_kind[Kind.RESTART] = RestartHandler()
    return by_kind
