"""The reads of verify, each thing once however many ServiceAccounts need it, and all at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from irsa_cli.aws import iam as reading
from irsa_cli.aws.sts import assume
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.values.arn import provider_arn, role_arn
from irsa_cli.core.values.errors import IrsaError, Unreadable
from irsa_cli.usecases.read.associations import Associations, association, associations

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

    from irsa_cli.aws.permissions import Simulated
    from irsa_cli.core.objects.aws import Association
    from irsa_cli.core.trust.jwt import Keys
    from irsa_cli.usecases.command.connect import Connection

T = TypeVar("T")
K = TypeVar("K")
B = TypeVar("B", bound="Background")
WORKERS = 16


class Background:
    """Reads that run in the background, for a `with` block; thread-safe."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._pool = ThreadPoolExecutor(workers)
        self._lock = threading.Lock()
        self._futures: dict[object, Future[Any]] = {}

    def __enter__(self: B) -> B:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def once(self, key: object, read: Callable[[], T]) -> Future[T]:
        """The read of this key, which begins if nobody has asked for it yet."""
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self._pool.submit(read)
            return self._futures[key]


class Reads(Background):
    """Reads of one cluster; `readers` are roles by which the IAM of other accounts is read.

    A future raises `ServiceError`, or `IrsaError` for an account that nobody here reads.
    """

    def __init__(self, connection: Connection, readers: Iterable[str] = ()) -> None:
        super().__init__()
        self._connection = connection
        self._readers = {role_arn(text).account: text for text in readers}

    def begin(self) -> None:
        """Begin with the reads that need only the cluster."""
        self.public_keys()
        self.provider(self._connection.cluster.home)
        # Made before several threads ask for it, as nothing guards its making.
        _ = self._connection.kube
        self.cluster_keys()

    def public_keys(self) -> Future[Keys]:
        from irsa_cli.aws.issuer_keys import fetch

        issuer = self._connection.cluster.issuer
        log = self._connection.wire_log
        return self.once("public keys", lambda: fetch(issuer, log))

    def cluster_keys(self) -> Future[Keys]:
        return self.once("cluster keys", lambda: self._connection.kube.jwks())

    def provider(self, account: str) -> Future[ProviderState | None]:
        cluster = self._connection.cluster
        arn = provider_arn(cluster.partition, account, cluster.issuer)
        return self.once(arn, lambda: reading.provider(self.iam(account), arn))

    def association(self, namespace: str, name: str) -> Future[Association | Unreadable | None]:
        return self.once(
            ("association", namespace, name), lambda: association(self._connection, namespace, name)
        )

    def associations(self) -> Future[Associations | Unreadable]:
        return self.once("associations", lambda: associations(self._connection))

    def role(self, arn: str) -> Future[Role | None]:
        """A role by its name; IAM does not compare the path."""
        return self.once(arn, lambda: reading.read_role(self.iam(role_arn(arn).account), role_arn(arn).name))

    def simulations(
        self, arn: str, actions: tuple[str, ...], resources: tuple[str, ...], *, federated: bool
    ) -> Future[list[Simulated]]:
        """IAM's simulation of the actions of a role; `federated`: a token leads to it directly."""
        from irsa_cli.aws.permissions import Caller, simulate

        cluster = self._connection.cluster
        account = role_arn(arn).account
        provider = provider_arn(cluster.partition, account, cluster.issuer) if federated else ""
        caller = Caller(arn, cluster.region, provider)
        return self.once(
            (caller, actions, resources), lambda: simulate(self.iam(account), caller, actions, resources)
        )

    def iam(self, account: str) -> IAMClient:
        """IAM of an account; raises `IrsaError` for one that the caller has no way into."""
        session = self._connection.session_of(account)
        if session is not None:
            return session.client("iam")
        if account not in self._readers:
            raise IrsaError(
                f"irsa can't read account {account}",
                reason="give a role of that account with --iam-assume-role",
                code="OtherAccount",
            )

        def client() -> IAMClient:
            aws = self._connection.aws
            found: IAMClient = aws.client_of("iam", assume(aws.client("sts"), self._readers[account]))
            return found

        return self.once(("iam", account), client).result()


def parted(answers: Mapping[K, T | Unreadable]) -> tuple[dict[K, T], dict[K, str]]:
    """The answers that were read, and of the others why not."""
    found = {key: item for key, item in answers.items() if not isinstance(item, Unreadable)}
    return found, {key: item.why for key, item in answers.items() if isinstance(item, Unreadable)}
