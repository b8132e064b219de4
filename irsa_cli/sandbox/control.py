"""The control API under `/_sandbox/TOKEN/`: what `Sandbox` offers in Python, for processes outside. In JSON.

The token is new for each sandbox (`Sandbox.control_url`): other users of this machine, and pages in a
browser, don't know it. A request that comes from a page, or for another host, is refused all the same.

GET world?account=, calls, env?account=&region=&user= · POST faults, latency, lag, replicas, users, grants,
buckets, reset, settle · DELETE faults · POST token-review/<cluster> (the webhook of a real API server).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from irsa_cli.sandbox.exchange import Incoming
from irsa_cli.sandbox.model import Answer, Fault, Rule

PREFIX = "/_sandbox/"
HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Control:
    """Answers calls to the control API of one `Sandbox`."""

    def __init__(self, sandbox: Any, token: str) -> None:
        self._sandbox = sandbox
        self._prefix = f"{PREFIX}{token}/"
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "world"): lambda body: sandbox.world(**body),
            ("GET", "calls"): lambda _: [asdict(call) for call in sandbox.calls],
            ("GET", "env"): lambda body: sandbox.env(**body),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): lambda _: sandbox.faults.clear(),
            ("POST", "latency"): lambda body: setattr(sandbox, "latency", float(body["seconds"])),
            ("POST", "lag"): lambda body: setattr(sandbox, "lag", float(body["seconds"])),
            ("POST", "replicas"): lambda body: sandbox.replicate(**body),
            ("POST", "users"): lambda body: sandbox.add_user(body.pop("name"), **body),
            ("POST", "buckets"): lambda body: sandbox.add_bucket(body.pop("name"), **body),
            ("POST", "grants"): self._grant,
            ("POST", "reset"): lambda _: sandbox.reset(),
            ("POST", "settle"): lambda body: sandbox.settle(**body),
        }

    def __call__(self, request: Incoming) -> Answer:
        """The answer; 403 for strangers, 400 for what can't be understood, 404 for what isn't there."""
        url = urlsplit(request.target)
        host = request.headers.get("host", "").rpartition(":")[0]
        known = hmac.compare_digest(url.path[: len(self._prefix)].encode(), self._prefix.encode())
        if not known or host not in HOSTS or "origin" in request.headers:
            return Answer.of_json(
                {"error": "this needs the sandbox's control URL, and comes from no web page"}, 403
            )
        name = unquote(url.path.removeprefix(self._prefix))
        if name.startswith("token-review/") and request.method == "POST":
            cluster = name.removeprefix("token-review/")
            try:
                answer: Answer = self._sandbox.review_token(cluster, request.body)
                return answer
            except KeyError:
                return Answer.of_json({"error": f"no cluster {cluster}"}, 404)
        route = self._routes.get((request.method, name))
        if route is None:
            return Answer.of_json({"error": f"no {request.method} {name} here"}, 404)
        try:
            body = {**dict(parse_qsl(url.query)), **json.loads(request.body or b"{}")}
            return Answer.of_json(route(body))
        except (KeyError, TypeError, ValueError, TimeoutError) as error:
            return Answer.of_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _add_fault(self, body: dict[str, Any]) -> None:
        known = {field.name for field in fields(Fault)} - {"run"}
        if not set(body) <= known:
            raise ValueError(f"a fault has {sorted(known)}")
        self._sandbox.faults.add(Fault(**body))

    def _grant(self, body: dict[str, Any]) -> None:
        rules = [Rule(**rule) for rule in body.pop("rules", [])]
        self._sandbox.grant(body.pop("cluster"), body.pop("user"), rules=rules, **body)
