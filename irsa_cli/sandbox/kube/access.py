"""Access to a cluster: routes, rules, reviews of access, and the tokens of ServiceAccounts.

Claims are as a real kube-apiserver writes them. `system:masters` may do everything, others what their rules
say, like RBAC. Roles and bindings are objects like any other: the sandbox sets rules directly.
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.jwk import RSAKey

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import timestamp
from irsa_cli.sandbox.model import Identity, Rule

API_AUDIENCE = "https://kubernetes.default.svc"
MAX_SECONDS = 24 * 3600
"""The longest life of a token on EKS; longer ones are cut down to it."""


class TokenIssuer:
    """The issuer of one cluster: its URL and its only key."""

    def __init__(self, issuer: str, signing_key: RSAPrivateKey) -> None:
        self.issuer = issuer
        public = signing_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = hashlib.sha256(public).digest()
        self.key_id = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        pem = signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = RSAKey.import_key(pem, {"kid": self.key_id, "use": "sig", "alg": "RS256"})

    def sign(
        self,
        account: JsonObject,
        audiences: Sequence[str],
        seconds: int,
        bound: Mapping[str, JsonObject] | None = None,
    ) -> tuple[str, int]:
        """Sign a token of a ServiceAccount object, with claims of `bound`; returns it and its end (Unix)."""
        now = int(time.time())
        metadata = account["metadata"]
        namespace = metadata["namespace"]
        name = metadata["name"]
        claims: dict[str, Any] = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                **(bound or {}),
                "serviceaccount": {"name": name, "uid": metadata["uid"]},
            },
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        # Not jwt.encode: it adds a `typ` to the header, which Kubernetes does not write.
        header = {"alg": "RS256", "kid": self.key_id}
        payload = json.dumps(claims, separators=(",", ":"))
        return jws.serialize_compact(header, payload, self._key, algorithms=["RS256"]), now + seconds

    def jwks(self) -> JsonObject:
        return {"keys": [dict(self._key.as_dict(private=False))]}


def discovery_of(issuer: str) -> JsonObject:
    """The OpenID Connect discovery document of an issuer's URL."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/keys",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


_GROUP = "authentication.k8s.io"
_MIN_SECONDS = 600


def request_token(
    issuer: TokenIssuer, account: JsonObject, request: JsonObject, find: Callable[[str, str], JsonObject]
) -> JsonObject:
    """Answer a TokenRequest; `find` gets the bound object by kind and name; raises 400, 404, 409, 422."""
    spec = request.get("spec", {})
    audiences = spec.get("audiences") or [API_AUDIENCE]
    seconds = spec.get("expirationSeconds", 3600)
    _check_request(account, request, seconds)
    reference = spec.get("boundObjectRef")
    bound = _bound_claims(account, reference, find) if reference else {}
    seconds = min(seconds, MAX_SECONDS)
    token, expires = issuer.sign(account, audiences, seconds, bound)
    metadata = {key: account["metadata"][key] for key in ("name", "namespace", "uid")}
    return {
        "kind": "TokenRequest",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": {**metadata, "creationTimestamp": timestamp()},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
        "status": {
            "token": token,
            "expirationTimestamp": timestamp(datetime.fromtimestamp(expires, timezone.utc)),
        },
    }


def _check_request(account: JsonObject, request: JsonObject, seconds: int) -> None:
    sent = request["metadata"]
    real = account["metadata"]
    for key in ("name", "namespace"):
        if sent.get(key, real[key]) != real[key]:
            why = f"must match the service account {key} if specified"
            error = status.invalid_value(f"metadata.{key}", sent[key], why)
            raise status.invalid("TokenRequest", real["name"], [error], group=_GROUP)
    if sent.get("uid", real["uid"]) != real["uid"]:
        why = (
            f"the UID in the token request ({sent['uid']}) does not match "
            f"the UID of the service account ({real['uid']})"
        )
        raise status.conflict("TokenRequest", real["name"], why, group=_GROUP)
    if seconds < _MIN_SECONDS or seconds > 2**32:
        limit = "less than 10 minutes" if seconds < _MIN_SECONDS else "larger than 2^32 seconds"
        why = f"may not specify a duration {limit}"
        error = status.invalid_value("spec.expirationSeconds", seconds, why)
        raise status.invalid("TokenRequest", "", [error], group=_GROUP)


def _bound_claims(
    account: JsonObject, reference: dict[str, str], find: Callable[[str, str], JsonObject]
) -> dict[str, JsonObject]:
    kind, name, uid = (reference.get(key, "") for key in ("kind", "name", "uid"))
    if kind not in ("Pod", "Secret", "Node"):
        version = reference.get("apiVersion", "")
        raise status.bad_request(f"cannot bind token to object of type /{version}, Kind={kind}")
    found = find(kind, name)
    if kind == "Pod" and found["spec"].get("serviceAccountName") != account["metadata"]["name"]:
        raise status.bad_request(
            f'cannot bind token for serviceaccount "{account["metadata"]["name"]}" to pod running with '
            "different serviceaccount name."
        )
    if uid and uid != found["metadata"]["uid"]:
        why = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise status.conflict(kind, name, why)
    return {kind.lower(): {"name": name, "uid": found["metadata"]["uid"]}}


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
    segments = [segment for segment in path.split("/") if segment]
    if segments[:1] == ["api"] and len(segments) > 2:
        group = ""
        segments = segments[2:]
    elif segments[:1] == ["apis"] and len(segments) > 3:
        group = segments[1]
        segments = segments[3:]
    else:
        return Route(verb=verb, path=path)
    namespace = ""
    if segments[0] == "namespaces" and len(segments) > 1:
        # A namespace is within itself: a Role in it may allow reading it.
        namespace = segments[1]
        if len(segments) > 2 and segments[2] not in ("status", "finalize"):
            segments = segments[2:]
    resource, name, subresource = [*segments, "", ""][:3]
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
        self.rules: dict[str, tuple[Rule, ...]] = {}

    def allows(self, who: Identity, route: Route) -> bool:
        if "system:masters" in who.groups:
            return True
        if not route.resource:
            return self._allows_path(who, route)
        if (route.group, route.resource) == SELF_REVIEWS:
            return route.verb == "create" and who != ANONYMOUS
        return any(
            rule.namespace in (None, route.namespace)
            and not {route.group, "*"}.isdisjoint(rule.groups)
            and not {route.verb, "*"}.isdisjoint(rule.verbs)
            and not {route.full_resource, "*"}.isdisjoint(rule.resources)
            for rule in self.rules.get(who.username, ())
        )

    def _allows_path(self, who: Identity, route: Route) -> bool:
        """Whether the caller may get a path; a rule that grants one has it among its resources."""
        if route.verb != "get":
            return False
        if any(route.path in rule.resources for rule in self.rules.get(who.username, ())):
            return True
        if route.path in _ISSUER_PATHS:
            return "system:serviceaccounts" in who.groups
        if who != ANONYMOUS and route.path.split("/")[1] in ("api", "apis"):
            return True  # As the ClusterRole system:discovery has it.
        return route.path in _PUBLIC_PATHS


def refusal(who: Identity, route: Route) -> str:
    """Return the reason in a 403, naming user, verb, resource and place."""
    if not route.resource:
        return f'User "{who.username}" cannot {route.verb} path "{route.path}"'
    where = f'in the namespace "{route.namespace}"' if route.namespace else "at the cluster scope"
    return (
        f'User "{who.username}" cannot {route.verb} resource "{route.full_resource}" '
        f'in API group "{route.group}" {where}'
    )


def review_access(authorizer: Authorizer, who: Identity, review: JsonObject) -> JsonObject:
    """Answer a SelfSubjectAccessReview of `who`; 422 unless it asks about exactly one thing."""
    spec = review.get("spec", {})
    resource = spec.get("resourceAttributes")
    path = spec.get("nonResourceAttributes")
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
