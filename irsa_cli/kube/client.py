"""One cluster's API as far as irsa needs it.

Calls are in `irsa_cli.kube.calls`, the contents of a namespace in `irsa_cli.kube.contents`,
compare-and-set in `irsa_cli.changes`; which failure means what in `irsa_cli.kube.errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.calls import READ_LOG, Calls, Dated, DatedList, Json, Request, WireLog, or_none

if TYPE_CHECKING:
    from irsa_cli.kube.contents import Contents

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

    def one(self, resource: str, namespace: str, name: str) -> Json | None:
        return or_none(lambda: self._call(f"get {resource}", namespace, name))

    def all(self, resource: str, namespace: str | None = None, selector: str = "") -> list[Json]:
        """The objects of a namespace, or of the cluster: all, or those of a label selector."""
        return self._list(resource, namespace, **({"labelSelector": selector} if selector else {}))

    def create(self, resource: str, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        query = {"dryRun": "All"} if dry_run else {}
        return self._call(f"create {resource}", namespace, body=body, query=query)

    def patch(self, resource: str, namespace: str, name: str, patch: Json) -> Json:
        """Merge-patch an object: a PUT would drop what we don't send."""
        return self._call(f"patch {resource}", namespace, name, body=patch)

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str,
        resource_version: str,
        dry_run: bool = False,
    ) -> None:
        """DELETE an object, if it is still exactly the one that was read."""
        # In the body: with a body, the server takes no options of the query.
        body = {**_exactly(uid, resource_version), **({"dryRun": ["All"]} if dry_run else {})}
        self._call(f"delete {resource}", namespace, name, body=body)

    def namespaces(self) -> list[Json]:
        return self.all("namespaces")

    def contents(self, namespace: str) -> Contents:
        """The contents of a namespace that somebody added, of any kind; see `read_contents`."""
        from irsa_cli.kube.contents import read_contents

        return read_contents(self.get, namespace)

    def service_account(self, namespace: str, name: str) -> Json | None:
        found = self.one("serviceaccounts", namespace, name)
        if found is not None:
            self.found_account(found)
        return found

    def service_accounts(self, namespace: str | None = None, selector: str = "") -> list[Json]:
        found = self.all("serviceaccounts", namespace, selector)
        for body in found:
            self.found_account(body)
        return found

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

    def pods(self, namespace: str | None = None, selector: str = "") -> list[Json]:
        return self.all("pods", namespace, selector)

    def pod_log(self, namespace: str, name: str, container: str, most_bytes: int) -> str:
        """The first bytes of a container's log, as text."""
        wanted = {"container": container, "limitBytes": most_bytes}
        return str(self._call(READ_LOG, namespace, name, query=wanted)["log"])

    def delete_job(self, namespace: str, name: str) -> None:
        """DELETE a Job, and its pods after it; one that is gone is fine."""
        or_none(lambda: self._call("delete jobs", namespace, name, body=_WITH_PODS))

    def create_pod(self, namespace: str, body: Json, *, dry_run: bool = True) -> Json:
        """POST a pod; with `dry_run` (the default) it passes admission and webhooks, and is not created."""
        return self.create("pods", namespace, body, dry_run=dry_run)

    def workloads(self, namespace: str, resource: str) -> list[Json]:
        """All objects of a kind that creates pods (`core.objects.kinds.KINDS`); none for an unknown kind."""
        return _or_empty(lambda: self._list(resource, namespace))

    def restart(self, namespace: str, kind: str, name: str, time: str) -> None:
        """Have a workload's pods replaced, as `kubectl rollout restart` does; `kind` is one of ROLLED."""
        patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: time}}}}}
        self._call(f"patch {kind.lower()}s", namespace, name, body=patch)

    def events(self, reason: str, namespace: str | None = None) -> list[Json]:
        return self._list("events", namespace, fieldSelector=f"reason={reason}")

    def network_policies(self, namespace: str | None = None) -> list[Json]:
        """All NetworkPolicies of a namespace, or of the cluster; none where the API knows no such kind."""
        return _or_empty(lambda: self._list("networkpolicies", namespace))

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

    def leases(self, namespace: str, selector: str) -> DatedList:
        """The Leases with a label, with the server's clock."""
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
