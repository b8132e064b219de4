"""The reads of `irsa doctor`: each once, in parallel, independent; the pod that it creates is a dry run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import wraps
from itertools import chain
from typing import Any, Concatenate, ParamSpec, TypeVar

from irsa_cli.aws import bindings, details, trail
from irsa_cli.aws import diagnosis as aws
from irsa_cli.aws import iam as aws_iam
from irsa_cli.aws.iam import list_roles
from irsa_cli.aws.sts import assume
from irsa_cli.core.doctor import reported
from irsa_cli.core.doctor.facts import EksFacts, NodeMetadata, VpcEndpoint
from irsa_cli.core.marks.locks import LeaseState, Lock, LockScope, selector
from irsa_cli.core.objects import kinds, service_accounts, webhooks
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.objects.trail import TrailEvent
from irsa_cli.core.objects.webhooks import NetworkPolicy, Webhook
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.core.trust.chain import KEY
from irsa_cli.core.trust.jwt import Keys, key_ids
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import IrsaError, ServiceError, Unreadable, read
from irsa_cli.core.values.names import subject
from irsa_cli.core.values.patience import replaced
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.pod_identity import agents_of, runs_agent
from irsa_cli.usecases.read.reads import Background, Reads
from irsa_cli.usecases.read.users_of_pods import probe

T = TypeVar("T")
P = ParamSpec("P")
WORKERS = 24


def _in_background(
    method: Callable[Concatenate[DoctorReads, P], T],
) -> Callable[Concatenate[DoctorReads, P], Future[T | Unreadable]]:

    @wraps(method)
    def begin(self: DoctorReads, /, *args: P.args, **kwargs: P.kwargs) -> Future[T | Unreadable]:
        return self.tried((method.__name__, *args), lambda: method(self, *args, **kwargs))

    return begin


class DoctorReads(Background):
    """Background reads of one cluster, each done once.

    `readers` are roles for reading IAM and CloudTrail of other accounts, `lock_namespace` has the locks.
    """

    def __init__(self, connection: Connection, readers: Iterable[str], lock_namespace: str) -> None:
        super().__init__(WORKERS)
        self._connection = connection
        self._kube = connection.kube
        self._cluster = connection.cluster
        self._lock_namespace = lock_namespace
        self._readers = {Arn.parse(text).account: text for text in readers}
        self._roles: Mapping[str, Role] = {}
        self._shared = Reads(connection, self._readers.values())
        self._is_eks = connection.target.issuer_url is None

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._shared.__exit__()

    def tried(self, key: object, read_it: Callable[[], T]) -> Future[T | Unreadable]:
        """As `once`, with the reason in place of an error."""
        return self.once(key, lambda: read(read_it))

    def of_cluster(self) -> dict[str, Future[Any]]:
        """The reads of the cluster as a whole, by the fields of `Facts` that they are for."""
        iam = self._connection.iam
        shared = self._shared
        return {
            "provider": self.provider(self._cluster.home),
            "providers": self.tried("providers", lambda: bindings.provider_arns(iam)),
            "quotas": self.tried("quotas", lambda: aws_iam.quotas(iam)),
            "eks": self.eks(),
            "sts_endpoints": self.vpc_endpoints("sts"),
            "published_keys": self._key_ids("published keys", shared.public_keys),
            "cluster_keys": self._key_ids("cluster keys", shared.cluster_keys),
            "accounts": self.accounts(),
            "webhooks": self.webhooks(),
            "webhook_arguments": self.webhook_arguments(),
        }

    def _key_ids(self, key: str, keys: Callable[[], Future[Keys]]) -> Future[frozenset[str] | Unreadable]:
        return self.tried(key, lambda: frozenset(key_ids(keys().result())))

    # Kubernetes

    @_in_background
    def accounts(self) -> tuple[ServiceAccount, ...]:
        return tuple(map(service_accounts.service_account, self._kube.service_accounts()))

    def selected(self, namespace: str, selector: str) -> set[tuple[str, str]]:
        """Which ServiceAccounts a label selector selects: namespaces and names. Raises `ServiceError`."""
        accounts = self._kube.service_accounts(namespace or None, selector)
        return {(account["metadata"]["namespace"], account["metadata"]["name"]) for account in accounts}

    @_in_background
    def account(self, namespace: str, name: str) -> ServiceAccount | None:
        body = self._kube.service_account(namespace, name)
        return None if body is None else service_accounts.service_account(body)

    @_in_background
    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        body = self._kube.one("namespaces", "", namespace)
        return None if body is None else body["metadata"].get("labels") or {}

    @_in_background
    def pods(self, namespace: str | None) -> tuple[Pod, ...]:
        return tuple(map(kinds.pod, self._kube.pods(namespace)))

    @_in_background
    def failures(self, namespace: str | None) -> tuple[reported.CreationFailure, ...]:
        """The events of a namespace, or of the cluster, about pods that could not be created."""
        return reported.failures(self._kube.events(reported.REASON, namespace))

    @_in_background
    def makers(self, namespace: str, kind: str) -> tuple[reported.Maker, ...]:
        workloads = self._kube.workloads(namespace, reported.RESOURCES[kind])
        return tuple(reported.maker(kind, body) for body in workloads)

    @_in_background
    def agents(self) -> tuple[Pod, ...]:
        return agents_of(self._connection)

    @_in_background
    def network_policies(self, namespace: str | None) -> tuple[NetworkPolicy, ...]:
        """The NetworkPolicies of a namespace, or of the cluster, that limit what pods may call."""
        policies = map(webhooks.network_policy, self._kube.network_policies(namespace))
        return tuple(policy for policy in policies if policy is not None)

    @_in_background
    def probe(self, namespace: str, name: str) -> Pod:
        return kinds.pod(self._kube.create_pod(namespace, probe(namespace, name), dry_run=True))

    @_in_background
    def lock(self, namespace: str, name: str) -> SeenLock | None:
        lease = self._kube.lease(self._lock_namespace, _lease(namespace, name))
        return None if lease is None else SeenLock(LeaseState.read(lease.body), lease.date)

    @_in_background
    def locks(self) -> Mapping[str, SeenLock]:
        """All locks of the cluster's runs, by the names of their Leases."""
        labels = selector(self._cluster.arn, self._cluster.name)
        leases = self._kube.leases(self._lock_namespace, labels)
        return {state.name: SeenLock(state, leases.date) for state in map(LeaseState.read, leases.items)}

    def lock_among_all(self, namespace: str, name: str) -> SeenLock | Unreadable | None:
        locks = self.locks().result()
        return locks if isinstance(locks, Unreadable) else locks.get(_lease(namespace, name))

    @_in_background
    def webhooks(self) -> tuple[Webhook, ...]:
        configurations = self._kube.all("mutatingwebhookconfigurations")
        return tuple(chain.from_iterable(map(webhooks.webhooks, configurations)))

    @_in_background
    def webhook_arguments(self) -> tuple[str, ...]:
        """The command line of a webhook that runs as pods of the cluster; on EKS there are none."""
        spaces = {webhook.service.partition("/")[0] for webhook in needed(self.webhooks()) if webhook.service}
        pods = map(kinds.pod, chain.from_iterable([*map(self._kube.pods, spaces)]))
        for container in chain.from_iterable(pod.containers for pod in pods):
            if "pod-identity-webhook" in container.image:
                return container.arguments
        return ()

    @_in_background
    def aws_config(self, namespace: str, name: str) -> str | None:
        config_map = self._kube.one("configmaps", namespace, name)
        return None if config_map is None else str((config_map.get("data") or {}).get(KEY, ""))

    @_in_background
    def config_map(self, namespace: str, source: str) -> Mapping[str, str]:
        """The content of a ConfigMap (`configmap/NAME`); of one that is not there, none."""
        config_map = self._kube.one("configmaps", namespace, source.partition("/")[2])
        return (config_map or {}).get("data") or {}

    # AWS

    def reads(self, account: str) -> bool:
        """Whether there is a way into the IAM of an account; that it is allowed there is another matter."""
        return self._connection.session_of(account) is not None or account in self._readers

    @_in_background
    def provider(self, account: str) -> ProviderState | None:
        return self._shared.provider(account).result()

    @_in_background
    def other_provider(self, arn: str) -> ProviderState | None:
        return aws_iam.provider(self._shared.iam(Arn.parse(arn).account), arn)

    @_in_background
    def eks(self) -> EksFacts:
        """The cluster as EKS described it when it was looked for."""
        if self._connection.description is None:
            raise IrsaError("the cluster is not an EKS cluster")
        return aws.eks_facts(self._connection.description)

    @_in_background
    def vpc_endpoints(self, service: str) -> tuple[VpcEndpoint, ...]:
        """The endpoints in the cluster's VPC for a service: STS, or what EKS Pod Identity's agent calls."""
        cluster = self._cluster
        vpc = needed(self.eks()).vpc
        if not vpc:
            raise IrsaError("EKS did not return the cluster's VPC")
        ec2 = self._connection.aws.client("ec2")
        return aws.vpc_endpoints(ec2, service, vpc, region=cluster.region, partition=cluster.partition)

    @_in_background
    def agent(self) -> bool:
        """Whether the cluster has the EKS Pod Identity agent; `agents` are asked for in any case."""
        return runs_agent(self._connection, lambda: needed(self.agents()))

    @property
    def _eks_client(self) -> Any:
        return self._connection.aws.client("eks")

    @_in_background
    def association(self, namespace: str, name: str) -> Association | None:
        if not self._is_eks:
            return None
        return bindings.association(self._eks_client, self._cluster.name, namespace, name)

    @_in_background
    def associations(self) -> dict[tuple[str, str], Association]:
        """All EKS Pod Identity associations of the cluster, without their roles."""
        return bindings.associations(self._eks_client, self._cluster.name) if self._is_eks else {}

    @_in_background
    def events(self, namespace: str, name: str, account: str) -> tuple[TrailEvent, ...]:
        """The STS calls of the ServiceAccount, from CloudTrail in the role's account."""
        session = self._connection.aws
        own = self._connection.session_of(account)
        if own is None and account not in self._readers:
            raise IrsaError(
                f"irsa cannot read CloudTrail of account {account}",
                reason="pass --iam-assume-role with a role of that account",
            )
        if own is None:
            reader = assume(session.client("sts"), self._readers[account])
            client: Any = session.client_of("cloudtrail", reader)
        else:
            client = own.client("cloudtrail")
        return trail.web_identity_events(client, subject(namespace, name))

    @_in_background
    def nodes(self, names: tuple[str, ...]) -> Mapping[str, NodeMetadata]:
        """How these nodes answer for their metadata; EC2 is not asked about none."""
        return aws.node_metadata(self._connection.aws.client("ec2"), names) if names else {}

    def read_roles_ahead(self) -> None:
        """Read all roles of the account by pages; these do not tell how long a session may be."""

        def read_all() -> tuple[list[Role], dict[str, Document]]:
            try:
                return details.read_account(self._connection.iam)
            except ServiceError as error:
                replaced(error)  # Each is asked for by its name.
                raise

        account = self.tried("account", read_all).result()
        self._roles = {} if isinstance(account, Unreadable) else aws.whole_roles(*account)

    @_in_background
    def role(self, arn: str) -> Role | None:
        """The role of this name in the ARN's account, None without one; IAM does not compare the path."""
        parsed = Arn.parse(arn)
        if parsed.account == self._cluster.home and parsed.name in self._roles:
            return self._roles[parsed.name]
        return bindings.whole_role(self._shared.iam(parsed.account), parsed.name)

    @_in_background
    def roles(self) -> tuple[Role, ...]:
        return list_roles(self._connection.iam).roles


def _lease(namespace: str, name: str) -> str:
    return Lock(LockScope.BINDING, f"{namespace}/{name}").name


def needed(future: Future[T | Unreadable]) -> T:
    """The result of an earlier started read, which has its own thread; raises `IrsaError` if it failed."""
    answer = future.result()
    if isinstance(answer, Unreadable):
        raise IrsaError(answer.why)
    return answer
