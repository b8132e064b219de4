"""One cluster's API as far as irsa needs it.

Calls are in `irsa_cli.kube.calls`, the contents of a namespace in `irsa_cli.kube.contents`,
compare-and-set in `irsa_cli.changes`; which failure means what in `irsa_cli.kube.errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import Any

import kubernetes.client

from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.calls import Calls, Dated, DatedList, Json, WireLog, or_none
from irsa_cli.kube.contents import Contents, read_contents

__all__ = ["Dated", "Json", "Kube", "TokenAnswer", "WireLog"]

MERGE_PATCH = "application/merge-patch+json"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template that `kubectl rollout restart` sets."""


@dataclass(frozen=True)
class TokenAnswer:
    """A ServiceAccount's token, and when it expires (UTC); the token is not shown by repr."""

    token: str = field(repr=False)
    expires: datetime


class Kube(Calls):
    """One cluster's API, as far as irsa needs it. Thread-safe.

    A single object that is not there, or whose namespace is not there, is read as None. Items of lists bear
    no kind and apiVersion, as the API gives them. With `dry_run` everything is checked and nothing is
    written. `metadata.resourceVersion` in a patch is a lock; a patch leaves alone what it doesn't name.
    """

    def __init__(self, api_client: Any, log: WireLog = lambda *_: None) -> None:
        super().__init__(api_client, log)
        # The client sends a dict as a strategic merge patch, or as what the version at hand prefers. A
        # default header is the one way to say merge patch that all supported versions know.
        patching = kubernetes.client.ApiClient(api_client.configuration, "Content-Type", MERGE_PATCH)
        patching.rest_client = api_client.rest_client
        self._patching = kubernetes.client.CoreV1Api(patching)

    def namespace(self, name: str) -> Json | None:
        """A namespace."""
        return self._read("namespaces", self._core.read_namespace, name)

    def namespaces(self) -> list[Json]:
        """All namespaces."""
        return self._list("list namespaces", self._core.list_namespace)

    def create_namespace(self, body: Json, *, dry_run: bool = False) -> Json:
        """POST a namespace."""
        return self._call("create namespaces", self._core.create_namespace, body, **_dry(dry_run))

    def patch_namespace(self, name: str, patch: Json) -> Json:
        """Merge-patch a namespace."""
        return self._call("patch namespaces", self._patching.patch_namespace, name, patch)

    def delete_namespace(self, name: str, *, uid: str, resource_version: str) -> None:
        """DELETE a namespace and its contents, if it is still exactly the one that was read."""
        body = _exactly(uid, resource_version)
        self._call("delete namespaces", self._core.delete_namespace, name, body=body)

    def contents(self, namespace: str) -> Contents:
        """The contents of a namespace that somebody added, of any kind; see `read_contents`."""
        return read_contents(self.get, namespace)

    def service_account(self, namespace: str, name: str) -> Json | None:
        """A ServiceAccount."""
        return self._read("serviceaccounts", self._core.read_namespaced_service_account, name, namespace)

    def service_accounts(self, namespace: str | None = None, selector: str = "") -> list[Json]:
        """The ServiceAccounts of a namespace, or of the cluster: all, or those of a label selector."""
        return self._list_in(
            namespace,
            "serviceaccounts",
            self._core.list_service_account_for_all_namespaces,
            self._core.list_namespaced_service_account,
            **({"label_selector": selector} if selector else {}),
        )

    def create_service_account(self, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        """POST a ServiceAccount."""
        create = self._core.create_namespaced_service_account
        return self._call("create serviceaccounts", create, namespace, body, **_dry(dry_run))

    def patch_service_account(self, namespace: str, name: str, patch: Json) -> Json:
        """Merge-patch a ServiceAccount: a PUT would drop what we don't send."""
        change = self._patching.patch_namespaced_service_account
        return self._call("patch serviceaccounts", change, name, namespace, patch)

    def delete_service_account(
        self, namespace: str, name: str, *, uid: str, resource_version: str, dry_run: bool = False
    ) -> None:
        """DELETE a ServiceAccount, if it is still exactly the one that was read."""
        # In the body: with a body, the server takes no options of the query.
        body = {**_exactly(uid, resource_version), **({"dryRun": ["All"]} if dry_run else {})}
        delete = self._core.delete_namespaced_service_account
        self._call("delete serviceaccounts", delete, name, namespace, body=body)

    def token(self, namespace: str, name: str, audience: str) -> str:
        """A token of the ServiceAccount (TokenRequest); the shortest lifetime that Kubernetes gives."""
        return self.token_request(namespace, name, audience).token

    def token_request(
        self,
        namespace: str,
        name: str,
        audience: str,
        *,
        seconds: int = 600,
        pod: tuple[str, str] | None = None,
    ) -> TokenAnswer:
        """A token of the ServiceAccount, bound to a pod (its name and uid) as kubelet's are, or to nothing.

        `seconds` of life are at least 600; the server may give fewer than asked (EKS: at most a day), so what
        counts is what the answer says.
        https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
        """
        spec: Json = {"audiences": [audience], "expirationSeconds": seconds}
        if pod is not None:
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod[0], "uid": pod[1]}
        create = self._core.create_namespaced_service_account_token
        answer = self._call("create serviceaccounts/token", create, name, namespace, {"spec": spec})
        status = answer["status"]
        # A time as the API writes it: RFC 3339, UTC, whole seconds.
        expires = datetime.strptime(status["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
        return TokenAnswer(str(status["token"]), expires.replace(tzinfo=timezone.utc))

    def config_map(self, namespace: str, name: str) -> Json | None:
        """A ConfigMap."""
        return self._read("configmaps", self._core.read_namespaced_config_map, name, namespace)

    def config_maps(self, namespace: str, selector: str) -> list[Json]:
        """The ConfigMaps of a namespace that have these labels."""
        read = partial(self._core.list_namespaced_config_map, label_selector=selector)
        return self._list("list configmaps", read, namespace)

    def create_config_map(self, namespace: str, body: Json) -> Json:
        """POST a ConfigMap."""
        return self._call("create configmaps", self._core.create_namespaced_config_map, namespace, body)

    def patch_config_map(self, namespace: str, name: str, patch: Json) -> Json:
        """Merge-patch a ConfigMap."""
        change = self._patching.patch_namespaced_config_map
        return self._call("patch configmaps", change, name, namespace, patch)

    def delete_config_map(self, namespace: str, name: str, *, uid: str, resource_version: str) -> None:
        """DELETE a ConfigMap, if it is still exactly the one that was read."""
        body = _exactly(uid, resource_version)
        delete = self._core.delete_namespaced_config_map
        self._call("delete configmaps", delete, name, namespace, body=body)

    def pod(self, namespace: str, name: str) -> Json | None:
        """A pod."""
        return self._read("pods", self._core.read_namespaced_pod, name, namespace)

    def pods(self, namespace: str | None = None) -> list[Json]:
        """All pods of a namespace, or of the cluster."""
        everywhere, namespaced = self._core.list_pod_for_all_namespaces, self._core.list_namespaced_pod
        return self._list_in(namespace, "pods", everywhere, namespaced)

    def create_pod(self, namespace: str, body: Json, *, dry_run: bool = True) -> Json:
        """POST a pod; with `dry_run` (the default) it passes admission and webhooks, and is not created."""
        return self._call("create pods", self._core.create_namespaced_pod, namespace, body, **_dry(dry_run))

    def workloads(self, namespace: str, resource: str) -> list[Json]:
        """All objects of a kind that creates pods (`core.objects.kinds.KINDS`); none for an unknown kind."""
        apps = kubernetes.client.AppsV1Api(self._api)
        batch = kubernetes.client.BatchV1Api(self._api)
        methods = {
            "cronjobs": batch.list_namespaced_cron_job,
            "daemonsets": apps.list_namespaced_daemon_set,
            "deployments": apps.list_namespaced_deployment,
            "jobs": batch.list_namespaced_job,
            "replicasets": apps.list_namespaced_replica_set,
            "replicationcontrollers": self._core.list_namespaced_replication_controller,
            "statefulsets": apps.list_namespaced_stateful_set,
        }
        return _or_empty(lambda: self._list(f"list {resource}", methods[resource], namespace))

    def restart(self, namespace: str, kind: str, name: str, time: str) -> None:
        """Have a workload's pods replaced, as `kubectl rollout restart` does; `kind` is one of ROLLED."""
        apps = kubernetes.client.AppsV1Api(self._patching.api_client)
        methods = {
            "DaemonSet": apps.patch_namespaced_daemon_set,
            "Deployment": apps.patch_namespaced_deployment,
            "StatefulSet": apps.patch_namespaced_stateful_set,
        }
        patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: time}}}}}
        self._call(f"patch {kind.lower()}s", methods[kind], name, namespace, patch)

    def events(self, reason: str, namespace: str | None = None) -> list[Json]:
        """The events of a namespace, or of the cluster, with this reason."""
        everywhere, namespaced = self._core.list_event_for_all_namespaces, self._core.list_namespaced_event
        return self._list_in(namespace, "events", everywhere, namespaced, field_selector=f"reason={reason}")

    def mutating_webhooks(self) -> list[Json]:
        """All MutatingWebhookConfigurations."""
        admission = kubernetes.client.AdmissionregistrationV1Api(self._api)
        operation = "list mutatingwebhookconfigurations"
        return self._list(operation, admission.list_mutating_webhook_configuration)

    def network_policies(self, namespace: str | None = None) -> list[Json]:
        """All NetworkPolicies of a namespace, or of the cluster; none where the API knows no such kind."""
        api = kubernetes.client.NetworkingV1Api(self._api)
        everywhere, namespaced = (
            api.list_network_policy_for_all_namespaces,
            api.list_namespaced_network_policy,
        )
        return _or_empty(lambda: self._list_in(namespace, "networkpolicies", everywhere, namespaced))

    def rbac(self, resource: str) -> list[Json]:
        """All roles or bindings of the cluster of one kind: `roles`, `clusterrolebindings`, …."""
        rbac = kubernetes.client.RbacAuthorizationV1Api(self._api)
        methods = {
            "roles": rbac.list_role_for_all_namespaces,
            "clusterroles": rbac.list_cluster_role,
            "rolebindings": rbac.list_role_binding_for_all_namespaces,
            "clusterrolebindings": rbac.list_cluster_role_binding,
        }
        return self._list(f"list {resource}", methods[resource])

    def jwks(self) -> Json:
        """The public keys (a JSON Web Key Set) with which the cluster's ServiceAccount tokens are verified.

        They are the API server's own; what STS sees is what the issuer publishes.
        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
        """
        read = kubernetes.client.OpenidApi(self._api).get_service_account_issuer_open_id_keyset
        return self._call("get /openid/v1/jwks", read)

    def lease(self, namespace: str, name: str) -> Dated | None:
        """A Lease (coordination.k8s.io/v1), with the server's clock.

        A write of one whose answer is lost is repeated, and the repetition meets what the first attempt has
        done: then the failure (`EXISTS`, `CONFLICT`) has the outcome UNKNOWN, and whoever asked looks whose
        Lease it is. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
        """
        read = self._coordination.read_namespaced_lease
        return or_none(lambda: self._dated("get leases", read, name, namespace))

    def leases(self, namespace: str, selector: str) -> list[Json]:
        """All Leases of a namespace whose labels fit, in all pages."""
        return self.dated_leases(namespace, selector).items

    def dated_leases(self, namespace: str, selector: str) -> DatedList:
        """The same, with the server's clock."""
        read = partial(self._coordination.list_namespaced_lease, namespace, label_selector=selector)
        return self._dated_list("list leases", read)

    def create_lease(self, namespace: str, body: Json) -> Dated:
        """POST a Lease. `EXISTS`: there is one of the name; `NOT_FOUND`: there is no such namespace."""
        return self._dated("create leases", self._coordination.create_namespaced_lease, namespace, body)

    def replace_lease(self, namespace: str, name: str, body: Json) -> Dated:
        """PUT a Lease, if it is still the one whose `uid` and `resourceVersion` the body's metadata have.

        `CONFLICT`: it has been written since, is gone, or is another one by now. A PUT without the uid would
        recreate it if it is gone, whatever its version: that raises `ValueError`, and nothing is sent.
        https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/coordination/lease/strategy.go
        """
        if not all(body["metadata"].get(key) for key in ("uid", "resourceVersion")):
            raise ValueError("a Lease must be replaced by its uid and version")
        replace = self._coordination.replace_namespaced_lease
        return self._dated("update leases", replace, name, namespace, body)

    def delete_lease(self, namespace: str, name: str, *, uid: str, version: str) -> None:
        """DELETE an unchanged Lease; one that is gone is fine. `CONFLICT`: it is another, or was written."""
        delete, body = self._coordination.delete_namespaced_lease, _exactly(uid, version)
        or_none(lambda: self._call("delete leases", delete, name, namespace, body=body))

    @property
    def _coordination(self) -> kubernetes.client.CoordinationV1Api:
        return kubernetes.client.CoordinationV1Api(self._api)

    def _read(self, resource: str, method: Callable[..., Any], *args: str) -> Json | None:
        return or_none(lambda: self._call(f"get {resource}", method, *args))

    def _list_in(
        self,
        namespace: str | None,
        resource: str,
        everywhere: Callable[..., Any],
        namespaced: Callable[..., Any],
        **wanted: str,
    ) -> list[Json]:
        """All objects of a namespace, or (None) of the cluster."""
        read = everywhere if namespace is None else partial(namespaced, namespace)
        return self._list(f"list {resource}", partial(read, **wanted))


def _dry(wanted: bool) -> dict[str, str]:
    return {"dry_run": "All"} if wanted else {}


def _exactly(uid: str, resource_version: str) -> Json:
    """The body of a DELETE of exactly this object in this version."""
    return {"preconditions": {"uid": uid, "resourceVersion": resource_version}}


def _or_empty(read: Callable[[], list[Json]]) -> list[Json]:
    """The list of `read`; empty if the API has no such kind, whatever its error."""
    try:
        return read()
    except ServiceError as error:
        if error.status == 404:
            return []
        raise
