"""One cluster's API as far as irsa needs it.

Calls are in `irsa_cli.kube.calls`, compare-and-set in `irsa_cli.changes`; which failure means what in
`irsa_cli.kube.errors`. Which kinds a cluster has is asked by API discovery: the aggregated documents, two
calls (Kubernetes 1.27). https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone

from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.kube.calls import READ_LOG, Calls, Dated, DatedList, Json, Request, WireLog, or_none, path_of
from irsa_cli.kube.errors import NOT_FOUND

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
        query = {"labelSelector": selector} if selector else {}
        return self._list(resource, namespace, **query)

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
        body = _exactly(uid, resource_version)
        if dry_run:
            body["dryRun"] = ["All"]
        self._call(f"delete {resource}", namespace, name, body=body)

    def namespaces(self) -> list[Json]:
        return self.all("namespaces")

    def contents(self, namespace: str) -> Contents:
        """The contents of a namespace that somebody added, of any kind; see `read_contents`."""
        return read_contents(self.get, namespace)

    def service_account(self, namespace: str, name: str) -> Json | None:
        body = self.one("serviceaccounts", namespace, name)
        if body is not None:
            self.found_account(body)
        return body

    def service_accounts(self, namespace: str | None = None, selector: str = "") -> list[Json]:
        bodies = self.all("serviceaccounts", namespace, selector)
        for body in bodies:
            self.found_account(body)
        return bodies

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
        query = {"container": container, "limitBytes": most_bytes}
        return str(self._call(READ_LOG, namespace, name, query=query)["log"])

    def delete_job(self, namespace: str, name: str) -> None:
        """DELETE a Job, and its pods after it; one that is gone is fine."""
        or_none(lambda: self._call("delete jobs", namespace, name, body=_WITH_PODS))

    def create_pod(self, namespace: str, body: Json, *, dry_run: bool = True) -> Json:
        """POST a pod; with `dry_run` (the default) it passes admission and webhooks, and is not created."""
        return self.create("pods", namespace, body, dry_run=dry_run)

    def workloads(self, namespace: str, resource: str) -> list[Json]:
        """All objects of a kind that creates pods (`core.objects.kinds.KINDS`); none for an unknown kind."""
        return _or_empty(lambda: self._list(resource, namespace))

    def restart(self, namespace: str, kind: str, name: str, time: str) -> Json:
        """Have a workload's pods replaced, as `kubectl rollout restart` does; `kind` is one of ROLLED."""
        patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: time}}}}}
        return self._call(f"patch {kind.lower()}s", namespace, name, body=patch)

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

    def delete_lease(self, namespace: str, name: str, *, uid: str, version: str) -> bool:
        """DELETE an unchanged Lease; whether this did it: one that is gone is fine.

        `CONFLICT`: it is another, or was written.
        """
        try:
            self._call("delete leases", namespace, name, body=_exactly(uid, version))
        except ServiceError as error:
            if error.code != NOT_FOUND:
                raise
            # It was this call if an answer before was lost.
            return error.outcome is Outcome.UNKNOWN
        return True


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


Get = Callable[..., Json]
"""`Calls.get`."""
_AS = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
AGGREGATED = ",".join([_AS.format("v2"), _AS.format("v2beta1")])
_VIEWS = "metrics.k8s.io"
"""Groups that end so measure what is elsewhere."""
_RECORDS = (("", "events"), ("events.k8s.io", "events"))
"""Kinds that Kubernetes writes about others, and removes by itself."""
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
PARALLEL = 8
SHOWN = 5
"""Objects of one kind that are named; that there are any is what counts."""
OWN = ("serviceaccount/default", "configmap/kube-root-ca.crt")
"""The objects that Kubernetes itself adds to every namespace."""


@dataclass(frozen=True)
class Contents:
    """The contents of a namespace: `items` named as by kubectl; `unreadable` kinds may hide more."""

    items: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def hindrances(self) -> tuple[str, ...]:
        """All that keeps a namespace from being deleted; empty when nobody can have put anything into it."""
        return (*self.items, *(f"perhaps {kind}" for kind in self.unreadable))


@dataclass(frozen=True)
class _Found:
    name: str
    uid: str
    owners: frozenset[str]


def read_contents(get: Get, namespace: str) -> Contents:
    """The contents of a namespace, without what Kubernetes itself puts there, events, and what others own.

    Objects that belong to others that are named (the pods of a ReplicaSet) are left out, and an object that
    is seen in two API groups is named once. Raises ServiceError when the API server itself fails.
    """
    kinds, unknown = namespaced_kinds(get)
    unreadable = [f"{version} (its API server does not answer)" for version in unknown]
    with ThreadPoolExecutor(PARALLEL) as pool:
        lists = list(pool.map(lambda kind: _list(get, kind, namespace), kinds))
    first: dict[str, _Found] = {}
    for objects in lists:
        if isinstance(objects, str):
            unreadable.append(objects)
            continue
        for listed in objects:
            if listed.name not in OWN:
                first.setdefault(listed.uid or listed.name, listed)
    names = (listed.name for listed in first.values() if not listed.owners & first.keys())
    return Contents(tuple(names), tuple(unreadable))


def _list(get: Get, kind: Listable, namespace: str) -> list[_Found] | str:
    """Some objects of a kind, or why nobody can tell."""
    try:
        answer = get(f"list {kind.name}", kind.path(namespace), accept=METADATA, limit=str(SHOWN))
    except ServiceError as error:
        if error.status == 404:
            return []  # The kind is gone since discovery named it, and its objects with it.
        # The API server itself serves these kinds: a retry may succeed.
        is_built_in = "." not in kind.group or kind.group.endswith(".k8s.io")
        if error.status in (403, 405, 406) or (error.status >= 500 and not is_built_in):
            return f"{kind.name} ({error.code})"
        raise
    objects = []
    for body in answer.get("items") or []:
        metadata = body["metadata"]
        owners = frozenset(owner.get("uid", "") for owner in metadata.get("ownerReferences") or [])
        objects.append(_Found(f"{kind.singular}/{metadata['name']}", metadata.get("uid", ""), owners))
    if (answer.get("metadata") or {}).get("continue"):
        objects.append(_Found(f"more {kind.name}", "", frozenset()))
    return objects


@dataclass(frozen=True)
class Listable:
    """A namespaced kind that can be listed, in one of its group's versions."""

    group: str
    version: str
    resource: str
    kind: str

    @property
    def name(self) -> str:
        """As kubectl's users write it: `roles.rbac.authorization.k8s.io`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def singular(self) -> str:
        """As kubectl names one: `role.rbac.authorization.k8s.io`."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    def path(self, namespace: str) -> str:
        base = ("apis", self.group) if self.group else ("api",)
        return path_of(f"list {self.name}", *base, self.version, "namespaces", namespace, self.resource)


def namespaced_kinds(get: Get) -> tuple[list[Listable], list[str]]:
    """All kinds that can be listed in a namespace, and the group versions that nobody can list now.

    Each kind in its preferred version. Raises ServiceError, also for a server without aggregated discovery.
    """
    unknown: list[str] = []
    kinds: dict[tuple[str, str], Listable] = {}
    for root in ("/api", "/apis"):
        for kind in _kinds(get(f"get {root}", root, accept=AGGREGATED), unknown):
            if (kind.group, kind.resource) not in _RECORDS:
                kinds.setdefault((kind.group, kind.resource), kind)
    return [*kinds.values()], unknown


def _kinds(document: Json, unknown: list[str]) -> Iterator[Listable]:
    """The kinds of a discovery document; versions that nobody can list now are added to `unknown`."""
    for group in document.get("items") or []:
        name = (group.get("metadata") or {}).get("name", "")
        if name == _VIEWS or name.endswith(f".{_VIEWS}"):
            continue
        for version in group.get("versions") or []:
            if version.get("freshness") == "Stale":
                # An aggregated API server that does not answer: what it has is unknown, or old.
                unknown.append(f"{name}/{version['version']}")
            else:
                yield from _kinds_of_version(name, version)


def _kinds_of_version(group: str, version: Json) -> Iterator[Listable]:
    for resource in version.get("resources") or []:
        if resource.get("scope") == "Namespaced" and "list" in resource.get("verbs", ()):
            kind = (resource.get("responseKind") or {}).get("kind") or resource["resource"]
            yield Listable(group, version["version"], resource["resource"], kind)
