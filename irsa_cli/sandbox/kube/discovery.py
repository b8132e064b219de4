"""API discovery: which groups, versions and resources there are, in the old form and the aggregated one.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from typing import Any

from werkzeug.wrappers import Request, Response

from irsa_cli.sandbox.kube import wire
from irsa_cli.sandbox.kube.kinds import KINDS, PODS, SERVICE_ACCOUNTS, Kind
from irsa_cli.sandbox.kube.lists import wants
from irsa_cli.sandbox.kube.schema import JsonObject

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ["create", "delete", "get", "list", "patch"]
_REVIEWS = ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview")
_SUBRESOURCES = {
    PODS: ("status", "", "v1", "Pod", ["patch"]),
    SERVICE_ACCOUNTS: ("token", "authentication.k8s.io", "v1", "TokenRequest", ["create"]),
}
GROUPS = sorted({group for group, _ in KINDS} | {_REVIEWS[0]})


def answer_discovery(request: Request, path: str) -> Response | None:
    """The document at `path`; None when it is none of discovery."""
    parts = path.strip("/").split("/")
    if parts in (["api"], ["apis"]):
        groups = [group for group in GROUPS if bool(group) == (parts == ["apis"])]
        if wants(request, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"):
            return wire.json_response(_aggregated(groups), mimetype=AGGREGATED)
        return wire.json_response(_group_list(groups) if parts == ["apis"] else _VERSIONS)
    if parts == ["api", "v1"]:
        return wire.json_response(_resources(""))
    if len(parts) == 3 and parts[0] == "apis" and parts[1] in GROUPS and parts[2] == "v1":
        return wire.json_response(_resources(parts[1]))
    return None


_VERSIONS: JsonObject = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _group_list(groups: list[str]) -> JsonObject:
    listed = []
    for group in groups:
        version = {"groupVersion": f"{group}/v1", "version": "v1"}
        listed.append({"name": group, "versions": [version], "preferredVersion": version})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _kinds(group: str) -> list[Kind]:
    return [kind for (place, _), kind in sorted(KINDS.items()) if place == group]


def _verbs(kind: Kind) -> list[str]:
    return [*_VERBS, "update"] if kind.replaced else _VERBS


def _resources(group: str) -> JsonObject:
    resources: list[dict[str, Any]] = []
    for kind in _kinds(group):
        common = {"namespaced": kind.namespaced, "singularName": kind.singular}
        names = {"shortNames": list(kind.short_names)} if kind.short_names else {}
        resources.append({"name": kind.resource, **common, "kind": kind.kind, "verbs": _verbs(kind), **names})
        if kind in _SUBRESOURCES:
            name, _, _, of_kind, verbs = _SUBRESOURCES[kind]
            name = f"{kind.resource}/{name}"
            resources.append({"name": name, **common, "singularName": "", "kind": of_kind, "verbs": verbs})
    if group == _REVIEWS[0]:
        name, review = _REVIEWS[1:]
        resources.append(
            {"name": name, "singularName": "", "namespaced": False, "kind": review, "verbs": ["create"]}
        )
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/v1" if group else "v1",
        "resources": resources,
    }


def _aggregated(groups: list[str]) -> JsonObject:
    items = []
    for group in groups:
        version = {"version": "v1", "freshness": "Current", "resources": _aggregated_resources(group)}
        items.append({"metadata": {"name": group} if group else {}, "versions": [version]})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_resources(group: str) -> list[JsonObject]:
    resources = [_aggregated_resource(kind) for kind in _kinds(group)]
    if group == _REVIEWS[0]:
        name, review = _REVIEWS[1:]
        kind = {"group": group, "version": "v1", "kind": review}
        resources.append({"resource": name, "responseKind": kind, "scope": "Cluster", "verbs": ["create"]})
    return resources


def _aggregated_resource(kind: Kind) -> JsonObject:
    entry: JsonObject = {
        "resource": kind.resource,
        "responseKind": {"group": kind.group, "version": "v1", "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind in _SUBRESOURCES:
        name, group, version, of_kind, verbs = _SUBRESOURCES[kind]
        answered = {"group": group, "version": version, "kind": of_kind}
        entry["subresources"] = [{"subresource": name, "responseKind": answered, "verbs": verbs}]
    return entry
