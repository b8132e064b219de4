"""The few Kubernetes calls that irsa makes, over raw JSON, each with a time limit and bounded retries.

Compare-and-set logic is in `irsa_cli.changes`; which failure means what in `irsa_cli.kube.errors`.
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
from irsa_cli.kube.errors import NOT_FOUND, translate

Json = dict[str, Any]
CONNECT_SECONDS = 5
ATTEMPTS = 4
MERGE_PATCH = "application/merge-patch+json"


class WireLog(Protocol):
    """Told of every attempt: the operation, HTTP status (0: no answer), seconds, the error's name."""

    def __call__(self, operation: str, status: int, seconds: float, code: str, /) -> None: ...  # noqa: D102


class Kube:
    """One cluster's API, as far as irsa needs it. Thread-safe."""

    def __init__(self, api_client: Any, log: WireLog = lambda *_: None) -> None:
        self._core = kubernetes.client.CoreV1Api(api_client)
        # The client sends a dict as a strategic merge patch, or as what the version at hand prefers. A
        # default header is the one way to say merge patch that all supported versions know.
        patching = kubernetes.client.ApiClient(api_client.configuration, "Content-Type", MERGE_PATCH)
        patching.rest_client = api_client.rest_client
        self._patching = kubernetes.client.CoreV1Api(patching)
        self._log = log
        self._seconds = call_seconds()

    def namespace(self, name: str) -> Json | None:
        """A namespace, None when there is none."""
        return _or_none(lambda: self._call("get namespaces", self._core.read_namespace, name))

    def create_namespace(self, body: Json, *, dry_run: bool = False) -> Json:
        """POST a namespace; with `dry_run` everything is checked and nothing is written."""
        return self._call("create namespaces", self._core.create_namespace, body, **_dry(dry_run))

    def delete_namespace(self, name: str, *, uid: str) -> None:
        """DELETE a namespace, if it is still the one with this uid."""
        body = {"preconditions": {"uid": uid}}
        self._call("delete namespaces", self._core.delete_namespace, name, body=body)

    def service_account(self, namespace: str, name: str) -> Json | None:
        """A ServiceAccount, None when there is none (or no such namespace)."""
        read = self._core.read_namespaced_service_account
        return _or_none(lambda: self._call("get serviceaccounts", read, name, namespace))

    def create_service_account(self, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        """POST a ServiceAccount; with `dry_run` everything is checked and nothing is written."""
        create = self._core.create_namespaced_service_account
        return self._call("create serviceaccounts", create, namespace, body, **_dry(dry_run))

    def patch_service_account(self, namespace: str, name: str, patch: Json) -> Json:
        """Merge-patch a ServiceAccount: what the patch doesn't name is not touched.

        A PUT would drop what we don't send. `metadata.resourceVersion` in the patch is a lock.
        """
        change = self._patching.patch_namespaced_service_account
        return self._call("patch serviceaccounts", change, name, namespace, patch)

    def delete_service_account(self, namespace: str, name: str, *, uid: str, resource_version: str) -> None:
        """DELETE a ServiceAccount, if it is still exactly the one that was read."""
        body = {"preconditions": {"uid": uid, "resourceVersion": resource_version}}
        delete = self._core.delete_namespaced_service_account
        self._call("delete serviceaccounts", delete, name, namespace, body=body)

    def token(self, namespace: str, name: str, audience: str, *, seconds: int = 600) -> str:
        """A token of the ServiceAccount (TokenRequest); the shortest lifetime that Kubernetes gives."""
        body = {"spec": {"audiences": [audience], "expirationSeconds": seconds}}
        create = self._core.create_namespaced_service_account_token
        answer = self._call("create serviceaccounts/token", create, name, namespace, body)
        return str(answer["status"]["token"])

    def contents(self, namespace: str) -> list[str]:
        """What somebody has put into a namespace, as `kind/name`; what the caller may not list is left out.

        The `default` ServiceAccount and kube-root-ca.crt are Kubernetes' own.
        """
        lists: dict[str, Callable[..., Any]] = {
            "serviceaccount": self._core.list_namespaced_service_account,
            "configmap": self._core.list_namespaced_config_map,
            "secret": self._core.list_namespaced_secret,
            "pod": self._core.list_namespaced_pod,
            "service": self._core.list_namespaced_service,
            "persistentvolumeclaim": self._core.list_namespaced_persistent_volume_claim,
        }
        found = []
        for kind, read in lists.items():
            try:
                items = self._call(f"list {kind}s", read, namespace, limit=10)["items"]
            except ServiceError as error:
                if error.outcome is Outcome.REFUSED and error.status in (403, 404):
                    continue
                raise
            found += [f"{kind}/{item['metadata']['name']}" for item in items]
        return [
            item for item in found if item not in ("serviceaccount/default", "configmap/kube-root-ca.crt")
        ]

    def _call(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Json:
        lost = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(operation, method, *args, **kwargs)
            except Exception as error:
                failure = translate(error, operation, lost=lost)
                lost = lost or failure.outcome is Outcome.UNKNOWN
                if not failure.transient or attempt == ATTEMPTS:
                    raise failure from error
            time.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

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


def _dry(wanted: bool) -> dict[str, str]:
    return {"dry_run": "All"} if wanted else {}


def _or_none(read: Callable[[], Json]) -> Json | None:
    try:
        return read()
    except ServiceError as error:
        if error.code == NOT_FOUND:
            return None
        raise
