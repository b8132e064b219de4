"""The current state for many bindings of one cluster, read in few calls: lists instead of one call for each.

A snapshot grows old during the work. That is harmless: every change compares before it writes, and
who finds something else there looks again by `irsa_cli.usecases.read.observe`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.current import CurrentState, PolicyVersions
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount, service_account
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.planning.create import provider_changes, shared_parts_counted_on
from irsa_cli.core.policies import policy
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.errors import ServiceError, Unreadable
from irsa_cli.core.values.names import default_role_name, default_role_path
from irsa_cli.core.values.patience import replaced
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read import observe
from irsa_cli.usecases.read.pod_identity import support_of
from irsa_cli.usecases.read.reads import Background

T = TypeVar("T")


@dataclass(frozen=True)
class SharedBase:
    """The common base of all desired states: the changes that create it, and its state after them."""

    plan: Plan
    provider: ProviderState | None
    namespaces: frozenset[str]
    there: tuple[Change, ...] = ()
    """The existing parts of it, as changes without an effect."""


class ClusterLists(Background):
    """The ServiceAccounts of one cluster at one moment; single ones for a caller who may not list them."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        if connection.asks_cluster:
            # Made before several threads ask for it, as nothing guards its making.
            self._accounts = self._pool.submit(connection.kube.service_accounts)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Json] | None:
        """All ServiceAccounts; None where the caller may only read single ones."""
        bodies = _unless_denied(self._accounts)
        if bodies is None:
            return None
        return {(body["metadata"]["namespace"], body["metadata"]["name"]): body for body in bodies}

    def account_body(self, namespace: str, name: str, *, needed: bool = True) -> Json | None:
        """A ServiceAccount, None if there is none; nor one that is not `needed` and may not be read."""
        if self._by_name is not None:
            return self._by_name.get((namespace, name))
        read = self.once((namespace, name), lambda: self._connection.kube.service_account(namespace, name))
        return read.result() if needed else _unless_denied(read)


class Snapshot(ClusterLists):
    """One cluster and its account at one moment.

    Where the caller may not list, what is desired is read one by one; so are all roles with `one_by_one`: a
    list of one path does not show that a name is taken in another one.
    """

    def __init__(self, connection: Connection, *, one_by_one: bool = False) -> None:
        super().__init__(connection)
        self._one_by_one = one_by_one
        self._groundwork = SharedBase(Plan(), None, frozenset())
        cluster = connection.cluster
        iam = connection.iam
        self._path = default_role_path(cluster.name)
        self._roles = self._pool.submit(reading.list_roles, iam, self._path)
        self._provider_arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
        self._provider = self._pool.submit(reading.provider, iam, self._provider_arn)
        self._namespaces = self._pool.submit(connection.kube.namespaces)

    @cached_property
    def _role_names(self) -> frozenset[str] | None:
        """The roles under the cluster's path; None where the caller may only read single ones."""
        listed = _unless_denied(self._roles)
        return None if listed is None else frozenset(role.name for role in listed.roles)

    @cached_property
    def trust_quota(self) -> int:
        """The account's quota for trust policies, asked for when it is first needed."""
        return reading.trust_quota(self._connection.iam)

    def prepare_base(self, desired_states: Sequence[DesiredState], *, associate: bool) -> SharedBase:
        """The prerequisites of all of them: the provider with its audiences, the namespaces."""
        cluster = self._connection.cluster
        provider = self._provider.result()
        changes: list[Change] = []
        if associate:
            using = [desired for desired in desired_states if desired.uses_web_identity]
            audiences = tuple(dict.fromkeys(desired.audience for desired in using if self._is_home(desired)))
            if not using:  # The cluster is to have its provider, whoever will use it.
                audiences = (DEFAULT_AUDIENCE,)
            changes += provider_changes(cluster, audiences, provider) if audiences else []
            provider = _after(provider, changes)
        namespaces = {
            desired.namespace: desired.new_namespace
            for desired in desired_states
            if not desired.role_only or desired.creates_account
        }
        listed = _unless_denied(self._namespaces) if namespaces else None
        # If the caller may not list them, the server says so when a ServiceAccount can't be created.
        existing = set(namespaces) if listed is None else {body["metadata"]["name"] for body in listed}
        changes += [
            Change(Kind.NAMESPACE, (name,), None, namespaces[name])
            for name in sorted(namespaces.keys() - existing)
        ]
        parts = shared_parts_counted_on(
            self._provider_arn, self._provider.result(), namespaces.keys() & existing
        )
        self._groundwork = SharedBase(
            Plan.of(changes), provider, frozenset(existing | namespaces.keys()), tuple(parts)
        )
        return self._groundwork

    def _is_home(self, desired: DesiredState) -> bool:
        return desired.role_account == self._connection.cluster.home

    def observe(self, desired: DesiredState) -> CurrentState:
        """The current state for one desired state on the common base; raises `IrsaError` (no policy)."""
        role = None if self.is_unlisted(desired) else observe.read_role(self._connection, desired)
        association = (
            None if desired.association is None else self.association(desired.namespace, desired.name)
        )
        return self._current(desired, role, self.account, association)

    def observe_again(self, desired: DesiredState) -> CurrentState:
        """The same; the role and the ServiceAccount are read again instead of taken from the lists."""
        names = (desired.namespace, desired.name)
        account = self._pool.submit(observe.read_service_account, self._connection, *names)

        def current(_namespace: str, _name: str) -> ServiceAccount | None:
            return account.result()

        association = None
        if desired.association is not None:
            association = observe.read_association(self._connection, desired.namespace, desired.name)
        return self._current(desired, observe.read_role(self._connection, desired), current, association)

    def _current(
        self,
        desired: DesiredState,
        role: Role | Unreadable | None,
        account: Callable[[str, str], ServiceAccount | None],
        association: Association | None,
    ) -> CurrentState:
        binding = observe.about(desired, role)
        versions = self._check_policies(desired)
        # The annotation tells whether pods still get the role by it.
        needed = desired.association is not None or observe.is_account_needed(desired, binding.seen_role)
        seen_account = account(desired.namespace, desired.name) if needed else None
        ask = partial(support_of, self._connection, desired.namespace)
        missing = desired.association is not None and association is None
        support = self.once(("support", "", desired.namespace), ask) if missing else None
        binding = replace(
            binding,
            account=seen_account,
            provider=self._groundwork.provider if self._is_home(desired) else None,
            association=association,
            config_maps=observe.config_maps_of(self._connection, desired),
        )
        target = observe.target_of(self._connection, desired)
        current = CurrentState(
            observe.with_targets(self._connection, desired, binding, target),
            target_quota=observe.target_quota(self._connection, desired, target),
            policies=versions,
            support=support.result() if support is not None else None,
        )
        sizes = [policy.size(desired.role.trust)] if desired.role is not None else []
        sizes += [policy.size(binding.trust)] if binding.seen_role is not None else []
        # The account's quota may be needed for a large trust policy.
        is_large = sum(sizes) > policy.TRUST_LIMIT
        return replace(current, trust_quota=self.trust_quota) if is_large else current

    def is_unlisted(self, desired: DesiredState) -> bool:
        """Whether the list of the cluster's path is enough to tell that there is no such role.

        Names are unique in an account whatever the path, so it tells nothing of a name that the user gives.
        The name that irsa gives carries a digest: nobody else has it.
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
        """
        cluster = desired.cluster
        default = default_role_name(cluster.name, cluster.arn, desired.namespace, desired.name)
        if (
            self._one_by_one
            or desired.role is None
            or desired.role.path != self._path
            or desired.role_name != default
        ):
            return False
        return self._role_names is not None and desired.role_name not in self._role_names

    def account(self, namespace: str, name: str, *, needed: bool = True) -> ServiceAccount | None:
        """A ServiceAccount, None if there is none; nor one that is not `needed` and may not be read."""
        body = self.account_body(namespace, name, needed=needed)
        return None if body is None else service_account(body)

    def association(self, namespace: str, name: str) -> Association | None:
        """The association of a ServiceAccount; raises `ServiceError` if it can't be read."""
        read = partial(observe.read_association, self._connection, namespace, name)
        return self.once(("association", namespace, name), read).result()

    def _check_policies(self, desired: DesiredState) -> PolicyVersions:
        boundary = desired.role.permissions_boundary if desired.role else ""
        arns = [*desired.policies, *([boundary] if boundary else [])]
        ask = partial(reading.policy_version, self._connection.iam)
        answers = {arn: self.once(("policy", arn, ""), partial(ask, arn)) for arn in arns}
        versions = {arn: future.result() for arn, future in answers.items()}
        return observe.checked_versions(self._connection, versions, boundary)


def _unless_denied(future: Future[T]) -> T | None:
    """The answer; None if the caller may not read it: what is needed of it is then read one by one."""
    try:
        return future.result()
    except ServiceError as error:
        if error.status != 403:
            raise
        replaced(error)
        return None


def _after(provider: ProviderState | None, changes: Sequence[Change]) -> ProviderState | None:
    for change in changes:
        if isinstance(change.after, ProviderState):
            return change.after
    added = [change.target[1] for change in changes]
    return None if provider is None else replace(provider, audiences=[*provider.audiences, *added])
