"""Connections to the cluster: from DescribeCluster (no kubeconfig needed), or from a kubeconfig."""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3

from irsa_cli import __version__
from irsa_cli.aws.cluster import EksCluster
from irsa_cli.core.values import attempts
from irsa_cli.core.values.attempts import Overran
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.core.values.patience import current, tell
from irsa_cli.core.values.shown import GONE, redacted
from irsa_cli.kube.errors import HttpRefusal

T = TypeVar("T")

LARGEST = 128 * 2**20
"""Bytes that an answer may have; a page of 500 pods has some 10 MiB."""
LARGEST_CONFIG = 16 * 2**20
LOADING_SECONDS = 600.0
CONNECTIONS = 8
"""Calls to one cluster at the same time without waiting for a connection."""
TOKEN_LIFETIME = 600
"""Seconds until a bearer token is renewed; EKS accepts one for 15 minutes."""


@dataclass(frozen=True)
class ApiServer:
    """An API server: its URL, the connections to it, and the header that authorizes a request ('' for none).

    Thread-safe. The Kubernetes client is not needed for it: its import takes longer than a run of irsa.
    """

    host: str
    pool: Bounded
    authorization: Callable[[], str] = lambda: ""

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: str | None, timeout: urllib3.Timeout
    ) -> urllib3.BaseHTTPResponse:
        """The answer to one request; raises `HttpRefusal`, and what urllib3 raises."""
        sent = {**headers, "User-Agent": f"irsa/{__version__}"}
        header = self.authorization()
        if header:
            sent["authorization"] = header
        answer = self.pool.request(method, self.host + path, headers=sent, body=body, timeout=timeout)
        if 200 <= answer.status < 300:
            return answer
        text = answer.data.decode("utf-8", "replace")
        raise HttpRefusal(answer.status, answer.reason or "", text, answer.headers)


def from_eks(eks: EksCluster, token: Callable[[], str]) -> ApiServer:
    """The API server of an EKS cluster, by bearer tokens; raises `Refused` if that is not safe.

    The token goes to where EKS says that the cluster is, over TLS that the cluster's CA vouches for.
    """
    url = urlsplit(eks.endpoint)
    if url.scheme != "https" or not url.hostname or url.username is not None:
        raise Refused(
            f"cluster {eks.cluster.name} has no https endpoint",
            reason=f"EKS returned {redacted(eks.endpoint) or 'none'}; irsa sends tokens over https only",
            rests_on=(),
        )
    if not eks.ca_data:
        raise Refused(
            f"cluster {eks.cluster.name} has no certificate authority",
            reason="EKS returned none, and irsa can't verify the endpoint without it",
            rests_on=(),
        )
    lock = threading.Lock()
    made_at = float("-inf")
    header = ""

    def authorization() -> str:
        nonlocal made_at, header
        with lock:
            if time.monotonic() - made_at > TOKEN_LIFETIME:
                header = f"Bearer {token()}"
                made_at = time.monotonic()
        return header

    authorization()
    return ApiServer(eks.endpoint, Bounded(_pool(eks.endpoint, eks.ca)), authorization)


def _pool(url: str, ca: str) -> urllib3.PoolManager:
    """Connections to a server of that CA (PEM), by the proxy that the environment has for it."""
    options: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "retries": _once(),
        "cert_reqs": "CERT_REQUIRED",
        "ca_cert_data": ca,
    }
    proxy = urllib.request.getproxies().get("https")
    if proxy and not urllib.request.proxy_bypass(urlsplit(url).netloc):
        return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}", **options)
    return urllib3.PoolManager(**options)


def _once() -> urllib3.Retry:
    """No retries but those that irsa decides on."""
    return urllib3.Retry(total=0, redirect=0, raise_on_status=False)


def from_kubeconfig(path: str | None, context: str | None) -> ApiServer:
    """The API server of a kubeconfig's (current or named) context; raises `IrsaError`."""
    import kubernetes.client
    import kubernetes.config
    import yaml

    try:
        default = os.environ.get("KUBECONFIG") or kubernetes.config.KUBE_CONFIG_DEFAULT_LOCATION
        for file in (path or default).split(os.pathsep):
            _check_file(file)
        configuration = kubernetes.client.Configuration()
        _listened(
            lambda: kubernetes.config.load_kube_config(path, context, client_configuration=configuration)
        )
        _check_server(configuration)
    except Exception as error:
        # The library's own loader meets wrong types with whatever comes of them.
        known = (kubernetes.config.ConfigException, OSError, Overran, _Odd, yaml.YAMLError)
        reason = "it is not a kubeconfig"
        if isinstance(error, IrsaError):
            reason = str(error)
        elif isinstance(error, known):
            reason = _words(error, path)
        raise IrsaError(
            f"the kubeconfig {path or '(default)'} can't be used",
            reason=redacted(reason),
            next_steps=getattr(error, "next_steps", ()) or _STEPS.get(reason.partition(" '")[0], ()),
            code="Kubeconfig",
        ) from error
    proxies = urllib.request.getproxies()
    configuration.proxy = proxies.get("https")
    configuration.no_proxy = proxies.get("no")
    configuration.retries = _once()
    configuration.connection_pool_maxsize = CONNECTIONS
    pool = kubernetes.client.rest.RESTClientObject(configuration).pool_manager

    def authorization() -> str:
        return configuration.auth_settings().get("BearerToken", {}).get("value") or ""

    return ApiServer(configuration.host, Bounded(pool), authorization)


_NONE = "the file does not exist, or is empty"
_NO_CONTEXT = "it has no context"
_STEPS = {
    _NONE: ("name one that exists (--kubeconfig), or none at all: for EKS irsa needs no kubeconfig",),
    _NO_CONTEXT: ("correct --context, or current-context in the kubeconfig",),
}


def _words(error: Exception, path: str | None) -> str:
    """Why it can't be used; the library's own words may have a whole user entry in them."""
    import kubernetes.config
    import yaml

    text = str(error)
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        return f"line {mark.line + 1} is not YAML" if mark else "it is not YAML"
    if "No configuration found" in text:
        return _NONE
    missing = re.search(r"Expected object with name (.*) in .*/contexts list", text)
    if missing:
        with suppress(Exception):
            contexts, _ = kubernetes.config.list_kube_config_contexts(path)
            names = ", ".join(str(context["name"]) for context in contexts)
            if names:
                return f"{_NO_CONTEXT} '{missing[1]}' (contexts: {names})"
        return f"{_NO_CONTEXT} '{missing[1]}'"
    return re.sub(r"[{\[].*", GONE, text, flags=re.DOTALL).removeprefix("Invalid kube-config file. ")


class _Odd(Exception):
    """A setting of a kubeconfig that irsa can't follow."""


def _check_file(name: str) -> None:
    """Raise `_Odd` for what has no end, or none that anybody waits for; what is not there is skipped."""
    try:
        status = Path(name).expanduser().stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise _Odd(f"{name} is not a file")
    if status.st_size > LARGEST_CONFIG:
        raise _Odd(f"{name} is larger than {LARGEST_CONFIG // 2**20} MiB")


def _listened(load: Callable[[], T]) -> T:
    """Load with the library, which logs failures; a credential command may take the run's time."""
    # Instead of the standard error stream: the texts are those of others.
    heard = BufferingHandler(sys.maxsize)
    heard.setLevel(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(heard)
    try:
        loaded = attempts.bounded(load, min(max(current().remaining, 1.0), LOADING_SECONDS))
    finally:
        root.removeHandler(heard)
    if not heard.buffer:
        return loaded
    words = heard.buffer[0].getMessage()
    reason = re.sub(r"\[Errno \d+\] ", "", words).removeprefix("exec: ")
    reason = re.sub(r"No such file or directory: (.*)", r"\1 is not installed", reason)
    if "decode process output" in words:
        reason = "its output is not JSON"
    if "'NoneType' object has no attribute 'strip'" in words:  # On a terminal the library keeps none of it.
        reason = "it failed; its own message is above"
    step = "kubectl config view --minify  # shows the plugin's command: run it by itself"
    if reason.endswith("is not installed"):
        step = "install it, or omit --kubeconfig: for EKS irsa needs no kubeconfig"
    raise IrsaError(
        "its credential plugin (exec) failed",
        reason=redacted(reason),
        next_steps=(step,),
        code="Kubeconfig",
    )


def _check_server(configuration: Any) -> None:
    """The target of the requests, and their security: credentials never without TLS, as in kubectl.

    https://github.com/kubernetes/client-go/blob/master/tools/clientcmd/client_config.go (ClientConfig)
    """
    url = urlsplit(configuration.host if isinstance(configuration.host, str) else "")
    if url.scheme not in ("http", "https") or not url.hostname:
        raise _Odd("its server is not an http or https URL")
    if url.scheme == "http":
        configuration.api_key = {}
        configuration.username = configuration.password = ""
        configuration.refresh_api_key_hook = None
        return
    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        tell("insecure-skip-tls-verify in the kubeconfig: credentials go to a server that is not verified")
    renew = configuration.refresh_api_key_hook
    if renew is not None:
        configuration.refresh_api_key_hook = lambda target: _listened(lambda: renew(target))


class Bounded:
    """Connections whose unpacked answers have at most `LARGEST` bytes; urllib3 has no limit."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def request(self, method: str, url: str, **options: Any) -> urllib3.HTTPResponse:
        """A request; the answer's body is read here."""
        text = options.get("body")
        body = attempts.Sending((text or "").encode())
        if text is not None:
            # Or a body that is read as it is sent would go in chunks.
            headers = {**(options.get("headers") or {}), "Content-Length": str(len(body.getvalue()))}
            options = {**options, "body": body, "headers": headers}
        with body.delivery():
            answer = self._pool.request(method, url, **{**options, "preload_content": False})
        try:
            content = attempts.body(answer.stream(64 * 1024, decode_content=True), LARGEST)
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        plain = {key: value for key, value in answer.headers.items() if key.lower() not in _FRAMING}
        return urllib3.HTTPResponse(
            body=io.BytesIO(content),
            headers=plain,
            status=answer.status,
            reason=answer.reason,
            preload_content=False,
        )


_FRAMING = ("content-encoding", "content-length", "transfer-encoding")
