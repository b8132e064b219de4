"""Connections to the cluster: from what EKS says (no kubeconfig needed), or from a kubeconfig.

What is said over a connection is in `irsa_cli.kube.client`.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes.client
import urllib3

from irsa_cli.aws.cluster import EksCluster
from irsa_cli.core.errors import IrsaError

RETRIES = 3
TOKEN_LIFETIME = 600
"""Seconds after which a bearer token is made anew; EKS accepts one for 15 minutes."""


def from_eks(found: EksCluster, token: Callable[[], str]) -> Any:
    """A kubernetes ApiClient for an EKS cluster; `token` makes a bearer token."""
    configuration = kubernetes.client.Configuration()
    configuration.host = found.endpoint
    configuration.verify_ssl = True
    _prepare(configuration)
    client = kubernetes.client.ApiClient(configuration)
    client.rest_client.pool_manager.connection_pool_kw["ca_cert_data"] = found.ca
    _refresh(configuration, token)
    return client


def from_kubeconfig(path: str | None, context: str | None) -> Any:
    """A kubernetes ApiClient for a kubeconfig's (current or named) context."""
    import kubernetes.config

    try:
        client = kubernetes.config.new_client_from_config(config_file=path, context=context)
    except (kubernetes.config.ConfigException, OSError) as error:
        raise IrsaError(
            f"the kubeconfig {path or '(default)'} can't be used", reason=str(error), code="Kubeconfig"
        ) from error
    _prepare(client.configuration)
    client.rest_client = kubernetes.client.rest.RESTClientObject(client.configuration)
    return client


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
