"""What `irsa doctor` reads of the cluster: each thing once, all at the same time, one failing hides no other.

What is read of AWS is in `irsa_cli.usecases.doctor.aws`. Nothing here writes: the pod that shows what the
webhook injects is created with `dryRun=All`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from irsa_cli.core.doctor import refusals
from irsa_cli.core.doctor.clues.injection import is_agent
from irsa_cli.core.marks.locks.lease import LeaseState, SeenLock, selector
from irsa_cli.core.marks.locks.names import Lock, LockScope
from irsa_cli.core.objects import parsing
from irsa_cli.core.objects.kinds import NetworkPolicy, Pod, ServiceAccount, Webhook
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.readable import needed, read

T = TypeVar("T")
WORKERS = 24
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


class KubeReads:
    """Reads of one cluster's API that run in the background; the same thing is read once.

    `lock_namespace` is where the locks of runs are. For a `with` block.
    """

    def __init__(self, connection: Connection, lock_namespace: str) -> None:
        self._pool = ThreadPoolExecutor(WORKERS)
        self._kube = connection.kube
        self._cluster, self._lock_namespace = connection.cluster, lock_namespace
        self._lock = threading.Lock()
        self._futures: dict[object, Future[Any]] = {}

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _once(self, key: object, work: Callable[[], T]) -> Future[T | Unreadable]:
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self._pool.submit(read, work)
            return self._futures[key]

    def accounts(self) -> Future[tuple[ServiceAccount, ...] | Unreadable]:
        """All ServiceAccounts of the cluster."""

        def work() -> tuple[ServiceAccount, ...]:
            return tuple(map(parsing.service_account, self._kube.service_accounts()))

        return self._once("accounts", work)

    def selected(self, namespace: str, selector: str) -> set[tuple[str, str]]:
        """Which ServiceAccounts a label selector selects: namespaces and names. Raises `ServiceError`."""
        found = self._kube.service_accounts(namespace or None, selector)
        return {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found}

    def account(self, namespace: str, name: str) -> Future[ServiceAccount | Unreadable | None]:
        """A ServiceAccount, None when there is none."""

        def work() -> ServiceAccount | None:
            body = self._kube.service_account(namespace, name)
            return None if body is None else parsing.service_account(body)

        return self._once(("account", namespace, name), work)

    def namespace_labels(self, namespace: str) -> Future[Mapping[str, str] | Unreadable | None]:
        """The labels of a namespace, None when there is none."""

        def work() -> Mapping[str, str] | None:
            body = self._kube.namespace(namespace)
            return None if body is None else body["metadata"].get("labels") or {}

        return self._once(("namespace", namespace), work)

    def pods(self, namespace: str | None) -> Future[tuple[Pod, ...] | Unreadable]:
        """The pods of a namespace, or of the cluster."""
        return self._once(("pods", namespace), lambda: tuple(map(parsing.pod, self._kube.pods(namespace))))

    def failures(self, namespace: str | None) -> Future[tuple[refusals.CreationFailure, ...] | Unreadable]:
        """What events of a namespace, or of the cluster, tell of pods that could not be created."""

        def work() -> tuple[refusals.CreationFailure, ...]:
            return refusals.failures(self._kube.events(refusals.REASON, namespace))

        return self._once(("failures", namespace), work)

    def makers(self, namespace: str, kind: str) -> Future[tuple[refusals.Maker, ...] | Unreadable]:
        """What of a kind makes pods in a namespace."""

        def work() -> tuple[refusals.Maker, ...]:
            found = self._kube.workloads(namespace, refusals.RESOURCES[kind])
            return tuple(refusals.maker(kind, body) for body in found)

        return self._once(("makers", namespace, kind), work)

    def agents(self) -> Future[tuple[Pod, ...] | Unreadable]:
        """The pods of the agent of EKS Pod Identity."""

        def work() -> tuple[Pod, ...]:
            found = map(parsing.pod, self._kube.pods("kube-system"))
            return tuple(pod for pod in found if is_agent(pod))

        return self._once("agents", work)

    def network_policies(self, namespace: str | None) -> Future[tuple[NetworkPolicy, ...] | Unreadable]:
        """The NetworkPolicies of a namespace, or of the cluster, that limit what pods may call."""

        def work() -> tuple[NetworkPolicy, ...]:
            found = map(parsing.network_policy, self._kube.network_policies(namespace))
            return tuple(item for item in found if item is not None)

        return self._once(("network policies", namespace), work)

    def probe(self, namespace: str, name: str) -> Future[Pod | Unreadable]:
        """What would become of a pod that uses the ServiceAccount; it is not made."""

        def work() -> Pod:
            return parsing.pod(self._kube.create_pod(namespace, _probe(namespace, name), dry_run=True))

        return self._once(("probe", namespace, name), work)

    def lock(self, namespace: str, name: str) -> Future[SeenLock | Unreadable | None]:
        """The lock of a ServiceAccount, None where nobody has one."""

        def work() -> SeenLock | None:
            lease = Lock(LockScope.BINDING, f"{namespace}/{name}").name
            found = self._kube.lease(self._lock_namespace, lease)
            return None if found is None else SeenLock(LeaseState.read(found.body), found.date)

        return self._once(("lock", namespace, name), work)

    def locks(self) -> Future[Mapping[str, SeenLock] | Unreadable]:
        """All locks of the cluster's runs, by the names of their Leases."""

        def work() -> Mapping[str, SeenLock]:
            labels = selector(self._cluster.arn, self._cluster.name)
            found = self._kube.dated_leases(self._lock_namespace, labels)
            states = map(LeaseState.read, found.items)
            return {state.name: SeenLock(state, found.date) for state in states}

        return self._once("locks", work)

    def lock_among_all(self, namespace: str, name: str) -> SeenLock | Unreadable | None:
        """The lock of one of many ServiceAccounts."""
        found = self.locks().result()
        lease = Lock(LockScope.BINDING, f"{namespace}/{name}").name
        return found if isinstance(found, Unreadable) else found.get(lease)

    def webhooks(self) -> Future[tuple[Webhook, ...] | Unreadable]:
        """The webhooks that inject web identities."""
        return self._once("webhooks", self._webhooks)

    def _webhooks(self) -> tuple[Webhook, ...]:
        configurations = self._kube.mutating_webhooks()
        return tuple(item for body in configurations for item in parsing.webhooks(body))

    def webhook_arguments(self) -> Future[tuple[str, ...] | Unreadable]:
        """The command line of a webhook that runs as pods of the cluster; on EKS there are none."""
        return self._once("arguments", self._webhook_arguments)

    def _webhook_arguments(self) -> tuple[str, ...]:
        spaces = {item.service.partition("/")[0] for item in needed(self.webhooks()) if item.service}
        pods = [parsing.pod(body) for namespace in spaces for body in self._kube.pods(namespace)]
        found = [item for pod in pods for item in pod.containers if "pod-identity-webhook" in item.image]
        return found[0].arguments if found else ()


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
