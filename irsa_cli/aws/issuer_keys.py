"""The public documents of a cluster's issuer, as STS fetches them: discovery, and the keys that it names.

Over HTTPS with the system's CAs (or AWS_CA_BUNDLE), through the proxy of HTTPS_PROXY. Tokens are checked
with the keys in `irsa_cli.core.trust.jwt`.
https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import urllib3

from irsa_cli import __version__
from irsa_cli.aws.session import CONNECT_SECONDS, WireCall, WireLog
from irsa_cli.core.values.errors import FailedCall, ServiceError, is_answered
from irsa_cli.core.values.limits import call_seconds
from irsa_cli.core.values.patience import note_unread
from irsa_cli.core.values.shown import redacted

DISCOVERY = "/.well-known/openid-configuration"
LARGEST = 256 * 1024
"""Bytes that a document may have; those of EKS have about 1,000."""


def fetch(issuer: str, log: WireLog) -> dict[str, Any]:
    """The JSON Web Key Set of the issuer; raises `ServiceError` (service `issuer`) without a valid one."""
    try:
        return _keys(issuer, log)
    except ServiceError as error:
        # The documents are public: a refusal or a wrong document is an answer, which STS also gets.
        if not is_answered(error):
            note_unread(error)
        raise


def _keys(issuer: str, log: WireLog) -> dict[str, Any]:
    pool = _pool(issuer)
    discovery = _get(pool, issuer.rstrip("/") + DISCOVERY, "discovery", log)
    if discovery.get("issuer") != issuer:
        raise _failed("discovery", f"its issuer is {discovery.get('issuer')}, not {issuer}")
    address = discovery.get("jwks_uri")
    if not isinstance(address, str) or urlsplit(address).scheme != "https":
        raise _failed("discovery", f"its jwks_uri is not an https URL: {address}")
    same_host = urlsplit(address).netloc == urlsplit(issuer).netloc
    keys = _get(pool if same_host else _pool(address), address, "keys", log)
    if not isinstance(keys.get("keys"), list):
        raise _failed("keys", "it is not a JSON Web Key Set")
    return keys


def _get(pool: urllib3.PoolManager, address: str, operation: str, log: WireLog) -> dict[str, Any]:
    started = time.monotonic()
    status = 0
    code = ""
    try:
        # A redirect is not followed: OpenID Connect knows none here.
        answer = pool.request("GET", address, redirect=False, preload_content=False)
        status = answer.status
        body = answer.read(LARGEST + 1, decode_content=True)
        answer.release_conn()
    except urllib3.exceptions.HTTPError as error:
        cause = getattr(error, "reason", None) or error
        code = type(cause).__name__
        words = str(cause).partition(">: ")[2] or str(cause)  # Without the address of the Python object.
        raise _failed(operation, f"{address}: {words}", code) from error
    finally:
        log(WireCall("issuer", operation, status, time.monotonic() - started, code))
    if status != 200:
        raise _failed(operation, f"{address} returns HTTP {status}", f"HTTP{status}", status)
    document = None
    with suppress(ValueError, RecursionError):
        document = json.loads(body) if len(body) <= LARGEST else None
    if not isinstance(document, dict):
        raise _failed(operation, f"{address} is not a JSON object")
    return document


def _pool(address: str) -> urllib3.PoolManager:
    """Connections to where the address is, through the proxy that the environment names for it."""
    settings: dict[str, Any] = {
        "headers": {"User-Agent": f"irsa/{__version__}"},
        "cert_reqs": "CERT_REQUIRED",
        # As for AWS: a proxy that opens connections has a CA of its own.
        "ca_certs": os.environ.get("AWS_CA_BUNDLE") or None,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=call_seconds()),
        # A host that does not answer costs its time-out once.
        "retries": urllib3.Retry(total=1, connect=0, backoff_factor=0.1),
    }
    proxy = urllib.request.getproxies().get("https")
    if proxy and not urllib.request.proxy_bypass(urlsplit(address).netloc):
        return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}", **settings)
    return urllib3.PoolManager(**settings)


def _failed(operation: str, reason: str, code: str = "BadDocument", status: int = 0) -> ServiceError:
    return ServiceError(
        f"issuer {operation}", FailedCall("issuer", operation, code, status=status), reason=redacted(reason)
    )
