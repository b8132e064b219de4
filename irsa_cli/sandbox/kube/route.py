"""What a request asks for: verb, resource, namespace and name, derived from method and path.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
"""

from dataclasses import dataclass

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
