"""Reading and writing objects over HTTP: one method per verb.

Who asks, and whether they may, is settled before; the objects themselves are the store's business.
"""

from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube import status, wire
from irsa_cli.sandbox.kube.admission import Admission
from irsa_cli.sandbox.kube.discovery import GROUPS
from irsa_cli.sandbox.kube.lists import answer_list
from irsa_cli.sandbox.kube.objects.kinds import KINDS, PODS, Kind
from irsa_cli.sandbox.kube.objects.schema import JsonObject
from irsa_cli.sandbox.kube.objects.store import Store
from irsa_cli.sandbox.kube.route import Route


class Resources:
    """The HTTP face of a store."""

    def __init__(self, store: Store, admission: Admission) -> None:
        self._store = store
        self._admission = admission
        self._of_collection = {"list": self._list, "create": self._create}
        self._of_object = {"get": self._get, "patch": self._patch, "delete": self._delete}

    def answer(self, request: Request, route: Route) -> Response:
        """Do what `route` asks; 404 for what is not served, 405 for verbs that are not."""
        if route.group not in GROUPS:
            return wire.no_such_path()
        kind = KINDS.get((route.group, route.resource))
        if kind is None or (route.subresource and (kind, route.subresource) != (PODS, "status")):
            raise status.no_such_resource()
        handlers = self._of_object if route.name else self._of_collection
        handler = handlers.get(route.verb)
        everywhere = kind.namespaced and not route.namespace
        if handler is None or (everywhere and route.verb != "list"):
            raise status.method_not_allowed()
        if route.subresource and route.verb != "patch":
            raise status.method_not_allowed()
        return handler(request, route, kind)

    def _list(self, request: Request, route: Route, kind: Kind) -> Response:
        version, objects = self._store.list(kind, _place(kind, route))
        return wire.json_response(answer_list(request, kind, version, objects))

    def _get(self, _: Request, route: Route, kind: Kind) -> Response:
        return wire.json_response(self._store.get(kind, _place(kind, route), route.name))

    def _create(self, request: Request, route: Route, kind: Kind) -> Response:
        dry_run = wire.read_dry_run(request, "Create")
        obj = wire.read_body(request, kind.kind, kind.schema, kind.api_version)
        place = _place(kind, route)
        wire.check_place(obj, place)
        obj = self._admission.admit(kind, place, obj)
        return wire.json_response(self._store.create(kind, place, obj, dry_run=dry_run), 201)

    def _patch(self, request: Request, route: Route, kind: Kind) -> Response:
        patch = wire.read_patch(request)
        dry_run = wire.read_dry_run(request, "Patch")

        def change(old: JsonObject) -> JsonObject:
            new = wire.apply_patch(old, patch, kind.kind, kind.schema)
            wire.check_place(new, place, route.name)
            return new

        place = _place(kind, route)
        new = self._store.update(kind, place, route.name, change, part=route.subresource, dry_run=dry_run)
        return wire.json_response(new)

    def _delete(self, request: Request, route: Route, kind: Kind) -> Response:
        wanted, dry_run = wire.read_delete_options(request)
        gone = self._store.delete(kind, _place(kind, route), route.name, wanted, dry_run=dry_run)
        return wire.json_response(gone if kind.answers_deleted else wire.deleted(kind, gone))


def _place(kind: Kind, route: Route) -> str:
    return route.namespace if kind.namespaced else ""
