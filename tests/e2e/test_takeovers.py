"""The ways to act as a ServiceAccount, taken on a real API server by somebody with those rights and no more.

Each request is refused before the rights are there and accepted afterwards, and irsa names the way by what
it reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from irsa_cli.core.audit.estate import pod_security
from irsa_cli.core.rbac.becoming import Becoming
from irsa_cli.core.rbac.evaluation import RbacIndex
from irsa_cli.core.rbac.objects import RBAC_KINDS, rbac_objects
from tests.support.controlplane import ControlPlane
from tests.support.intruder import RBAC, Attempt, refused
from tests.support.kubeclient import Answer, Json, KubeClient

GROUP = "rbac.authorization.k8s.io"
AUTHN, ADMISSION = "authentication.k8s.io", "admissionregistration.k8s.io"
DRY = {"dryRun": "All"}
AS_BOSS = {"Impersonate-User": "system:serviceaccount:prod:boss"}
AS_MASTERS = {"Impersonate-User": "somebody", "Impersonate-Group": "system:masters"}
AS_CHIEF = {"Impersonate-User": "chief-MARK"}
AS_NODE = {"Impersonate-User": "system:node:some"}
TOKEN = "/api/v1/namespaces/prod/serviceaccounts/boss/token"
SPEC: Json = {"containers": [{"name": "c", "image": "i"}]}
HOST: Json = {"name": "host", "hostPath": {"path": "/var/lib/kubelet/pods"}}
CLAIM: Json = {"name": "host", "persistentVolumeClaim": {"claimName": "host"}}
MATCH: Json = {
    "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    ]
}


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> Json:
    found: Json = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**found, **({"resourceNames": names.split()} if names else {})}


def pod(account: str, *volumes: Json) -> Json:
    quiet = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {**SPEC["containers"][0], "securityContext": quiet}
    safe = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "serviceAccountName": account,
        "containers": [container],
        "securityContext": safe,
        "volumes": list(volumes),
    }
    return {"metadata": {"name": "evil"}, "spec": spec}


@dataclass(frozen=True)
class Case:
    """Rights in namespaces ('' everywhere), what is done with them, and which way irsa calls it.

    `prod` and `dev` stand for namespaces of the test's own, `restricted` is one whose level that is.
    """

    way: str
    rights: Mapping[str, Sequence[Json]]
    attempts: Sequence[Attempt]
    refused: Sequence[Attempt] = ()
    """What is never accepted, by Pod Security as well."""


def _deployment() -> Json:
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": pod("boss")["spec"]}
    return {"metadata": {"name": "evil"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}


def _volume() -> Json:
    source = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": HOST["hostPath"]}
    return {"metadata": {"name": "evil-MARK"}, "spec": source}


def _policy() -> Json:
    patch = {
        "patchType": "ApplyConfiguration",
        "applyConfiguration": {
            "expression": "Object{metadata: Object.metadata{annotations: {'evil': 'yes'}}}"
        },
    }
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prod"}}}
    spec = {
        "matchConstraints": {**MATCH, **only},
        "mutations": [patch],
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "Never",
    }
    return {"metadata": {"name": "evil-MARK"}, "spec": spec}


CASES = {
    "a pod": Case(
        "create-pod",
        {"prod": [rule("create", "pods")]},
        [Attempt("POST", "/api/v1/namespaces/prod/pods", pod("boss"))],
        [Attempt("POST", "/api/v1/namespaces/prod/pods", pod("boss", HOST) | {"metadata": {"name": "host"}})],
    ),
    "a deployment": Case(
        "create-workload",
        {"prod": [rule("create", "deployments", "apps")]},
        [Attempt("POST", "/apis/apps/v1/namespaces/prod/deployments", _deployment())],
    ),
    "a token": Case(
        "create-token",
        {"prod": [rule("create", "serviceaccounts/token", names="boss")]},
        [Attempt("POST", TOKEN, {"spec": {"audiences": ["sts.amazonaws.com"]}})],
        [Attempt("POST", TOKEN.replace("boss", "default"), {"spec": {}})],
    ),
    "a Secret of a token": Case(
        "token-in-secret",
        {"prod": [rule("create get", "secrets")]},
        [
            Attempt(
                "POST",
                "/api/v1/namespaces/prod/secrets",
                {
                    "metadata": {
                        "name": "evil",
                        "annotations": {"kubernetes.io/service-account.name": "boss"},
                    },
                    "type": "kubernetes.io/service-account-token",
                },
            ),
            Attempt("GET", "/api/v1/namespaces/prod/secrets/evil"),
        ],
    ),
    "reading Secrets": Case(
        "read-secret",
        {"prod": [rule("list", "secrets")]},
        [Attempt("GET", "/api/v1/namespaces/prod/secrets")],
        [Attempt("POST", "/api/v1/namespaces/prod/secrets", {"metadata": {"name": "x"}})],
    ),
    "aws-auth": Case(
        "change-aws-auth",
        {"kube-system": [rule("patch", "configmaps", names="aws-auth")]},
        [
            Attempt(
                "PATCH", "/api/v1/namespaces/kube-system/configmaps/aws-auth", {"data": {"a": "b"}}, query=DRY
            )
        ],
        [Attempt("PATCH", "/api/v1/namespaces/kube-system/configmaps/coredns", {"data": {"a": "b"}})],
    ),
    "the host's files": Case(
        "mount-host",
        {"dev": [rule("create", "pods")]},
        [Attempt("POST", "/api/v1/namespaces/dev/pods", pod("default", HOST))],
    ),
    "a volume of the host's files": Case(
        "mount-host-volume",
        {"": [rule("create", "persistentvolumes")], "restricted": [rule("create", "pods")]},
        [
            Attempt("POST", "/api/v1/persistentvolumes", _volume()),
            Attempt("POST", "/api/v1/namespaces/restricted/pods", pod("default", CLAIM)),
        ],
        [
            Attempt(
                "POST",
                "/api/v1/namespaces/restricted/pods",
                pod("default", HOST) | {"metadata": {"name": "h"}},
            )
        ],
    ),
    "an admission policy": Case(
        "change-admission-policy",
        {"": [rule("create", "mutatingadmissionpolicies mutatingadmissionpolicybindings", ADMISSION)]},
        [
            Attempt("POST", f"/apis/{ADMISSION}/v1/mutatingadmissionpolicies", _policy()),
            Attempt(
                "POST",
                f"/apis/{ADMISSION}/v1/mutatingadmissionpolicybindings",
                {"metadata": {"name": "evil-MARK"}, "spec": {"policyName": "evil-MARK"}},
            ),
        ],
    ),
    "constrained impersonation": Case(
        "impersonate-account",
        {
            "prod": [
                rule("impersonate:serviceaccount", "serviceaccounts", AUTHN, "boss"),
                rule("impersonate-on:serviceaccount:create", "serviceaccounts/token"),
            ]
        },
        [Attempt("POST", TOKEN, {"spec": {}}, AS_BOSS)],
        [
            Attempt("GET", "/api/v1/namespaces/prod/secrets", headers=AS_BOSS),
            Attempt("POST", TOKEN, {"spec": {}}, {"Impersonate-User": "system:serviceaccount:prod:default"}),
        ],
    ),
    "constrained impersonation of a user": Case(
        "impersonate-user",
        {
            "": [
                rule("impersonate:user-info", "users groups", AUTHN),
                rule("impersonate-on:user-info:create", "serviceaccounts/token"),
            ]
        },
        [Attempt("POST", TOKEN, {"spec": {}}, AS_CHIEF)],
        [
            Attempt("GET", "/api/v1/secrets", headers=AS_CHIEF),
            Attempt("POST", TOKEN, {"spec": {}}, AS_MASTERS),
            # The names of ServiceAccounts are not users in this mode.
            Attempt("POST", TOKEN, {"spec": {}}, AS_BOSS),
        ],
    ),
    "constrained impersonation of a node": Case(
        "impersonate-node",
        {
            "": [
                rule("impersonate:arbitrary-node", "nodes", AUTHN),
                # What a node may do is decided by an authorizer that this server has not.
                rule("impersonate-on:arbitrary-node:create", "serviceaccounts/token"),
                rule("impersonate-on:arbitrary-node:create", "selfsubjectreviews", AUTHN),
            ]
        },
        [Attempt("POST", f"/apis/{AUTHN}/v1/selfsubjectreviews", {}, AS_NODE)],
    ),
    "a role of more": Case(
        "bind-role",
        {
            "prod": [
                rule("bind", "clusterroles", GROUP),
                rule("create", "rolebindings", GROUP),
            ]
        },
        [
            Attempt(
                "POST",
                f"{RBAC}/namespaces/prod/rolebindings",
                {
                    "metadata": {"name": "evil"},
                    "roleRef": {
                        "apiGroup": GROUP,
                        "kind": "ClusterRole",
                        "name": "admin",
                    },
                    "subjects": [{"kind": "ServiceAccount", "namespace": "dev", "name": "eve"}],
                },
            )
        ],
    ),
}


@dataclass
class World:
    """Namespaces, the victim prod/boss, and dev/eve who has what a case gives."""

    plane: ControlPlane
    mark: str
    made: list[str] = field(default_factory=list)

    def text(self, value: Any) -> Any:
        """The same with the names of the test's own."""
        if isinstance(value, dict):
            return {key: self.text(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.text(item) for item in value]
        if not isinstance(value, str):
            return value
        for name in ("prod", "dev", "restricted"):
            own = f"{self.mark}-{name}"
            value = value.replace(f"/namespaces/{name}", f"/namespaces/{own}")
            value = value.replace(f"serviceaccount:{name}:", f"serviceaccount:{own}:")
            value = own if value == name else value
        return value.replace("MARK", self.mark)

    def attempt(self, item: Attempt) -> Attempt:
        found = self.text({"path": item.path, "body": item.body, "headers": dict(item.headers)})
        return Attempt(item.method, found["path"], found["body"], found["headers"], item.query)

    def make(self, path: str, body: Json) -> Json:
        answer = self.plane.admin.create(path, body)
        assert answer.status == 201, answer.text
        self.made.append(f"{path}/{body['metadata']['name']}")
        return answer.body

    def prepare(self) -> None:
        """The namespaces and who is there."""
        for name, level in (("prod", "baseline"), ("dev", ""), ("restricted", "restricted")):
            labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
            self.make("/api/v1/namespaces", {"metadata": {"name": f"{self.mark}-{name}", "labels": labels}})
            self.account(name, "default")
        self.account("prod", "boss")
        self.account("dev", "eve")
        # The victim may make its own tokens: who acts as it in Kubernetes has its role, then.
        self.grant("prod", [rule("create", "serviceaccounts/token")], "prod", "boss", "boss")
        chief = {"kind": "User", "name": f"chief-{self.mark}"}
        ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": f"{self.mark}-boss-prod"}
        path = f"{RBAC}/namespaces/{self.mark}-prod/rolebindings"
        self.make(path, {"metadata": {"name": "chief"}, "roleRef": ref, "subjects": [chief]})

    def account(self, place: str, name: str) -> None:
        path = f"/api/v1/namespaces/{self.mark}-{place}/serviceaccounts"
        assert self.plane.admin.create(path, {"metadata": {"name": name}}).status in (201, 409)

    def grant(self, place: str, rules: Sequence[Json], home: str, name: str, role: str) -> None:
        """A ClusterRole, and its binding in a namespace ('': everywhere)."""
        full = f"{self.mark}-{role}-{place}"
        self.make(f"{RBAC}/clusterroles", {"metadata": {"name": full}, "rules": list(rules)})
        where = place if place in ("", "kube-system") else f"{self.mark}-{place}"
        path = f"{RBAC}/namespaces/{where}/rolebindings" if where else f"{RBAC}/clusterrolebindings"
        subject = {"kind": "ServiceAccount", "namespace": f"{self.mark}-{home}", "name": name}
        ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": full}
        self.make(path, {"metadata": {"name": full}, "roleRef": ref, "subjects": [subject]})

    def eve(self) -> KubeClient:
        path = f"/api/v1/namespaces/{self.mark}-dev/serviceaccounts/eve/token"
        answer = self.plane.admin.create(path, {"spec": {}})
        assert answer.status == 201, answer.text
        return self.plane.client(answer.body["status"]["token"])

    def ways(self) -> dict[str, tuple[str, ...]]:
        """The ways by which eve can act as boss, as irsa has it by what the server has now."""
        lists = {kind: self.plane.admin.get(f"{RBAC}/{kind.lower()}s").body["items"] for kind in RBAC_KINDS}
        levels = dict(map(pod_security, self.plane.admin.get("/api/v1/namespaces").body["items"]))
        becoming = Becoming(RbacIndex(rbac_objects(lists)), levels, True)
        found = becoming.takers(f"{self.mark}-prod", "boss", 1)
        eve = f"{self.mark}-dev/eve"
        return {act.id: act.conditions for item in found if item.subject.account == eve for act in item.acts}

    def clean(self) -> None:
        for path in reversed(self.made):
            self.plane.admin.delete(path)
        for kind in ("mutatingadmissionpolicybindings", "mutatingadmissionpolicies"):
            self.plane.admin.delete(f"/apis/{ADMISSION}/v1/{kind}/evil-{self.mark}")
        self.plane.admin.delete(f"/api/v1/persistentvolumes/evil-{self.mark}")


def until(who: KubeClient, item: Attempt) -> Answer:
    """The answer of the server once it has read what was made: that is a moment later."""
    deadline = time.monotonic() + 20
    while refused(answer := item.by(who)):
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer


@pytest.fixture
def world(control_plane: ControlPlane, unique: str) -> Iterator[World]:
    found = World(control_plane, unique)
    found.prepare()
    yield found
    found.clean()


@pytest.fixture
def config_map(control_plane: ControlPlane) -> Iterator[None]:
    """`aws-auth`, as EKS has it."""
    path = "/api/v1/namespaces/kube-system/configmaps"
    answer = control_plane.admin.create(path, {"metadata": {"name": "aws-auth"}})
    assert answer.status in (201, 409), answer.text
    yield
    if answer.status == 201:
        control_plane.admin.delete(f"{path}/aws-auth")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("config_map")
def test_who_has_the_rights_gets_there_and_irsa_says_so(world: World, name: str) -> None:
    case, eve = CASES[name], world.eve()
    attempts = [world.attempt(item) for item in case.attempts]
    assert all(refused(item.by(eve)) for item in attempts)
    assert world.ways() == {}
    for place, rules in case.rights.items():
        world.grant(place, rules, "dev", "eve", "eve")
    for item in attempts:
        answer = until(eve, item)
        assert answer.status < 300, answer.text
    assert [world.attempt(item).by(eve).status for item in case.refused] == [403] * len(case.refused)
    assert case.way in world.ways()


def test_a_mutating_admission_policy_changes_the_pods_of_others(world: World) -> None:
    eve, case = world.eve(), CASES["an admission policy"]
    world.grant("", case.rights[""], "dev", "eve", "eve")
    for item in map(world.attempt, case.attempts):
        assert until(eve, item).status < 300
    path = f"/api/v1/namespaces/{world.mark}-prod/pods"
    deadline = time.monotonic() + 30
    while True:
        made = world.plane.admin.create(path, pod("boss"), **DRY)
        assert made.status == 201, made.text
        if made.body["metadata"].get("annotations", {}).get("evil") == "yes":
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_one_half_of_constrained_impersonation_is_refused(world: World) -> None:
    identity, doing = CASES["constrained impersonation"].rights["prod"]
    eve, item = world.eve(), world.attempt(CASES["constrained impersonation"].attempts[0])
    world.grant("prod", [identity], "dev", "eve", "one")
    assert "can also" in "".join(world.ways()["impersonate-account"])
    world.grant("prod", [doing], "dev", "eve", "two")
    assert until(eve, item).status == 201
    assert world.ways() == {"impersonate-account": ()}


def test_the_way_through_another_service_account(world: World) -> None:
    """eve makes a pod as restricted/default, that makes tokens of prod/boss."""
    eve = world.eve()
    pods = f"/api/v1/namespaces/{world.mark}-restricted/pods"
    token = f"/api/v1/namespaces/{world.mark}-prod/serviceaccounts/boss/token"
    world.grant("restricted", [rule("create", "pods")], "dev", "eve", "eve")
    world.grant("prod", [rule("create", "serviceaccounts/token")], "restricted", "default", "through")
    answer = until(eve, Attempt("POST", pods, pod("default")))
    assert answer.status == 201, answer.text
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "evil", "uid": answer.body["metadata"]["uid"]}
    mine = f"/api/v1/namespaces/{world.mark}-restricted/serviceaccounts/default/token"
    # What kubelet writes into the pod.
    found = world.plane.admin.create(mine, {"spec": {"boundObjectRef": bound}}).body["status"]["token"]
    through = world.plane.client(found)
    answer = until(through, Attempt("POST", token, {"spec": {"audiences": ["sts.amazonaws.com"]}}))
    assert answer.status == 201, answer.text
