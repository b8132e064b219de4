"""Raw HTTP to a Kubernetes API: what is sent and what comes back, nothing hidden.

No code of irsa and no Kubernetes client library: tests of both APIs judge the wire.
"""

import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

Json = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is the JSON object in it, `text` what was not JSON."""

    status: int
    body: Json
    text: str


class KubeClient:
    """One user's view of one API server."""

    def __init__(self, endpoint: str, ca_pem: str, token: str | None) -> None:
        self.endpoint = endpoint
        self.ca_pem = ca_pem
        self.token = token
        self.headers: dict[str, str] = {}
        context = ssl.create_default_context(cadata=ca_pem)
        self._pool = urllib3.PoolManager(
            ssl_context=context, retries=False, timeout=urllib3.Timeout(connect=60, read=60)
        )

    def __enter__(self) -> "KubeClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        **query: str,
    ) -> Answer:
        """Send one request; `body` is JSON unless it is bytes already."""
        headers = {"Accept": accept, **self.headers}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = content_type
        url = self.endpoint + path + (f"?{urlencode(query)}" if query else "")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        response = self._pool.request(method, url, body=data, headers=headers)
        text = response.data.decode()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {}
        return Answer(response.status, parsed if isinstance(parsed, dict) else {}, text)

    def get(self, path: str, *, accept: str = "application/json", **query: str) -> Answer:
        """GET."""
        return self.request("GET", path, accept=accept, **query)

    def create(self, path: str, body: object, **query: str) -> Answer:
        """POST."""
        return self.request("POST", path, body, **query)

    def patch(self, path: str, body: object, *, content_type: str = MERGE_PATCH, **query: str) -> Answer:
        """PATCH, a JSON merge patch unless told otherwise."""
        return self.request("PATCH", path, body, content_type=content_type, **query)

    def delete(self, path: str, body: object = None, **query: str) -> Answer:
        """DELETE, with DeleteOptions if given."""
        return self.request("DELETE", path, body, **query)
