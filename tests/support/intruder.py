"""Somebody who has the RBAC of one shipped file, and no more, on a real API server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from irsa_cli.sandbox import Sandbox
from tests.docs import staging
from tests.support import shipped_rbac
from tests.support.controlplane import ControlPlane
from tests.support.eks import bearer
from tests.support.kubeclient import Answer, Json, KubeClient

RBAC = f"/apis/{shipped_rbac.GROUP}/v1"
_PATHS = {kind: f"{kind.lower()}s" for kind in shipped_rbac.KINDS}
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass(frozen=True)
class Attempt:
    """One request."""

    method: str
    path: str
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {dict(self.headers) or ''}".strip()

    def by(self, client: KubeClient) -> Answer:
        """Make it."""
        kind = "application/merge-patch+json" if self.method == "PATCH" else "application/json"
        client.headers = dict(self.headers)
        return client.request(self.method, self.path, self.body, content_type=kind, **self.query)


@dataclass
class Intruder:
    """The holder of the file's rights; `victim` is somebody's powerful ServiceAccount of kube-system.

    `places` has the test's namespace for each that the file names; `other` is one that it does not.
    """

    plane: ControlPlane
    client: KubeClient
    group: str
    places: Mapping[str, str]
    other: str
    victim: str


class Stage:
    """Lets somebody in, and takes all of it away again."""

    def __init__(self, plane: ControlPlane, sandbox: Sandbox, mark: str) -> None:
        self._plane, self._sandbox, self._mark = plane, sandbox, mark
        self._made: list[str] = []

    def enter(self, *files: str, without: Sequence[str] = (), missing: Sequence[str] = ()) -> Intruder:
        """Who has the rights of these files.

        Without the roles whose names begin so, and with some of the namespaces, and what is in them, missing.
        """
        mark = self._mark
        found = [item for name in files for item in shipped_rbac.objects(name)]
        places = {name: f"{mark}-{name}" for name in sorted(shipped_rbac.named(found))}
        other = f"{mark}-other"
        there = [place for name, place in places.items() if name not in missing]
        for place in (*there, other):
            self._make("/api/v1/namespaces", {"metadata": {"name": place}})
        self._make_victim(f"victim-{mark}")
        for place in (*there, other, "kube-system"):
            secret = {"metadata": {"name": f"secret-{mark}"}, "stringData": {"a": "hidden-from-all"}}
            self._make(f"/api/v1/namespaces/{place}/secrets", secret)
        objects = [
            item
            for item in shipped_rbac.for_test(found, places, mark)
            if not item["metadata"]["name"].startswith(tuple(without) or ("-",))
            and item["metadata"].get("namespace") not in {places.get(name) for name in missing} - {None}
        ]
        for item in objects:
            place = item["metadata"].get("namespace")
            self._make(f"{RBAC}/{f'namespaces/{place}/' if place else ''}{_PATHS[item['kind']]}", item)
        user = f"u-{mark}"
        self._sandbox.add_user(user, policy=staging.joined("iam-policy"))
        self._sandbox.grant("real", user, username=user, groups=[mark])
        self._until_granted(objects)
        client = self._plane.client(bearer(self._sandbox.env(user=user), "real"))
        return Intruder(self._plane, client, mark, places, other, f"victim-{mark}")

    def leave(self) -> None:
        """Delete what was made."""
        for path in reversed(self._made):
            self._plane.admin.delete(path)

    def _make(self, path: str, body: Json) -> None:
        answer = self._plane.admin.create(path, body)
        assert answer.status == 201, answer.text
        self._made.append(f"{path}/{body['metadata']['name']}")

    def _make_victim(self, name: str) -> None:
        self._make("/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": name}})
        account = {"kind": "ServiceAccount", "namespace": "kube-system", "name": name}
        to_admin = {"apiGroup": shipped_rbac.GROUP, "kind": "ClusterRole", "name": "cluster-admin"}
        body = {"metadata": {"name": name}, "roleRef": to_admin, "subjects": [account]}
        self._make(f"{RBAC}/clusterrolebindings", body)

    def _until_granted(self, objects: Sequence[Json]) -> None:
        """The server reads what was made a moment later: wait for each right."""
        deadline = time.monotonic() + 20
        for asked in _rights(objects):
            spec = {"user": "x", "groups": [self._mark], "resourceAttributes": asked}
            while not self._plane.admin.create(_REVIEWS, {"spec": spec}).body["status"]["allowed"]:
                assert time.monotonic() < deadline, asked
                time.sleep(0.05)


def _rights(objects: Sequence[Json]) -> Iterator[Json]:
    """One right of each binding."""
    roles = {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
        for item in objects
        if "rules" in item
    }
    for item in objects:
        if "roleRef" not in item:
            continue
        kind, name = item["roleRef"]["kind"], item["roleRef"]["name"]
        place = item["metadata"].get("namespace", "")
        rule = roles[kind, place if kind == "Role" else "", name]["rules"][0]
        resource, _, sub = rule["resources"][0].partition("/")
        names = rule.get("resourceNames", [""])
        asked = {"verb": rule["verbs"][0], "group": rule["apiGroups"][0], "resource": resource}
        yield {**asked, "subresource": sub, "namespace": place, "name": names[0]}


def refused(answer: Answer) -> bool:
    """Whether it was refused for want of a right. Admission, too, refuses by 403; it comes after that."""
    return answer.status == 403 and " cannot " in answer.text


def successes(client: KubeClient, tried: Sequence[Attempt]) -> list[str]:
    """What of it is not refused for want of a right: it has been a success, whatever came of it."""
    answers = [(attempt, attempt.by(client)) for attempt in tried]
    return [f"{attempt}: {answer.status}" for attempt, answer in answers if not refused(answer)]
