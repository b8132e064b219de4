"""Which failure of an AWS call means what: refused, not sent, or unknown; and what to do about it.

Codes only, never messages: those are AWS's own words, and are passed on as they are.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import botocore.exceptions
import botocore.parsers

from irsa_cli.core.errors import Outcome, ServiceError
from irsa_cli.core.tls import certificate_refused
from irsa_cli.core.unanswered import give_up

P = ParamSpec("P")
T = TypeVar("T")

ACCESS_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_BAD_CREDENTIALS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
}
THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "ConcurrentModification",
}
# The parameters that name what a call is about, the most telling first.
_SUBJECTS = ("PolicyArn", "RoleName", "OpenIDConnectProviderArn", "RoleArn", "Url", "name")


class _LostAnswers(threading.local):
    """Whether an attempt of the call under way in this thread may have been executed unanswered.

    botocore retries by itself: that the last attempt was refused says nothing of the ones before.
    """

    lost = False
    started = 0.0

    def reset(self) -> None:
        self.lost = False

    def note(self, operation: str, status: int, exception: BaseException | None) -> None:
        silent = exception is not None and not _is_unsent(exception)
        if silent and not operation.startswith(("Get", "List")):
            give_up()
        if status >= 500 or silent:
            self.lost = True


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


def _is_unsent(error: BaseException) -> bool:
    return isinstance(error, _NOT_SENT) or certificate_refused(error)


_NETWORK = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)
lost_answers = _LostAnswers()


def call(method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a method of a boto3 client; raises `ServiceError` for everything that can go wrong."""
    client = method.__self__  # type: ignore[attr-defined]
    operation = client.meta.method_to_api_mapping[method.__name__]
    subject = next((str(kwargs[key]) for key in _SUBJECTS if key in kwargs), "")
    lost_answers.reset()
    try:
        return method(*args, **kwargs)
    except Exception as error:
        raise translate(error, client.meta.service_model.service_name, operation, subject) from error


def translate(error: Exception, service: str, operation: str, subject: str) -> ServiceError:
    """The error that the user and the transaction get for a botocore exception."""
    what = f"{service} {operation} {subject}".rstrip()
    if isinstance(error, botocore.exceptions.ClientError):
        return _answered(error, what, service, operation, subject)
    if isinstance(error, botocore.exceptions.BotoCoreError):
        return ServiceError(
            what,
            code=type(error).__name__,
            outcome=Outcome.NOT_SENT if _is_unsent(error) and not lost_answers.lost else Outcome.UNKNOWN,
            transient=isinstance(error, _NETWORK),
            reason=_without_secrets(str(error)),
            next_steps=_advice_without_answer(error),
            service=service,
            operation=operation,
        )
    # A garbled or truncated answer (ResponseParserError, a cut connection): it may have been executed.
    return ServiceError(
        what,
        code=type(error).__name__,
        outcome=Outcome.UNKNOWN,
        transient=True,
        reason=f"the answer could not be read ({type(error).__name__})",
        service=service,
        operation=operation,
    )


def _answered(
    error: botocore.exceptions.ClientError, what: str, service: str, operation: str, subject: str
) -> ServiceError:
    body = error.response.get("Error", {})
    code = str(body.get("Code", "Unknown"))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    server = status >= 500
    throttled = code in THROTTLED or status == 429
    details: tuple[str, ...] = ()
    if code in ACCESS_DENIED and operation != "AssumeRoleWithWebIdentity":
        details = (f"missing permission: {service}:{operation}" + (f" on {subject}" if subject else ""),)
    return ServiceError(
        what,
        code=code,
        service=service,
        operation=operation,
        status=status,
        outcome=Outcome.UNKNOWN if server or lost_answers.lost else Outcome.REFUSED,
        transient=server or throttled,
        reason=f"{code}: {_without_secrets(str(body.get('Message', ''))) or 'no message'}",
        details=details,
        next_steps=_advice(code),
    )


def _advice(code: str) -> tuple[str, ...]:
    if code in _EXPIRED:
        return ("get new AWS credentials (aws sso login, or assume the role again), then run this again",)
    if code in _BAD_CREDENTIALS:
        return ("check whose credentials these are: aws sts get-caller-identity",)
    if code in THROTTLED:
        return ("AWS is throttling this account: run this again in a minute",)
    return ()


def _advice_without_answer(error: Exception) -> tuple[str, ...]:
    names = botocore.exceptions
    if isinstance(
        error, names.NoCredentialsError | names.PartialCredentialsError | names.CredentialRetrievalError
    ):
        return ("give AWS credentials: a profile (--profile), AWS_ACCESS_KEY_ID, SSO or a web identity",)
    if isinstance(error, names.TokenRetrievalError | names.SSOError):
        return ("log in again: aws sso login",)
    if isinstance(error, names.SSLError):
        return ("if a proxy with its own CA is in the way, name the CA in AWS_CA_BUNDLE",)
    if isinstance(error, _NETWORK):
        return ("check the network, HTTPS_PROXY and NO_PROXY, then run this again",)
    return ()


def _without_secrets(text: str) -> str:
    """The text with signatures and session tokens of presigned URLs cut out."""
    return re.sub(r"(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s\"']+", r"\1…", text)


def is_denied(error: ServiceError) -> bool:
    """Whether the caller lacks the permission."""
    return error.code in ACCESS_DENIED
