"""A proxy in front of a real kube-apiserver, in which calls break as they do in the sandbox's own API."""

import ssl
from urllib.parse import urljoin

import urllib3

from irsa_cli.sandbox.exchange import Incoming
from irsa_cli.sandbox.kubefront import KubeFront
from irsa_cli.sandbox.model import Answer

_OF_ONE_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


class ProxyFront(KubeFront):
    """An endpoint of the sandbox's server that hands each call on. Labels and errors are Kubernetes'."""

    def __init__(self, endpoint: str, ca_pem: str) -> None:
        self._endpoint = endpoint
        self._pool = urllib3.PoolManager(
            ssl_context=ssl.create_default_context(cadata=ca_pem), retries=False, maxsize=16
        )

    def answer(self, request: Incoming) -> Answer:
        """The real server's answer."""
        answer = self._pool.request(
            request.method,
            urljoin(self._endpoint, request.target),
            body=request.body or None,
            headers={key: value for key, value in request.headers.items() if _passes(key) and value},
            decode_content=False,
            timeout=30.0,
        )
        headers = {key: value for key, value in answer.headers.items() if _passes(key)}
        code = str(answer.reason or answer.status) if answer.status >= 400 else ""
        return Answer(answer.status, answer.data, headers, code)


def _passes(header: str) -> bool:
    return header.lower() not in _OF_ONE_HOP
