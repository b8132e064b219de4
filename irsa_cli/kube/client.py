"""One cluster's API as far as irsa needs it.

Calls are in `irsa_cli.kube.calls`, the contents of a namespace in `irsa_cli.kube.contents`,
compare-and-set in `irsa_cli.changes`; which failure means what in `irsa_cli.kube.errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.calls import READ_LOG, Calls, Dated, DatedList, Json, Request, WireLog, or_none
from irsa_cli.kube.contents import Contents, read_contents

__all__ = ["Dated", "Json", "Kube", "TokenAnswer", "WireLog"]

RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template that `kubectl rollout restart` sets."""
_WITH_PODS = {"propagationPolicy": "Background"}


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

    def namespace(self, name: str) -> Json | None:
        return self._read("namespaces", "", name)

    def namespaces(self) -> list[Json]:
        return self._list("namespaces")

    def create_namespace(self, body: Json, *, dry_run: bool = False) -> Json:
        return self._create("namespaces", "", body, dry_run=dry_run)

    def delete_namespace(self, name: str, *, uid: str, resource_version: str) -> None:
        """DELETE a namespace and its contents, if it is still exactly the one that was read."""
        self._call("delete namespaces", "", name, body=_exactly(uid, resource_version))

    def contents(self, namespace: str) -> Contents:
        """The contents of a namespace that somebody added, of any kind; see `read_contents`."""
        return read_contents(self.get, namespace)

    def service_account(self, namespace: str, name: str) -> Json | None:
        return self._read("serviceaccounts", namespace, name)

    def service_accounts(self, namespace: str | None = None, selector: str = "") -> list[Json]:
        wanted = {"labelSelector": selector} if selector else {}
        return self._list("serviceaccounts", namespace, **wanted)

    def create_service_account(self, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        return self._create("serviceaccounts", namespace, body, dry_run=dry_run)

    def patch_service_account(self, namespace: str, name: str, patch: Json) -> Json:
        """Merge-patch a ServiceAccount: a PUT would drop what we don't send."""
        return self._call("patch serviceaccounts", namespace, name, body=patch)

    def delete_service_account(
        self, namespace: str, name: str, *, uid: str, resource_version: str, dry_run: bool = False
    ) -> None:
        """DELETE a ServiceAccount, if it is still exactly the one that was read."""
        # In the body: with a body, the server takes no options of the query.
        body = {**_exactly(uid, resource_version), **({"dryRun": ["All"]} if dry_run else {})}
        self._call("delete serviceaccounts", namespace, name, body=body)

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
        status = self._call("create serviceaccounts/token", namespace, name, body={"spec": spec})["status"]
        # A time as the API writes it: RFC 3339, UTC, whole seconds.
        expires = datetime.strptime(status["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
        return TokenAnswer(str(status["token"]), expires.replace(tzinfo=timezone.utc))

    def config_map(self, namespace: str, name: str) -> Json | None:
        return self._read("configmaps", namespace, name)

    def config_maps(self, namespace: str, selector: str) -> list[Json]:
        return self._list("configmaps", namespace, labelSelector=selector)

    def create_config_map(self, namespace: str, body: Json) -> Json:
        return self._create("configmaps", namespace, body)

    def patch_config_map(self, namespace: str, name: str, patch: Json) -> Json:
        return self._call("patch configmaps", namespace, name, body=patch)

    def delete_config_map(self, namespace: str, name: str, *, uid: str, resource_version: str) -> None:
        """DELETE a ConfigMap, if it is still exactly the one that was read."""
        self._call("delete configmaps", namespace, name, body=_exactly(uid, resource_version))

    def pod(self, namespace: str, name: str) -> Json | None:
        return self._read("pods", namespace, name)

    def pods(self, namespace: str | None = None, selector: str = "") -> list[Json]:
        return self._list("pods", namespace, **({"labelSelector": selector} if selector else {}))

    def pod_log(self, namespace: str, name: str, container: str, most_bytes: int) -> str:
        """The first bytes of a container's log, as text."""
        wanted = {"container": container, "limitBytes": most_bytes}
        return str(self._call(READ_LOG, namespace, name, query=wanted)["log"])

    def create_job(self, namespace: str, body: Json) -> Json:
        return self._create("jobs", namespace, body)

    def delete_job(self, namespace: str, name: str) -> None:
        """DELETE a Job, and its pods after it; one that is gone is fine."""
        or_none(lambda: self._call("delete jobs", namespace, name, body=_WITH_PODS))

    def create_pod(self, namespace: str, body: Json, *, dry_run: bool = True) -> Json:
        """POST a pod; with `dry_run` (the default) it passes admission and webhooks, and is not created."""
        return self._create("pods", namespace, body, dry_run=dry_run)

    def workloads(self, namespace: str, resource: str) -> list[Json]:
        """All objects of a kind that creates pods (`core.objects.kinds.KINDS`); none for an unknown kind."""
        return _or_empty(lambda: self._list(resource, namespace))

    def nodes(self) -> list[Json]:
        return self._list("nodes")

    def restart(self, namespace: str, kind: str, name: str, time: str) -> None:
        """Have a workload's pods replaced, as `kubectl rollout restart` does; `kind` is one of ROLLED."""
        patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: time}}}}}
        self._call(f"patch {kind.lower()}s", namespace, name, body=patch)

    def events(self, reason: str, namespace: str | None = None) -> list[Json]:
        return self._list("events", namespace, fieldSelector=f"reason={reason}")

    def mutating_webhooks(self) -> list[Json]:
        return self._list("mutatingwebhookconfigurations")

    def network_policies(self, namespace: str | None = None) -> list[Json]:
        """All NetworkPolicies of a namespace, or of the cluster; none where the API knows no such kind."""
        return _or_empty(lambda: self._list("networkpolicies", namespace))

    def rbac(self, resource: str) -> list[Json]:
        """All roles or bindings of the cluster of one kind: `roles`, `clusterrolebindings`, …."""
        return self._list(resource)

    def jwks(self) -> Json:
        """The public keys (a JSON Web Key Set) with which the cluster's ServiceAccount tokens are verified.

        They are the API server's own; what STS sees is what the issuer publishes.
        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
        """
        return self.get("get /openid/v1/jwks", "/openid/v1/jwks", accept="application/jwk-set+json")

    def lease(self, namespace: str, name: str) -> Dated | None:
        """A Lease (coordination.k8s.io/v1), with the server's clock.

        A write of one whose answer is lost is repeated, and the repetition meets what the first attempt has
        done: then the failure (`EXISTS`, `CONFLICT`) has the outcome UNKNOWN, and whoever asked looks whose
        Lease it is. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
        """
        return or_none(lambda: self._dated(Request("get leases", namespace, name)))

    def leases(self, namespace: str, selector: str) -> list[Json]:
        return self.dated_leases(namespace, selector).items

    def dated_leases(self, namespace: str, selector: str) -> DatedList:
        """The same, with the server's clock."""
        return self._dated_list(Request("list leases", namespace, query={"labelSelector": selector}))

    def create_lease(self, namespace: str, body: Json) -> Dated:
        """POST a Lease. `EXISTS`: there is one of the name; `NOT_FOUND`: there is no such namespace."""
        return self._dated(Request("create leases", namespace, body=body))

    def replace_lease(self, namespace: str, name: str, body: Json) -> Dated:
        """PUT a Lease, if it is still the one whose `uid` and `resourceVersion` the body's metadata have.

        `CONFLICT`: it has been written since, is gone, or is another one by now. A PUT without the uid would
        recreate it if it is gone, whatever its version: that raises `ValueError`, and nothing is sent.
        https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/coordination/lease/strategy.go
        """
        if not all(body["metadata"].get(key) for key in ("uid", "resourceVersion")):
            raise ValueError("a Lease must be replaced by its uid and version")
        return self._dated(Request("update leases", namespace, name, body))

    def delete_lease(self, namespace: str, name: str, *, uid: str, version: str) -> None:
        """DELETE an unchanged Lease; one that is gone is fine. `CONFLICT`: it is another, or was written."""
        or_none(lambda: self._call("delete leases", namespace, name, body=_exactly(uid, version)))

    def _read(self, resource: str, namespace: str, name: str) -> Json | None:
        return or_none(lambda: self._call(f"get {resource}", namespace, name))

    def _create(self, resource: str, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        query = {"dryRun": "All"} if dry_run else {}
        return self._call(f"create {resource}", namespace, body=body, query=query)


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
