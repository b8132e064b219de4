"""The Kubernetes API of the sandbox, as a WSGI application: who asks, may they, and the answer.

It serves what irsa calls, and what somebody may put into a namespace to see what irsa does: the kinds in
`kinds`, tokens of ServiceAccounts, SelfSubjectAccessReview, API discovery, the issuer's documents and the
version. No watch, no server-side apply; PUT and managedFields of Leases only. A bare server differs
when `controllers` is on: see `store.Store`. The objects themselves are the store's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube import access, kinds, status, wire
from irsa_cli.sandbox.kube.access import TokenIssuer, request_token
from irsa_cli.sandbox.kube.admission import NO_WEBHOOK, Admission, Webhook
from irsa_cli.sandbox.kube.kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Kind
from irsa_cli.sandbox.kube.lists import GROUPS, answer_discovery, answer_list
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import Store
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
        self._authorizer.set_rules(username, rules)

    def put(self, manifests: Iterable[JsonObject]) -> None:
        """Create these objects; nobody is asked, and no webhook."""
        for body in manifests:
            self._store.create(kinds.BY_NAME[body["kind"]], body["metadata"].get("namespace", ""), body)

    def reset(self) -> None:
        self._authorizer.reset()
        self._store.reset()
        self._admission.install()

    def world(self) -> dict[str, Any]:
        """All namespaces, ServiceAccounts, and irsa's ConfigMaps, for tests to compare before and after."""
        namespaces = self._store.list(NAMESPACES)[1]
        accounts = self._store.list(SERVICE_ACCOUNTS)[1]
        config_maps = [
            obj
            for obj in self._store.list(CONFIG_MAPS)[1]
            if obj["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "irsa"
        ]
        return {
            "namespaces": {obj["metadata"]["name"]: _namespace_state(obj) for obj in namespaces},
            "serviceaccounts": {_full_name(obj): _account_state(obj) for obj in accounts},
            "configmaps": {_full_name(obj): _config_map_state(obj) for obj in config_maps},
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        request = Request(environ)
        try:
            response = self._answer(request)
        except status.ApiError as error:
            response = wire.json_response(error.body(), error.code)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        who = self._identify(request)
        route = access.parse_route(request.method, request.path)
        self._authorize(who, route)
        if not route.resource:
            return self._document(request, route)
        if (route.group, route.full_resource) == TOKENS:
            return self._token(request, route)
        if (route.group, route.full_resource) == access.SELF_REVIEWS:
            return self._access_review(request, route, who)
        return self._serve(request, route, who)

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
            return wire.json_response(VERSION)
        if route.path == "/.well-known/openid-configuration":
            return wire.json_response(self._tokens.discovery())
        if route.path == "/openid/v1/jwks":
            return wire.typed_response(request, self._tokens.jwks(), "application/jwk-set+json")
        found = answer_discovery(request, route.path)
        if found is not None:
            return found
        if route.path in ("/healthz", "/livez", "/readyz"):
            return Response("ok", mimetype="text/plain")
        return wire.no_such_path()

    def _token(self, request: Request, route: access.Route) -> Response:
        if route.verb != "create":
            raise status.method_not_allowed()
        wanted = wire.read_body(request, kinds.REQUESTS["TokenRequest"])
        self._store.require_namespace(route.namespace, route.resource, route.name)
        account = self._store.get(SERVICE_ACCOUNTS, route.namespace, route.name)
        answer = request_token(self._tokens, account, wanted, self._bound(route.namespace))
        return wire.json_response(answer, 201)

    def _bound(self, namespace: str) -> Callable[[str, str], JsonObject]:
        """How a token's bound object is found: by its kind and name, in the ServiceAccount's namespace."""

        def find(kind: str, name: str) -> JsonObject:
            if kind not in ("Pod", "Secret"):
                raise status.not_found(f"{kind.lower()}s", name)
            return self._store.get(kinds.BY_NAME[kind], namespace, name)

        return find

    def _access_review(self, request: Request, route: access.Route, who: Identity) -> Response:
        if route.verb != "create":
            raise status.method_not_allowed()
        asked = wire.read_body(request, kinds.REQUESTS["SelfSubjectAccessReview"])
        return wire.json_response(access.review_access(self._authorizer, who, asked), 201)

    def _serve(self, request: Request, route: access.Route, who: Identity) -> Response:
        """Do what `route` asks for `who`; 404 for what is not served, 405 for verbs that are not."""
        if route.group not in GROUPS:
            return wire.no_such_path()
        kind = kinds.KINDS.get((route.group, route.resource))
        if kind is kinds.PODS and (route.subresource, route.verb) == ("log", "get"):
            return self._log(request, route)
        if kind is None or (route.subresource and (kind.kind, route.subresource) != ("Pod", "status")):
            raise status.ApiError(404, "NotFound", "the server could not find the requested resource", {})
        if kind.replaced and route.name and route.verb == "update":
            create = replace(route, verb="create")
            return self._replace(request, route, kind, lambda: self._authorize(who, create))
        of_collection = {"list": self._list, "create": self._create}
        of_object = {"get": self._get, "patch": self._patch, "delete": self._delete}
        handler = (of_object if route.name else of_collection).get(route.verb)
        everywhere = kind.namespaced and not route.namespace
        if handler is None or (everywhere and route.verb != "list"):
            raise status.method_not_allowed()
        if route.subresource and route.verb != "patch":
            raise status.method_not_allowed()
        return handler(request, route, kind)

    def _list(self, request: Request, route: access.Route, kind: Kind) -> Response:
        version, objects = self._store.list(kind, _place(kind, route))
        return wire.json_response(answer_list(request, kind, version, objects))

    def _get(self, _: Request, route: access.Route, kind: Kind) -> Response:
        return wire.json_response(self._store.get(kind, _place(kind, route), route.name))

    def _log(self, request: Request, route: access.Route) -> Response:
        """The message with which a container ended: nothing runs here that could write a log."""
        pod = self._store.get(kinds.PODS, route.namespace, route.name)
        for item in pod["status"].get("containerStatuses", []):
            ended = item["state"].get("terminated")
            if ended is not None and item["name"] == request.args["container"]:
                text = ended.get("message", "").encode()[: int(request.args["limitBytes"])]
                return Response(text, mimetype="text/plain")
        raise status.bad_request(f"a container in pod {route.name} is waiting to start")

    def _create(self, request: Request, route: access.Route, kind: Kind) -> Response:
        by = wire.read_writing(request, "Create")
        obj = wire.read_body(request, kind)
        place = _place(kind, route)
        wire.check_place(obj, place)
        obj = self._admission.admit(kind, place, obj)
        return wire.json_response(self._store.create(kind, place, obj, by), 201)

    def _replace(
        self, request: Request, route: access.Route, kind: Kind, check: Callable[[], None]
    ) -> Response:
        by = wire.read_writing(request, "Update")
        obj = wire.read_body(request, kind)
        wire.check_named(obj, route.name)
        wire.check_place(obj, route.namespace, route.name)
        new, made = self._store.replace(kind, _place(kind, route), obj, check, by)
        return wire.json_response(new, 201 if made else 200)

    def _patch(self, request: Request, route: access.Route, kind: Kind) -> Response:
        patch = wire.read_patch(request)
        by = wire.read_writing(request, "Patch")

        def change(old: JsonObject) -> JsonObject:
            new = wire.apply_patch(old, patch, kind)
            wire.check_place(new, place, route.name)
            return new

        place = _place(kind, route)
        new = self._store.update(kind, place, route.name, change, by, route.subresource)
        return wire.json_response(new)

    def _delete(self, request: Request, route: access.Route, kind: Kind) -> Response:
        wanted, dry_run = wire.read_delete_options(request)
        gone = self._store.delete(kind, _place(kind, route), route.name, wanted, dry_run=dry_run)
        return wire.json_response(gone if kind.answers_deleted else wire.deleted(kind, gone))


def _full_name(obj: JsonObject) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"


def _namespace_state(obj: JsonObject) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {
        "labels": metadata.get("labels", {}),
        "annotations": metadata.get("annotations", {}),
        "phase": obj["status"]["phase"],
    }


def _config_map_state(obj: JsonObject) -> dict[str, Any]:
    return {"annotations": obj["metadata"].get("annotations", {}), "data": obj.get("data", {})}


def _account_state(obj: JsonObject) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {
        "uid": metadata["uid"],
        "labels": metadata.get("labels", {}),
        "annotations": metadata.get("annotations", {}),
        "secrets": obj.get("secrets", []),
        "imagePullSecrets": obj.get("imagePullSecrets", []),
        "automount": obj.get("automountServiceAccountToken"),
    }


def _place(kind: Kind, route: access.Route) -> str:
    return route.namespace if kind.namespaced else ""
