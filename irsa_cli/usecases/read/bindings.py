"""Reading all bindings of a cluster: ServiceAccounts that name a role, and roles of irsa's that none names.

Each is judged by itself in `irsa_cli.core.inventory.bindings`: what is wrong with one, or can't be read,
hides no other.

The calls: ServiceAccounts by pages of 500, irsa's own roles by pages of 1000 of their path, one provider for
each AWS account, and the roles as `irsa_cli.aws.details` reads them. None is created for roles of others.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial

from irsa_cli.aws import details, iam
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.role_only import hand_over
from irsa_cli.core.binding.spec import BindingSpec, desired_state_of
from irsa_cli.core.inventory import bindings
from irsa_cli.core.inventory.unbound import unbound
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.objects import service_accounts
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import SPEC_HASH_TAG
from irsa_cli.core.policies.policy import dump
from irsa_cli.core.policies.statements import names_provider
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.values.arn import Arn, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused, ServiceError, Unreadable, read
from irsa_cli.core.values.names import default_role_path
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.associations import Associations, Given
from irsa_cli.usecases.read.pod_identity import described
from irsa_cli.usecases.read.reads import Reads


@dataclass(frozen=True)
class BindingsScope:
    """Which ServiceAccounts are looked at: all, those of a namespace, those of a name, or one.

    `everywhere`: look for irsa's own roles in all paths (`--role-path`), which reads a page for each 1000
    roles of the account.
    """

    namespace: str = ""
    name: str = ""
    everywhere: bool = False
    selector: str = ""
    """Label selector of ServiceAccounts; a role without a ServiceAccount has no labels: it is left out."""

    def holds(self, namespace: str, name: str) -> bool:
        return self.namespace in ("", namespace) and self.name in ("", name)


def read_bindings(
    connection: Connection,
    scope: BindingsScope = BindingsScope(),
    readers: Iterable[str] = (),
    *,
    homes: Iterable[str] = (),
) -> bindings.Bindings:
    """All bindings in the scope; `readers` are roles by which the IAM of other accounts is read.

    `homes` are the accounts in which irsa's own roles are looked for: those of the connection, by default.
    Raises `ServiceError` when the ServiceAccounts can't be read. For irsa's own roles that can't be listed
    there is a note instead.
    """
    with Reads(connection, readers) as reads, ThreadPoolExecutor(3) as pool:
        reads.provider(connection.cluster.home)
        where = dict.fromkeys(homes or (connection.cluster.home, connection.cluster.account))
        own = {
            account: pool.submit(read, partial(_own_roles, connection, scope, account)) for account in where
        }
        asked_associations = pool.submit(described, connection, scope.namespace, scope.name)
        accounts = read_accounts(connection, scope)
        own_roles = {account: roles.result() for account, roles in own.items()}
        return _bindings(connection, scope, reads, accounts, own_roles, asked_associations.result())


def read_accounts(connection: Connection, scope: BindingsScope) -> list[ServiceAccount]:
    """The ServiceAccounts in the scope, with a role or without."""
    kube = connection.kube
    if scope.namespace and scope.name:
        body = kube.service_account(scope.namespace, scope.name)
        return [] if body is None else [service_accounts.service_account(body)]
    listed_accounts = map(
        service_accounts.service_account, kube.service_accounts(scope.namespace or None, scope.selector)
    )
    return [account for account in listed_accounts if scope.holds(account.namespace, account.name)]


def naming_roles(error: Refused, connection: Connection, namespace: str, name: str) -> Refused:
    """The error for a ServiceAccount without a role, with irsa's roles for it that the caller may see."""
    try:
        bindings_of_name = read_bindings(connection, BindingsScope(namespace, name)).items
    except ServiceError:
        return error
    for listed in bindings_of_name:
        if listed.account is not None:
            continue
        if listed.status is not bindings.BindingStatus.ROLE_ONLY:
            known = listed.status is bindings.BindingStatus.NO_SERVICE_ACCOUNT or not listed.next_steps
            status = "" if known else f": {listed.status.value}: {listed.reason}"
            details = (*error.details, f"irsa created the role {listed.role_arn} for it{status}")
            error = error.but(details=details, next_steps=listed.next_steps or error.next_steps)
            continue
        adds = "--pod-identity --attach-policy-arn ARN  # adds the association"
        is_associated = bool(listed.reason) and listed.hand_over is None
        why = listed.reason or "without a ServiceAccount"
        if listed.waits_for_git:
            why = f"and it {listed.reason}"
        reach = reach_of(connection.target)
        where = f"{shlex.quote(name)} -n {shlex.quote(namespace)}"
        error = error.but(
            details=(
                *error.details,
                f"irsa created the role {listed.role_arn} for it, {why}",
            ),
            next_steps=(
                *listed.next_steps,
                *([reach.for_irsa(f"create-sa {where}", adds)] if is_associated else []),
                "irsa apply -f FILE  # changes the role (in FILE: roleOnly: true)",
                reach.for_irsa(f"delete-sa {where}", "--role-only  # deletes it"),
                reach.for_irsa(f"get-sa {where}", "-o yaml  # shows it"),
            ),
        )
    return error


def granted(cluster: Cluster, role: Role) -> str:
    """The options of create-sa that created the role, if its spec hash confirms them; else ''."""
    namespace, _, name = lifecycle.account_of(role.tags).partition("/")
    attached = tuple(sorted(role.attached))
    spec = BindingSpec(namespace, name, policies=attached, permissions_boundary=role.boundary)
    try:
        desired = desired_state_of(spec, replace(cluster, role_account=role.arn.split(":")[4]))
    except IrsaError:
        return ""
    spec_hash = desired.role.tags[SPEC_HASH_TAG] if desired.role else ""
    if role.unread or (desired.role_arn, spec_hash) != (role.arn, role.tags.get(SPEC_HASH_TAG)):
        return ""
    options = [f"--attach-policy-arn {shlex.quote(arn)}" for arn in attached] or ["--no-policy"]
    if role.boundary:
        options.append(f"--permissions-boundary {shlex.quote(role.boundary)}")
    return " ".join(options)


def _own_roles(connection: Connection, scope: BindingsScope, account: str) -> list[Role]:
    """The roles of an account that irsa may have made for the scope's: their tags are not in the list."""
    if scope.selector:
        return []
    cluster = connection.cluster
    session = connection.session_of(account) or connection.home
    path = default_role_path(cluster.name)
    roles = iam.list_roles(session.client("iam"), "/" if scope.everywhere else path).roles
    provider = provider_arn(cluster.partition, account, cluster.issuer)
    return [
        role
        for role in roles
        if (role.path.startswith(path) or names_provider(role.trust, provider))
        and _may_be_in(scope, dump(role.trust))
    ]


def _may_be_in(scope: BindingsScope, trust: str) -> bool:
    """Whether a trust policy may be of a role for a ServiceAccount in the scope, by either way."""
    end = f':{scope.name}"' if scope.name else ""
    subject = f"system:serviceaccount:{scope.namespace}{end or ':'}" if scope.namespace else end
    has_names = all(f'"{name}"' in trust for name in (scope.namespace, scope.name) if name)
    # Without session tags, the statement has no names.
    return subject in trust or (
        f'"{SERVICE}"' in trust and (has_names or "kubernetes-namespace" not in trust)
    )


def _bindings(
    connection: Connection,
    scope: BindingsScope,
    reads: Reads,
    accounts: list[ServiceAccount],
    own: dict[str, list[Role] | Unreadable],
    answers: Given,
) -> bindings.Bindings:
    cluster, (associations, agent) = connection.cluster, answers
    tied = _tied(cluster, scope, accounts, associations)
    arns = [_role_of(binding) for binding in tied]
    listed = {account: () if isinstance(roles, Unreadable) else roles for account, roles in own.items()}
    names = {account: {role.name for role in roles} for account, roles in listed.items()}
    for role_arn in filter(None, arns):
        names.setdefault(role_arn.account, set()).add(role_arn.name)
    roles, providers = _by_account(reads, names)

    def judge(binding: Binding, arn: Arn | None) -> bindings.ListedBinding:
        if arn is not None:
            role = roles[arn.account][arn.name]
            provider = providers[arn.account]
            binding = with_documents(reads, replace(binding, role=role, provider=provider))
        return bindings.listed(binding, datetime.now(timezone.utc), agent)

    with ThreadPoolExecutor(4) as pool:
        judged = [*pool.map(judge, tied, arns)]
    notes: list[str] = []
    if isinstance(associations, Unreadable) and accounts:
        notes.append(f"EKS Pod Identity associations were not checked: {associations.why}")
    notes += _unlisted(own, cluster)
    used = {binding.role_arn for binding in judged}
    managed: list[bindings.ReadRole] = []
    for account, of_account in listed.items():
        for listed_role in of_account:
            role = roles[account][listed_role.name]
            managed.append(role)
            if isinstance(role, Unreadable) and listed_role.arn not in used:
                notes.append(f"can't read a role that no ServiceAccount uses: {role.why}")
    alone = tuple(_without_own_account(managed, accounts, judged))
    judged += _unbound(cluster, scope, accounts, alone, associations)
    counts = len(accounts), sum(map(len, names.values()))
    texts = tuple(dict.fromkeys(notes))
    return bindings.Bindings(
        cluster, bindings.in_order(judged), texts, *counts, scope.namespace, scope.selector
    )


def _without_own_account(
    roles: Iterable[bindings.ReadRole],
    accounts: Iterable[ServiceAccount],
    judged: Iterable[bindings.ListedBinding],
) -> Iterator[Role]:
    """The roles that nobody uses, and role-only ones that only further subjects of theirs use."""
    users: dict[str, set[str]] = {}
    for listed in judged:
        users.setdefault(listed.role_arn, set()).add(listed.full_name)
    annotations = {account.full_name: account.annotations for account in accounts}
    for role in roles:
        if not isinstance(role, Role):
            continue
        own = lifecycle.account_of(role.tags)
        names = users.get(role.arn, set())
        if not names or (own not in names and hand_over(role, annotations.get(own, {})) is not None):
            yield role


def with_documents(reads: Reads, binding: Binding) -> Binding:
    """The binding; if the trust policy is broad, with what the policies of its role say.

    How severe a broad trust is depends on what the role may do, however many roles were read with it.
    """
    role = binding.role
    if not isinstance(role, Role) or not bindings.wide(binding):
        return binding
    return replace(binding, role=details.with_documents(reads.iam(role.account), role))


def _unbound(
    cluster: Cluster,
    scope: BindingsScope,
    accounts: Iterable[ServiceAccount],
    roles: Iterable[Role],
    associations: Associations | Unreadable,
) -> Iterator[bindings.ListedBinding]:
    """Those of the roles in the scope that irsa created for a ServiceAccount which does not have them."""
    by_name = {account.full_name: account for account in accounts}
    for role in roles:
        if role.owner != cluster.arn:
            continue
        association = None
        if not isinstance(associations, Unreadable):
            namespace, _, name = lifecycle.account_of(role.tags).partition("/")
            association = associations.get((namespace, name))
        listed = unbound(cluster, role, by_name, granted(cluster, role), association)
        is_role_only = listed.status is bindings.BindingStatus.ROLE_ONLY
        if isinstance(associations, Unreadable) and is_role_only and listed.hand_over is None:
            listed = replace(listed, reason="")  # Whether an association gives it is not known.
        if scope.holds(listed.namespace, listed.name):
            yield listed


def about(
    cluster: Cluster,
    names: tuple[str, str],
    account: ServiceAccount | None,
    association: Association | Unreadable | None,
) -> Binding:
    """A ServiceAccount (`names`: namespace and name) by its annotation, or by its association alone."""
    binding = Binding(cluster, *names, account, association=association)
    is_annotated = account is not None and bindings.annotation_of(account) is not None
    if is_annotated or not isinstance(association, Association):
        return binding
    return replace(binding, named_role=association.role_arn)


def _tied(
    cluster: Cluster,
    scope: BindingsScope,
    accounts: list[ServiceAccount],
    associations: Associations | Unreadable,
) -> list[Binding]:
    """The ServiceAccounts with an annotation, an association or both, before their roles are read."""
    by_name = {(account.namespace, account.name): account for account in accounts}
    names = [key for key, account in by_name.items() if bindings.annotation_of(account) is not None]
    if isinstance(associations, Unreadable):
        return [about(cluster, key, by_name[key], associations) for key in names]
    # Labels are those of a ServiceAccount: one that is missing has none.
    names += [key for key in associations if key in by_name or not scope.selector]
    return [about(cluster, key, by_name.get(key), associations.get(key)) for key in dict.fromkeys(names)]


def _role_of(binding: Binding) -> Arn | None:
    """The role of the annotation, else of the association; None if it is invalid or unknown."""
    if binding.named_role:
        return Arn.parse(binding.named_role)
    return None if binding.existing is None else bindings.named_role(binding.existing)


def _by_account(
    reads: Reads, names: dict[str, set[str]]
) -> tuple[dict[str, dict[str, bindings.ReadRole]], dict[str, bindings.ReadProvider]]:
    """The roles by account and name, and each account's provider; accounts are read at the same time."""

    def roles(account: str) -> dict[str, bindings.ReadRole]:
        by_name = read(lambda: details.roles_with_policies(reads.iam(account), names[account]))
        return dict.fromkeys(names[account], by_name) if isinstance(by_name, Unreadable) else by_name

    def provider(account: str) -> bindings.ReadProvider:
        return read(lambda: reads.provider(account).result())

    for account in names:
        reads.provider(account)
    with ThreadPoolExecutor(4) as pool:
        roles_by_account = dict(zip(names, pool.map(roles, names), strict=True))
    return roles_by_account, {account: provider(account) for account in names}


def _unlisted(own: Mapping[str, object], cluster: Cluster) -> Iterator[str]:
    for account, roles in own.items():
        if isinstance(roles, Unreadable):
            where = f" in account {account}" if cluster.home != cluster.account else ""
            yield f"irsa did not look for managed roles without a ServiceAccount{where}: {roles.why}"
