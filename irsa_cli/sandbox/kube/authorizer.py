"""Who may do what: `system:masters` everything, others what their rules say, like RBAC.

Roles and bindings are objects like any other: the sandbox sets rules directly.
"""

import threading
from collections.abc import Sequence

from irsa_cli.sandbox.kube.route import Route
from irsa_cli.sandbox.model import Identity, Rule

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
        """From now on `username` may do what `rules` say and nothing else."""
        with self._lock:
            self._rules[username] = tuple(rules)

    def reset(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def allows(self, who: Identity, route: Route) -> bool:
        """Whether `who` may do what `route` asks."""
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
