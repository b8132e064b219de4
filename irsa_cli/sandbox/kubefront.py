"""The sandbox's Kubernetes API as an endpoint of the server, and who its AWS callers are.

EKS access entries and bearer tokens tell. A token is `k8s-aws-v1.` and the base64url of a presigned
GetCallerIdentity URL; see
https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
It is verified by executing that call on the sandbox's STS, past log, latency and faults: in the field
the cluster creates it, not the client.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from irsa_cli.sandbox.aws.clusters import Cluster
from irsa_cli.sandbox.aws.front import Front
from irsa_cli.sandbox.aws.messages import AwsError
from irsa_cli.sandbox.exchange import Incoming, Label, call_app
from irsa_cli.sandbox.kube.access import parse_route
from irsa_cli.sandbox.kube.status import ApiError
from irsa_cli.sandbox.model import Answer, Identity, table

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class KubeFront:
    """A WSGI application that is a Kubernetes API, as one endpoint."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def label(self, request: Incoming) -> Label:
        """Method and resource, such as `POST serviceaccounts/token`; the subject is `namespace/name`."""
        route = parse_route(request.method, unquote(urlsplit(request.target).path))
        operation = f"{request.method} {route.full_resource or route.path}"
        caller = access_key(request.headers.get("authorization", ""))
        name = route.name or _member(request.body, "metadata", "name")
        inside = route.namespace and route.resource != "namespaces"
        return Label("kubernetes", operation, f"{route.namespace}/{name}" if inside else name, caller)

    def answer(self, request: Incoming) -> Answer:
        try:
            code, headers, body = call_app(self._app, request)
        except Exception as error:
            # A mistake of the sandbox's own; the client must not take it for a broken connection.
            return self.failure("kubernetes", "InternalError", repr(error), 500)
        answer_headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
        return Answer(code, body, answer_headers, "" if code < 400 else _member(body, "reason") or str(code))

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        answer = Answer.of_json(ApiError(status, code, message).body(), status, code)
        if code == "TooManyRequests":
            answer.headers["Retry-After"] = "1"
        return answer


def _member(body: bytes, *path: str) -> str:
    """A member of a body in JSON; empty if there is none."""
    try:
        value = json.loads(body)
        for key in path:
            value = value[key]
        return str(value)
    except (ValueError, KeyError, TypeError):
        return ""


PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
_PARAMETERS = frozenset(table("token parameters"))


def identify(front: Front, cluster: Cluster, token: str) -> Identity | None:
    """The identity of a token in the cluster, also of administrators without entry; else None."""
    try:
        caller = front.identify(_presigned_call(token, cluster.spec.name))
    except (AwsError, ValueError):
        return None
    entry = front.clusters.access_entries.get(cluster.arn, caller.role_arn or caller.arn)
    if entry and entry["_principal"] in ("", caller.user_id.partition(":")[0]):
        return Identity(entry["username"], tuple(entry["kubernetesGroups"]), caller.arn)
    at_home = (caller.account, caller.partition) == (cluster.spec.account, cluster.partition)
    with front.cloud.lock:
        is_admin = at_home and front.callers.is_admin(caller)
    return Identity(caller.arn, ("system:masters",), caller.arn) if is_admin else None


def review(front: Front, cluster: Cluster, body: bytes) -> Answer:
    """The answer of an authentication webhook to a TokenReview."""
    try:
        review = json.loads(body)
        token = review["spec"]["token"]
        version = review["apiVersion"]
    except (ValueError, KeyError, TypeError):
        return Answer(400, b"not a TokenReview", {"Content-Type": "text/plain"})
    who = identify(front, cluster, token)
    status: dict[str, Any] = {"authenticated": who is not None}
    if who:
        extra = {"arn": [who.arn]}
        status["user"] = {
            "username": who.username,
            "uid": who.arn,
            "groups": list(who.groups),
            "extra": extra,
        }
    reviewed = {"apiVersion": version, "kind": "TokenReview", "status": status}
    return Answer.of_json(reviewed)


def access_key(authorization: str) -> str:
    """The access key that signed the token in an Authorization header; empty if there is none."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.startswith(PREFIX):
        return ""
    try:
        query = parse_qs(urlsplit(_url(token)).query)
    except ValueError:
        return ""
    return query.get("X-Amz-Credential", [""])[0].partition("/")[0]


def _url(token: str) -> str:
    text = token.removeprefix(PREFIX)
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def _presigned_call(token: str, cluster: str) -> Incoming:
    if not token.startswith(PREFIX):
        raise ValueError("not an EKS token")
    url = urlsplit(_url(token))
    query = {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()}
    if (
        url.path not in ("", "/")
        or not set(query) <= _PARAMETERS
        or query.get("Action") != "GetCallerIdentity"
    ):
        raise ValueError("not a presigned GetCallerIdentity")
    if "/sts/aws4_request" not in query.get("X-Amz-Credential", ""):
        raise ValueError("not signed for STS")
    if CLUSTER_HEADER not in query.get("X-Amz-SignedHeaders", "").split(";"):
        raise ValueError(f"{CLUSTER_HEADER} is not signed")
    headers = {"host": url.netloc, CLUSTER_HEADER: cluster}
    return Incoming("GET", f"/?{url.query}", headers, b"")
