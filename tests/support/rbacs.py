"""RBAC as a cluster has it, made by chance: Kubernetes' JSON, and who asks for what."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.rbac.evaluation import KubeRequest, Requester, account_requester
from irsa_cli.core.rbac.objects import RBAC_GROUP, RbacObjects, rbac_objects

Json = dict[str, Any]
VERBS = ("create", "get", "patch", "update", "impersonate", "bind", "*")
GROUPS = ("", "apps", "batch", RBAC_GROUP, "*")
RESOURCES = (
    "pods",
    "pods/exec",
    "pods/*",
    "*/exec",
    "*/token",
    "serviceaccounts",
    "serviceaccounts/token",
    "deployments",
    "deployments/scale",
    "jobs",
    "roles",
    "users",
    "*",
)
ASKED_VERBS = VERBS[:-1]
ASKED_GROUPS = GROUPS[:-1]
ASKED_RESOURCES = tuple(item for item in RESOURCES if "*" not in item)
NAMES = ("app", "web")


@dataclass
class Rbac:
    """The objects of a cluster by their kinds; `places` are its namespaces."""

    places: Sequence[str]
    users: Sequence[str]
    groups: Sequence[str]
    lists: dict[str, list[Json]] = field(default_factory=dict)

    @property
    def objects(self) -> RbacObjects:
        """The same as values."""
        return rbac_objects(self.lists)


def some_rbac(chance: random.Random, places: Sequence[str], mark: str = "x") -> Rbac:
    """Roles and bindings by chance; all names that are cluster-wide have `mark` in them."""
    users = [f"{mark}-u{number}" for number in range(3)]
    users.append(f"system:serviceaccount:{places[0]}:app")
    groups = [f"{mark}-g{number}" for number in range(2)]
    groups += [f"system:serviceaccounts:{places[-1]}"]
    found = Rbac(places, users, groups)
    roles = [("Role", place, f"r{number}") for place in places for number in range(2)]
    roles += [("ClusterRole", "", f"{mark}-c{number}") for number in range(3)]
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        found.lists[kind] = []
    for kind, place, name in roles:
        found.lists[kind].append(
            {**_head(kind, place, name), "rules": [_rule(chance) for _ in range(chance.randint(0, 2))]}
        )
    refs = [(kind, name) for kind, _, name in roles] + [("ClusterRole", f"{mark}-gone"), ("Role", "gone")]
    for number in range(chance.randint(1, 4)):
        kind, name = chance.choice([item for item in refs if item[0] == "ClusterRole"])
        found.lists["ClusterRoleBinding"].append(
            _binding("ClusterRoleBinding", "", f"{mark}-b{number}", kind, name, _subjects(chance, found))
        )
    for place in places:
        for number in range(chance.randint(0, 3)):
            kind, name = chance.choice(refs)
            body = _binding("RoleBinding", place, f"b{number}", kind, name, _subjects(chance, found))
            found.lists["RoleBinding"].append(body)
    return found


def _head(kind: str, place: str, name: str) -> Json:
    metadata = {"name": name, **({"namespace": place} if place else {})}
    return {"apiVersion": f"{RBAC_GROUP}/v1", "kind": kind, "metadata": metadata}


def _some(chance: random.Random, values: Sequence[str]) -> list[str]:
    return chance.sample(list(values), chance.randint(1, 3))


def _rule(chance: random.Random) -> Json:
    names = {"resourceNames": [chance.choice(NAMES)]} if chance.random() < 0.25 else {}
    return {
        "verbs": _some(chance, VERBS),
        "apiGroups": _some(chance, GROUPS),
        "resources": _some(chance, RESOURCES),
        **names,
    }


def _subjects(chance: random.Random, rbac: Rbac) -> list[Json]:
    found: list[Json] = []
    for _ in range(chance.randint(1, 2)):
        kind = chance.choice(("User", "Group", "ServiceAccount"))
        if kind == "ServiceAccount":
            name, place = chance.choice(NAMES), chance.choice(rbac.places)
            found.append({"kind": kind, "name": name, "namespace": place})
        else:
            name = chance.choice(rbac.users if kind == "User" else rbac.groups)
            found.append({"kind": kind, "apiGroup": RBAC_GROUP, "name": name})
    return found


def _binding(kind: str, place: str, name: str, role_kind: str, role: str, subjects: list[Json]) -> Json:
    ref = {"apiGroup": RBAC_GROUP, "kind": role_kind, "name": role}
    return {**_head(kind, place, name), "roleRef": ref, "subjects": subjects}


def some_requests(chance: random.Random, rbac: Rbac, count: int) -> Iterator[tuple[Requester, KubeRequest]]:
    """Who asks for what, by chance."""
    who = [Requester(name, (chance.choice(rbac.groups),)) for name in rbac.users if ":" not in name]
    who += [account_requester(place, name) for place in rbac.places for name in NAMES]
    for _ in range(count):
        yield (
            chance.choice(who),
            KubeRequest(
                chance.choice(ASKED_VERBS),
                chance.choice(ASKED_GROUPS),
                chance.choice(ASKED_RESOURCES),
                chance.choice([*rbac.places, ""]),
                chance.choice([*NAMES, ""]),
            ),
        )


def allows(lists: dict[str, list[Json]], who: Requester, request: KubeRequest) -> bool:
    """The answer of RBAC by its objects, asked in the plainest way: all bindings, all rules."""
    for binding in [*lists["ClusterRoleBinding"], *lists["RoleBinding"]]:
        place = binding["metadata"].get("namespace", "")
        if place not in ("", request.namespace) or not _is_named(binding, place, who):
            continue
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        for role in lists[kind]:
            where = role["metadata"].get("namespace", "")
            here = role["metadata"]["name"] == name and (kind == "ClusterRole" or where == place)
            if here and any(_allows(rule, request) for rule in role["rules"]):
                return True
    return False


def _is_named(binding: Json, place: str, who: Requester) -> bool:
    for subject in binding["subjects"]:
        name = subject["name"]
        if subject["kind"] == "User" and name == who.user:
            return True
        if subject["kind"] == "Group" and name in who.groups:
            return True
        if subject["kind"] == "ServiceAccount":
            space = subject.get("namespace") or place
            if who.user == f"system:serviceaccount:{space}:{name}":
                return True
    return False


def _allows(rule: Json, request: KubeRequest) -> bool:
    resource, slash, sub = request.resource.partition("/")
    known = {"*", request.resource, *([f"*/{sub}"] if slash else [])}
    return (
        bool({"*", request.verb} & {*rule["verbs"]})
        and bool({"*", request.group} & {*rule["apiGroups"]})
        and bool(known & {*rule["resources"]})
        and request.name in rule.get("resourceNames", [request.name])
        and bool(resource)
    )
