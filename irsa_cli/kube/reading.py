"""What irsa reads of a cluster beyond the object at hand: lists, pods, webhooks, and the issuer's documents.

What is written is in `irsa_cli.kube.client`, what is in a namespace in `irsa_cli.kube.contents`.
"""

from __future__ import annotations

from functools import partial

import kubernetes.client

from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.calls import Calls, Json, or_none


class Reading(Calls):
    """Calls that change nothing. Items of lists bear no kind and apiVersion, as the API gives them."""

    def service_accounts(self, namespace: str | None = None, selector: str = "") -> list[Json]:
        """The ServiceAccounts of a namespace, or of the cluster: all, or those of a label selector."""
        wanted = {"label_selector": selector} if selector else {}
        operation = "list serviceaccounts"
        if namespace is None:
            everywhere = self._core.list_service_account_for_all_namespaces
            return self._list(operation, partial(everywhere, **wanted))
        return self._list(operation, partial(self._core.list_namespaced_service_account, **wanted), namespace)

    def namespaces(self) -> list[Json]:
        """All namespaces."""
        return self._list("list namespaces", self._core.list_namespace)

    def pods(self, namespace: str | None = None) -> list[Json]:
        """All pods of a namespace, or of the cluster."""
        if namespace is None:
            return self._list("list pods", self._core.list_pod_for_all_namespaces)
        return self._list("list pods", self._core.list_namespaced_pod, namespace)

    def workloads(self, namespace: str, resource: str) -> list[Json]:
        """All objects in a namespace of a kind that makes pods; none where the API knows no such kind.

        `resource` is one of `irsa_cli.core.objects.kinds.KINDS`.
        """
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
        try:
            return self._list(f"list {resource}", methods[resource], namespace)
        except ServiceError as error:
            if error.status == 404:
                return []
            raise

    def pod(self, namespace: str, name: str) -> Json | None:
        """A pod, None when there is none (or no such namespace)."""
        return or_none(lambda: self._call("get pods", self._core.read_namespaced_pod, name, namespace))

    def events(self, reason: str, namespace: str | None = None) -> list[Json]:
        """The events of a namespace, or of the cluster, that are told for this reason."""
        wanted = {"field_selector": f"reason={reason}"}
        if namespace is None:
            return self._list("list events", partial(self._core.list_event_for_all_namespaces, **wanted))
        return self._list("list events", partial(self._core.list_namespaced_event, namespace, **wanted))

    def mutating_webhooks(self) -> list[Json]:
        """All MutatingWebhookConfigurations."""
        admission = kubernetes.client.AdmissionregistrationV1Api(self._api)
        operation = "list mutatingwebhookconfigurations"
        return self._list(operation, admission.list_mutating_webhook_configuration)

    def network_policies(self, namespace: str | None = None) -> list[Json]:
        """All NetworkPolicies of a namespace, or of the cluster; none where the API knows no such kind."""
        networking = kubernetes.client.NetworkingV1Api(self._api)
        operation = "list networkpolicies"
        try:
            if namespace is None:
                return self._list(operation, networking.list_network_policy_for_all_namespaces)
            return self._list(operation, networking.list_namespaced_network_policy, namespace)
        except ServiceError as error:
            if error.status == 404:
                return []
            raise

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

    def config_map(self, namespace: str, name: str) -> Json | None:
        """A ConfigMap, None when there is none (or no such namespace)."""
        read = self._core.read_namespaced_config_map
        return or_none(lambda: self._call("get configmaps", read, name, namespace))

    def config_maps(self, namespace: str, selector: str) -> list[Json]:
        """The ConfigMaps of a namespace that have these labels."""
        read = partial(self._core.list_namespaced_config_map, label_selector=selector)
        return self._list("list configmaps", read, namespace)

    def jwks(self) -> Json:
        """The public keys (a JSON Web Key Set) with which the cluster's ServiceAccount tokens are verified.

        They are the API server's own; what STS sees is what the issuer publishes.
        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
        """
        read = kubernetes.client.OpenidApi(self._api).get_service_account_issuer_open_id_keyset
        return self._call("get /openid/v1/jwks", read)

    def discovery_document(self) -> Json:
        """The OpenID provider's metadata of the cluster's issuer, as the API server serves them."""
        read = kubernetes.client.WellKnownApi(self._api).get_service_account_issuer_open_id_configuration
        return self._call("get /.well-known/openid-configuration", read)
