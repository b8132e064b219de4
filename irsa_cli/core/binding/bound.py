"""One ServiceAccount with its roles: what `delete-sa` and `retire` read; any part of it may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from irsa_cli.core.binding.current import is_made
from irsa_cli.core.binding.spec import ServiceAccountRef
from irsa_cli.core.marks.lifecycle import was_bound, wrote
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.states import MARKS
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.chain import Chain, FoundConfigMap, FoundTarget
from irsa_cli.core.values import arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, Unreadable
from irsa_cli.core.values.names import default_role_name, default_role_path


@dataclass(frozen=True)
class Bound(ServiceAccountRef):
    """One ServiceAccount with its roles; any part may be missing.

    `own` are the roles that bear irsa's tags for it, with their policies: usually one. `used` is the role
    that it (or else the user) names and that is somebody else's, without its policies. `problem` says why the
    role that its annotation names is neither, or is left alone; '' without an annotation or with a good one.
    `others` are further roles that were checked and do not belong to it. `unsearched` says why roles
    of other names could not be looked for.
    """

    cluster: Cluster
    namespace: str
    name: str
    account: ServiceAccount | None = None
    own: tuple[Role, ...] = ()
    used: Role | None = None
    problem: str = ""
    others: tuple[Role, ...] = ()
    unsearched: str = ""
    chain: Chain | None = None
    """The target that its own role may assume, by irsa's policy on it."""
    target: FoundTarget | None = None
    noted_target: tuple[Chain, FoundTarget] | None = None
    """Another target that the ServiceAccount notes, where a run was cut off that changed it."""
    config_map: FoundConfigMap | None = None
    """The ConfigMap for its pods, if it exists."""
    config_map_name: str = ""
    """Its name, by the ServiceAccount's annotation, or else by irsa's marks on it."""
    config_map_unread: str = ""
    """Why one that only its marks tell of could not be looked for."""
    association: Association | Unreadable | None = None
    """Its EKS Pod Identity association, None without one."""

    @property
    def own_association(self) -> Association | None:
        """Its association, if irsa created it, or took it over: it bears irsa's tags for it."""
        found = self.association
        own = isinstance(found, Association) and found.is_of(self.cluster, self.full_name)
        return found if isinstance(found, Association) and own else None

    @property
    def targets(self) -> list[tuple[Chain, FoundTarget]]:
        """The chains of its own role, and what is there of their targets; two after a cut-off run."""
        found = [] if self.noted_target is None else [self.noted_target]
        if self.chain is not None and self.target is not None:
            found.append((self.chain, self.target))
        return found

    @property
    def annotation(self) -> str:
        """The role's annotation as it is, '' without one."""
        return self.account.annotations.get(states.ROLE_ARN_ANNOTATION, "") if self.account else ""

    def was_bound_to(self, role: Role) -> bool:
        """Whether irsa's mark on the ServiceAccount says that a run bound it to this role."""
        return self.account is not None and was_bound(self.account.annotations, role.arn)

    @property
    def is_made(self) -> bool:
        """Whether irsa created the ServiceAccount; one that it only annotated is somebody else's."""
        return self.account is not None and is_made(self.account)

    @property
    def is_theirs(self) -> bool:
        """Whether somebody else has given the ServiceAccount its role: then that is not taken off it.

        irsa gave it by its mark, or because irsa owns both ends.
        """
        if self.account is None or not self.annotation:
            return False
        own = self.is_made and any(role.arn == self.annotation for role in self.own)
        return not (own or wrote(self.account.annotations, states.ROLE_ARN_ANNOTATION))

    @property
    def written(self) -> list[str]:
        """Those of the webhook's annotations that irsa wrote, as they are."""
        if self.account is None:
            return []
        there = self.account.annotations
        if self.is_made and not self.is_theirs:
            return [key for key in states.WEBHOOK_ANNOTATIONS if key in there]
        return written(there)

    @property
    def identity(self) -> WebIdentity:
        """The token of its pods, as roles of the cluster's account see it."""
        settings = Injection.read(self.account.annotations if self.account else {})
        return self.token(self.cluster.home, settings.audience)

    def has_other(self, name: str) -> bool:
        """Whether a role of this name is its own, and the ServiceAccount names another that may be there."""
        own = {role.name: role.arn for role in self.own}
        there = {*own.values(), *({self.used.arn} if self.used else ())}
        other = self.annotation not in ("", own.get(name)) and (self.annotation in there or self.is_elsewhere)
        return name in own and other

    def only(self, name: str) -> Bound:
        """The role of this name alone, of those that are its own."""
        own = tuple(role for role in self.own if role.name == name)
        association = self.association
        if isinstance(association, Association) and association.role_arn not in {role.arn for role in own}:
            association = None
        stays = f"ServiceAccount {self.full_name} is kept: its annotation has another role, {self.annotation}"
        return replace(
            self,
            account=None,
            own=own,
            used=None,
            association=association,
            problem=stays if self.annotation else "",
        )

    @property
    def is_elsewhere(self) -> bool:
        """Whether the annotation names a role of another account."""
        try:
            found = arn.role_arn(self.annotation)
        except InvalidInput:
            return False
        return (found.partition, found.account) != (self.cluster.partition, self.cluster.home)

    @property
    def made_elsewhere(self) -> str:
        """The account, by its name, of a role that irsa created elsewhere for it; '' if there is none."""
        if not self.is_elsewhere:
            return ""
        named, cluster = arn.role_arn(self.annotation), self.cluster
        default = default_role_name(cluster.name, cluster.arn, self.namespace, self.name)
        in_path = named.resource.startswith(f"role{default_role_path(cluster.name)}")
        return named.account if in_path or named.name == default else ""


def written(annotations: Mapping[str, str]) -> list[str]:
    """Those of the webhook's annotations that are as irsa wrote them."""
    return [key for key in MARKS if wrote(annotations, key)]
