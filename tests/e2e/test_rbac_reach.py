"""All that the holder of each shipped RBAC reaches, and where: every verb on every resource of a real server.

Each request is made, not asked about, in the namespaces of the file, in one that it does not name, and in
Kubernetes' own. A file that is not in `REACH` may do nothing at all: whoever ships one says here what
it does.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.support import shipped_rbac
from tests.support.intruder import Attempt, Intruder, Stage, refused, successes
from tests.support.kubeclient import Json, KubeClient

KUBERNETES = ("default", "kube-system", "kube-node-lease", "kube-public")
COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
ITEM = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PART = {**ITEM, "POST": "create"}
VERBS = {*COLLECTION.values(), *ITEM.values()}
DRY = {"dryRun": "All"}
PERMISSIONS = "docs/how-to/permissions"
ACCEPTANCE = "irsa-acceptance-0a1b2c3d"
BINDINGS = "create delete get patch"
LOCKS = {"leases.coordination.k8s.io in irsa-system": "create delete get list update"}
WHO_IS_WHO = {
    "serviceaccounts everywhere": "list",
    "pods everywhere": "list",
    "clusterroles.rbac.authorization.k8s.io": "list",
    "clusterrolebindings.rbac.authorization.k8s.io": "list",
    "roles.rbac.authorization.k8s.io everywhere": "list",
    "rolebindings.rbac.authorization.k8s.io everywhere": "list",
    "configmaps/aws-auth in kube-system": "get",
}


def _in_use(where: str) -> dict[str, str]:
    """What delete-sa looks at."""
    kinds = {
        "pods": "",
        "replicationcontrollers": "",
        **dict.fromkeys(("daemonsets", "deployments", "replicasets", "statefulsets"), ".apps"),
        **dict.fromkeys(("cronjobs", "jobs"), ".batch"),
    }
    return {f"{kind}{group} {where}": "list" for kind, group in kinds.items()}


REACH = {
    f"{PERMISSIONS}/rbac.yaml": {
        "serviceaccounts everywhere": BINDINGS,
        "serviceaccounts/token in backend": "create",
        **_in_use("everywhere"),
        **LOCKS,
    },
    f"{PERMISSIONS}/rbac-namespaced.yaml": {
        "serviceaccounts in backend": BINDINGS,
        "serviceaccounts/token in backend": "create",
        **_in_use("in backend"),
        "leases.coordination.k8s.io in backend-locks": "create delete get list update",
    },
    f"{PERMISSIONS}/rbac-namespaces.yaml": {
        "namespaces": "create",
        "namespaces/backend": "delete get",
        "*": "list",
    },
    f"{PERMISSIONS}/chaining-rbac.yaml": {
        "configmaps in backend": "create",
        "configmaps/reports-aws in backend": "delete get patch",
    },
    f"{PERMISSIONS}/change-rbac.yaml": {
        "serviceaccounts everywhere": "get list patch",
        "serviceaccounts/token in backend": "create",
        **LOCKS,
    },
    f"{PERMISSIONS}/reading-rbac.yaml": {
        **WHO_IS_WHO,
        "serviceaccounts everywhere": "get list",
        "daemonsets.apps in kube-system": "list",
    },
    f"{PERMISSIONS}/in-pod-rbac.yaml": {
        "jobs.batch in backend": "create delete",
        "pods in backend": "list",
        "pods/log in backend": "get",
    },
    f"{PERMISSIONS}/audit-rbac.yaml": {**WHO_IS_WHO, "namespaces": "list"},
    f"{PERMISSIONS}/beside-terraform-rbac.yaml": {
        **WHO_IS_WHO,
        **_in_use("everywhere"),
        "serviceaccounts everywhere": "get list",
        "pods everywhere": "get list",
        "namespaces": "get list",
        "events everywhere": "list",
        "networkpolicies.networking.k8s.io everywhere": "list",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io": "list",
        "leases.coordination.k8s.io everywhere": "get list",
    },
    f"{PERMISSIONS}/acceptance-rbac.yaml": {
        "namespaces": "list",
        **dict.fromkeys((f"namespaces/{ACCEPTANCE}", f"namespaces/{ACCEPTANCE}-gone"), "delete get"),
        "serviceaccounts everywhere": "get list",
        f"serviceaccounts in {ACCEPTANCE}": "create delete patch",
        f"serviceaccounts in {ACCEPTANCE}-gone": "create delete patch",
        f"serviceaccounts/token in {ACCEPTANCE}": "create",
        **_in_use("everywhere"),
        f"leases.coordination.k8s.io in {ACCEPTANCE}": "create delete get list update",
    },
    "deploy/kustomize/rbac-apply/rbac.yaml": {
        "serviceaccounts everywhere": "create delete get list patch",
        "namespaces": "list",
        **LOCKS,
    },
    "deploy/kustomize/rbac-drift/rbac.yaml": {
        "serviceaccounts everywhere": "get list",
        "namespaces": "list",
    },
}
SHIPPED = sorted({*REACH, *shipped_rbac.with_rbac()})


@dataclass(frozen=True)
class Resource:
    """A resource of the API server, or a part of one (`pods/exec`)."""

    base: str
    name: str
    namespaced: bool

    @property
    def full_name(self) -> str:
        """With its group, as kubectl has it."""
        name, slash, part = self.name.partition("/")
        group = self.base.split("/")[2] if self.base.startswith("/apis/") else ""
        return f"{name}{'.' * bool(group)}{group}{slash}{part}"

    def attempts(self, place: str, name: str) -> Iterator[tuple[str, Attempt]]:
        """Each verb in a namespace (or none), for something of this name."""
        kind, _, part = self.name.partition("/")
        collection = f"{self.base}/namespaces/{place}/{kind}" if place else f"{self.base}/{kind}"
        if part:
            yield from _each(PART, f"{collection}/{name}/{part}")
            return
        yield from _each(COLLECTION, collection)
        yield from _each(ITEM, f"{collection}/{name}")


def _each(verbs: dict[str, str], path: str) -> Iterator[tuple[str, Attempt]]:
    for method, verb in verbs.items():
        body: Json | None = {} if method in ("POST", "PUT", "PATCH") else None
        yield verb, Attempt(method, path, body, query={} if method == "GET" else DRY)


def _resources(admin: KubeClient) -> list[Resource]:
    """Everything that the server has, but the questions about oneself that everybody may ask."""
    groups = admin.get("/apis").body["groups"]
    bases = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    return [
        Resource(base, item["name"], item["namespaced"])
        for base in bases
        for item in admin.get(base).body["resources"]
        if not item["name"].startswith("selfsubject")
    ]


def _names(file: str) -> list[str]:
    """`none`, and the names that the file limits a right to."""
    rules = [rule for _, rule in shipped_rbac.rules(shipped_rbac.objects(file))]
    return ["none", *sorted({name for rule in rules for name in rule.get("resourceNames", [])})]


def _reached(who: Intruder, names: Sequence[str]) -> dict[str, str]:
    """What is not refused, in the words of `REACH`."""
    documented = {test: name for name, test in who.places.items()}
    places = (*who.places.values(), who.other, *KUBERNETES)
    resources = _resources(who.plane.admin)
    found: dict[str, set[str]] = defaultdict(set)
    for resource in resources:
        general: dict[str, set[str]] = defaultdict(set)
        for name in names:
            asked = who.places.get(name, name) if resource.name == "namespaces" else name
            for place in places if resource.namespaced else ("",):
                for verb, attempt in resource.attempts(place, asked):
                    if refused(attempt.by(who.client)):
                        continue
                    if name == "none":
                        general[verb].add(place)
                    elif place not in general[verb]:
                        where = f" in {documented.get(place, place)}" if place else ""
                        found[f"{resource.full_name}/{name}{where}"].add(verb)
        for verb, allowed in general.items():
            for words in _places(allowed, places, documented):
                found[f"{resource.full_name}{words}"].add(verb)
    return _short(found, resources)


def _places(found: set[str], places: Sequence[str], documented: dict[str, str]) -> list[str]:
    if found == {""}:
        return [""]
    if found == set(places):
        return [" everywhere"]
    return [f" in {documented.get(place, place)}" for place in found]


def _short(found: dict[str, set[str]], resources: Sequence[Resource]) -> dict[str, str]:
    """A right to list everything is one line."""
    whole = [item for item in resources if "/" not in item.name]
    listed = [what for what, verbs in found.items() if "list" in verbs and " in " not in what]
    if len(listed) > len(whole) / 2:
        for what in listed:
            found[what].discard("list")
        found["*"].add("list")
    return {what: " ".join(sorted(verbs)) for what, verbs in found.items() if verbs}


@pytest.mark.parametrize("file", SHIPPED)
def test_its_holder_reaches_exactly_this(rbac_stage: Stage, file: str) -> None:
    assert _reached(rbac_stage.enter(file), _names(file)) == REACH.get(file, {})


def test_the_administrator_reaches_all(rbac_stage: Stage) -> None:
    # Else a refusal would say nothing: each request is one that the server takes.
    who = rbac_stage.enter(f"{PERMISSIONS}/chaining-rbac.yaml")
    tried = [
        attempt
        for resource in _resources(who.plane.admin)
        for _, attempt in resource.attempts(who.other if resource.namespaced else "", "none")
    ]
    assert len(tried) > 400
    assert len(successes(who.plane.admin, tried)) == len(tried)


@pytest.mark.parametrize("file", SHIPPED)
def test_no_rule_has_a_verb_that_is_not_tried(file: str) -> None:
    # Among them escalate, bind, impersonate, approve and *.
    objects = shipped_rbac.objects(file)
    assert any("rules" in item for item in objects), f"{file} speaks of RBAC that no test can read"
    for _, rule in shipped_rbac.rules(objects):
        assert set(rule["verbs"]) <= VERBS
        assert "nonResourceURLs" not in rule


@pytest.mark.parametrize("file", SHIPPED)
def test_leases_are_written_only_where_nobody_else_has_any(file: str) -> None:
    for place, rule in shipped_rbac.rules(shipped_rbac.objects(file)):
        if "leases" in rule["resources"] and not set(rule["verbs"]) <= {"get", "list"}:
            assert place in shipped_rbac.own_namespaces(), f"{file}: Leases of {place or 'all namespaces'}"


def test_no_file_takes_from_a_namespace_what_another_gives_it() -> None:
    # `kubectl apply` removes the labels that the file applied last did not have.
    for name, found in shipped_rbac.own_namespaces().items():
        assert all(item == found[0] for item in found), name


@pytest.mark.parametrize("file", SHIPPED)
def test_every_role_is_bound(file: str) -> None:
    objects = shipped_rbac.objects(file)
    roles = {(item["kind"], item["metadata"]["name"]) for item in objects if "rules" in item}
    bound = {(item["roleRef"]["kind"], item["roleRef"]["name"]) for item in objects if "roleRef" in item}
    assert roles == bound
