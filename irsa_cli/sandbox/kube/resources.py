"""Reading and writing objects over HTTP: one method per verb.

Who asks, and whether they may, is settled before, but for what turns out to be another verb; the objects
themselves are the store's business.
"""

from collections.abc import Callable
from dataclasses import replace

from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube import status, wire
from irsa_cli.sandbox.kube.admission import Admission
from irsa_cli.sandbox.kube.authorizer import Authorizer, refusal
from irsa_cli.sandbox.kube.discovery import GROUPS
from irsa_cli.sandbox.kube.lists import answer_list
from irsa_cli.sandbox.kube.objects.kinds import KINDS, PODS, Kind
from irsa_cli.sandbox.kube.objects.schema import JsonObject
from irsa_cli.sandbox.kube.objects.store import Store
from irsa_cli.sandbox.kube.route import Route
from irsa_cli.sandbox.model import Identity


class Resources:
    """The HTTP face of a store."""

    def __init__(self, store: Store, admission: Admission, authorizer: Authorizer) -> None:
        self._store = store
        self._admission = admission
        self._authorizer = authorizer
        self._of_collection = {"list": self._list, "create": self._create}
        self._of_object = {"get": self._get, "patch": self._patch, "delete": self._delete}

    def answer(self, request: Request, route: Route, who: Identity) -> Response:
        """Do what `route` asks for `who`; 404 for what is not served, 405 for verbs that are not."""
        if route.group not in GROUPS:
            return wire.no_such_path()
        kind = KINDS.get((route.group, route.resource))
        if kind is None or (route.subresource and (kind, route.subresource) != (PODS, "status")):
            raise status.no_such_resource()
        if kind.replaced and route.name and route.verb == "update":
            return self._replace(request, route, kind, lambda: self._check_create(who, route))
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
        manager = wire.read_manager(request)
        made = self._store.create(kind, place, obj, dry_run=dry_run, manager=manager)
        return wire.json_response(made, 201)

    def _replace(self, request: Request, route: Route, kind: Kind, check: Callable[[], None]) -> Response:
        dry_run = wire.read_dry_run(request, "Update")
        obj = wire.read_body(request, kind.kind, kind.schema, kind.api_version)
        wire.check_named(obj, route.name)
        wire.check_place(obj, route.namespace, route.name)
        manager = wire.read_manager(request)
        new, made = self._store.replace(
            kind, _place(kind, route), obj, check, dry_run=dry_run, manager=manager
        )
        return wire.json_response(new, 201 if made else 200)

    def _check_create(self, who: Identity, route: Route) -> None:
        """403 unless `who` may create what they wanted to replace."""
        creation = replace(route, verb="create")
        if not self._authorizer.allows(who, creation):
            raise status.forbidden(route.resource, route.name, refusal(who, creation), group=route.group)

    def _patch(self, request: Request, route: Route, kind: Kind) -> Response:
        patch = wire.read_patch(request)
        dry_run = wire.read_dry_run(request, "Patch")

        def change(old: JsonObject) -> JsonObject:
            new = wire.apply_patch(old, patch, kind.kind, kind.schema)
            wire.check_place(new, place, route.name)
            return new

        place = _place(kind, route)
        part, manager = route.subresource, wire.read_manager(request)
        new = self._store.update(kind, place, route.name, change, part=part, dry_run=dry_run, manager=manager)
        return wire.json_response(new)

    def _delete(self, request: Request, route: Route, kind: Kind) -> Response:
        wanted, dry_run = wire.read_delete_options(request)
        gone = self._store.delete(kind, _place(kind, route), route.name, wanted, dry_run=dry_run)
        return wire.json_response(gone if kind.answers_deleted else wire.deleted(kind, gone))


def _place(kind: Kind, route: Route) -> str:
    return route.namespace if kind.namespaced else ""
