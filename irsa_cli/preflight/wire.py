"""The requests of preflight: with the proxies and certificates of an SDK, and in time.

A request either has an answer or raises `Failed`, which explains in words why not.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Callable, Mapping, Tuple, TypeVar

from irsa_cli.preflight.files import NotRead, check_file

T = TypeVar("T")
Credentials = Tuple[str, str, str]
"""Access key, secret key and session token, '' for static keys. Never printed."""
MOST_BYTES = 1 << 16
"""The most bytes of an answer: credentials have some thousand."""


class Failed(Exception):
    """A call that failed: `what` was called, `why`, and the service's `code`, '' if nobody answered.

    `do`: how to reach it, in words; `passing`: the same call may succeed soon.
    """

    def __init__(self, what: str, why: str, code: str = "", do: str = "", *, passing: bool = False) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why
        self.code = code
        self.do = do
        self.passing = passing


class Wire:
    """How an SDK reaches services from this environment."""

    def __init__(self, env: Mapping[str, str], seconds: float, direct: tuple[str, ...]) -> None:
        """`seconds` is the time limit of each call; `direct`: the services asked without a proxy."""
        self.env = env
        self.seconds = seconds
        self.direct = direct

    def fetch(
        self, url: str, headers: Mapping[str, str], body: bytes | None = None, *, what: str, method: str = ""
    ) -> tuple[int, str]:
        """The status and the text of an answer; raises `Failed` if there is none."""
        address = parts_of(url)
        if address is None or address.scheme not in ("http", "https") or not address.hostname:
            raise Failed(what, "its URL has no host, or is not one of http or https")
        request = urllib.request.Request(url, body, dict(headers), method=method or None)  # noqa: S310
        imds = what == "IMDS"
        direct = what.startswith(self.direct) or urllib.request.proxy_bypass(address.hostname)
        proxy = "" if direct else urllib.request.getproxies().get(address.scheme, "")
        handlers = [urllib.request.ProxyHandler({address.scheme: proxy} if proxy else {}), _NoRedirect()]
        seconds = min(self.seconds, 1.0) if imds else self.seconds

        def send() -> tuple[int, str]:
            if address.scheme == "https":
                bundle = self.env.get("AWS_CA_BUNDLE") or None
                try:
                    if bundle:
                        check_file(bundle)
                    context = ssl.create_default_context(cafile=bundle)
                except (OSError, NotRead) as error:
                    reason = getattr(error, "strerror", "") or error
                    why = f"the file of AWS_CA_BUNDLE can't be used: {reason}"
                    do = "owner of the pod template: mount the certificates there"
                    raise Failed(what, why, do=do) from None
                handlers.append(urllib.request.HTTPSHandler(context=context))
            try:
                answer = urllib.request.build_opener(*handlers).open(request, timeout=seconds)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                return int(answer.code), answer.read(MOST_BYTES).decode("utf-8", "replace")

        try:
            return in_time(send, seconds)
        except (OSError, ValueError, http.client.HTTPException) as error:
            why, do = _reason(error, address.netloc.rpartition("@")[2], proxy)
            raise Failed(what, why, do=do, passing=True) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow no redirect: a token must not leave for another host."""


def in_time(call: Callable[[], T], seconds: float) -> T:
    """The result of `call`, in time even if DNS is slow or an answer arrives byte by byte.

    Raises `TimeoutError`, with the reason, if there is none.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(min(seconds, threading.TIMEOUT_MAX))
    if results:
        return results[0]
    raise errors[0] if errors else TimeoutError(f"no answer in {seconds:g} s")


def parts_of(url: str) -> urllib.parse.SplitResult | None:
    """The parts of a URL, None if it is none."""
    try:
        split = urllib.parse.urlsplit(url)
        _ = split.port  # Raises `ValueError` if it is not a number.
        return split
    except ValueError:
        return None


def _reason(error: Exception, host: str, proxy: str) -> tuple[str, str]:
    """Why a host was not reached, and who can change that."""
    inner = getattr(error, "reason", error)
    proxy_url = parts_of(proxy if "//" in proxy else f"//{proxy}")
    first = host
    through = ""
    allow = f"network team: allow {host} for this pod (NetworkPolicy, security groups, NAT or VPC endpoint)"
    if proxy:
        first = f"the proxy {proxy_url.hostname if proxy_url else '(not a URL)'}"
        through = f" (through {first})"
        allow = f"network team: allow {host} in the proxy, or add it to NO_PROXY"
    if isinstance(inner, ssl.SSLCertVerificationError):
        why = f"the certificate of {host} is not trusted{through}: {inner.verify_message}"
        return why, "owner of the pod template: mount the missing CA, and set AWS_CA_BUNDLE to its file"
    if isinstance(inner, socket.gaierror):
        why = f"the name of {first} can't be resolved (DNS)"
        return why, "cluster administrator: check CoreDNS, NetworkPolicies for port 53, and the region's name"
    if isinstance(inner, (socket.timeout, TimeoutError)):
        return f"no answer from {host} in time{through}", allow
    if isinstance(inner, ConnectionRefusedError):
        return f"{first} refuses connections", allow
    reason = getattr(inner, "strerror", None) or type(inner).__name__
    return f"{host} can't be reached{through}: {reason}", allow


def signature(credentials: Credentials, endpoint: str, region: str, body: bytes) -> dict[str, str]:
    """The headers that sign a POST to STS.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    key_id, secret, token = credentials
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": urllib.parse.urlsplit(endpoint).netloc, "x-amz-date": now}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{region}/sts/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for scope_part in (now[:8], region, "sts", "aws4_request", text):
        key = hmac.new(key, scope_part.encode(), hashlib.sha256).digest()
    del headers["host"]
    signed = f"Credential={key_id}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {signed}"}
