"""The sandbox's Kubernetes API as an endpoint of the server: its labels for the log, and its errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from irsa_cli.sandbox import wsgi
from irsa_cli.sandbox.access import access_key
from irsa_cli.sandbox.exchange import Incoming, Label
from irsa_cli.sandbox.kube.authorizer import Route, parse_route
from irsa_cli.sandbox.model import Answer

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
        return Label("kubernetes", operation, _subject(route, request.body), caller)

    def answer(self, request: Incoming) -> Answer:
        """The application's answer."""
        try:
            code, headers, body = wsgi.call(self._app, request)
        except Exception as error:
            # A mistake of the sandbox's own; the client must not take it for a broken connection.
            return _status("InternalError", repr(error), 500)
        kept = {name: value for name, value in headers.items() if name.lower() != "content-length"}
        return Answer(code, body, kept, _reason(code, body))

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        """A `Status` with `code` as its reason."""
        return _status(code, message, status)

    def throttled(self, service: str) -> Answer:
        """What priority and fairness answers."""
        answer = _status("TooManyRequests", "too many requests, please try again later", 429)
        answer.headers["Retry-After"] = "1"
        return answer


def _subject(route: Route, body: bytes) -> str:
    name = route.name or _name_in(body)
    if route.resource == "namespaces":
        return name
    return f"{route.namespace}/{name}" if route.namespace else name


def _name_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["metadata"]["name"])
    except (ValueError, KeyError, TypeError):
        return ""


def _reason(code: int, body: bytes) -> str:
    if code < 400:
        return ""
    try:
        return str(json.loads(body).get("reason") or code)
    except (ValueError, AttributeError):
        return str(code)


def _status(reason: str, message: str, code: int) -> Answer:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return Answer(code, json.dumps(body).encode(), {"Content-Type": "application/json"}, reason)
