"""Calling a WSGI application in this process: moto's, and the Kubernetes API's."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from irsa_cli.sandbox.exchange import Incoming


def call(app: WSGIApplication, request: Incoming) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the application's answer. Raises what the application raises."""
    from werkzeug.test import run_wsgi_app

    chunks, status, headers = run_wsgi_app(app, _environ(request), buffered=True)
    return int(status.split()[0]), dict(headers.items()), b"".join(chunks)


def _environ(request: Incoming) -> dict[str, Any]:
    url = urlsplit(request.target)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    return {
        **headers,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path).encode().decode("latin-1"),
        "RAW_URI": url.path,
        "QUERY_STRING": url.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
