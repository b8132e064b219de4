"""The Kubernetes API of the sandbox, as a WSGI application: who asks, may they, and the answer.

It serves what irsa calls, and what somebody may put into a namespace to see what irsa does: the kinds in
`kinds`, tokens of ServiceAccounts, SelfSubjectAccessReview, API discovery, the issuer's documents and the
version. No watch, no server-side apply; managedFields of Leases only. A bare server differs when
`controllers` is on: see `store.Store`. The objects themselves are the store's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube import access, json_patch, kinds, schema, status
from irsa_cli.sandbox.kube.access import TokenIssuer, request_token
from irsa_cli.sandbox.kube.admission import NO_WEBHOOK, Admission, Webhook
from irsa_cli.sandbox.kube.kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Kind
from irsa_cli.sandbox.kube.lists import AGGREGATED, GROUPS, answer_discovery, answer_list
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import Preconditions, Store, Writing
from irsa_cli.sandbox.model import Identity, Rule, table

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOKENS = ("", "serviceaccounts/token")
VERSION: JsonObject = table("kubernetes version")


class KubeApi:
    """One cluster's API server.

    `issuer` is the URL that tokens name, `signing_key` (RSA) signs them, `authenticate` tells who a
    bearer token is (None: nobody). Safe to call from several threads.
    """

    def __init__(
        self,
        issuer: str,
        signing_key: RSAPrivateKey,
        authenticate: Callable[[str], Identity | None],
        *,
        controllers: bool = True,
        webhook: Webhook = NO_WEBHOOK,
    ) -> None:
        self._authenticate = authenticate
        self._authorizer = access.Authorizer()
        self._store = Store(controllers=controllers)
        self._admission = Admission(self._store, webhook)
        self._admission.install()
        self._tokens = TokenIssuer(issuer, signing_key)

    def jwks(self) -> JsonObject:
        return self._tokens.jwks()

    def set_rules(self, username: str, rules: Sequence[Rule]) -> None:
        """Set what `username` may do from now on; members of `system:masters` may do everything."""
        self._authorizer.rules[username] = tuple(rules)

    def put(self, manifests: Iterable[JsonObject]) -> None:
        """Create these objects; nobody is asked, and no webhook."""
        for body in manifests:
            self._store.create(kinds.BY_NAME[body["kind"]], body["metadata"].get("namespace", ""), body)

    def reset(self) -> None:
        self._authorizer.rules.clear()
        self._store.reset()
        self._admission.install()

    def world(self) -> dict[str, Any]:
        """All namespaces, ServiceAccounts, and irsa's ConfigMaps, for tests to compare before and after."""
        of_kinds = (NAMESPACES, SERVICE_ACCOUNTS, CONFIG_MAPS)
        namespaces, accounts, config_maps = (self._store.list(kind)[1] for kind in of_kinds)
        return {
            "namespaces": {
                obj["metadata"]["name"]: {**_marks(obj), "phase": obj["status"]["phase"]}
                for obj in namespaces
            },
            "serviceaccounts": {
                _full_name(obj): {
                    **_marks(obj),
                    "uid": obj["metadata"]["uid"],
                    "secrets": obj.get("secrets", []),
                    "imagePullSecrets": obj.get("imagePullSecrets", []),
                    "automount": obj.get("automountServiceAccountToken"),
                }
                for obj in accounts
            },
            "configmaps": {
                _full_name(obj): {"annotations": _marks(obj)["annotations"], "data": obj.get("data", {})}
                for obj in config_maps
                if _marks(obj)["labels"].get("app.kubernetes.io/managed-by") == "irsa"
            },
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        request = Request(environ)
        try:
            response = self._answer(request)
        except status.ApiError as error:
            response = json_response(error.body(), error.code)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        who = self._identify(request)
        route = access.parse_route(request.method, request.path)
        self._authorize(who, route)
        if not route.resource:
            return self._document(request, route)
        resource = (route.group, route.full_resource)
        if resource not in (TOKENS, access.SELF_REVIEWS):
            return self._serve(request, route, who)
        if route.verb != "create":
            raise status.method_not_allowed()
        if resource == TOKENS:
            return json_response(self._token(request, route), 201)
        review = read_body(request, kinds.REQUESTS["SelfSubjectAccessReview"])
        return json_response(access.review_access(self._authorizer, who, review), 201)

    def _authorize(self, who: Identity, route: access.Route) -> None:
        if not self._authorizer.allows(who, route):
            raise status.forbidden(route.resource, route.name, access.refusal(who, route), group=route.group)

    def _identify(self, request: Request) -> Identity:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return access.ANONYMOUS
        who = self._authenticate(token.strip())
        if who is None:
            raise status.ApiError(401, "Unauthorized", "Unauthorized")
        return Identity(who.username, (*who.groups, "system:authenticated"), who.arn)

    def _document(self, request: Request, route: access.Route) -> Response:
        if route.path.rstrip("/") == "/version":
            return json_response(VERSION)
        if route.path == "/.well-known/openid-configuration":
            return json_response(access.discovery_of(self._tokens.issuer))
        if route.path == "/openid/v1/jwks":
            mimetype = "application/jwk-set+json"
            if request.headers.get("Accept") and not request.accept_mimetypes.best_match([mimetype]):
                message = f"406: Not Acceptable\n\nAvailable representations: {mimetype}"
                raise status.ApiError(406, "NotAcceptable", message, {})
            return json_response(self._tokens.jwks(), mimetype=mimetype)
        if route.path.strip("/") in ("api", "apis"):
            return json_response(answer_discovery(request, route.path.strip("/")), mimetype=AGGREGATED)
        if route.path in ("/healthz", "/livez", "/readyz"):
            return Response("ok", mimetype="text/plain")
        return _no_such_path()

    def _token(self, request: Request, route: access.Route) -> JsonObject:
        def find(kind: str, name: str) -> JsonObject:
            if kind not in ("Pod", "Secret"):
                raise status.not_found(f"{kind.lower()}s", name)
            return self._store.get(kinds.BY_NAME[kind], route.namespace, name)

        token_request = read_body(request, kinds.REQUESTS["TokenRequest"])
        self._store.require_namespace(route.namespace, route.resource, route.name)
        account = self._store.get(SERVICE_ACCOUNTS, route.namespace, route.name)
        return request_token(self._tokens, account, token_request, find)

    def _serve(self, request: Request, route: access.Route, who: Identity) -> Response:
        """Do what `route` asks for `who`; 404 for what is not served, 405 for verbs that are not."""
        if route.group not in GROUPS:
            return _no_such_path()
        kind = kinds.KINDS.get((route.group, route.resource))
        if kind is kinds.PODS and (route.subresource, route.verb) == ("log", "get"):
            return self._log(request, route)
        if kind is None or (route.subresource and (kind.kind, route.subresource) != ("Pod", "status")):
            raise status.ApiError(404, "NotFound", "the server could not find the requested resource", {})
        if route.name and route.verb == "update" and not route.subresource and _is_one_place(kind, route):
            create = replace(route, verb="create")
            return self._replace(request, route, kind, lambda: self._authorize(who, create))
        handler = self._handler(route, kind)
        if handler is None:
            raise status.method_not_allowed()
        return handler(request, route, kind)

    def _handler(
        self, route: access.Route, kind: Kind
    ) -> Callable[[Request, access.Route, Kind], Response] | None:
        """The handler of this verb for an object or a collection; None if there is none."""
        elsewhere = not _is_one_place(kind, route) and route.verb != "list"
        if elsewhere or (route.subresource and route.verb != "patch"):
            return None
        if route.name:
            return {"get": self._get, "patch": self._patch, "delete": self._delete}.get(route.verb)
        return {"list": self._list, "create": self._create}.get(route.verb)

    def _list(self, request: Request, route: access.Route, kind: Kind) -> Response:
        version, objects = self._store.list(kind, _place(kind, route))
        return json_response(answer_list(request, kind, version, objects))

    def _get(self, _: Request, route: access.Route, kind: Kind) -> Response:
        return json_response(self._store.get(kind, _place(kind, route), route.name))

    def _log(self, request: Request, route: access.Route) -> Response:
        """The message with which a container ended: nothing runs here that could write a log."""
        pod = self._store.get(kinds.PODS, route.namespace, route.name)
        for container in pod["status"].get("containerStatuses", []):
            ended = container["state"].get("terminated")
            if ended is not None and container["name"] == request.args["container"]:
                text = ended.get("message", "").encode()[: int(request.args["limitBytes"])]
                return Response(text, mimetype="text/plain")
        raise status.bad_request(f"a container in pod {route.name} is waiting to start")

    def _create(self, request: Request, route: access.Route, kind: Kind) -> Response:
        by = read_writing(request, "Create")
        obj = read_body(request, kind)
        place = _place(kind, route)
        check_place(obj, place)
        obj = self._admission.admit(kind, place, obj)
        return json_response(self._store.create(kind, place, obj, by), 201)

    def _replace(
        self, request: Request, route: access.Route, kind: Kind, check: Callable[[], None]
    ) -> Response:
        by = read_writing(request, "Update")
        obj = read_body(request, kind)
        if not obj["metadata"].get("name"):
            why = f"the name of the object ({route.name} based on URL) was undeterminable"
            raise status.bad_request(f"{why}: name must be provided")
        check_place(obj, route.namespace, route.name)
        new, is_new = self._store.replace(kind, _place(kind, route), obj, check, by)
        return json_response(new, 201 if is_new else 200)

    def _patch(self, request: Request, route: access.Route, kind: Kind) -> Response:
        """Apply a patch; 415 for kinds that are not served, 422 if the result is no such object."""
        readers = {MERGE_PATCH: _merge_of, JSON_PATCH: json_patch.reader}
        if kind.kind in _MERGED_BY_KEYS:
            readers[STRATEGIC_PATCH] = _strategic_merge_of
        if request.mimetype not in readers:
            # A real server also takes apply, and strategic merge patches of all kinds.
            raise status.ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        applied = readers[request.mimetype](_read_bytes(request))
        by = read_writing(request, "Patch")
        place = _place(kind, route)

        def change(old: JsonObject) -> JsonObject:
            changed: Any = None
            try:
                changed = applied(old)
                new: JsonObject = {"metadata": {}, **schema.read(kind.schema, changed)}
                if new.get("kind") != kind.kind:
                    raise schema.WrongTypeError(f"a {kind.kind} is wanted")
            except schema.WrongTypeError as error:
                why = status.invalid_value("patch", json.dumps(changed), str(error))
                raise status.invalid("", "", [why]) from None
            check_place(new, place, route.name)
            return new

        new = self._store.update(kind, place, route.name, change, by, route.subresource)
        return json_response(new)

    def _delete(self, request: Request, route: access.Route, kind: Kind) -> Response:
        preconditions, dry_run = read_delete_options(request)
        gone = self._store.delete(kind, _place(kind, route), route.name, preconditions, dry_run=dry_run)
        if kind.answers_deleted:
            return json_response(gone)
        metadata = gone["metadata"]
        details = {
            "name": metadata["name"],
            "group": kind.group,
            "kind": kind.resource,
            "uid": metadata["uid"],
        }
        answer = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return json_response({**answer, "details": {key: value for key, value in details.items() if value}})


def _full_name(obj: JsonObject) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"


def _marks(obj: JsonObject) -> dict[str, dict[str, str]]:
    return {field: obj["metadata"].get(field, {}) for field in ("labels", "annotations")}


def _place(kind: Kind, route: access.Route) -> str:
    return route.namespace if kind.namespaced else ""


BODY_LIMIT = 3 * 1024 * 1024
"""Bytes of a request body, as a real server's default."""

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_MERGED_BY_KEYS = ("Namespace", "ServiceAccount", "ConfigMap", "Secret")
"""Kinds all of whose lists `schema` knows how to merge."""


def _merge_of(data: bytes) -> Callable[[JsonObject], Any]:
    patch = _parse(data, "error decoding patch: not a JSON object")
    return lambda old: schema.merge(old, patch)


def _strategic_merge_of(data: bytes) -> Callable[[JsonObject], Any]:
    patch = _parse(data, "error decoding patch: not a JSON object")
    return lambda old: schema.merge(old, patch, by_keys=True)


def _is_one_place(kind: Kind, route: access.Route) -> bool:
    """Whether the path of an object names the namespace that its kind lives in."""
    return bool(route.namespace) or not kind.namespaced


def json_response(body: JsonObject, code: int = 200, mimetype: str = "application/json") -> Response:
    return Response(json.dumps(body), status=code, mimetype=mimetype)


def _no_such_path() -> Response:
    """404 in plain text: outside of all groups that are served."""
    return Response("404 page not found\n", status=404, mimetype="text/plain")


def _read_bytes(request: Request) -> bytes:
    """Read the body; 413 when it is too large."""
    data = request.get_data(cache=False)
    if len(data) > BODY_LIMIT:
        message = f"Request entity too large: limit is {BODY_LIMIT}"
        raise status.ApiError(413, "RequestEntityTooLarge", message)
    return data


def _parse(data: bytes, complaint: str) -> dict[str, Any]:
    try:
        parsed = json.loads(data)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise status.bad_request(complaint)
    return parsed


def read_body(request: Request, kind: Kind) -> JsonObject:
    """Read the object of a create: 415 if not JSON by its type, 400 if unreadable or of another kind."""
    name = kind.kind
    if request.mimetype not in ("", "application/json"):
        why = "the body of the request was in an unknown format - accepted media types include"
        raise status.ApiError(415, "UnsupportedMediaType", f"{why}: application/json")
    parsed = _parse(_read_bytes(request), f"the object provided is unrecognized (must be of type {name})")
    try:
        known = {"metadata": {}, **schema.read(kind.schema, parsed)}
    except schema.WrongTypeError as error:
        message = f'{name} in version "v1" cannot be handled as a {name}: {error}'
        raise status.bad_request(message) from None
    typed = known.get("apiVersion", kind.api_version), known.get("kind", name)
    if typed != (kind.api_version, name):
        raise status.bad_request(f'{typed[1]} in version "{typed[0]}" cannot be handled as a {name}')
    return known


def read_writing(request: Request, verb: str) -> Writing:
    """The writer by the query, else by the User-Agent, and `dryRun`; 422 for any other value than `All`."""
    agent = request.headers.get("User-Agent", "").split("/")[0]
    manager = request.args.get("fieldManager") or agent or "unknown"
    return Writing(manager, _is_dry_run(request.args.getlist("dryRun"), f"{verb}Options"))


def _is_dry_run(values: list[str], options: str) -> bool:
    if set(values) - {"All"}:
        sent = json.dumps(values, separators=(",", ":"))
        text = f'Unsupported value: {sent}: supported values: "All"'
        error = status.FieldError("dryRun", "FieldValueNotSupported", text)
        raise status.invalid(options, "", [error], group="meta.k8s.io")
    return bool(values)


def read_delete_options(request: Request) -> tuple[Preconditions, bool]:
    """Preconditions and dry run of a delete: from the body if there is one, else from the query."""
    data = _read_bytes(request)
    if not data:
        return Preconditions(), read_writing(request, "Delete").dry_run
    try:
        sent = _parse(data, "not a JSON object")
        options: dict[str, Any] = schema.read(kinds.REQUESTS["DeleteOptions"].schema, sent)
    except schema.WrongTypeError as error:
        raise status.bad_request(str(error)) from None
    preconditions = options.get("preconditions", {})
    dry_run = _is_dry_run(options.get("dryRun", []), "DeleteOptions")
    grace = options.get("gracePeriodSeconds")
    return Preconditions(preconditions.get("uid"), preconditions.get("resourceVersion"), grace), dry_run


def check_place(obj: JsonObject, namespace: str, name: str = "") -> None:
    """400 when the body names another object or namespace than the path."""
    own_name = obj["metadata"].get("name", name)
    if name and own_name != name:
        raise status.bad_request(
            f"the name of the object ({own_name}) does not match the name on the URL ({name})"
        )
    if namespace and obj["metadata"].get("namespace", namespace) != namespace:
        message = "the namespace of the provided object does not match the namespace sent on the request"
        raise status.bad_request(message)
