"""Connections to the cluster: from what EKS says (no kubeconfig needed), or from a kubeconfig.

What is said over a connection is in `irsa_cli.kube.client`.
"""

from __future__ import annotations

import io
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes.client
import urllib3

from irsa_cli.aws.cluster import EksCluster
from irsa_cli.core import attempts
from irsa_cli.core.errors import IrsaError, Refused
from irsa_cli.core.redaction import redacted

LARGEST = 128 * 2**20
"""Bytes that an answer may have; a page of 500 pods has some 10 MiB."""
TOKEN_LIFETIME = 600
"""Seconds after which a bearer token is made anew; EKS accepts one for 15 minutes."""


def from_eks(found: EksCluster, token: Callable[[], str]) -> Any:
    """A kubernetes ApiClient for an EKS cluster; `token` makes a bearer token.

    Raises `Refused` for an endpoint that is not to be trusted with it.
    """
    _check_endpoint(found)
    configuration = kubernetes.client.Configuration()
    configuration.host = found.endpoint
    configuration.verify_ssl = True
    _prepare(configuration)
    client = kubernetes.client.ApiClient(configuration)
    client.rest_client.pool_manager.connection_pool_kw["ca_cert_data"] = found.ca
    _bound(client)
    _refresh(configuration, token)
    return client


def _check_endpoint(found: EksCluster) -> None:
    """The token goes to where EKS says that the cluster is, over TLS that the cluster's CA vouches for."""
    parts = urlsplit(found.endpoint)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise Refused(
            f"cluster {found.cluster.name} has no endpoint to send a token to",
            reason=f"EKS names {redacted(found.endpoint) or 'none'}, and only https is safe",
        )
    if not found.ca_data:
        raise Refused(
            f"cluster {found.cluster.name} has no certificate authority",
            reason="EKS names none, and without it nobody can tell whose endpoint answers",
        )


def from_kubeconfig(path: str | None, context: str | None) -> Any:
    """A kubernetes ApiClient for a kubeconfig's (current or named) context."""
    import kubernetes.config

    try:
        client = kubernetes.config.new_client_from_config(config_file=path, context=context)
    except Exception as error:
        # The library's own loader meets wrong types with whatever comes of them.
        known = isinstance(error, (kubernetes.config.ConfigException, OSError))
        reason = str(error) if known else f"it is not what a kubeconfig is ({type(error).__name__})"
        raise IrsaError(
            f"the kubeconfig {path or '(default)'} can't be used", reason=redacted(reason), code="Kubeconfig"
        ) from error
    _prepare(client.configuration)
    client.rest_client = kubernetes.client.rest.RESTClientObject(client.configuration)
    _bound(client)
    return client


def _bound(client: Any) -> None:
    client.rest_client.pool_manager = Bounded(client.rest_client.pool_manager)


class Bounded:
    """Connections whose answers have at most `LARGEST` bytes, unpacked.

    The Kubernetes client itself reads an answer, and above all a refusal, to whatever end it has.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def request(self, method: str, url: str, **options: Any) -> urllib3.HTTPResponse:
        """A request; the answer's body is read here."""
        answer = self._pool.request(method, url, **{**options, "preload_content": False})
        try:
            found = attempts.body(answer.stream(64 * 1024, decode_content=True), LARGEST)
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        plain = {key: value for key, value in answer.headers.items() if key.lower() not in _FRAMING}
        return urllib3.HTTPResponse(
            body=io.BytesIO(found),
            headers=plain,
            status=answer.status,
            reason=answer.reason,
            preload_content=False,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


_FRAMING = ("content-encoding", "content-length", "transfer-encoding")


def _prepare(configuration: Any) -> None:
    """Proxies as everywhere (HTTPS_PROXY, NO_PROXY), and retries that our own code can judge."""
    proxies = urllib.request.getproxies()
    configuration.proxy = proxies.get("https")
    configuration.no_proxy = proxies.get("no")
    configuration.retries = urllib3.Retry(total=0, redirect=0, raise_on_status=False)
    configuration.connection_pool_maxsize = 8


def _refresh(configuration: Any, token: Callable[[], str]) -> None:
    lock = threading.Lock()
    made = {"at": float("-inf")}

    def refresh(target: Any) -> None:
        with lock:
            if time.monotonic() - made["at"] > TOKEN_LIFETIME:
                target.api_key = {"authorization": f"Bearer {token()}"}
                made["at"] = time.monotonic()

    configuration.refresh_api_key_hook = refresh
    refresh(configuration)


def kubeconfig_exists(path: str) -> bool:
    """Whether the file is there, asked before the first call."""
    return Path(path).expanduser().is_file()
