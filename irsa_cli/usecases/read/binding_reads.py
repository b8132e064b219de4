"""Reading bindings before they are deleted: one by one, or many from lists.

Both answer the same questions, so that finding a binding and its users is written once. Lists are only
believed for what they show: a role that is not in them is asked for by its name.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from irsa_cli.aws import bindings
from irsa_cli.aws import iam as reading
from irsa_cli.aws.role_lists import listed_roles
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import KINDS, Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount, with_manifest
from irsa_cli.core.objects.workloads import Workload, workload
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values.errors import ServiceError, Unreadable, read, unless_denied
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.reads import parted
from irsa_cli.usecases.read.snapshot import ClusterLists

P = ParamSpec("P")
T = TypeVar("T")


class Ask(Protocol):
    """Asks a question; the answer comes as a future."""

    def __call__(self, ask: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...


def answered(ask: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """The answer to a question that is asked at once."""
    future: Future[T] = Future()
    try:
        future.set_result(ask(*args, **kwargs))
    except Exception as error:
        future.set_exception(error)
    return future


PARALLEL = 8
PODS = "pods"
USERS_SECONDS = 2.0
"""How old the lists of pods and workloads may be: no lock keeps others from creating them."""


@dataclass(frozen=True)
class NamespaceUsers:
    """The pods of a namespace and what creates pods there; `hidden` says what could not be read, and why."""

    pods: Sequence[Pod] = ()
    workloads: Sequence[Workload] = ()
    hidden: Sequence[str] = ()


class SingleReads:
    """Each part of a binding, asked for by itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """Ask several questions at the same time, and wait for all answers at the end of the block."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            yield pool.submit

    def role(self, name: str, has_policies: Callable[[Role], bool]) -> Role | None:
        """A role of the account, with its policies if `has_policies` says so; None if there is none."""
        return reading.current_role(self._connection.iam, name, policies=has_policies)

    def roles(self) -> Sequence[Role] | Unreadable:
        """All roles of the account as ListRoles shows them."""
        return unless_denied(lambda: reading.list_roles(self._connection.iam).roles)

    def account(self, namespace: str, name: str) -> ServiceAccount | None:
        """A ServiceAccount; None also for one that is being deleted."""
        return _present(self._connection.kube.service_account(namespace, name))

    def accounts(self) -> list[Json] | Unreadable:
        """All ServiceAccounts of the cluster."""
        return unless_denied(self._connection.kube.service_accounts)

    def association(self, namespace: str, name: str) -> Association | Unreadable | None:
        """The EKS Pod Identity association of a ServiceAccount; None without one."""
        if not _may_have_associations(self._connection):
            return None
        names = (self._connection.cluster.name, namespace, name)
        return read(lambda: bindings.association(self._connection.aws.client("eks"), *names, whole=True))

    def users(self, namespace: str) -> NamespaceUsers:
        """The pods of a namespace, and what creates pods there."""
        kube = self._connection.kube
        reads: dict[str, Callable[[], list[Json]]] = {
            kind: partial(kube.workloads, namespace, kind) for kind in KINDS
        }
        reads[PODS] = partial(kube.pods, namespace)
        with ThreadPoolExecutor(len(reads)) as pool:
            answers = {kind: pool.submit(unless_denied, read) for kind, read in reads.items()}
        bodies, unread = parted({kind: future.result() for kind, future in answers.items()})
        return NamespaceUsers(
            tuple(kinds.pod(body) for body in bodies.pop(PODS, [])),
            tuple(workload(KINDS[kind], body) for kind, listed in bodies.items() for body in listed),
            tuple(f"the {kind} of {namespace} can't be listed: {why}" for kind, why in unread.items()),
        )


class BindingLists(ClusterLists, SingleReads):
    """The same of many bindings, by namespace and name; `names` are those of roles that they may have.

    For a `with` block; thread-safe.

    What was read grows old. Every change compares before it writes, and who finds something else there reads
    it by itself.
    """

    def __init__(
        self, connection: Connection, bindings_of: Collection[tuple[str, str]], names: Collection[str]
    ) -> None:
        ClusterLists.__init__(self, connection)
        self._single = SingleReads(connection)
        self._users: dict[str, tuple[float, NamespaceUsers]] = {}
        self._users_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._listed = self._pool.submit(self._listed_roles, bindings_of, names)
        if _may_have_associations(connection):
            eks = connection.aws.client("eks")
            cluster = connection.cluster.name
            self._associations = self._pool.submit(read, lambda: bindings.associations(eks, cluster))

    def _listed_roles(
        self, bindings_of: Collection[tuple[str, str]], names: Collection[str]
    ) -> dict[str, Role]:
        bodies = (self._by_name or {}) if self._connection.asks_cluster else {}
        accounts = [bodies[binding]["metadata"] for binding in bindings_of if binding in bodies]
        arns = [(account.get("annotations") or {}).get(ROLE_ARN_ANNOTATION, "") for account in accounts]
        annotated = {arn.rpartition("/")[2] for arn in arns if arn}
        try:
            return listed_roles(self._connection.iam, {*names, *annotated})
        except ServiceError:
            return {}  # Each is asked for by its name, and that error counts.

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """The same, one question after the other: nearly all answers were read before."""
        yield answered

    def role(self, name: str, has_policies: Callable[[Role], bool]) -> Role | None:
        listed = self._listed.result().get(name)
        if listed is not None:
            return listed
        bare = self.once(("role", name), lambda: self._single.role(name, lambda role: False)).result()
        return bare if bare is None or not has_policies(bare) else self._single.role(name, has_policies)

    def roles(self) -> Sequence[Role] | Unreadable:
        return self.once("roles", self._single.roles).result()

    def account(self, namespace: str, name: str) -> ServiceAccount | None:
        return _present(self.account_body(namespace, name))

    def accounts(self) -> list[Json] | Unreadable:
        return unless_denied(self._accounts.result)

    def association(self, namespace: str, name: str) -> Association | Unreadable | None:
        if not _may_have_associations(self._connection):
            return None
        listed = self._associations.result()
        if not isinstance(listed, Unreadable) and (namespace, name) not in listed:
            return None
        return self._single.association(namespace, name)

    def users(self, namespace: str) -> NamespaceUsers:
        """As above; at most `USERS_SECONDS` old."""
        with self._users_locks[namespace]:
            began, users = self._users.get(namespace, (float("-inf"), NamespaceUsers()))
            if time.monotonic() - began > USERS_SECONDS:
                began = time.monotonic()
                users = self._single.users(namespace)
                self._users[namespace] = began, users
            return users


def _may_have_associations(connection: Connection) -> bool:
    """Pod Identity is EKS's own, and its associations go with the cluster."""
    return connection.gone is None and connection.target.issuer_url is None


def _present(body: Json | None) -> ServiceAccount | None:
    is_going = body is not None and "deletionTimestamp" in body["metadata"]
    return None if body is None or is_going else with_manifest(body)
