"""Which failure of a Kubernetes call means what: refused, not sent, or unknown; and what to do about it.

Statuses and reasons only, never messages: those are the server's own words, and are passed on.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import urllib3.exceptions
from kubernetes.client.exceptions import ApiException

from irsa_cli.core.values.attempts import TooLarge, causes_of, certificate_refused, validity_advice, why_of
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.core.values.limits import clock_advice
from irsa_cli.core.values.shown import redacted

NOT_FOUND = "NotFound"
EXISTS = "AlreadyExists"
CONFLICT = "Conflict"
FORBIDDEN = "Forbidden"
EXPIRED = "Expired"
"""A list's `continue` is too old: the server has forgotten the snapshot that it was a part of."""
_TERMINATING = "NamespaceTerminating"
LONGEST_CODE = 100
"""Characters of a reason, which is one word where Kubernetes gives it."""
_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
)
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.ProxyError, "the proxy gave no connection"),
    (urllib3.exceptions.NameResolutionError, "the name of the endpoint was not found"),
    (urllib3.exceptions.NewConnectionError, "no connection"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (ssl.SSLError, "the TLS connection failed"),
    (urllib3.exceptions.HTTPError, "the connection ended before the whole answer was there"),
    (OSError, "the connection failed"),
    (ValueError, "the answer is not JSON: something between here and the cluster may have answered"),
)
"""What failures of the HTTP client mean, the first that fits."""
_UNANSWERED = "check the network, HTTPS_PROXY and NO_PROXY, then run this again"
_INTERCEPTED = "check that nothing intercepts the connection, and that the cluster's CA is the one EKS gives"
_UNREACHED = "check that the cluster's endpoint can be reached from here (private endpoint, VPN, NO_PROXY)"


def translate(error: Exception, operation: str) -> ServiceError:
    """The error that the user and the transaction get for a failed attempt of a call."""
    if isinstance(error, ApiException) and error.status:
        return _answered(error, operation)
    if certificate_refused(error):
        return _error(
            operation,
            code="SSLError",
            outcome=Outcome.NOT_SENT,
            reason=redacted(f"the server's certificate was not accepted: {why_of(error)}"),
            next_steps=validity_advice(error) or (_INTERCEPTED,),
        )
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    sent = not isinstance(cause, _NOT_SENT)
    return _error(
        operation,
        code=type(cause).__name__,
        outcome=Outcome.UNKNOWN if sent else Outcome.NOT_SENT,
        transient=not isinstance(cause, TooLarge),
        reason=redacted(_words(cause)),
        next_steps=(_UNANSWERED if sent else _UNREACHED,),
    )


def reviewed(error: ServiceError, ask: Callable[[], bool | None]) -> ServiceError:
    """The error of a write; of 403 with what the API server says when `ask` wants to know if the caller may.

    RBAC, quotas and admission answer with the same status and reason: only that review tells them apart.
    https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
    """
    missing = f"missing RBAC permission: {error.operation}"
    if error.status != 403 or error.details != (missing,):
        return error
    permitted = ask()
    refused = f"a quota or an admission policy refuses it: {error.operation}"
    if permitted:
        who = "ask who sets quotas and admission policies there (kubectl get resourcequota shows quotas)"
        error = error.but(details=(f"RBAC allows it, and {refused}",), next_steps=(who,))
    elif permitted is None:
        error = error.but(details=(f"RBAC does not allow it, or {refused}",))
    return error.knowing(permitted=permitted)


def _error(operation: str, **told: Any) -> ServiceError:
    return ServiceError(f"kubernetes {operation}", service="kubernetes", operation=operation, **told)


def _words(error: BaseException) -> str:
    """What happened, without the texts of libraries: those name objects of Python."""
    if type(error).__module__.startswith("irsa_cli."):
        return str(error)
    causes = list(causes_of(error))
    said = (words for kind, words in _WORDS if any(isinstance(cause, kind) for cause in causes))
    what, why = next(said, f"the call failed ({type(error).__name__})"), why_of(error)
    return f"{what}: {why}" if why else what


def _answered(error: ApiException, operation: str) -> ServiceError:
    status = _status_body(error)
    code = redacted(str(status.get("reason") or error.reason or error.status))[:LONGEST_CODE]
    http = int(error.status or 0)
    server = http >= 500
    ends = http == 403 and _TERMINATING in _causes(status)
    headers = {str(key).lower(): value for key, value in (error.headers or {}).items()}
    # Every refusal of Kubernetes is a Status; a page in its place is a proxy's.
    foreign = status.get("kind") != "Status" and not server and http not in (401, 403, 404, 405, 429)
    reason, details = _reason(error, status), tuple[str, ...]()
    # Pods are tried only (`Kube.create_pod`), to learn whether a webhook can be called for one. For a write
    # such a failure is one that may pass.
    tried = operation == "create pods" and "failed calling webhook" in reason
    if http == 403:
        why = "the namespace is being deleted" if ends else f"missing RBAC permission: {operation}"
        details = (why,)
    return _error(
        operation,
        code="Unauthorized" if http == 401 else code,
        status=http,
        outcome=Outcome.UNKNOWN if server or foreign else Outcome.REFUSED,
        transient=(server and not tried)
        or http == 429
        or (code == CONFLICT and operation.startswith("create ")),
        retry_after=_retry_after(error),
        reason=reason,
        details=details,
        next_steps=("run again when it is gone: kubectl get namespaces shows it",)
        if ends
        else _advice(http, headers),
    )


def _reason(error: ApiException, status: dict[str, Any]) -> str:
    """The server's words: those of a Status, never a whole page."""
    text = str(status.get("message") or error.reason or f"HTTP {error.status}")
    if status.get("kind") != "Status":
        text = f"HTTP {error.status}, and no Status of Kubernetes with it: {text}"
    return redacted(text)


def _retry_after(error: ApiException) -> float | None:
    """Seconds until the server wants to be asked again, None where it does not say (RFC 9110, 10.2.3)."""
    text = str((error.headers or {}).get("Retry-After") or "").strip()
    return float(text) if text.isdecimal() and len(text) < 6 else None


def endless(operation: str) -> ServiceError:
    """The error for a list that goes on for ever."""
    return ServiceError(
        f"kubernetes {operation} can't be read to its end",
        code="EndlessList",
        service="kubernetes",
        operation=operation,
        reason="the answer names a page that was read already, or pages without objects",
    )


def _status_body(error: ApiException) -> dict[str, Any]:
    try:
        body = json.loads(error.body)
    except (TypeError, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _causes(status: dict[str, Any]) -> list[str]:
    """The machine's reasons that a refusal has beside its own.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """
    details = status.get("details")
    found = details.get("causes") if isinstance(details, dict) else None
    causes = found if isinstance(found, list) else []
    return [str(item.get("reason", "")) for item in causes if isinstance(item, dict)]


def _advice(status: int, headers: Mapping[str, Any]) -> tuple[str, ...]:
    if status == 401:
        return clock_advice(headers) or (
            "aws sts get-caller-identity  # tells whose credentials these are, and whether they have expired",
            "when they are right, the cluster does not know them: aws eks create-access-entry gives them an"
            " entry (and check this machine's clock)",
        )
    if status == 403:
        return ("to see the RBAC that irsa needs: irsa docs how-to/permissions",)
    return ()
