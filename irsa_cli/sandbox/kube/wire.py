"""HTTP in and out, whatever the resource: bodies, options and queries, and JSON answers."""

import json
from typing import Any

from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube import schema, status
from irsa_cli.sandbox.kube.kinds import REQUESTS, Kind
from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.store import Preconditions, Writing

BODY_LIMIT = 3 * 1024 * 1024
"""Bytes of a request body, as a real server's default."""

MERGE_PATCH = "application/merge-patch+json"


def json_response(body: JsonObject, code: int = 200, mimetype: str = "application/json") -> Response:
    return Response(json.dumps(body), status=code, mimetype=mimetype)


def no_such_path() -> Response:
    """404 in plain text: outside of all groups that are served."""
    return Response("404 page not found\n", status=404, mimetype="text/plain")


def read_bytes(request: Request) -> bytes:
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
    parsed = _parse(read_bytes(request), f"the object provided is unrecognized (must be of type {name})")
    try:
        known = {"metadata": {}, **schema.read(kind.schema, parsed)}
    except schema.WrongTypeError as error:
        message = f'{name} in version "v1" cannot be handled as a {name}: {error}'
        raise status.bad_request(message) from None
    found = known.get("apiVersion", kind.api_version), known.get("kind", name)
    if found != (kind.api_version, name):
        raise status.bad_request(f'{found[1]} in version "{found[0]}" cannot be handled as a {name}')
    return known


def read_patch(request: Request) -> JsonObject:
    """Read the merge patch in the body: 415 for other kinds of patches, 400 if unreadable."""
    if request.mimetype != MERGE_PATCH:
        # A real server also takes JSON patches, strategic merge patches and apply; the sandbox does not.
        raise status.ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return _parse(read_bytes(request), "error decoding patch: not a JSON object")


def read_writing(request: Request, verb: str) -> Writing:
    """The writer by the query, else by the User-Agent, and `dryRun`; 422 for any other value than `All`."""
    agent = request.headers.get("User-Agent", "").split("/")[0]
    manager = request.args.get("fieldManager") or agent or "unknown"
    return Writing(manager, _is_dry_run(request.args.getlist("dryRun"), f"{verb}Options"))


def _is_dry_run(values: list[str], options: str) -> bool:
    if set(values) - {"All"}:
        error = status.unsupported_value("dryRun", values, ["All"])
        raise status.invalid(options, "", [error], group="meta.k8s.io")
    return bool(values)


def read_delete_options(request: Request) -> tuple[Preconditions, bool]:
    """Preconditions and dry run of a delete: from the body if there is one, else from the query."""
    data = read_bytes(request)
    if not data:
        return Preconditions(), read_writing(request, "Delete").dry_run
    try:
        sent = _parse(data, "not a JSON object")
        options: dict[str, Any] = schema.read(REQUESTS["DeleteOptions"].schema, sent)
    except schema.WrongTypeError as error:
        raise status.bad_request(str(error)) from None
    wanted = options.get("preconditions", {})
    dry_run = _is_dry_run(options.get("dryRun", []), "DeleteOptions")
    grace = options.get("gracePeriodSeconds")
    return Preconditions(wanted.get("uid"), wanted.get("resourceVersion"), grace), dry_run


def deleted(kind: Kind, obj: JsonObject) -> JsonObject:
    """The answer to a DELETE of kinds whose deletion answers no object."""
    metadata = obj["metadata"]
    details = {"name": metadata["name"], "group": kind.group, "kind": kind.resource, "uid": metadata["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def typed_response(request: Request, body: JsonObject, mimetype: str) -> Response:
    """`body` as `mimetype`; 406 when the client says that it doesn't take that."""
    if request.headers.get("Accept") and not request.accept_mimetypes.best_match([mimetype]):
        message = f"406: Not Acceptable\n\nAvailable representations: {mimetype}"
        raise status.ApiError(406, "NotAcceptable", message, {})
    return json_response(body, mimetype=mimetype)


def check_named(obj: JsonObject, name: str) -> None:
    """400 when the body of an update names no object; `name` is that of the path."""
    if not obj["metadata"].get("name"):
        why = f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        raise status.bad_request(why)


def check_place(obj: JsonObject, namespace: str, name: str = "") -> None:
    """400 when the body names another object or namespace than the path."""
    found = obj["metadata"].get("name", name)
    if name and found != name:
        raise status.bad_request(
            f"the name of the object ({found}) does not match the name on the URL ({name})"
        )
    if namespace and obj["metadata"].get("namespace", namespace) != namespace:
        message = "the namespace of the provided object does not match the namespace sent on the request"
        raise status.bad_request(message)


def apply_patch(old: JsonObject, patch: JsonObject, kind: Kind) -> JsonObject:
    """`old` with a merge patch applied; 422 when the result is no such object any more."""
    merged = schema.merge(old, patch)
    try:
        new: JsonObject = {"metadata": {}, **schema.read(kind.schema, merged)}
        if new.get("kind") != kind.kind:
            raise schema.WrongTypeError(f"a {kind.kind} is wanted")
    except schema.WrongTypeError as error:
        why = status.invalid_value("patch", json.dumps(merged), str(error))
        raise status.invalid("", "", [why]) from None
    return new
