"""What a failure of TLS, or of a connection, tells of the request that it took away. None is made here."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime, timezone

_INVALID_NOW = (9, 10)
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def certificate_refused(error: BaseException) -> bool:
    """Whether it, or what is behind it, is our refusal of the server's certificate.

    That ends a handshake, so that no request was sent. Any other failure of TLS may be that of the answer to
    one: of a record that can't be read, or of a connection that was cut (RFC 8446, section 6).
    """
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes_of(error))


def why_of(error: BaseException) -> str:
    """What the operating system, or TLS, says is the reason of a failure; '' where neither is behind it."""
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
    found, seen = [error], set[int]()
    while found:
        cause = found.pop()
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            wrapped = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
            found += [item for item in wrapped if isinstance(item, BaseException)]


def validity_advice(error: BaseException) -> tuple[str, ...]:
    """What to do where a certificate was refused for the time; nothing where that was not the reason."""
    codes = {
        getattr(cause, "verify_code", 0) for cause in causes_of(error) if isinstance(cause, ssl.SSLError)
    }
    if not codes.intersection(_INVALID_NOW):
        return ()
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return (f"check this machine's clock: by it, it is {now}, when the certificate is not valid",)
