"""One call to a Kubernetes API and one list: raw JSON, a time limit, pages, and the log."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import kubernetes.client
from kubernetes.client.exceptions import ApiException

from irsa_cli.core.values.attempts import bounded
from irsa_cli.core.values.errors import DeadlineExceeded, ServiceError
from irsa_cli.core.values.limits import call_seconds, date_of
from irsa_cli.core.values.patience import current, persist
from irsa_cli.kube.errors import EXPIRED, NOT_FOUND, UNKNOWN_CALLER, endless, reviewed, translate
from irsa_cli.kube.shapes import check

Json = dict[str, Any]
T = TypeVar("T")
CONNECT_SECONDS = 5
READ_LOG = "get pods/log"
"""The operation whose answer is text, and no JSON."""
_GROUPS = {"leases": "coordination.k8s.io", "jobs": "batch"}
"""The API groups of written objects."""
PAGES = 10_000
"""Pages of one list that are read at most."""
PAGE = 500
"""Objects asked for at once, as kubectl does; a server may give fewer."""


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


class Calls:
    """How irsa speaks to one cluster's API. Thread-safe."""

    def __init__(self, api_client: Any, log: WireLog = lambda *_: None) -> None:
        self._api = api_client
        self._core = kubernetes.client.CoreV1Api(api_client)
        self._log = log
        self._seconds = call_seconds()
        self.access: Callable[[], str] = lambda: ""
        """The command that gives the caller access, if it is known."""

    def _call(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Json:
        """One call, repeated while it fails in a way that passes (`irsa_cli.core.values.patience`)."""
        return self._dated(operation, method, *args, **kwargs).body

    def _dated(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Dated:
        """The same, with the server's clock."""

        def attempt() -> Dated:
            try:
                return self._attempt(operation, method, *args, **kwargs)
            except Exception as error:
                found = translate(error, operation)
                if found.next_steps == UNKNOWN_CALLER:
                    found = found.but(next_steps=(self.access() or found.next_steps[-1],))
                if writes:
                    found = reviewed(found, lambda: self._permitted(operation, method, args))
                raise found from error

        writes = not operation.startswith(("get ", "list "))
        return persist(attempt, writes=writes)

    def _permitted(self, operation: str, method: Callable[..., Any], args: tuple[Any, ...]) -> bool | None:
        """Whether RBAC allows the caller a write that was refused; None where nobody tells."""
        verb, _, what = operation.partition(" ")
        resource, _, subresource = what.partition("/")
        named = inspect.signature(method).bind_partial(*args).arguments
        asked = {"verb": verb, "resource": resource, "subresource": subresource}
        asked |= {key: named.get(key, "") for key in ("namespace", "name")}
        asked["group"] = _GROUPS.get(resource, "")
        review = kubernetes.client.AuthorizationV1Api(self._api).create_self_subject_access_review
        try:
            answer = self._attempt(
                "create selfsubjectaccessreviews", review, {"spec": {"resourceAttributes": asked}}
            )
        except Exception:  # It was refused, and why stays unknown.
            return None
        allowed = (answer.body.get("status") or {}).get("allowed")
        return allowed if isinstance(allowed, bool) else None

    def get(self, operation: str, path: str, *, accept: str = "application/json", **query: str) -> Json:
        """GET any path of the API; `operation` names it for the log and for errors."""

        def read(**options: Any) -> Any:
            return self._api.call_api(
                path,
                "GET",
                query_params=list(query.items()),
                header_params={"Accept": accept},
                auth_settings=["BearerToken"],
                _return_http_data_only=True,  # Or the oldest client returns a tuple.
                **options,
            )

        return self._call(operation, read)

    def _attempt(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Dated:
        started = time.monotonic()
        heard: dict[str, Any] = {"status": 0, "code": ""}

        def ask() -> Dated:
            answer = method(
                *args, _preload_content=False, _request_timeout=(CONNECT_SECONDS, self._seconds), **kwargs
            )
            heard["status"] = answer.status
            if operation == READ_LOG:
                return Dated({"log": answer.data.decode("utf-8", "replace")}, None)
            body = check(operation, json.loads(answer.data), rehearsed="dry_run" in kwargs)
            return Dated(body, date_of(answer.headers.get("Date")))

        try:
            return bounded(ask)
        except ApiException as error:
            heard = {"status": error.status or 0, "code": str(error.reason)}
            raise
        except Exception as error:
            heard["code"] = type(error).__name__
            raise
        finally:
            self._log(operation, heard["status"], time.monotonic() - started, heard["code"])

    def _list(self, operation: str, method: Callable[..., Any], *args: Any) -> list[Json]:
        return self._dated_list(operation, method, *args).items

    def _dated_list(self, operation: str, method: Callable[..., Any], *args: Any) -> DatedList:
        """All objects of a list, page by page.

        A list that takes so long that the server has forgotten its snapshot (410) is read again at
        once, without pages, as the API's documentation tells clients to do.
        https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
        """
        try:
            return self._pages(operation, method, *args)
        except ServiceError as error:
            if error.code != EXPIRED:
                raise
        answer = self._dated(operation, method, *args)
        return DatedList(_items(answer.body), answer.date)

    def _pages(self, operation: str, method: Callable[..., Any], *args: Any) -> DatedList:
        found: list[Json] = []
        first: Dated | None = None
        seen: set[str] = set()
        more: dict[str, str] = {}
        while True:
            answer = self._dated(operation, method, *args, limit=PAGE, **more)
            first = first or answer
            found += _items(answer.body)
            token = (answer.body.get("metadata") or {}).get("continue")
            if not token:
                return DatedList(found, first.date)
            if token in seen or len(seen) >= PAGES:
                raise endless(operation)
            if current().remaining <= 0:
                raise DeadlineExceeded(f"kubernetes {operation} timed out")
            seen.add(token)
            more = {"_continue": token}


def _items(answer: Json) -> list[Json]:
    return answer.get("items") or []


def or_none(read: Callable[[], T]) -> T | None:
    """The result of `read`, None if it raises that there is no such object."""
    try:
        return read()
    except ServiceError as error:
        if error.code == NOT_FOUND:
            return None
        raise
