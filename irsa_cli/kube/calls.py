"""One call to a Kubernetes API and one list: raw JSON, a time limit, pages, and the log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import urllib3

from irsa_cli.core.values.attempts import bounded
from irsa_cli.core.values.errors import DeadlineExceeded, ServiceError
from irsa_cli.core.values.limits import call_seconds, date_of
from irsa_cli.core.values.patience import current, note_unread, persist, replaced
from irsa_cli.core.values.shown import visible
from irsa_cli.kube.connection import ApiServer
from irsa_cli.kube.errors import (
    EXPIRED,
    NOT_FOUND,
    UNKNOWN_CALLER,
    HttpRefusal,
    endless,
    is_unanswered,
    reviewed,
    translate,
    unnamed,
)
from irsa_cli.kube.shapes import check

Json = dict[str, Any]
T = TypeVar("T")
CONNECT_SECONDS = 5
TOKEN = "create serviceaccounts/token"  # noqa: S105 - the name of an operation
READ_LOG = "get pods/log"
"""The operation whose answer is text, and no JSON."""
PAGES = 10_000
"""Pages of one list that are read at most."""
PAGE = 500
"""Objects asked for at once, as kubectl does; a server may give fewer."""
MERGE_PATCH = "application/merge-patch+json"
_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
_GROUPS = {
    "admissionregistration.k8s.io": ("mutatingwebhookconfigurations",),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "authorization.k8s.io": ("selfsubjectaccessreviews",),
    "batch": ("cronjobs", "jobs"),
    "coordination.k8s.io": ("leases",),
    "networking.k8s.io": ("networkpolicies",),
    "rbac.authorization.k8s.io": ("clusterrolebindings", "clusterroles", "rolebindings", "roles"),
}
"""The kinds that irsa reads or writes outside of the core group; of each, version v1."""


_OF_CLUSTERS = ("clusterrolebindings", "clusterroles", "mutatingwebhookconfigurations", "namespaces", "nodes")
"""The kinds that irsa reads by name and that are in no namespace."""


def path_of(operation: str, *segments: str) -> str:
    """The path of a URL in which each name is one segment; raises `ServiceError` for one that can't be.

    Clients and servers resolve `.` and `..`, escaped or not, and the path is another object's. No object has
    such a name: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
    """
    for segment in segments:
        if segment in ("", ".", "..") or set(segment) & set("/%") or not segment.isprintable():
            raise unnamed(operation, f"no object has the name '{visible(segment)}'")
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


WireLog = Callable[[str, int, float, str], None]
"""Told of every attempt: the operation, HTTP status (0: no answer), seconds, the error's name."""


@dataclass(frozen=True)
class Dated:
    """An answer, and what the API server's clock said when it was given."""

    body: Json
    date: datetime | None
    """The `Date` header: UTC, whole seconds, rounded down; None if there is none that can be read.

    https://www.rfc-editor.org/rfc/rfc9110#name-date
    """


@dataclass(frozen=True)
class DatedList:
    """All objects of a list, and what the API server's clock said when the first of its pages was given."""

    items: list[Json]
    date: datetime | None


@dataclass(frozen=True)
class Request:
    """One call. `operation` is a verb and a resource (`create serviceaccounts/token`), as in RBAC.

    Without a namespace it is about the cluster. `address` is a path that is no resource's. Raises
    `ServiceError` for names of no object, with which it would be about others: nothing is sent.
    """

    operation: str
    namespace: str = ""
    name: str = ""
    body: Json | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    accept: str = "application/json"
    address: str = ""
    path: str = field(init=False)
    """The path of its URL."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.address or self._path())

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes that RBAC decides by."""
        verb, _, kind = self.operation.partition(" ")
        resource, _, subresource = kind.partition("/")
        group = next((group for group, resources in _GROUPS.items() if resource in resources), "")
        names = {"namespace": self.namespace, "name": self.name}
        return {"verb": verb, "group": group, "resource": resource, "subresource": subresource, **names}

    def _path(self) -> str:
        at = self.attributes
        if not (self.name or at["verb"] in ("list", "create")):
            raise unnamed(self.operation, "there is no name")
        if self.name and not self.namespace and at["resource"] not in _OF_CLUSTERS:
            raise unnamed(self.operation, "there is no namespace")
        place = ["namespaces", self.namespace] if self.namespace else []
        base = ["apis", at["group"], "v1"] if at["group"] else ["api", "v1"]
        segments = [*base, *place, at["resource"], self.name, at["subresource"]]
        return path_of(self.operation, *filter(None, segments))


class Calls:
    """How irsa speaks to one cluster's API. Thread-safe."""

    def __init__(self, server: ApiServer, log: WireLog = lambda *_: None) -> None:
        self._server = server
        self._log = log
        self._seconds = call_seconds()
        self.access: Callable[[], str] = lambda: ""
        """The command that gives the caller access, if it is known."""
        self.found_account: Callable[[Json], None] = lambda body: None
        """Receives each ServiceAccount that was read."""

    def _call(self, operation: str, namespace: str = "", name: str = "", **sent: Any) -> Json:
        """One call, repeated while it fails in a way that passes (`irsa_cli.core.values.patience`)."""
        return self._dated(Request(operation, namespace, name, **sent)).body

    def _dated(self, request: Request) -> Dated:
        """The same, with the server's clock."""

        def attempt() -> Dated:
            try:
                return self._attempt(request)
            except Exception as error:
                failure = translate(error, request.operation)
                if failure.next_steps == UNKNOWN_CALLER:
                    failure = failure.but(next_steps=(self.access() or failure.next_steps[-1],))
                if writes:
                    failure = reviewed(failure, lambda: self._permitted(request))
                raise failure from error

        writes = request.attributes["verb"] in _METHODS
        try:
            return persist(attempt, writes=writes)
        except ServiceError as error:
            # Both are reads, and what admission says to a rehearsal is its answer.
            is_rehearsal = "dryRun" in request.query and is_unanswered(error)
            if is_rehearsal or request.operation == TOKEN:
                note_unread(error)
            raise

    def _permitted(self, request: Request) -> bool | None:
        """Whether RBAC allows the caller a write that was refused; None where nobody tells."""
        review: Json = {"spec": {"resourceAttributes": request.attributes}}
        try:
            answer = self._attempt(Request("create selfsubjectaccessreviews", body=review))
        except Exception:  # It was refused, and why stays unknown.
            return None
        allowed = (answer.body.get("status") or {}).get("allowed")
        return allowed if isinstance(allowed, bool) else None

    def get(self, operation: str, path: str, *, accept: str = "application/json", **query: str) -> Json:
        """GET any path of the API; `operation` names it for the log and for errors."""
        return self._call(operation, address=path, accept=accept, query=query)

    def _attempt(self, request: Request) -> Dated:
        started = time.monotonic()
        heard: dict[str, Any] = {"status": 0, "code": ""}

        def ask() -> Dated:
            answer = self._send(request)
            heard["status"] = answer.status
            if request.operation == READ_LOG:
                return Dated({"log": answer.data.decode("utf-8", "replace")}, None)
            body = check(request.operation, json.loads(answer.data), rehearsed="dryRun" in request.query)
            return Dated(body, date_of(answer.headers.get("Date")))

        try:
            return bounded(ask)
        except HttpRefusal as error:
            heard = {"status": error.status, "code": error.reason}
            raise
        except Exception as error:
            heard["code"] = type(error).__name__
            raise
        finally:
            self._log(request.operation, heard["status"], time.monotonic() - started, heard["code"])

    def _send(self, request: Request) -> urllib3.BaseHTTPResponse:
        verb = request.attributes["verb"]
        headers = {"Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = MERGE_PATCH if verb == "patch" else "application/json"
        query = f"?{urlencode(request.query)}" if request.query else ""
        return self._server.send(
            _METHODS.get(verb, "GET"),
            request.path + query,
            headers,
            None if request.body is None else json.dumps(request.body),
            urllib3.Timeout(connect=CONNECT_SECONDS, read=self._seconds),
        )

    def _list(self, resource: str, namespace: str | None = None, **query: str) -> list[Json]:
        return self._dated_list(Request(f"list {resource}", namespace or "", query=query)).items

    def _dated_list(self, request: Request) -> DatedList:
        """All objects of a list, page by page.

        A list that takes so long that the server has forgotten its snapshot (410) is read again at
        once, without pages, as the API's documentation tells clients to do.
        https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
        """
        try:
            return self._pages(request)
        except ServiceError as error:
            if error.code != EXPIRED:
                raise
            replaced(error)
        answer = self._dated(request)
        return DatedList(_items(answer.body), answer.date)

    def _pages(self, request: Request) -> DatedList:
        objects: list[Json] = []
        first: Dated | None = None
        tokens: set[str] = set()
        more: dict[str, Any] = {"limit": PAGE}
        while True:
            answer = self._dated(replace(request, query={**request.query, **more}))
            first = first or answer
            objects += _items(answer.body)
            token = (answer.body.get("metadata") or {}).get("continue")
            if not token:
                return DatedList(objects, first.date)
            if token in tokens or len(tokens) >= PAGES:
                raise note_unread(endless(request.operation))
            if current().remaining <= 0:
                raise note_unread(DeadlineExceeded(f"kubernetes {request.operation} timed out"))
            tokens.add(token)
            more["continue"] = token


def _items(answer: Json) -> list[Json]:
    return answer.get("items") or []


def or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except ServiceError as error:
        if error.code == NOT_FOUND:
            return None
        raise
