"""The reads of verify, each thing once however many ServiceAccounts need it, and all at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from irsa_cli.aws import iam as reading
from irsa_cli.core.plan.states import ProviderState, RoleState
from irsa_cli.core.values.arn import provider_arn, role_arn
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.usecases.read.associations import Associations, association, associations

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

    from irsa_cli.aws.permissions.simulation import Simulated
    from irsa_cli.core.objects.aws import Association
    from irsa_cli.core.trust.jwt import Keys
    from irsa_cli.core.values.errors import Unreadable
    from irsa_cli.usecases.command.connect import Connection

T = TypeVar("T")
WORKERS = 16


class Reads:
    """Reads that run in the background; asking again for the same thing gives the same future.

    `readers` are roles by which the IAM of other accounts is read. For a `with` block. A future raises
    `ServiceError`, or `IrsaError` for an account that nobody here reads.
    """

    def __init__(self, connection: Connection, readers: Iterable[str] = ()) -> None:
        self._connection = connection
        self._readers = {role_arn(text).account: text for text in readers}
        self._pool = ThreadPoolExecutor(WORKERS)
        self._lock = threading.Lock()
        self._futures: dict[object, Future[Any]] = {}

    def __enter__(self) -> Reads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _once(self, key: object, read: Callable[[], T]) -> Future[T]:
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self._pool.submit(read)
            return self._futures[key]

    def begin(self) -> None:
        """Begin with the reads that need only the cluster."""
        self.public_keys()
        self.provider(self._connection.cluster.home)
        # Made before several threads ask for it, as nothing guards its making.
        _ = self._connection.kube
        self.cluster_keys()

    def public_keys(self) -> Future[Keys]:
        from irsa_cli.aws.issuer_keys import fetch

        issuer, log = self._connection.cluster.issuer, self._connection.wire_log
        return self._once("public keys", lambda: fetch(issuer, log))

    def cluster_keys(self) -> Future[Keys]:
        return self._once("cluster keys", lambda: self._connection.kube.jwks())

    def provider(self, account: str) -> Future[ProviderState | None]:
        cluster = self._connection.cluster
        arn = provider_arn(cluster.partition, account, cluster.issuer)
        return self._once(arn, lambda: reading.provider(self.iam(account), arn))

    def association(self, namespace: str, name: str) -> Future[Association | Unreadable | None]:
        return self._once(
            ("association", namespace, name), lambda: association(self._connection, namespace, name)
        )

    def associations(self) -> Future[Associations | Unreadable]:
        return self._once("associations", lambda: associations(self._connection))

    def role(self, arn: str) -> Future[RoleState | None]:
        """A role by its name; IAM does not compare the path."""
        return self._once(arn, lambda: self._role(arn))

    def _role(self, arn: str) -> RoleState | None:
        parsed = role_arn(arn)
        found = reading.role_state(self.iam(parsed.account), parsed.name)
        return found[0] if found else None

    def simulations(
        self, arn: str, actions: tuple[str, ...], resources: tuple[str, ...], *, federated: bool
    ) -> Future[list[Simulated]]:
        """IAM's simulation of the actions of a role; `federated`: a token leads to it directly."""
        from irsa_cli.aws.permissions.simulation import Caller, simulate

        cluster, account = self._connection.cluster, role_arn(arn).account
        provider = provider_arn(cluster.partition, account, cluster.issuer) if federated else ""
        caller = Caller(arn, cluster.region, provider)
        return self._once(
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
        client: IAMClient = self._once(("iam", account), lambda: self._foreign_iam(account)).result()
        return client

    def _foreign_iam(self, account: str) -> Any:
        from irsa_cli.aws.sts import assume

        aws = self._connection.aws
        return aws.client_of("iam", assume(aws.client("sts"), self._readers[account]))
