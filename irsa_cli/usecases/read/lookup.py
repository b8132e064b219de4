"""Find the current state of one ServiceAccount: the object, irsa's roles for it, and the one it uses.

One round trip if the role has irsa's default name. The commands that change or delete bindings use it; those
that create them read in `irsa_cli.usecases.read.observe`. `irsa update-sa` and `irsa adopt` take the role
that the ServiceAccount names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from irsa_cli.aws import bindings
from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.bound import Bound
from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount, with_manifest
from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.planning.chaining import noted_chain
from irsa_cli.core.trust import owned_statements
from irsa_cli.core.trust.chain import chain_of_policies
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import provider_arn, role_arn
from irsa_cli.core.values.errors import InvalidInput, Refused, Unreadable, unless_denied
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read import observe
from irsa_cli.usecases.read.binding_reads import PARALLEL, SingleReads
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount

if TYPE_CHECKING:
    pass


def find(
    connection: Connection,
    namespace: str,
    name: str,
    *,
    candidates: Iterable[str] = (),
    kube: bool = True,
    reads: SingleReads | None = None,
) -> Bound:
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

    def find(self, *, kube: bool) -> Bound:
        cluster = self.connection.cluster
        default = names.default_role_name(cluster.name, cluster.arn, self.namespace, self.name)
        wanted = dict.fromkeys((*self.candidates, default))
        with self.reads.asking() as ask:
            roles = {name: ask(self._read, name) for name in wanted}
            account = ask(self.reads.account, self.namespace, self.name) if kube else None
            association = ask(self.reads.association, self.namespace, self.name)
            self.read = {name: future.result() for name, future in roles.items()}
            found, given = account.result() if account else None, association.result()
        if isinstance(given, Association) and given.role_arn:
            name = given.role_arn.rsplit("/", 1)[-1]
            self.read.setdefault(name, self._read(name))
        return self._with_roles(Bound(cluster, self.namespace, self.name, found, association=given))

    def _read(self, name: str) -> Role | None:
        """A role, with its policies when it is the ServiceAccount's own."""
        return self.reads.role(name, self._is_own)

    def _is_own(self, role: Role) -> bool:
        return role.is_for(self.connection.cluster, f"{self.namespace}/{self.name}")

    def _with_roles(self, bound: Bound) -> Bound:
        named, problem = _named_role(bound)
        if named and named not in self.read:
            self.read[named] = self._read(named)
        roles = {role.arn: role for role in self.read.values() if role is not None}
        own = [role for role in roles.values() if self._is_own(role)]
        is_annotated = bound.annotation in roles
        if named and not is_annotated:
            # IAM finds roles by name alone; STS wants the whole ARN, path included.
            same_name = "".join(f" (there is {role.arn})" for role in roles.values() if role.name == named)
            problem = f"there is no role {bound.annotation}{same_name}"
        bound = replace(bound, own=tuple(own), problem=problem)
        association = bound.own_association
        foreign = {arn: role for arn, role in roles.items() if role not in own}
        others = [role for role in foreign.values() if role.name in self.candidates]
        used = foreign.get(bound.annotation)
        if not is_annotated:
            used = foreign.get(association.role_arn) if association is not None else None
            for role in reversed(others):
                # irsa has added a statement for the ServiceAccount to its trust policy.
                if owned_statements.marked_for(role.trust, bound.identity) is not None:
                    used = role
        bound = replace(bound, used=used, others=tuple(role for role in others if role != used))
        tells = own or is_annotated or bound.is_elsewhere or association is not None
        return bound if tells else self._searched(bound)

    def _searched(self, bound: Bound) -> Bound:
        """With the ServiceAccount's own roles among all of the account, or why they can't be looked for."""
        listed = self.reads.roles()
        if isinstance(listed, Unreadable):
            return replace(bound, unsearched=listed.why)
        # ListRoles shows no tags. irsa's roles have the namespace in their trust policy, or a pattern.
        mark = f":{self.namespace}:"
        likely = [
            item.name for item in listed if item.name not in self.read and mark in json.dumps(item.trust)
        ]
        with ThreadPoolExecutor(PARALLEL) as pool:
            read = list(pool.map(self._read, likely))
        return replace(bound, own=tuple(role for role in read if role is not None and self._is_own(role)))


def _named_role(bound: Bound) -> tuple[str, str]:
    """The name of the role that the annotation names, and why it is none of this account."""
    if not bound.annotation:
        return "", ""
    try:
        arn = role_arn(bound.annotation)
    except InvalidInput:
        return "", f"its annotation is not the ARN of a role: {bound.annotation}"
    if bound.is_elsewhere:
        return "", f"its role is in account {arn.account}: {bound.annotation}"
    return arn.name, ""


def _with_chain(connection: Connection, bound: Bound) -> Bound:
    """With the chain of its own role, the target, and the ConfigMap of its pods, as far as there are any."""
    found = (chain_of_policies(role.arn, role.inline) for role in bound.own)
    chain = next((chain for chain in found if chain is not None), None)
    if chain is not None:
        bound = replace(bound, chain=chain, target=observe.read_target(connection, chain.target_arn))
    noted = next((noted_chain(role.arn, bound.account) for role in bound.own), None)
    if noted is not None and (chain is None or chain.target_arn != noted.target_arn):
        bound = replace(bound, noted_target=(noted, observe.read_target(connection, noted.target_arn)))
    if not connection.asks_cluster:
        return bound
    notes = bound.account.annotations if bound.account is not None else {}
    name = noted_or_none(notes, states.CONFIG_MAP_ANNOTATION)
    if name:
        found_map = observe.named_config_maps(connection, bound.namespace, name).get(name)
        return replace(bound, config_map=found_map, config_map_name=name)
    if bound.chain is None or states.TARGET_ANNOTATION in notes:
        return bound
    # The role has a target that is not in the ServiceAccount (any more: somebody may have recreated it): then
    # it is the ConfigMap with irsa's marks for it.
    kube, marked = connection.kube, f"{states.MANAGED_BY_LABEL}=irsa"
    bodies = unless_denied(lambda: kube.all("configmaps", bound.namespace, marked))
    if isinstance(bodies, Unreadable):
        return replace(bound, config_map_unread=bodies.why)
    for body in bodies:
        found_map = observe.found_config_map(body)
        if found_map.is_for(bound.full_name):
            return replace(bound, config_map=found_map, config_map_name=body["metadata"]["name"])
    return bound


UNCHECKED = "irsa did not check whether other ServiceAccounts use the role: the caller can't list them"


def read_account(connection: Connection, namespace: str, name: str) -> Pairing:
    """The ServiceAccount with the role that it, or only its association, names, which is not looked at.

    With an association, it need not exist. Raises `Refused` if there is no such ServiceAccount (with the
    namespaces of its name), or it has no role; with the role that irsa nevertheless created for it.
    """
    account = NamedServiceAccount(connection, namespace, name)
    body = connection.kube.service_account(namespace, name)
    current = ServiceAccount(namespace, name) if body is None else with_manifest(body)
    try:
        _, given = account.given(Injection.read(current.annotations))
    except Refused as error:
        why = account.missing() if body is None else error
        raise naming_roles(why, connection, namespace, name) from error
    named = given.role_arn if given is not None else ""
    return Pairing(connection.cluster, namespace, name, current, named_role=named, association=given)


def read_named(connection: Connection, namespace: str, name: str, role: str) -> Pairing:
    """The ServiceAccount, whether it is there or not, with a role of that name, which it need not name.

    Raises `Refused` when there is no such role. Where the cluster is not asked, or does not answer the
    caller, the ServiceAccount counts as one that names no role.
    """
    cluster = connection.cluster
    asks = connection.asks_cluster
    body = unless_denied(lambda: connection.kube.service_account(namespace, name)) if asks else None
    account = with_manifest(body) if isinstance(body, dict) else ServiceAccount(namespace, name)
    found = reading.expected_role(connection.iam, role)
    if found is None:
        raise Refused(
            f"role {role} does not exist",
            reason=f"account {cluster.home} has no role of that name",
            next_steps=("check the name, and that the credentials belong to the role's account",),
        )
    return Pairing(cluster, namespace, name, account, found, named_role=found.arn)


def with_role(connection: Connection, pair: Pairing) -> Pairing:
    """With the role and what is on it; a role of another account is not looked at."""
    if role_arn(pair.role_arn).account != connection.cluster.home:
        return pair
    return replace(pair, role=reading.expected_role(connection.iam, pair.role_name))


def read_provider(connection: Connection) -> states.ProviderState | None:
    cluster = connection.cluster
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    return reading.provider(connection.iam, arn)


def read_all_accounts(connection: Connection) -> list[Json] | None:
    """All ServiceAccounts of the cluster, None when they may not be listed, or the cluster isn't asked."""
    if not connection.asks_cluster:
        return None
    found = unless_denied(connection.kube.service_accounts)
    return None if isinstance(found, Unreadable) else found


def sharers(role: str, full_name: str, accounts: list[Json] | None) -> list[str]:
    """The ServiceAccounts but one (`namespace/name`) that name a role, as far as they may be listed."""
    names = [
        f"{metadata['namespace']}/{metadata['name']}"
        for metadata in (item["metadata"] for item in accounts or [])
        if (metadata.get("annotations") or {}).get(states.ROLE_ARN_ANNOTATION) == role
    ]
    return sorted(name for name in names if name != full_name)


def associated_with(connection: Connection, pair: Pairing) -> list[str]:
    """The other ServiceAccounts whose associations give the same role, as far as EKS describes them."""
    eks, cluster = connection.aws.client("eks"), connection.cluster.name
    found = bindings.described(eks, cluster, bindings.associations(eks, cluster))
    names = [
        f"{namespace}/{name}" for (namespace, name), item in found.items() if item.role_arn == pair.role_arn
    ]
    return sorted(name for name in names if name != pair.full_name)


def read_pairing(
    connection: Connection, namespace: str, name: str, role: str = ""
) -> tuple[Pairing, list[Json] | None]:
    """The ServiceAccount with its role (or the one named `role`), and all of the cluster if permitted."""
    with ThreadPoolExecutor(1) as pool:
        accounts = pool.submit(read_all_accounts, connection)
        if role:
            return read_named(connection, namespace, name, role), accounts.result()
        pair = with_role(connection, read_account(connection, namespace, name))
    return pair, accounts.result()
