"""Reading and writing Namespaces and ServiceAccounts over HTTP: one method per verb.

Who asks, and whether they may, is settled before; the objects themselves are the store's business.
"""

from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube import status, wire
from irsa_cli.sandbox.kube.route import Route
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import KINDS, Kind, Store

_SERVED_GROUPS = ("", "authorization.k8s.io")


class Resources:
    """The HTTP face of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of_collection = {"list": self._list, "create": self._create}
        self._of_object = {"get": self._get, "patch": self._patch, "delete": self._delete}

    def answer(self, request: Request, route: Route) -> Response:
        """Do what `route` asks; 404 for what is not served, 405 for verbs that are not."""
        if route.group not in _SERVED_GROUPS:
            return wire.no_such_path()
        kind = None if route.group else KINDS.get(route.full_resource)
        if kind is None:
            raise status.no_such_resource()
        handlers = self._of_object if route.name else self._of_collection
        handler = handlers.get(route.verb)
        everywhere = kind.namespaced and not route.namespace
        if handler is None or (everywhere and route.verb != "list"):
            raise status.method_not_allowed()
        return handler(request, route, kind)

    def _list(self, request: Request, route: Route, kind: Kind) -> Response:
        wire.refuse_unserved_queries(request)
        version, items = self._store.list(kind, _place(kind, route))
        for item in items:
            # Items of a list don't repeat what the list says.
            del item["kind"], item["apiVersion"]
        body = {
            "kind": f"{kind.kind}List",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": version},
            "items": items,
        }
        return wire.json_response(body)

    def _get(self, _: Request, route: Route, kind: Kind) -> Response:
        return wire.json_response(self._store.get(kind, _place(kind, route), route.name))

    def _create(self, request: Request, route: Route, kind: Kind) -> Response:
        dry_run = wire.read_dry_run(request, "Create")
        obj = wire.read_body(request, kind.kind, kind.schema)
        place = _place(kind, route)
        wire.check_place(obj, place)
        return wire.json_response(self._store.create(kind, place, obj, dry_run=dry_run), 201)

    def _patch(self, request: Request, route: Route, kind: Kind) -> Response:
        patch = wire.read_patch(request)
        dry_run = wire.read_dry_run(request, "Patch")

        def change(old: JsonObject) -> JsonObject:
            new = wire.apply_patch(old, patch, kind.kind, kind.schema)
            wire.check_place(new, place, route.name)
            return new

        place = _place(kind, route)
        new = self._store.update(kind, place, route.name, change, dry_run=dry_run)
        return wire.json_response(new)

    def _delete(self, request: Request, route: Route, kind: Kind) -> Response:
        wanted, dry_run = wire.read_delete_options(request)
        gone = self._store.delete(kind, _place(kind, route), route.name, wanted, dry_run=dry_run)
        return wire.json_response(gone)


def _place(kind: Kind, route: Route) -> str:
    return route.namespace if kind.namespaced else ""
