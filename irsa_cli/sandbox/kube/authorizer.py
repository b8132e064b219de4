"""What a request asks for (verb, resource, namespace, name), who may do it, and the answer to "may I?".

`system:masters` may do everything, others what their rules say, like RBAC. Roles and bindings are objects
like any other: the sandbox sets rules directly.
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.model import Identity, Rule

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_OF_COLLECTION = {"get": "list", "delete": "deletecollection"}


@dataclass(frozen=True)
class Route:
    """A request as authorization sees it; `resource` is empty for paths that are no resource."""

    verb: str
    path: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def full_resource(self) -> str:
        """Resource and subresource, as in an RBAC rule: `serviceaccounts/token`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def parse_route(method: str, path: str) -> Route:
    """Derive the route from `method` and a decoded `path`."""
    verb = _VERBS.get(method, method.lower())
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, parts = "", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, parts = parts[1], parts[3:]
    else:
        return Route(verb=verb, path=path)
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        # A namespace is within itself: a Role in it may allow reading it.
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in ("status", "finalize"):
            parts = parts[2:]
    resource, name, subresource = [*parts, "", ""][:3]
    if not name:
        verb = _OF_COLLECTION.get(verb, verb)
    return Route(verb, path, group, resource, subresource, namespace, name)


ANONYMOUS = Identity("system:anonymous", ("system:unauthenticated",), "")

SELF_REVIEWS = ("authorization.k8s.io", "selfsubjectaccessreviews")
_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_ISSUER_PATHS = ("/.well-known/openid-configuration", "/openid/v1/jwks")


class Authorizer:
    """The rules of one cluster, by user name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: dict[str, tuple[Rule, ...]] = {}

    def set_rules(self, username: str, rules: Sequence[Rule]) -> None:
        with self._lock:
            self._rules[username] = tuple(rules)

    def reset(self) -> None:
        with self._lock:
            self._rules.clear()

    def allows(self, who: Identity, route: Route) -> bool:
        if "system:masters" in who.groups:
            return True
        if not route.resource:
            return self._allows_path(who, route)
        if (route.group, route.resource) == SELF_REVIEWS:
            return route.verb == "create" and who != ANONYMOUS
        with self._lock:
            rules = self._rules.get(who.username, ())
        return any(_matches(rule, route) for rule in rules)

    @staticmethod
    def _allows_path(who: Identity, route: Route) -> bool:
        if route.verb != "get":
            return False
        if route.path in _ISSUER_PATHS:
            return "system:serviceaccounts" in who.groups
        if who != ANONYMOUS and route.path.split("/")[1] in ("api", "apis"):
            return True  # As the ClusterRole system:discovery has it.
        return route.path in _PUBLIC_PATHS


def _matches(rule: Rule, route: Route) -> bool:
    return (
        rule.namespace in (None, route.namespace)
        and not {route.group, "*"}.isdisjoint(rule.groups)
        and not {route.verb, "*"}.isdisjoint(rule.verbs)
        and not {route.full_resource, "*"}.isdisjoint(rule.resources)
    )


def refusal(who: Identity, route: Route) -> str:
    """Return the reason in a 403, naming user, verb, resource and place."""
    if not route.resource:
        return f'User "{who.username}" cannot {route.verb} path "{route.path}"'
    where = f'in the namespace "{route.namespace}"' if route.namespace else "at the cluster scope"
    return (
        f'User "{who.username}" cannot {route.verb} resource "{route.full_resource}" '
        f'in API group "{route.group}" {where}'
    )


def review_access(authorizer: Authorizer, who: Identity, asked: JsonObject) -> JsonObject:
    """Answer a SelfSubjectAccessReview of `who`; 422 unless it asks about exactly one thing."""
    spec = asked.get("spec", {})
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        field = "resourceAttributes" if resource is None else "nonResourceAttributes"
        error = status.invalid_value(f"spec.{field}", spec.get(field), "ask about exactly one thing")
        raise status.invalid("", "", [error], group="authorization.k8s.io")
    if path:
        route = Route(path.get("verb", ""), path.get("path", ""))
    else:
        keys = ("group", "resource", "subresource", "namespace", "name")
        asked_of: dict[str, str] = resource or {}
        route = Route(asked_of.get("verb", ""), "", **{key: asked_of.get(key, "") for key in keys})
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": authorizer.allows(who, route)},
    }
