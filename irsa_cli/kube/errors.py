"""Translate failures of Kubernetes calls. Decisions depend on statuses and reasons only, not on messages."""

from __future__ import annotations

import json
import shlex
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import urllib3.exceptions

from irsa_cli.core.values.attempts import (
    TooLarge,
    causes_of,
    certificate_refused,
    validity_advice,
    was_unsent,
    why_of,
)
from irsa_cli.core.values.errors import FailedCall, Outcome, ServiceError
from irsa_cli.core.values.limits import clock_advice, retry_after
from irsa_cli.core.values.shown import redacted

NOT_FOUND = "NotFound"
EXISTS = "AlreadyExists"
CONFLICT = "Conflict"
FORBIDDEN = "Forbidden"
EXPIRED = "Expired"
"""The `continue` token of a list is too old."""
_TERMINATING = "NamespaceTerminating"
LONGEST_CODE = 100
"""Characters of a reason; Kubernetes' own are one word."""
_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
)
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.ProxyError, "the proxy refused the connection"),
    (urllib3.exceptions.NameResolutionError, "DNS has no address for the cluster's endpoint"),
    (urllib3.exceptions.NewConnectionError, "no connection"),
    (urllib3.exceptions.ConnectTimeoutError, "the connection timed out"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (ssl.SSLError, "the TLS connection failed"),
    (urllib3.exceptions.HTTPError, "the connection ended before the answer was complete"),
    (OSError, "the connection failed"),
    (ValueError, "the answer is not JSON; a proxy may have sent it"),
)
"""Meanings of the HTTP client's failures; the first match counts."""
_UNANSWERED = "check the network, HTTPS_PROXY and NO_PROXY, then run this again"
_INTERCEPTED = "check for a proxy that intercepts TLS, and that the CA is the cluster's own"
_UNREACHED = "check the way to the cluster's endpoint (private endpoint, VPN, NO_PROXY)"


@dataclass(eq=False)
class HttpRefusal(Exception):
    """An answer whose HTTP status is no success, as it came: `body` is its text."""

    status: int
    reason: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def translate(error: Exception, operation: str) -> ServiceError:
    if isinstance(error, HttpRefusal):
        return _answered(error, operation)
    if certificate_refused(error):
        why = ": ".join(filter(None, ("the server's certificate was not accepted", why_of(error))))
        return ServiceError(
            f"kubernetes {operation}",
            FailedCall("kubernetes", operation, "SSLError", outcome=Outcome.NOT_SENT),
            reason=redacted(why),
            next_steps=validity_advice(error) or (_INTERCEPTED,),
        )
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    sent = not isinstance(cause, _NOT_SENT) and not was_unsent(error)
    failed = FailedCall(
        "kubernetes",
        operation,
        type(cause).__name__,
        outcome=Outcome.UNKNOWN if sent else Outcome.NOT_SENT,
        transient=not isinstance(cause, TooLarge),
    )
    advice = _UNANSWERED if sent else _UNREACHED
    return ServiceError(
        f"kubernetes {operation}", failed, reason=redacted(_words(cause)), next_steps=(advice,)
    )


def reviewed(error: ServiceError, ask: Callable[[], bool | None]) -> ServiceError:
    """Add to a 403 of a write whether RBAC allows it; `ask` asks the API server.

    RBAC, quotas and admission answer with the same status and reason; only this review tells them apart.
    https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
    """
    missing = f"missing RBAC permission: {error.operation}"
    if error.status != 403 or error.details != (missing,):
        return error
    permitted = ask()
    refused = f"a quota or an admission policy refuses it: {error.operation}"
    if permitted:
        who = "ask who maintains the cluster's quotas and admission policies"
        error = error.but(details=(f"RBAC allows it, and {refused}",), next_steps=(who,))
    elif permitted is None:
        error = error.but(details=(f"RBAC does not allow it, or {refused}",))
    return error.knowing(permitted=permitted)


def _words(error: BaseException) -> str:
    if type(error).__module__.startswith("irsa_cli."):
        return str(error)
    causes = list(causes_of(error))
    meaning = f"the call failed ({type(error).__name__})"
    for kind, words in _WORDS:
        if any(isinstance(cause, kind) for cause in causes):
            meaning = words
            break
    why = why_of(error)
    return f"{meaning}: {why}" if why else meaning


def _answered(error: HttpRefusal, operation: str) -> ServiceError:
    status = _object_of(error.body)
    http = error.status
    details = status.get("details")
    facts = details if isinstance(details, dict) else {}
    ends = http == 403 and _is_terminating(facts)
    code = redacted(str(status.get("reason") or error.reason or http))[:LONGEST_CODE]
    reason = _reason(error, status)
    # Kubernetes refuses with a Status; a page instead of it is a proxy's.
    is_foreign = status.get("kind") != "Status" and http not in (401, 403, 404, 405, 429)
    headers = {str(key).lower(): value for key, value in error.headers.items()}
    failed = FailedCall(
        "kubernetes",
        operation,
        "Unauthorized" if http == 401 else code,
        http,
        Outcome.UNKNOWN if http >= 500 or is_foreign else Outcome.REFUSED,
        transient=_passes(http, code, operation, reason),
        retry_after=retry_after(headers),
    )
    missing: tuple[str, ...] = ()
    if ends:
        missing = ("the namespace is being deleted",)
    elif http == 403:
        missing = (f"missing RBAC permission: {operation}",)
    next_steps = _advice(http, headers, facts, ends=ends)
    return ServiceError(
        f"kubernetes {operation}", failed, reason=reason, details=missing, next_steps=next_steps
    )


def _reason(error: HttpRefusal, status: Mapping[str, Any]) -> str:
    """The server's words, never a whole page of a proxy."""
    words = str(status.get("message") or error.reason or f"HTTP {error.status}")
    if status.get("kind") != "Status":
        words = f"HTTP {error.status} without a Kubernetes Status: {words}"
    return redacted(words)


def _passes(http: int, code: str, operation: str, reason: str) -> bool:
    """Whether the same call may succeed a moment later."""
    # Pods are only dry runs (`Kube.create_pod`): a failing webhook or admission plugin is an answer.
    is_answer = operation == "create pods" and reason.startswith("Internal error occurred")
    lost_race = code == CONFLICT and operation.startswith("create ")
    return http == 429 or lost_race or (http >= 500 and not is_answer)


def _object_of(body: str) -> Mapping[str, Any]:
    """The JSON object of an answer, empty if it is none."""
    with suppress(TypeError, ValueError, RecursionError):
        document = json.loads(body)
        if isinstance(document, dict):
            return document
    return {}


def _is_terminating(facts: Mapping[str, Any]) -> bool:
    """Whether one of the causes of a refusal is that the namespace is being deleted."""
    causes = facts.get("causes")
    if not isinstance(causes, list):
        return False
    return any(isinstance(cause, dict) and cause.get("reason") == _TERMINATING for cause in causes)


def is_unanswered(error: ServiceError) -> bool:
    """Whether a call did not reach admission: RBAC denies it, or nobody answered."""
    if error.status == 403:
        return not error.permitted
    return error.status in (0, 401, 429)


def endless(operation: str) -> ServiceError:
    return ServiceError(
        f"kubernetes {operation} can't be read to its end",
        FailedCall("kubernetes", operation, "EndlessList"),
        reason="the server sent the same page again, or pages without objects",
    )


def unnamed(operation: str, why: str) -> ServiceError:
    """A call that was not sent, as its names are those of no object."""
    failed = FailedCall("kubernetes", operation, "InvalidName", outcome=Outcome.NOT_SENT)
    return ServiceError(f"kubernetes {operation} was not sent", failed, reason=why)


UNKNOWN_CALLER = ("aws eks create-access-entry --cluster-name CLUSTER --principal-arn ARN",)
_ACTIONS = {
    403: "irsa docs how-to/permissions  # the RBAC rules that irsa needs",
    409: "another client changed the object at the same time: run this again",
    429: "the API server limits requests: run this again in a minute",
    500: "run this again in a minute, or look for what the message names",
    503: "run this again in a minute",
    504: "run this again in a minute",
}
"""Next steps by HTTP status."""


def _advice(
    http: int, headers: Mapping[str, Any], facts: Mapping[str, Any], *, ends: bool
) -> tuple[str, ...]:
    if ends:
        return ("wait until the namespace is deleted, then run this again",)
    if http == 401:
        return clock_advice(headers) or UNKNOWN_CALLER
    if http == 404 and facts.get("kind") == "namespaces":
        return (f"kubectl create namespace {shlex.quote(redacted(str(facts.get('name'))))}",)
    return (_ACTIONS[http],) if http in _ACTIONS else ()
