"""Connect to AWS and the cluster. Slow parts overlap: imports run while EKS answers."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from irsa_cli.aws import bindings
from irsa_cli.aws import cluster as eks
from irsa_cli.aws.recent_writes import expect_role
from irsa_cli.aws.session import AwsSession, WireCall
from irsa_cli.aws.session import WireLog as WireLog
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, TRANSACTION_TAG
from irsa_cli.core.values.arn import Arn, check_issuer
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, IrsaError, ServiceError, UnexpectedCluster
from irsa_cli.usecases.command.caller import EXPECT_ACCOUNT, AccountAccess, naming_caller
from irsa_cli.usecases.command.caller import Target as Target

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

    from irsa_cli.kube.client import Kube


@dataclass
class Connection:
    """One caller and one cluster; `asks_cluster`: whether the work needs the Kubernetes API."""

    aws: AwsSession
    target: Target
    cluster: Cluster
    _eks: eks.EksCluster | None
    wire_log: WireLog = field(default=lambda call: None)
    """Receives also the calls that neither AWS's nor the cluster's client makes."""
    asks_cluster: bool = True
    others: Mapping[str, AwsSession] = field(default_factory=dict)
    """The sessions of other accounts, by account."""
    target_session: AwsSession | None = None
    """The session of the account of the target role, where the user gives one."""
    gone: eks.GoneCluster | None = None
    """The facts about a cluster that does not exist any more."""

    def announce(self, note: Callable[[str], None]) -> None:
        note(self.cluster.head)
        if self.gone is not None:
            note(f"Note: {self.gone.note}")

    @property
    def description(self) -> Mapping[str, Any] | None:
        """The answer of DescribeCluster; None if the cluster is not on EKS."""
        return None if self._eks is None else self._eks.description

    @property
    def version(self) -> str:
        """Kubernetes' version by DescribeCluster, such as `1.33`; '' if the cluster is not on EKS."""
        return str((self.description or {}).get("version") or "")

    @cached_property
    def associations(self) -> Collection[tuple[str, str]] | str:
        """The ServiceAccounts that EKS Pod Identity serves, read once, or why that is not known."""
        if self._eks is None:
            return ()  # Pod Identity is EKS' own.
        try:
            return bindings.associations(self.aws.client("eks"), self.cluster.name)
        except ServiceError as error:
            return error.code

    @property
    def home(self) -> AwsSession:
        return self.others.get(self.cluster.home, self.aws)

    @property
    def iam(self) -> IAMClient:
        return self.home.client("iam")

    def session_of(self, account: str) -> AwsSession | None:
        if account in self.others:
            return self.others[account]
        if account == self.cluster.account:
            return self.aws
        target = self.target_session
        return target if target is not None and target.account == account else None

    def caller(self, account: str = "") -> str:
        """The caller's identity in an account; '' if it is unknown."""
        target = self.target_session
        if target is not None and account and account == target.account and account not in self.others:
            return target.caller()
        return self.others.get(account, self.aws).caller()

    def iam_of_target(self, account: str) -> IAMClient:
        """IAM of a target role's account; raises `IrsaError` for one that this run has no credentials for."""
        target = self.target_session
        session = target if target is not None and target.account == account else self.session_of(account)
        if session is None:
            raise IrsaError(
                f"no credentials for account {account}",
                next_steps=("add --target-assume-role or --target-profile",),
                code="OtherAccount",
            )
        return session.client("iam")

    @cached_property
    def kube(self) -> Kube:
        from irsa_cli.kube import connection
        from irsa_cli.kube.client import Kube

        def log(operation: str, status: int, seconds: float, code: str) -> None:
            self.wire_log(WireCall("kubernetes", operation, status, seconds, code))

        if self.target.kubeconfig or self.target.context:
            client = connection.from_kubeconfig(self.target.kubeconfig, self.target.context)
        elif self._eks is not None:
            client = connection.from_eks(self._eks, lambda: eks.eks_token(self.aws, self.cluster.name))
        else:
            raise InvalidInput(
                "the cluster's API can't be reached",
                reason="--issuer-url needs --kubeconfig or --context with it",
            )
        found = Kube(client, log)

        def principal() -> str:
            session = r":sts::(\d+):assumed-role/([^/]+)/.*"
            return re.sub(session, r":iam::\1:role/\2", self.aws.caller()) or "ARN"

        name = self.cluster.name
        region = self.cluster.region
        entry = f"aws eks create-access-entry --cluster-name {name} --region {region} --principal-arn"
        if not self.target.kubeconfig and not self.target.context:
            found.access = lambda: f"{entry} {principal()}"
        found.found_account = self._expect_role
        return found

    def _expect_role(self, account: Mapping[str, Any]) -> None:
        """A ServiceAccount that irsa wrote a moment ago names a role that is there, even if IAM says no."""
        annotations = account["metadata"].get("annotations") or {}
        named = annotations.get(ROLE_ARN_ANNOTATION, "")
        if f":{self.cluster.home}:role/" in named:
            expect_role(named, annotations.get(TRANSACTION_TAG, ""))


Recognizer = Callable[["IAMClient", Cluster, eks.NoCluster], tuple[Cluster, eks.GoneCluster]]
"""See `irsa_cli.aws.gone.recognize`."""


def connect(
    target: Target,
    *,
    kube: bool,
    log: WireLog,
    check: Callable[[AwsSession], None] = lambda aws: None,
    gone: Recognizer | None = None,
    sessions: Callable[..., AwsSession] = AwsSession,
) -> Connection:
    """Find the cluster, and open sessions of other accounts in the meantime.

    `check` runs before the first call. `gone` accepts a cluster that no longer exists, if tags prove it.
    `sessions` opens the cluster's session (`SharedSessions`). Raises `UnexpectedCluster`.
    """
    project = target.expect_project()
    aws = sessions(profile=target.profile, region=target.region, assume_role=target.assume_role, log=log)
    check(aws)
    found = _connected(target, aws, kube=kube, log=log, gone=gone)
    by_flag = target.expect_account and target.expected_by == EXPECT_ACCOUNT
    project.check(found.cluster, account=not by_flag, arn=not target.expect_clusters)
    arn, server = found.target.meant
    endpoint = str((found.description or {}).get("endpoint", ""))
    for wanted, got in ((arn, found.cluster.arn), (_host(server), _host(endpoint))):
        if wanted and got and wanted != got:  # A context names one of the same name elsewhere.
            raise UnexpectedCluster(
                f"cluster {found.cluster.name} is not the one of the kubeconfig's context",
                reason=f"the context names {wanted}, and these credentials find {got}",
                next_steps=("use a profile of the context's account, or add --cluster NAME",),
            )
    other = found.others.get(found.cluster.home)
    found.cluster = replace(
        found.cluster,
        caller=found.aws.known_caller,
        role_caller=other.known_caller if other is not None else "",
        seen=datetime.now(timezone.utc),
    )
    return found


def _host(url: str) -> str:
    return url.rstrip("/").removesuffix(":443").lower()


CALLER_SECONDS = 2.0
"""How much longer than for the cluster the head waits for the caller: it does without, if STS is slow."""


def _connected(
    target: Target, aws: AwsSession, *, kube: bool, log: WireLog, gone: Recognizer | None
) -> Connection:
    ways = {way.flag: way for way in (target.role_way, target.target_way) if way is not None}
    for way in ways.values():
        way.check(aws)
    await_caller = _ask_caller(aws, target)
    with naming_caller(lambda _: aws.caller()), ThreadPoolExecutor(1 + len(ways)) as pool:
        opened = {flag: pool.submit(_open, way, aws, target, log) for flag, way in ways.items()}
        connecting = _Connecting(target, aws, kube, log, opened)
        if target.issuer_url:
            return connecting.by_issuer()
        describing = pool.submit(eks.describe, aws, target.cluster)
        connecting.prepare()
        try:
            described = describing.result()
            await_caller()
        except eks.NoCluster as error:
            return connecting.without(error, gone)
        return connecting.to(described)


@dataclass(frozen=True)
class _Connecting:
    """A connection in the making; `opened` are the sessions of other accounts, which open meanwhile."""

    target: Target
    aws: AwsSession
    kube: bool
    log: WireLog
    opened: Mapping[str, Future[AwsSession]]

    def prepare(self) -> None:
        """Create clients and import what is needed next, while EKS is asked."""
        if not self.target.role_account:
            self.aws.client("iam")
        if self.kube:
            self.aws.client("sts")
            importlib.import_module("irsa_cli.kube.connection")

    def to(self, described: eks.EksCluster) -> Connection:
        """Connect to the cluster that EKS describes."""
        check_expected(self.target, described.cluster)
        cluster = _at_home(described.cluster, self.target)
        connection = Connection(self.aws, self.target, cluster, described, self.log, self.kube)
        return self._with_sessions(connection)

    def by_issuer(self) -> Connection:
        """Connect to a cluster that EKS is not asked about."""
        cluster = _foreign_cluster(self.aws, self.target)
        check_expected(self.target, cluster)
        if self.target.expect_account:
            _check_caller(self.aws.identity(), self.target)
        return self._with_sessions(Connection(self.aws, self.target, cluster, None, self.log, self.kube))

    def without(self, error: eks.NoCluster, gone: Recognizer | None) -> Connection:
        """Connect if there is no such cluster here: to one elsewhere, or to what a deleted one left."""
        if self.target.expect_account:  # An account that is not meant has no such cluster, of course.
            _check_caller(self.aws.caller(), self.target)
        if self.target.tell_region is not None:
            return self._elsewhere()
        # The kubeconfig's cluster exists: account or region are wrong.
        if gone is None or self.target.kubeconfig or self.target.context:
            raise error
        return self._to_gone(error, gone)

    def _elsewhere(self) -> Connection:
        """The connection to the cluster in another region; raises `Refused` if there is none."""
        region = eks.find_region(self.aws, self.target.cluster)
        if self.target.tell_region is not None:
            self.target.tell_region(f"cluster {self.target.cluster} is in {region}, not in {self.aws.region}")
        there = replace(self, target=replace(self.target, region=region), aws=self.aws.moved_to(region))
        connection = there.to(eks.describe(there.aws, self.target.cluster))
        connection.others = {
            account: session.moved_to(region) for account, session in connection.others.items()
        }
        return connection

    def _to_gone(self, error: eks.NoCluster, recognize: Recognizer) -> Connection:
        """The connection without the cluster; raises `error` if nothing proves that there was one."""
        cluster = _at_home(eks.expected(self.aws, self.target.cluster), self.target)
        check_expected(self.target, cluster)
        connection = self._with_sessions(
            Connection(self.aws, self.target, cluster, None, self.log, asks_cluster=False)
        )
        connection.cluster, connection.gone = recognize(connection.iam, cluster, error)
        return connection

    def _with_sessions(self, connection: Connection) -> Connection:
        """With the sessions of other accounts; who needs no other way in is the same caller."""
        cluster = connection.cluster
        way = connection.target.role_way
        plain = way is not None and not way.options and way.account == cluster.account
        if "role" in self.opened and not plain:
            session = self.opened["role"].result()
            if not connection.target.role_account:  # The account of --role-profile.
                connection.cluster = replace(cluster, role_account=session.account)
                connection.target = replace(connection.target, role_account=session.account)
            connection.others = {connection.cluster.home: session}
        if "target" in self.opened:
            connection.target_session = self.opened["target"].result()
        return connection


def _ask_caller(aws: AwsSession, target: Target) -> Callable[[], None]:
    """Ask AWS who the caller is; the function waits for the answer, which the session keeps."""
    if not target.asks_caller:
        return lambda: None
    asked = threading.Thread(target=aws.caller, daemon=True)
    asked.start()
    return lambda: asked.join(CALLER_SECONDS)


def _check_caller(who: str, target: Target) -> None:
    if who and target.expect_account not in ("", Arn.parse(who).account):
        raise UnexpectedCluster(
            f"the caller is {who}", reason=f"{target.expected_by} says {target.expect_account}"
        )


def check_expected(target: Target, cluster: Cluster) -> None:
    """Raise `UnexpectedCluster` where the cluster, or its account, is not the one that was expected."""
    if target.expect_account and cluster.account != target.expect_account:
        raise UnexpectedCluster(
            f"{cluster.name} is in account {cluster.account}",
            reason=f"{target.expected_by} says {target.expect_account}",
            next_steps=("check the credentials, the profile and the region",),
        )
    if target.expect_clusters and cluster.arn not in target.expect_clusters:
        raise UnexpectedCluster(
            f"the cluster is {cluster.arn}",
            reason=f"--expect-cluster-arn says {' or '.join(target.expect_clusters)}",
            next_steps=("check the cluster's name, the credentials, the profile and the region",),
        )


def _open(way: AccountAccess, aws: AwsSession, target: Target, log: WireLog) -> AwsSession:
    session = way.open(aws, target.profile, log)
    session.client("iam")
    return session


def _at_home(found: Cluster, target: Target) -> Cluster:
    way = target.role_way
    return replace(
        found, role_account=target.role_account or "", role_way=way.options if way is not None else ""
    )


def _foreign_cluster(aws: AwsSession, target: Target) -> Cluster:
    issuer = check_issuer(target.issuer_url or "")
    if not target.account:
        raise InvalidInput("--issuer-url needs --account", reason="the account the provider is to live in")
    return Cluster(target.cluster, issuer, aws.region, aws.partition, target.account, issuer)
