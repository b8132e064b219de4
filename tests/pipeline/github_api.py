"""GitHub's comments of issues, on 127.0.0.1: who comments as whom, what is refused, what was asked."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
LIMIT = 65_536


class GitHub:
    """The API, for a `with` block."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.statuses: list[int] = []
        """Answers to give first, in this order; the last one stays."""
        self.login = BOT
        api = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self._answer(api.get)

            def do_POST(self) -> None:
                self._answer(api.post)

            def do_PATCH(self) -> None:
                self._answer(api.patch)

            def _answer(self, work: Any) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.asked.append((self.command, self.path))
                assert self.headers["Authorization"] == "Bearer the-token"
                status, found = api.refused() or work(self.path, json.loads(body or b"{}"))
                data = json.dumps(found).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{api.url}/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def refused(self) -> tuple[int, Any] | None:
        """The answer that comes instead of one."""
        if not self.statuses:
            return None
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return (status, {"message": "no"}) if status != 200 else None

    def get(self, path: str, _body: Any) -> tuple[int, Any]:
        """List comments."""
        query = parse_qs(urlsplit(path).query)
        assert re.fullmatch(r"/repos/acme/shop/issues/7/comments", urlsplit(path).path)
        size, page = int(query["per_page"][0]), int(query["page"][0])
        return 200, self.comments[(page - 1) * size : page * size]

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Make a comment."""
        assert path == "/repos/acme/shop/issues/7/comments"
        return self._said(body) or (201, self.add(body["body"], self.login))

    def patch(self, path: str, body: Any) -> tuple[int, Any]:
        """Change a comment."""
        number = int(path.rpartition("/")[2])
        found = next(each for each in self.comments if each["id"] == number)
        refused = self._said(body)
        if refused is None:
            found["body"] = body["body"]
        return refused or (200, found)

    @staticmethod
    def _said(body: Any) -> tuple[int, Any] | None:
        return (422, {"message": "body is too long"}) if len(body["body"]) > LIMIT else None

    def add(self, body: str, login: str) -> dict[str, Any]:
        """A comment by somebody."""
        made = {"id": 1000 + len(self.comments), "body": body, "user": {"login": login}}
        self.comments.append(made)
        return made

    def __enter__(self) -> GitHub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
