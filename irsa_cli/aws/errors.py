"""Calls of AWS and lists to their ends; what their failures mean.

Decisions depend on codes only, never on messages: those are quoted.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any, ParamSpec, TypeVar, cast

import botocore.exceptions
import botocore.parsers

from irsa_cli.aws.recent_writes import RecentWrites, recent_writes
from irsa_cli.aws.shapes import OddAnswer, check
from irsa_cli.core.values import limits, patience
from irsa_cli.core.values.attempts import (
    Overran,
    TooLarge,
    bounded,
    certificate_refused,
    validity_advice,
    was_unsent,
)
from irsa_cli.core.values.errors import DeadlineExceeded, FailedCall, Outcome, ServiceError
from irsa_cli.core.values.limits import clock_advice, retry_after
from irsa_cli.core.values.patience import current, note_unread, persist
from irsa_cli.core.values.shown import redacted

P = ParamSpec("P")
T = TypeVar("T")

_CODES = json.loads((files(__package__) / "codes.json").read_text(encoding="utf-8"))
"""AWS's codes by their meaning."""
ACCESS_DENIED = frozenset(_CODES["access denied"])
_EXPIRED = frozenset(_CODES["expired"])
_BAD_CREDENTIALS = frozenset(_CODES["bad credentials"])
THROTTLED = frozenset(_CODES["throttled"])
_PASSING = frozenset(_CODES["passing"])
"""Refusals that pass: another client's write, or a connection that failed."""
_CLOCK = frozenset(_CODES["clock"])
"""Codes that a wrong clock may cause."""
LONGEST_CODE = 100
"""Characters of an error's code; AWS's own are one word."""
# The parameters that name the object of a call, the most specific first.
_SUBJECTS = ("PolicyArn", "RoleName", "OpenIDConnectProviderArn", "RoleArn", "Url", "name")


_NOT_SENT = (
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.ConnectTimeoutError,
    botocore.exceptions.ProxyConnectionError,
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.ParamValidationError,
    botocore.exceptions.NoRegionError,
)


_NETWORK = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)


class ForeignAwsAnswer(Exception):
    """The answer is not from AWS but from a proxy, or from a portal that asks for a login: a page of HTML."""

    is_page = False


OVERRAN = "irsa-overran"
"""A client's event when irsa gives up an attempt: service, operation, seconds."""
ACCOUNT = "irsa-account"
"""A client's event that asks for the account of its session, if that is not the cluster's."""


def call(method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a boto3 method, again after failures that pass and old answers of IAM; raises `ServiceError`."""
    client = method.__self__  # type: ignore[attr-defined]
    operation = client.meta.method_to_api_mapping[method.__name__]
    service = client.meta.service_model.service_name
    subject = next((str(kwargs[key]) for key in _SUBJECTS if key in kwargs), "")
    writes = not operation.startswith(_READING)
    recent = recent_writes(client) if service == "iam" else None

    def ask() -> T:
        started = time.monotonic()
        try:
            answer = bounded(lambda: method(*args, **kwargs))
            check(client.meta.service_model.operation_model(operation), answer, kwargs)
        except Exception as error:
            if isinstance(error, Overran):
                client.meta.events.emit(
                    OVERRAN, service=service, operation=operation, seconds=time.monotonic() - started
                )
            _, account = client.meta.events.emit_until_response(ACCOUNT)
            raise translate(error, service, operation, subject, account or "") from error
        return answer

    if recent is None:
        return persist(ask, writes=writes)
    if writes:
        began = time.monotonic()
        return persist(lambda: _noted(ask, recent, operation, kwargs, began), writes=True)
    return _in_time(lambda: persist(ask, writes=False), recent, operation, kwargs)


_OF_PYTHON = re.compile(r"Command '\[.*?\]' | \(_ssl\.c:\d+\)|\[Errno -?\d+\] ")
_NEEDS_POLICY = ("AttachRolePolicy", "PutRolePermissionsBoundary")


def _noted(
    ask: Callable[[], T], recent: RecentWrites, operation: str, parameters: Mapping[str, Any], began: float
) -> T:
    """Write to IAM, and note the write. If IAM does not know a new object yet, the failure passes."""
    try:
        answer = ask()
    except ServiceError as error:
        policy = parameters.get("PolicyArn") or parameters.get("PermissionsBoundary")
        # Only the message says which of the two is missing.
        of_policy = operation in _NEEDS_POLICY and str(policy) in error.reason
        late = False
        if error.code == "EntityAlreadyExists":
            recent.exists(operation, parameters)
        elif error.code == "NoSuchEntity":
            late = not of_policy and recent.is_there(operation, parameters)
            if late:
                _tell_of_waiting(began)
            else:
                recent.gone(operation, parameters)
        elif error.outcome is not Outcome.NOT_SENT:
            recent.doubt(operation, parameters)  # A refusal may be untrue.
        raise error.knowing(transient=late or error.transient, is_of_policy=of_policy) from error
    recent.note(operation, parameters, cast("Mapping[str, Any]", answer))
    return answer


def _tell_of_waiting(began: float) -> None:
    patience.waiting("IAM to return what was written", time.monotonic() - began, limits.PROPAGATION_SECONDS)


def _in_time(ask: Callable[[], T], recent: RecentWrites, operation: str, parameters: Mapping[str, Any]) -> T:
    """Read from IAM until the answer is not older than the writes of this process."""
    mine = current()
    wait = limits.PROPAGATION_SECONDS / 120
    began = time.monotonic()
    while True:
        missing = None
        answer = None
        try:
            answer = ask()
        except ServiceError as error:
            if error.code != "NoSuchEntity":
                raise
            missing = error
        if not recent.is_late(operation, parameters, cast("Mapping[str, Any] | None", answer)):
            if missing is not None:
                raise missing
            return cast("T", answer)
        _tell_of_waiting(began)
        if mine.remaining <= wait:
            raise ServiceError(
                f"iam {operation} shows an older state",
                FailedCall("iam", operation, "NotShownYet", transient=True),
                reason="IAM does not show irsa's own changes yet",
                next_steps=("run this again in a minute",),
            )
        mine.pause(wait)
        wait = min(wait * 2, 2.0)


_READING = ("Get", "List", "Describe", "Lookup", "Simulate")


def check_origin(operation: str, status: int, body: bytes, parsed: Mapping[str, Any], *, xml: bool) -> None:
    """Raise `ForeignAwsAnswer` for an answer that is not from AWS.

    AWS's answers have a request id, and an answer in XML has the operation's name. (Simulators may omit the
    id of a JSON answer: then it must have a field of the operation.)
    https://docs.aws.amazon.com/IAM/latest/APIReference/CommonParameters.html
    """
    is_aws = bool((parsed.get("ResponseMetadata") or {}).get("RequestId"))
    if 200 <= status < 300 and xml:
        is_aws = is_aws and f"<{operation}Response".encode() in body[:1024]
    elif 200 <= status < 300:
        is_aws = is_aws or bool(parsed.keys() - {"ResponseMetadata"})
    else:
        code = str((parsed.get("Error") or {}).get("Code", ""))
        is_aws = is_aws or code not in ("", "Unknown", str(status))
    if not is_aws:
        foreign = ForeignAwsAnswer(f"HTTP {status} without AWS's request ID")
        foreign.is_page = 200 <= status < 300 and b"<html" in body[:1024].lower()
        raise foreign


def translate(
    error: Exception, service: str, operation: str, subject: str, account: str = ""
) -> ServiceError:
    """Return the error for a botocore exception; `account` is the session's, if not the cluster's."""
    title = f"{service} {operation} {subject}".rstrip()
    if account:
        title += f" (account {account})"
    if isinstance(error, botocore.exceptions.ClientError):
        answered = _answered(error, title, service, operation, subject)
        answered.account = account
        return answered
    unsent = isinstance(error, _NOT_SENT) or certificate_refused(error) or was_unsent(error)
    if isinstance(error, botocore.exceptions.BotoCoreError):
        transient = isinstance(error, _NETWORK)
        reason = redacted(_OF_PYTHON.sub("", str(error)))
    else:  # A garbled or truncated answer, or none. AWS may have executed the call.
        # EKS is asked first, before anything is written: a login page needs a person, not another try.
        page = service == "eks" and isinstance(error, ForeignAwsAnswer) and error.is_page
        transient = not page and not isinstance(error, TooLarge)
        reason = _unreadable(error)
    failed = FailedCall(
        service,
        operation,
        type(error).__name__,
        outcome=Outcome.NOT_SENT if unsent else Outcome.UNKNOWN,
        transient=transient,
        account=account,
    )
    return ServiceError(title, failed, reason=reason, next_steps=_advice_without_answer(error))


def _unreadable(error: Exception) -> str:
    if isinstance(error, Overran | TooLarge):
        return str(error)
    if isinstance(error, OddAnswer):
        return f"the answer differs from AWS's documentation: {error}"
    if isinstance(error, ForeignAwsAnswer):
        return f"the answer did not come from AWS ({'a web page' if error.is_page else error})"
    return f"the answer could not be read ({type(error).__name__})"


def _answered(
    error: botocore.exceptions.ClientError, title: str, service: str, operation: str, subject: str
) -> ServiceError:
    body = error.response.get("Error", {})
    code = redacted(str(body.get("Code") or "Unknown"))[:LONGEST_CODE]
    metadata = error.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    headers = metadata.get("HTTPHeaders") or {}
    # AWS refuses with a code. Without one, nobody knows who refused, or whether the call was executed.
    nameless = code in ("", "Unknown", str(status))
    server = status >= 500 or nameless
    throttled = code in THROTTLED or status == 429
    message = redacted(str(body.get("Message") or ""))
    if not nameless:
        reason = f"{code}: {message or 'no message'}"
    elif message:
        reason = f"HTTP {status} without an error from AWS: {message}"
    else:
        reason = f"HTTP {status} without an error from AWS"
    failed = FailedCall(
        service,
        operation,
        code,
        status,
        Outcome.UNKNOWN if server else Outcome.REFUSED,
        transient=server or throttled or code in _PASSING,
        retry_after=retry_after(headers),
    )
    if code not in ACCESS_DENIED or operation == "AssumeRoleWithWebIdentity":
        return ServiceError(title, failed, reason=reason, next_steps=_advice(code, headers))
    action = _ACTION.search(message)  # Another one than the call's: iam:PassRole.
    permission = action[1] if action else f"{service}:{operation}"
    if subject:
        permission += f" on {subject}"
    denial, policy = _denial(str(body.get("Message") or ""))
    step = f"ask who maintains that {policy}" if policy else _DENIED.get(operation, _DOCS)
    details = (f"{denial}: {permission}",)
    return ServiceError(title, failed, reason=reason, details=details, next_steps=(step,))


_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)", re.ASCII)
_DOCS = "irsa docs how-to/permissions  # the IAM permissions that irsa needs"
_DENIED = {"AssumeRole": "check that the role exists, and that its trust policy allows this caller"}
"""Advice for a missing permission, by operation."""
_LIMITS = (
    *("service control policy", "resource control policy", "permissions boundary", "session policy"),
    "VPC endpoint policy",
)


def _denial(message: str) -> tuple[str, str]:
    """Describe a denial, and name the policy that denies or limits, if AWS's words do.

    AWS has no code for this, so only the text of the error depends on it.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    words = message.lower()
    limit = next((limit for limit in _LIMITS if limit.lower() in words), "")
    if "explicit deny" in words:
        return f"explicitly denied by a {limit or 'policy'}", limit
    if limit and f"no {limit.lower()}" in words:
        return f"not allowed by the {limit}", limit
    return "missing permission", ""


def _advice(code: str, headers: Mapping[str, Any]) -> tuple[str, ...]:
    if code in _CLOCK:
        also = " and the secret access key (aws sts get-caller-identity)" if code in _BAD_CREDENTIALS else ""
        return clock_advice(headers) or (f"check this machine's clock{also}",)
    if code in _EXPIRED:
        return ("get new AWS credentials (aws sso login, or assume the role again), then run this again",)
    if code in _BAD_CREDENTIALS:
        return ("aws sts get-caller-identity  # whose credentials these are",)
    if code == "LimitExceeded":
        return (
            "delete unused roles or policies, or raise the quota: aws service-quotas list-service-quotas"
            " --service-code iam --region us-east-1",
        )
    if code in THROTTLED:
        return ("AWS throttles this account: run this again in a minute",)
    return ()


_WITHOUT_ANSWER: Mapping[str, str] = _CODES["without answer"]
"""The advice for a failure by the name of its class, or of one above it."""


def _advice_without_answer(error: Exception) -> tuple[str, ...]:
    if isinstance(error, botocore.exceptions.SSLError) and validity_advice(error):
        return validity_advice(error)
    ours = (botocore.exceptions.__name__, __name__)
    for kind in type(error).__mro__:
        if kind.__module__ in ours and kind.__name__ in _WITHOUT_ANSWER:
            return (_WITHOUT_ANSWER[kind.__name__],)
    return ()


MOST = 10_000
"""Pages of one list; an account has 5,000 roles at most, and a page one at least."""


def pages(method: Callable[..., Any], token: str, **parameters: Any) -> Iterator[Any]:
    """The answers of a call that lists; `token` is the field for the next page, in answers and requests.

    Raises `ServiceError` if the list does not end, `DeadlineExceeded` if time does first.
    """
    seen: set[str] = set()
    more: dict[str, Any] = {}
    while True:
        page = call(method, **parameters, **more)
        yield page
        marker = page.get(token)
        if page.get("IsTruncated") is False or not (marker or page.get("IsTruncated")):
            return
        if not marker:
            raise _endless(method.__name__, "the answer is truncated, but has no marker")
        if marker in seen:
            raise _endless(method.__name__, "the answer repeats the marker of an earlier page")
        if len(seen) >= MOST:
            raise _endless(method.__name__, "too many pages")
        if current().remaining <= 0:
            raise note_unread(DeadlineExceeded(f"{method.__name__} timed out"))
        seen.add(marker)
        more = {token: marker}


def listed(method: Callable[..., Any], token: str, field: str, **parameters: Any) -> Iterator[Any]:
    """The items in this field of all pages of a call, one after the other; raises as `pages` does."""
    for page in pages(method, token, **parameters):
        yield from page[field]


def _endless(operation: str, reason: str) -> ServiceError:
    failed = FailedCall("aws", operation, "EndlessList")
    return note_unread(ServiceError(f"can't read all pages of {operation}", failed, reason=reason))
