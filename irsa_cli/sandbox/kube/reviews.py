"""Requests that store nothing: a token for a ServiceAccount, and "may I?".

Bodies in, bodies out; neither HTTP nor the store.
https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

from collections.abc import Callable
from datetime import datetime, timezone

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.authorizer import Authorizer
from irsa_cli.sandbox.kube.objects.schema import JsonObject
from irsa_cli.sandbox.kube.objects.store import timestamp
from irsa_cli.sandbox.kube.route import Route
from irsa_cli.sandbox.kube.tokens import API_AUDIENCE, MAX_SECONDS, TokenIssuer
from irsa_cli.sandbox.model import Identity

_GROUP = "authentication.k8s.io"
_MIN_SECONDS = 600


def request_token(
    issuer: TokenIssuer, account: JsonObject, wanted: JsonObject, find: Callable[[str, str], JsonObject]
) -> JsonObject:
    """Answer a TokenRequest for `account`; 404 for a missing bound object, 400, 409 or 422 for a bad request.

    `find` gets the bound object by its kind and name.
    """
    spec = wanted.get("spec", {})
    audiences = spec.get("audiences") or [API_AUDIENCE]
    seconds = spec.get("expirationSeconds", 3600)
    _check_request(account, wanted, seconds)
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


def _check_request(account: JsonObject, wanted: JsonObject, seconds: int) -> None:
    sent, real = wanted["metadata"], account["metadata"]
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


def review_access(authorizer: Authorizer, who: Identity, asked: JsonObject) -> JsonObject:
    """Answer a SelfSubjectAccessReview of `who`; 422 unless it asks about exactly one thing."""
    spec = asked.get("spec", {})
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        field = "resourceAttributes" if resource is None else "nonResourceAttributes"
        error = status.invalid_value(f"spec.{field}", spec.get(field), "ask about exactly one thing")
        raise status.invalid("", "", [error], group="authorization.k8s.io")
    allowed = authorizer.allows(who, _route(resource or {}, path or {}))
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": allowed},
    }


def _route(resource: dict[str, str], path: dict[str, str]) -> Route:
    if path:
        return Route(path.get("verb", ""), path.get("path", ""))
    keys = ("group", "resource", "subresource", "namespace", "name")
    return Route(resource.get("verb", ""), "", **{key: resource.get(key, "") for key in keys})
