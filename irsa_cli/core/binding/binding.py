"""A binding as it was seen: one ServiceAccount with all roles that are tied to it, and what is around them.

Every command that looks at a ServiceAccount with a role looks at this value, some deeper than others. A role
is tied to it by irsa's tags, by the annotation, by an EKS Pod Identity association, or because the user names
both. The desired state is a `DesiredState` of `irsa_cli.core.binding.spec`; facts that only one command needs
(pods by their way, IAM's quotas) are that command's own.

Whose a part is, is judged here, once for all commands: by irsa's tags and marks alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from irsa_cli.core.binding.spec import ServiceAccountRef
from irsa_cli.core.binding.targets import TargetRole
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Lifecycle, was_bound, wrote
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.web_identity import REQUESTED_REGION, WebIdentity, region_called
from irsa_cli.core.trust.chain import Chain, FoundConfigMap, chain_of_policies, noted_chain
from irsa_cli.core.values import arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, Unreadable
from irsa_cli.core.values.names import default_role_name, default_role_path


@dataclass(frozen=True)
class Binding(ServiceAccountRef):
    """One ServiceAccount with its roles, as seen: each part is a value, None if absent, or why it is unread.

    A part that a command does not need is absent as well: the reader says what it has read.
    """

    cluster: Cluster
    namespace: str
    name: str
    account: ServiceAccount | Unreadable | None = None
    role: Role | Unreadable | None = None
    """The role that it uses: by the annotation, the association, a flag, or irsa's statement in its trust
    policy. Else the first one that bears irsa's tags for it."""
    others: tuple[Role, ...] = ()
    """Further roles: those that bear irsa's tags for it, and those that a flag or a journal names."""
    provider: states.ProviderState | Unreadable | None = None
    association: Association | Unreadable | None = None
    """Its EKS Pod Identity association."""
    named_role: str = ""
    """The ARN of a role that the user names, or that the association alone gives."""
    targets: Mapping[str, TargetRole] = field(default_factory=dict)
    """The target roles that its role may assume, or that it notes, by ARN."""
    config_maps: Mapping[str, FoundConfigMap] | Unreadable = field(default_factory=dict)
    """The ConfigMaps for its pods, by name."""
    unsearched: str = ""
    """Why roles of other names could not be looked for; '' if they were, or need not be."""

    @property
    def existing(self) -> ServiceAccount | None:
        """The ServiceAccount; None if it does not exist or was not read."""
        return self.account if isinstance(self.account, ServiceAccount) else None

    @property
    def annotations(self) -> Mapping[str, str]:
        """Those of the ServiceAccount; none if it does not exist or was not read."""
        return self.existing.annotations if self.existing is not None else {}

    @property
    def annotation(self) -> str:
        """The role's annotation as it is, '' without one."""
        return self.annotations.get(states.ROLE_ARN_ANNOTATION, "")

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name: what changes of the ServiceAccount are about."""
        return self.namespace, self.name

    @property
    def role_arn(self) -> str:
        """The role that the user names, else the one that the annotation does."""
        return self.named_role or self.annotation

    @property
    def role_name(self) -> str:
        """The name of that role without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def seen_role(self) -> Role | None:
        """The role; None if it does not exist or was not read."""
        return self.role if isinstance(self.role, Role) else None

    @property
    def trust(self) -> Document:
        """The role's trust policy, {} if it is not known."""
        return self.seen_role.trust if self.seen_role is not None else {}

    @property
    def roles(self) -> tuple[Role, ...]:
        """All roles that were seen."""
        return self.others if self.seen_role is None else (self.seen_role, *self.others)

    @property
    def other_role(self) -> Role | None:
        """The role that the annotation names, if it was seen and this is about another one."""
        for role in self.others:
            if role.arn == self.annotation:
                return role
        return None

    @property
    def own(self) -> tuple[Role, ...]:
        """The roles that bear irsa's tags for it: usually one."""
        return tuple(role for role in self.roles if role.is_for(self.cluster, self.full_name))

    @property
    def is_own_role(self) -> bool:
        """Whether irsa created the role, or took it over, for this ServiceAccount."""
        return self.seen_role is not None and self.seen_role.is_for(self.cluster, self.full_name)

    @property
    def used(self) -> Role | None:
        """The role that it uses and that is somebody else's."""
        return None if self.is_own_role else self.seen_role

    @property
    def role_maker(self) -> str:
        """The tool that created the role, by its tags."""
        from irsa_cli.core.marks import makers  # Its table is read with it, and few runs need that.

        return makers.maker_of_role(self.seen_role.tags if self.seen_role is not None else {})

    @property
    def account_maker(self) -> str:
        """The tool that created the ServiceAccount, by its labels, annotations and writers."""
        from irsa_cli.core.marks import makers

        account = self.existing
        if account is None:
            return makers.UNKNOWN
        return makers.maker_of_account(account.labels, account.annotations, account.managers)

    @property
    def known_association(self) -> Association | None:
        """The association; None without one, and if it was not read."""
        return self.association if isinstance(self.association, Association) else None

    @property
    def own_association(self) -> Association | None:
        """Its association, if irsa created it, or took it over: it bears irsa's tags for it."""
        association = self.known_association
        if association is None or not association.is_of(self.cluster, self.full_name):
            return None
        return association

    @property
    def has_association_only(self) -> bool:
        """Whether pods get the role by the association, and not by an annotation."""
        return self.known_association is not None and not self.annotation

    @property
    def known_provider(self) -> states.ProviderState | None:
        """The OIDC provider; None without one, and if it was not read."""
        return self.provider if isinstance(self.provider, states.ProviderState) else None

    @property
    def known_config_maps(self) -> Mapping[str, FoundConfigMap]:
        """The ConfigMaps by name; none if they were not read."""
        return {} if isinstance(self.config_maps, Unreadable) else self.config_maps

    @property
    def audience(self) -> str:
        """The audience of its pods' tokens."""
        return Injection.read(self.annotations).audience

    @property
    def identity(self) -> WebIdentity:
        """The token of its pods, as roles of the cluster's account see it."""
        return self.identity_with(self.audience)

    def identity_with(self, audience: str) -> WebIdentity:
        """The same with an audience of one's choice."""
        return self.token(self.cluster.home, audience)

    def identity_in(self, account: str) -> WebIdentity:
        """The token of its pods as roles of an account see it, by the region in which pods call STS."""
        settings = Injection.read(self.annotations)
        region = region_called(self.cluster.region, regional=settings.regional_sts)
        return replace(self.token(account, settings.audience), request={REQUESTED_REGION: region})

    @property
    def is_annotated(self) -> bool:
        """Whether the ServiceAccount names the role that this is about."""
        return bool(self.annotation) and self.annotation == self.role_arn

    @property
    def is_marked(self) -> bool:
        """Whether irsa's mark on the ServiceAccount says that a run bound it to this role."""
        return was_bound(self.annotations, self.role_arn)

    def was_bound_to(self, role: Role) -> bool:
        """The same for any role."""
        return was_bound(self.annotations, role.arn)

    def life_of(self, role: Role, *, recorded: bool | None = None) -> Lifecycle:
        """How far the run behind a role has come; `recorded` as in `lifecycle.of`."""
        is_named = self.annotation == role.arn
        is_marked = self.was_bound_to(role)
        return lifecycle.of(role.tags, named=is_named, recorded=recorded, marked=is_marked)

    @property
    def is_made(self) -> bool:
        """Whether irsa created the ServiceAccount; one that it only annotated is somebody else's."""
        return self.existing is not None and is_made(self.existing)

    @property
    def is_theirs(self) -> bool:
        """Whether somebody else has given the ServiceAccount its role: then that is not taken off it.

        irsa gave it by its mark, or because irsa owns both ends.
        """
        if not self.annotation:
            return False
        has_own_role = any(role.arn == self.annotation for role in self.own)
        if self.is_made and has_own_role:
            return False
        return not wrote(self.annotations, states.ROLE_ARN_ANNOTATION)

    @property
    def written(self) -> list[str]:
        """Those of the webhook's annotations that irsa wrote, as they are."""
        if self.is_made and not self.is_theirs:
            return [key for key in states.WEBHOOK_ANNOTATIONS if key in self.annotations]
        return [key for key in states.MARKS if wrote(self.annotations, key)]

    @property
    def _names_seen_role(self) -> bool:
        return any(role.arn == self.annotation for role in self.roles)

    @property
    def problem(self) -> str:
        """Why the annotation names no role of this account that exists; '' if it does, or without one."""
        if not self.annotation or self._names_seen_role:
            return ""
        try:
            role_arn = arn.role_arn(self.annotation)
        except InvalidInput:
            return f"its annotation is not the ARN of a role: {self.annotation}"
        if self.is_elsewhere:
            return f"its role is in account {role_arn.account}: {self.annotation}"
        # IAM finds roles by name alone; STS wants the whole ARN, path included.
        same_name = "".join(f" (there is {role.arn})" for role in self.roles if role.name == role_arn.name)
        return f"there is no role {self.annotation}{same_name}"

    @property
    def is_elsewhere(self) -> bool:
        """Whether the annotation names a role of another account."""
        try:
            role_arn = arn.role_arn(self.annotation)
        except InvalidInput:
            return False
        return (role_arn.partition, role_arn.account) != (self.cluster.partition, self.cluster.home)

    @property
    def made_elsewhere(self) -> str:
        """The account, by its name, of a role that irsa created elsewhere for it; '' if there is none."""
        if not self.is_elsewhere:
            return ""
        role_arn = arn.role_arn(self.annotation)
        cluster = self.cluster
        default = default_role_name(cluster.name, cluster.arn, self.namespace, self.name)
        in_path = role_arn.resource.startswith(f"role{default_role_path(cluster.name)}")
        return role_arn.account if in_path or role_arn.name == default else ""

    @property
    def chains(self) -> list[Chain]:
        """The chains of its own role to targets: the noted one, and that of the role's policy.

        They differ if a run was cut off that changed the target.
        """
        chains: list[Chain] = []
        for role in self.own:
            chain = chain_of_policies(role.arn, role.inline)
            if chain is not None:
                chains.append(chain)
                break
        for role in self.own[:1]:
            noted = noted_chain(role.arn, self.annotations)
            if noted is not None and noted.target_arn not in [chain.target_arn for chain in chains]:
                chains.insert(0, noted)
        return chains

    @property
    def chained_targets(self) -> list[tuple[Chain, TargetRole]]:
        """The same with their targets, as far as these were asked for."""
        return [
            (chain, self.targets[chain.target_arn])
            for chain in self.chains
            if chain.target_arn in self.targets
        ]

    def has_other(self, name: str) -> bool:
        """Whether a role of this name is its own, and the ServiceAccount names another that may be there."""
        own = {role.name: role.arn for role in self.own}
        if name not in own or self.annotation in ("", own[name]):
            return False
        return self._names_seen_role or self.is_elsewhere

    def only(self, name: str) -> Binding:
        """The role of this name alone, of those that are its own."""
        own = tuple(role for role in self.own if role.name == name)
        association = self.association
        if isinstance(association, Association) and association.role_arn not in {role.arn for role in own}:
            association = None
        return replace(self.with_roles(own), account=None, association=association)

    def with_roles(
        self, own: tuple[Role, ...], used: Role | None = None, others: tuple[Role, ...] = ()
    ) -> Binding:
        """With its own roles, the one of somebody else that it uses, and others that a flag names."""
        if used is not None:
            return replace(self, role=used, others=(*own, *others))
        return replace(self, role=own[0] if own else None, others=(*own[1:], *others))


def is_made(account: ServiceAccount) -> bool:
    """Whether irsa created a ServiceAccount that nobody has taken over: it has the label and the mark."""
    return (
        account.labels.get(states.MANAGED_BY_LABEL) == "irsa"
        and states.TRANSACTION_TAG in account.annotations
    )
