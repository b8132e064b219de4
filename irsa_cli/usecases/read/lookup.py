"""Find the current state of one ServiceAccount: the object, irsa's roles for it, and the one it uses.

One round trip if the role has irsa's default name. The commands that change or delete bindings use it; those
that create them read in `irsa_cli.usecases.read.observe`. `irsa update-sa` and `irsa adopt` take the role
that the ServiceAccount names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from irsa_cli.aws import bindings
from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.trust import owned_statements
from irsa_cli.core.trust.chain import FoundConfigMap, chain_of_policies
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import provider_arn, role_arn
from irsa_cli.core.values.errors import InvalidInput, Refused, Unreadable, unless_denied
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read import observe
from irsa_cli.usecases.read.binding_reads import PARALLEL, SingleReads
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount


def find(
    connection: Connection,
    namespace: str,
    name: str,
    *,
    candidates: Iterable[str] = (),
    kube: bool = True,
    reads: SingleReads | None = None,
) -> Binding:
    """The current state of a ServiceAccount and its roles.

    `candidates` are names of roles to look at as well: the user's, or those of a journal. Only where neither
    they, nor the annotation, nor the name that irsa gives tell of a role, all roles of the account are looked
    through. Raises `ServiceError` where the caller may not read. Without `kube` the cluster is not asked.
    `reads` has lists of many bindings.
    """
    finder = _Finder(connection, reads or SingleReads(connection), namespace, name, tuple(candidates))
    return _with_chain(connection, finder.find(kube=kube))


@dataclass
class _Finder:
    """The search for one ServiceAccount's roles; `read` holds those that were looked at."""

    connection: Connection
    reads: SingleReads
    namespace: str
    name: str
    candidates: tuple[str, ...]
    read: dict[str, Role | None] = field(default_factory=dict)

    def find(self, *, kube: bool) -> Binding:
        cluster = self.connection.cluster
        default = names.default_role_name(cluster.name, cluster.arn, self.namespace, self.name)
        with self.reads.asking() as ask:
            roles = {name: ask(self._read, name) for name in dict.fromkeys((*self.candidates, default))}
            asked_account = ask(self.reads.account, self.namespace, self.name) if kube else None
            asked_association = ask(self.reads.association, self.namespace, self.name)
            self.read = {name: future.result() for name, future in roles.items()}
            account = asked_account.result() if asked_account is not None else None
            association = asked_association.result()
        if isinstance(association, Association) and association.role_arn:
            name = association.role_arn.rsplit("/", 1)[-1]
            self.read.setdefault(name, self._read(name))
        return self._with_roles(Binding(cluster, self.namespace, self.name, account, association=association))

    def _read(self, name: str) -> Role | None:
        """A role, with its policies when it is the ServiceAccount's own."""
        return self.reads.role(name, self._is_own)

    def _is_own(self, role: Role) -> bool:
        return role.is_for(self.connection.cluster, f"{self.namespace}/{self.name}")

    def _with_roles(self, binding: Binding) -> Binding:
        annotated = _name_in_annotation(binding)
        if annotated and annotated not in self.read:
            self.read[annotated] = self._read(annotated)
        roles = [role for role in self.read.values() if role is not None]
        own = tuple(role for role in roles if self._is_own(role))
        foreign = [role for role in roles if role not in own]
        is_annotated = any(role.arn == binding.annotation for role in roles)
        used = self._used(binding, foreign, is_annotated=is_annotated)
        looked_for = (*self.candidates, annotated)
        others = tuple(role for role in foreign if role != used and role.name in looked_for)
        if not (own or is_annotated or binding.is_elsewhere or binding.own_association is not None):
            own, unsearched = self._searched()
            binding = replace(binding, unsearched=unsearched)
        return binding.with_roles(own, used, others)

    def _used(self, binding: Binding, foreign: Sequence[Role], *, is_annotated: bool) -> Role | None:
        """The role of somebody else that it uses, by the annotation or by what irsa has added."""
        if is_annotated:
            return next((role for role in foreign if role.arn == binding.annotation), None)
        for role in foreign:
            # irsa has added a statement for the ServiceAccount to its trust policy.
            marked = owned_statements.marked_for(role.trust, binding.identity)
            if role.name in self.candidates and marked is not None:
                return role
        association = binding.own_association
        associated_arn = association.role_arn if association is not None else ""
        return next((role for role in foreign if role.arn == associated_arn), None)

    def _searched(self) -> tuple[tuple[Role, ...], str]:
        """The ServiceAccount's own roles among all of the account; or why they can't be looked for."""
        listed = self.reads.roles()
        if isinstance(listed, Unreadable):
            return (), listed.why
        # ListRoles shows no tags. irsa's roles have the namespace in their trust policy, or a pattern.
        mark = f":{self.namespace}:"
        likely = [
            role.name for role in listed if role.name not in self.read and mark in json.dumps(role.trust)
        ]
        with ThreadPoolExecutor(PARALLEL) as pool:
            read = list(pool.map(self._read, likely))
        return tuple(role for role in read if role is not None and self._is_own(role)), ""


def _name_in_annotation(binding: Binding) -> str:
    """The name of the role of this account that the annotation names; '' for none."""
    try:
        arn = role_arn(binding.annotation)
    except InvalidInput:
        return ""
    return "" if binding.is_elsewhere else arn.name


def _with_chain(connection: Connection, binding: Binding) -> Binding:
    """With the targets of its own role, and the ConfigMap of its pods, as far as there are any."""
    binding = replace(binding, targets=observe.targets(connection, binding.chains))
    if not connection.asks_cluster:
        return binding
    return replace(binding, config_maps=_config_maps(connection, binding))


def _config_maps(connection: Connection, binding: Binding) -> dict[str, FoundConfigMap] | Unreadable:
    """The ConfigMap of its pods: by the ServiceAccount's annotation, or else by irsa's marks on it."""
    name = noted_or_none(binding.annotations, states.CONFIG_MAP_ANNOTATION)
    if name:
        return observe.named_config_maps(connection, binding.namespace, name)
    has_target = any(chain_of_policies(role.arn, role.inline) for role in binding.own)
    if not has_target or states.TARGET_ANNOTATION in binding.annotations:
        return {}
    # The role has a target that is not in the ServiceAccount (any more: somebody may have recreated it): then
    # it is the ConfigMap with irsa's marks for it.
    kube = connection.kube
    marked = f"{states.MANAGED_BY_LABEL}=irsa"
    bodies = unless_denied(lambda: kube.all("configmaps", binding.namespace, marked))
    if isinstance(bodies, Unreadable):
        return bodies
    for body in bodies:
        config_map = observe.found_config_map(body)
        if config_map.is_for(binding.full_name):
            return {body["metadata"]["name"]: config_map}
    return {}


UNCHECKED = "irsa did not check whether other ServiceAccounts use the role: the caller can't list them"


def read_without_role(connection: Connection, namespace: str, name: str) -> Binding:
    """The ServiceAccount with the role that it, or only its association, names, which is not looked at.

    With an association, it need not exist. Raises `Refused` if there is no such ServiceAccount (with the
    namespaces of its name), or it has no role; with the role that irsa nevertheless created for it.
    """
    named_account = NamedServiceAccount(connection, namespace, name)
    account = observe.read_service_account(connection, namespace, name)
    binding = Binding(connection.cluster, namespace, name, account)
    try:
        _, association = named_account.given(Injection.read(binding.annotations))
    except Refused as error:
        why = named_account.missing() if account is None else error
        raise naming_roles(why, connection, namespace, name) from error
    role = association.role_arn if association is not None else ""
    return replace(binding, association=association, named_role=role)


def read_named(connection: Connection, namespace: str, name: str, role: str) -> Binding:
    """The ServiceAccount, whether it is there or not, with a role of that name, which it need not name.

    Raises `Refused` when there is no such role. Where the cluster is not asked, or does not answer the
    caller, the ServiceAccount counts as one that names no role.
    """
    cluster = connection.cluster
    account: ServiceAccount | Unreadable | None = None
    if connection.asks_cluster:
        account = unless_denied(lambda: observe.read_service_account(connection, namespace, name))
    named_role = reading.expected_role(connection.iam, role)
    if named_role is None:
        raise Refused(
            f"role {role} does not exist",
            reason=f"account {cluster.home} has no role of that name",
            next_steps=("check the name, and that the credentials belong to the role's account",),
        )
    return Binding(cluster, namespace, name, account, named_role, named_role=named_role.arn)


def with_role(connection: Connection, binding: Binding) -> Binding:
    """With the role and what is on it; a role of another account is not looked at."""
    if role_arn(binding.role_arn).account != connection.cluster.home:
        return binding
    return replace(binding, role=reading.expected_role(connection.iam, binding.role_name))


def read_provider(connection: Connection) -> states.ProviderState | None:
    cluster = connection.cluster
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    return reading.provider(connection.iam, arn)


def read_all_accounts(connection: Connection) -> list[Json] | None:
    """All ServiceAccounts of the cluster, None when they may not be listed, or the cluster isn't asked."""
    if not connection.asks_cluster:
        return None
    bodies = unless_denied(connection.kube.service_accounts)
    return None if isinstance(bodies, Unreadable) else bodies


def sharers(role: str, full_name: str, accounts: list[Json] | None) -> list[str]:
    """The ServiceAccounts but one (`namespace/name`) that name a role, as far as they may be listed."""
    names = [
        f"{metadata['namespace']}/{metadata['name']}"
        for metadata in (body["metadata"] for body in accounts or [])
        if (metadata.get("annotations") or {}).get(states.ROLE_ARN_ANNOTATION) == role
    ]
    return sorted(name for name in names if name != full_name)


def associated_with(connection: Connection, binding: Binding) -> list[str]:
    """The other ServiceAccounts whose associations give the same role, as far as EKS describes them."""
    eks = connection.aws.client("eks")
    cluster = connection.cluster.name
    described = bindings.described(eks, cluster, bindings.associations(eks, cluster))
    names = [
        f"{namespace}/{name}"
        for (namespace, name), association in described.items()
        if association.role_arn == binding.role_arn
    ]
    return sorted(name for name in names if name != binding.full_name)


def read_binding(
    connection: Connection, namespace: str, name: str, role: str = ""
) -> tuple[Binding, list[Json] | None]:
    """The ServiceAccount with its role (or the one named `role`), and all of the cluster if permitted."""
    with ThreadPoolExecutor(1) as pool:
        accounts = pool.submit(read_all_accounts, connection)
        if role:
            return read_named(connection, namespace, name, role), accounts.result()
        binding = with_role(connection, read_without_role(connection, namespace, name))
    return binding, accounts.result()
