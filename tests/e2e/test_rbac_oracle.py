"""RBAC by chance on a real API server: what it answers to SubjectAccessReviews is what irsa finds."""

import random
import time

import pytest

from irsa_cli.core.rbac.evaluation import KubeRequest, RbacIndex, Requester
from tests.support.controlplane import ControlPlane
from tests.support.kubeclient import KubeClient
from tests.support.rbacs import Rbac, some_rbac, some_requests
from tests.support.thoroughness import examples

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
PATHS = {
    "Role": "roles",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}


def _answer(admin: KubeClient, who: Requester, request: KubeRequest) -> bool:
    resource, _, subresource = request.resource.partition("/")
    asked = {
        "verb": request.verb,
        "group": request.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": request.namespace,
        "name": request.name,
    }
    spec = {"user": who.user, "groups": list(who.groups), "resourceAttributes": asked}
    answer = admin.create(REVIEWS, {"spec": spec})
    assert answer.status == 201, answer.text
    return bool(answer.body["status"]["allowed"])


def _make(admin: KubeClient, rbac: Rbac) -> None:
    for place in rbac.places:
        assert admin.create("/api/v1/namespaces", {"metadata": {"name": place}}).status == 201
    for kind, path in PATHS.items():
        for body in rbac.lists[kind]:
            place = body["metadata"].get("namespace")
            where = f"{RBAC}/namespaces/{place}/{path}" if place else f"{RBAC}/{path}"
            answer = admin.create(where, body)
            assert answer.status == 201, answer.text


def _differing(
    admin: KubeClient, index: RbacIndex, asked: list[tuple[Requester, KubeRequest]]
) -> list[tuple[Requester, KubeRequest]]:
    return [(who, what) for who, what in asked if index.allows(who, what) != _answer(admin, who, what)]


@pytest.mark.parametrize("seed", range(examples(12)))
def test_the_real_server_decides_the_same(control_plane: ControlPlane, unique: str, seed: int) -> None:
    admin, chance = control_plane.admin, random.Random(seed)
    rbac = some_rbac(chance, (f"{unique}-a", f"{unique}-b"), mark=unique)
    _make(admin, rbac)
    index = RbacIndex(rbac.objects)
    asked = list(some_requests(chance, rbac, 120))
    # The server reads what was made a moment later.
    deadline = time.monotonic() + 20
    while asked := _differing(admin, index, asked):
        assert time.monotonic() < deadline, (seed, asked)
        time.sleep(0.1)
