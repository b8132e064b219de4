"""One attempt of a call with a time limit, and the reason for its failure.

A socket's time-out counts from the last byte, so an attempt has its own thread, which is abandoned when the
time is over and does not keep the process alive.
"""

from __future__ import annotations

import contextvars
import io
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TypeVar

from irsa_cli.core.values import limits
from irsa_cli.core.values.patience import current

T = TypeVar("T")

TIMES = 2.0
"""How many of its time-outs a call may take in all: 20 s with the default of 10 s."""
GRACE = 1.0
"""Seconds for an attempt that begins at the end of the time limit: what is answered at once is heard."""


class Overran(Exception):
    """An attempt was not over in its time: it was given up, and may be executed yet."""


class GivenUp(Exception):
    """The attempt is not waited for any more: what it has not sent yet must not be sent."""


class TooLarge(Exception):
    """An answer has more bytes than any that is asked for."""


_over: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("over", default=None)


class Unsent(Exception):
    """The cause of a failure before the first byte of a request's body was sent: nobody executed the request.

    The library's own exception does not tell: urllib3 raises `ReadTimeoutError` both for a TLS handshake that
    timed out (`HTTPConnectionPool._make_request`, from `_validate_conn`) and for an answer that did not come.
    But it reads the body only after the handshake, as it sends it (`HTTPConnection.request`).
    https://github.com/urllib3/urllib3/blob/2.5.0/src/urllib3/connectionpool.py
    """


class Sending(io.BytesIO):
    """A request's body that ends with its attempt: no abandoned request is sent, and executed, later."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._attempt = _over.get()
        self._is_unsent = bool(data)

    def read(self, size: int | None = -1) -> bytes:
        """See `io.BytesIO`; raises `GivenUp` when the attempt was."""
        if self._attempt is not None and self._attempt.is_set():
            raise GivenUp("the attempt was cancelled before it was sent")
        self._is_unsent = False
        return super().read(size)

    @contextmanager
    def delivery(self) -> Iterator[None]:
        """Send the request in the block: its failure is caused by `Unsent` if nothing of the body was sent.

        Of a request without a body this says nothing: it may be complete with its headers.
        """
        try:
            yield
        except Exception as error:
            if self._is_unsent:
                raise error from Unsent("the connection failed before the request was sent")
            raise


def limit() -> float:
    """Seconds that an attempt may take: it ends at most `GRACE` after the time of what it is for."""
    seconds = limits.call_seconds()
    return min(TIMES * seconds, max(current().remaining, min(seconds, GRACE)))


def bounded(work: Callable[[], T], seconds: float | None = None) -> T:
    """Do it within so many seconds, or the `limit`; raises `Overran`, or what it raises."""
    seconds = limit() if seconds is None else seconds
    started = time.monotonic()
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        done.set()

    over = threading.Event()
    context = contextvars.copy_context()
    context.run(_over.set, over)
    threading.Thread(target=context.run, args=(run,), daemon=True).start()
    if not done.wait(seconds):
        over.set()
        raise Overran(f"no complete answer within {time.monotonic() - started:.1f} s")
    if errors:
        raise errors[0]
    return results[0]


def body(chunks: Iterable[bytes], most: int) -> bytes:
    """An answer's body; raises `TooLarge` as soon as it has more than that many bytes."""
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) > most:
            raise TooLarge(f"the answer is larger than {most // 2**20} MiB")
    return bytes(found)


_INVALID_NOW = (9, 10)
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def certificate_refused(error: BaseException) -> bool:
    """Whether it was caused by our refusal of the server's certificate: then no request was sent.

    Other TLS failures may be those of the answer (RFC 8446, section 6).
    """
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes_of(error))


def was_unsent(error: BaseException) -> bool:
    """Whether the request of a failed call is known not to have been sent, whatever failed."""
    return any(isinstance(cause, Unsent) for cause in causes_of(error))


def why_of(error: BaseException) -> str:
    """The reason for a failure according to the operating system or TLS; '' if neither caused it."""
    for cause in causes_of(error):
        if isinstance(cause, ssl.SSLError):
            reason = str(getattr(cause, "reason", None) or "").lower().replace("_", " ")
            words = getattr(cause, "verify_message", "") or reason
        else:
            words = cause.strerror or str(*cause.args[:1]) if isinstance(cause, OSError) else ""
        if words:
            return str(words)
    return ""


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """An exception with all that it wraps, in the various ways of the libraries."""
    found = [error]
    seen = set[int]()
    while found:
        cause = found.pop()
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            wrapped = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
            found += [item for item in wrapped if isinstance(item, BaseException)]


def validity_advice(error: BaseException) -> tuple[str, ...]:
    """The remedy if a certificate was refused because of the time; else nothing."""
    codes = {
        getattr(cause, "verify_code", 0) for cause in causes_of(error) if isinstance(cause, ssl.SSLError)
    }
    if not codes.intersection(_INVALID_NOW):
        return ()
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return (f"check this machine's clock: the certificate is not valid at its time, {now}",)
