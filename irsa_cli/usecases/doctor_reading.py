"""What `irsa doctor` reads, each thing on its own and at the same time: one that fails hides no other.

What is read of which ServiceAccount is `irsa_cli.usecases.doctor`'s business, what follows from it
`irsa_cli.core.causes`'. Nothing here writes: the pod that shows what the webhook injects is created with
`dryRun=All`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from irsa_cli.aws import diagnosis as aws
from irsa_cli.aws import iam as aws_iam
from irsa_cli.aws.listing import list_roles
from irsa_cli.core.arn import Arn
from irsa_cli.core.causes import objects
from irsa_cli.core.causes.facts import (
    Association,
    EksFacts,
    Event,
    NetworkPolicy,
    Pod,
    Role,
    RoleSummary,
    ServiceAccount,
    Unreadable,
    VpcEndpoint,
    Webhook,
)
from irsa_cli.core.errors import IrsaError, ServiceError
from irsa_cli.core.names import subject
from irsa_cli.core.states import ProviderState
from irsa_cli.usecases.connect import Connection
from irsa_cli.usecases.verify_reading import Reads

if TYPE_CHECKING:
    from irsa_cli.core.jwt import Keys

T = TypeVar("T")
WORKERS = 24
AGENT = "eks-pod-identity-agent"
_PROBE = "irsa-doctor"
# Fits into namespaces with the strictest Pod Security Standard, with quotas and with limits.
# https://kubernetes.io/docs/concepts/security/pod-security-standards/
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def read(work: Callable[[], T]) -> T | Unreadable:
    """What `work` returns, or why it could not be read."""
    try:
        return work()
    except ServiceError as error:
        why = error.details[0] if error.details else f"{error.message}: {error.reason}"
        # What an issuer publishes is for everybody: a refusal or a wrong document is what STS gets, too.
        answered = error.code == "BadDocument" or 400 <= error.status < 500
        return Unreadable(why, answered=error.service == "issuer" and answered)
    except IrsaError as error:
        return Unreadable(str(error))


def needed(future: Future[T | Unreadable]) -> T:
    """What another read found; raises `IrsaError` when it could not be made.

    Only for reads that were begun before: they have a thread of their own by then.
    """
    found = future.result()
    if isinstance(found, Unreadable):
        raise IrsaError(found.why)
    return found


class DoctorReads:
    """Reads of one cluster that run in the background; the same thing is read once.

    `readers` are roles by which the IAM of other accounts is read. For a `with` block.
    """

    def __init__(self, connection: Connection, readers: Iterable[str] = ()) -> None:
        self._connection = connection
        self._shared = Reads(connection, readers)
        self._pool = ThreadPoolExecutor(WORKERS)
        self._kube = connection.kube
        self._is_eks = connection.target.issuer_url is None
        self._lock = threading.Lock()
        self._futures: dict[object, Future[Any]] = {}

    def __enter__(self) -> DoctorReads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._shared.__exit__()

    def _once(self, key: object, work: Callable[[], T]) -> Future[T | Unreadable]:
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self._pool.submit(read, work)
            return self._futures[key]

    def provider(self, account: str) -> Future[ProviderState | Unreadable | None]:
        """The OIDC provider of the cluster's issuer in an account."""
        return self._once(("provider", account), lambda: self._shared.provider(account).result())

    def other_provider(self, arn: str) -> Future[ProviderState | Unreadable | None]:
        """Any OIDC provider, in its own account."""
        account = Arn.parse(arn).account
        return self._once(arn, lambda: aws_iam.provider(self._shared.iam(account), arn))

    def provider_arns(self) -> Future[tuple[str, ...] | Unreadable]:
        """All OIDC providers of the cluster's account."""
        return self._once("providers", lambda: aws.provider_arns(self._connection.iam))

    def quotas(self) -> Future[dict[str, int] | Unreadable]:
        """Quotas and counts of the cluster's account."""
        return self._once("quotas", lambda: aws.quotas(self._connection.iam))

    def eks(self) -> Future[EksFacts | Unreadable]:
        """The cluster as EKS describes it."""
        return self._once("eks", self._eks)

    def _eks(self) -> EksFacts:
        self._require_eks()
        return aws.eks_facts(self._connection.aws.client("eks"), self._connection.cluster.name)

    def _require_eks(self) -> None:
        if not self._is_eks:
            raise IrsaError("the cluster is not one of EKS")

    def sts_endpoints(self) -> Future[tuple[VpcEndpoint, ...] | Unreadable]:
        """The endpoints for STS in the cluster's VPC."""
        return self._once("endpoints", self._sts_endpoints)

    def _sts_endpoints(self) -> tuple[VpcEndpoint, ...]:
        cluster, vpc = self._connection.cluster, needed(self.eks()).vpc
        if not vpc:
            raise IrsaError("EKS does not tell the cluster's VPC")
        ec2 = self._connection.aws.client("ec2")
        return aws.sts_endpoints(ec2, vpc, cluster.region, cluster.partition)

    def published_keys(self) -> Future[frozenset[str] | Unreadable]:
        """The ids of the keys that the issuer publishes."""
        return self._once("published", lambda: _ids(self._shared.public_keys().result()))

    def cluster_keys(self) -> Future[frozenset[str] | Unreadable]:
        """The ids of the keys that the cluster verifies tokens with."""
        return self._once("keys", lambda: _ids(self._shared.cluster_keys().result()))

    def accounts(self) -> Future[tuple[ServiceAccount, ...] | Unreadable]:
        """All ServiceAccounts of the cluster."""

        def work() -> tuple[ServiceAccount, ...]:
            return tuple(map(objects.service_account, self._kube.service_accounts()))

        return self._once("accounts", work)

    def account(self, namespace: str, name: str) -> Future[ServiceAccount | Unreadable | None]:
        """A ServiceAccount, None when there is none."""

        def work() -> ServiceAccount | None:
            body = self._kube.service_account(namespace, name)
            return None if body is None else objects.service_account(body)

        return self._once(("account", namespace, name), work)

    def namespace_labels(self, namespace: str) -> Future[Mapping[str, str] | Unreadable | None]:
        """The labels of a namespace, None when there is none."""

        def work() -> Mapping[str, str] | None:
            body = self._kube.namespace(namespace)
            return None if body is None else body["metadata"].get("labels") or {}

        return self._once(("namespace", namespace), work)

    def pods(self, namespace: str | None) -> Future[tuple[Pod, ...] | Unreadable]:
        """The pods of a namespace, or of the cluster."""
        return self._once(("pods", namespace), lambda: tuple(map(objects.pod, self._kube.pods(namespace))))

    def network_policies(self, namespace: str | None) -> Future[tuple[NetworkPolicy, ...] | Unreadable]:
        """The NetworkPolicies of a namespace, or of the cluster, that limit what pods may call."""

        def work() -> tuple[NetworkPolicy, ...]:
            found = map(objects.network_policy, self._kube.network_policies(namespace))
            return tuple(item for item in found if item is not None)

        return self._once(("network policies", namespace), work)

    def agent(self) -> Future[bool | Unreadable]:
        """Whether the cluster has the agent of EKS Pod Identity: built in, as an add-on, or as pods."""
        return self._once("agent", self._agent)

    def _agent(self) -> bool:
        if needed(self.eks()).auto_mode:
            return True
        eks = self._connection.aws.client("eks")
        if AGENT in aws.addons(eks, self._connection.cluster.name):
            return True
        labels = [pod["metadata"].get("labels") or {} for pod in self._kube.pods("kube-system")]
        return any(item.get("app.kubernetes.io/name") == AGENT for item in labels)

    def probe(self, namespace: str, name: str) -> Future[Pod | Unreadable]:
        """What would become of a pod that uses the ServiceAccount; it is not made."""

        def work() -> Pod:
            return objects.pod(self._kube.create_pod(namespace, _probe(namespace, name), dry_run=True))

        return self._once(("probe", namespace, name), work)

    def webhooks(self) -> Future[tuple[Webhook, ...] | Unreadable]:
        """The webhooks that inject web identities."""
        return self._once("webhooks", self._webhooks)

    def _webhooks(self) -> tuple[Webhook, ...]:
        configurations = self._kube.mutating_webhooks()
        return tuple(item for body in configurations for item in objects.webhooks(body))

    def webhook_arguments(self) -> Future[tuple[str, ...] | Unreadable]:
        """The command line of a webhook that runs as pods of the cluster; on EKS there are none."""
        return self._once("arguments", self._webhook_arguments)

    def _webhook_arguments(self) -> tuple[str, ...]:
        spaces = {item.service.partition("/")[0] for item in needed(self.webhooks()) if item.service}
        pods = [objects.pod(body) for namespace in spaces for body in self._kube.pods(namespace)]
        found = [item for pod in pods for item in pod.containers if "pod-identity-webhook" in item.image]
        return found[0].arguments if found else ()

    def association(self, namespace: str, name: str) -> Future[Association | Unreadable | None]:
        """The EKS Pod Identity association of a ServiceAccount, None without one."""
        cluster = self._connection.cluster.name

        def work() -> Association | None:
            if not self._is_eks:
                return None
            return aws.association(self._connection.aws.client("eks"), cluster, namespace, name)

        return self._once(("association", namespace, name), work)

    def associations(self) -> Future[dict[tuple[str, str], Association] | Unreadable]:
        """All EKS Pod Identity associations of the cluster, without their roles."""
        cluster = self._connection.cluster.name

        def work() -> dict[tuple[str, str], Association]:
            return aws.associations(self._connection.aws.client("eks"), cluster) if self._is_eks else {}

        return self._once("associations", work)

    def events(self, namespace: str, name: str) -> Future[tuple[Event, ...] | Unreadable]:
        """What STS has seen of the ServiceAccount."""

        def work() -> tuple[Event, ...]:
            cloudtrail = self._connection.aws.client("cloudtrail")
            return aws.web_identity_events(cloudtrail, subject(namespace, name))

        return self._once(("events", namespace, name), work)

    def role(self, arn: str) -> Future[Role | Unreadable | None]:
        """The role of this name in the ARN's account, None without one; IAM does not compare the path."""
        parsed = Arn.parse(arn)
        return self._once(arn, lambda: aws.role(self._shared.iam(parsed.account), parsed.name))

    def roles(self) -> Future[tuple[RoleSummary, ...] | Unreadable]:
        """All roles of the cluster's account with their trust policies."""

        def work() -> tuple[RoleSummary, ...]:
            return tuple(RoleSummary(item.arn, item.trust) for item in list_roles(self._connection.iam).roles)

        return self._once("roles", work)


def _ids(keys: Keys) -> frozenset[str]:
    from irsa_cli.core.jwt import key_ids

    return frozenset(key_ids(keys))


def _probe(namespace: str, name: str) -> dict[str, Any]:
    """A pod that uses the ServiceAccount, and would run nothing of interest if it were made."""
    resources = {"cpu": "1m", "memory": "1Mi"}
    container = {
        "name": _PROBE,
        "image": "registry.k8s.io/pause:3.10",
        "securityContext": _CONTAINER_SECURITY,
        "resources": {"requests": resources, "limits": resources},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": f"{_PROBE}-{secrets.token_hex(4)}"},
        "spec": {
            "serviceAccountName": name,
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "containers": [container],
        },
    }
