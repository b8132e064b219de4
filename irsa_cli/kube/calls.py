"""One call to a Kubernetes API and one list: raw JSON, a time limit, bounded retries, pages, and the log.

Which calls irsa makes is in `irsa_cli.kube.reading` and `irsa_cli.kube.client`; which failure means what in
`irsa_cli.kube.errors`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

import kubernetes.client
import urllib3.exceptions
from kubernetes.client.exceptions import ApiException

from irsa_cli.core.errors import Outcome, ServiceError
from irsa_cli.core.limits import call_seconds
from irsa_cli.core.unanswered import give_up
from irsa_cli.kube.errors import EXPIRED, NOT_FOUND, translate

Json = dict[str, Any]
CONNECT_SECONDS = 5
ATTEMPTS = 4
PAGE = 500
"""Objects asked for at once, as kubectl does; a server may give fewer."""


class WireLog(Protocol):
    """Told of every attempt: the operation, HTTP status (0: no answer), seconds, the error's name."""

    def __call__(self, operation: str, status: int, seconds: float, code: str, /) -> None: ...  # noqa: D102


class Calls:
    """How irsa speaks to one cluster's API. Thread-safe."""

    def __init__(self, api_client: Any, log: WireLog = lambda *_: None) -> None:
        self._api = api_client
        self._core = kubernetes.client.CoreV1Api(api_client)
        self._log = log
        self._seconds = call_seconds()

    def _call(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Json:
        lost = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(operation, method, *args, **kwargs)
            except Exception as error:
                failure = translate(error, operation, lost=lost)
                lost = lost or failure.outcome is Outcome.UNKNOWN
                if not failure.status and lost and not operation.startswith(("get ", "list ")):
                    give_up()
                if not failure.transient or attempt == ATTEMPTS:
                    raise failure from error
            time.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

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

    def _attempt(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Json:
        started = time.monotonic()
        status, code = 0, ""
        try:
            answer = method(
                *args, _preload_content=False, _request_timeout=(CONNECT_SECONDS, self._seconds), **kwargs
            )
            status = answer.status
            body = json.loads(answer.data)
            if not isinstance(body, dict):
                raise ValueError("the answer is not a JSON object")
            return body
        except ApiException as error:
            status, code = error.status or 0, str(error.reason)
            raise
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            code = type(error).__name__
            raise
        finally:
            self._log(operation, status, time.monotonic() - started, code)

    def _list(self, operation: str, method: Callable[..., Any], *args: Any) -> list[Json]:
        """All objects of a list, page by page.

        A list that goes on for so long that the server has forgotten its snapshot (410) is read again at
        once, without pages, as the API's documentation tells clients to do.
        https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
        """
        try:
            return self._pages(operation, method, *args)
        except ServiceError as error:
            if error.code != EXPIRED:
                raise
        return _items(self._call(operation, method, *args))

    def _pages(self, operation: str, method: Callable[..., Any], *args: Any) -> list[Json]:
        found: list[Json] = []
        more: dict[str, str] = {}
        while True:
            answer = self._call(operation, method, *args, limit=PAGE, **more)
            found += _items(answer)
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return found
            more = {"_continue": token}


def _items(answer: Json) -> list[Json]:
    return answer.get("items") or []


def or_none(read: Callable[[], Json]) -> Json | None:
    """What `read` returns, None when it raises that there is no such object."""
    try:
        return read()
    except ServiceError as error:
        if error.code == NOT_FOUND:
            return None
        raise
