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
from tests.support.attempts import attempt
from tests.support.controlplane import ControlPlane
from tests.support.intruder import RBAC, Attempt, refused
from tests.support.kubeclient import Answer, Json, KubeClient

GROUP = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
ACTIONS = f"/apis/{ADMISSION}/v1/mutatingadmissionpolic"
PLACES = "/api/v1/namespaces"
TOKEN = f"POST {PLACES}/prod/serviceaccounts/boss/token {{spec: {{}}}}"
HOST = "{name: host, hostPath: {path: /var/lib/kubelet/pods}}"
CLAIM = "{name: host, persistentVolumeClaim: {claimName: host}}"
AS_BOSS = "Impersonate-User: 'system:serviceaccount:prod:boss'"
AS_CHIEF = "Impersonate-User: chief-MARK"
NODE_REVIEW = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews {}"
SPEC = (
    "{serviceAccountName: <>, containers: [{name: c, image: i, securityContext: {allowPrivilegeEscalation:"
    " false,"
    " capabilities: {drop: [ALL]}}}], securityContext: {runAsNonRoot: true, seccompProfile: {type:"
    " RuntimeDefault}}, volumes: [<volumes>]}"
)
VOLUME = "{capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /var/lib/kubelet/pods}}"
POLICY = (
    "{matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE],"
    " resources:"
    " [pods]}], namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: prod}}}, mutations:"
    " [{patchType:"
    ' ApplyConfiguration, applyConfiguration: {expression: "Object{metadata: Object.metadata{annotations:'
    " {'evil': 'yes'}}}\"}}], failurePolicy: Ignore, reinvocationPolicy: Never}"
)


def spec(account: str, volumes: str = "") -> str:
    """What a pod of an account is."""
    return SPEC.replace("<>", account).replace("<volumes>", volumes)


def pod(account: str, volumes: str = "", *, place: str = "prod", name: str = "evil") -> str:
    """A pod is made."""
    return f"POST {PLACES}/{place}/pods {{metadata: {{name: {name}}}, spec: {spec(account, volumes)}}}"


def rule(text: str) -> Json:
    """A right: `create pods`, `create,get deployments apps`, `patch configmaps - aws-auth`."""
    verbs, resources, group, names, *_ = [*text.split(), "-", "-"]
    found: Json = {"verbs": verbs.split(","), "resources": resources.split(",")}
    found["apiGroups"] = ["" if group == "-" else group]
    return {**found, **({} if names == "-" else {"resourceNames": names.split(",")})}


@dataclass(frozen=True)
class Case:
    """Rights in namespaces ('' everywhere), what is done with them, and which way irsa calls it.

    `prod` and `dev` stand for namespaces of the test's own, `restricted` is one whose level that is.
    """

    way: str
    rights: Mapping[str, Sequence[str]]
    attempts: Sequence[str]
    refused: Sequence[str] = ()
    """What is never accepted, by Pod Security as well."""


CASES = {
    "a pod": Case("create-pod", {"prod": ["create pods"]}, [pod("boss")], [pod("boss", HOST, name="host")]),
    "a deployment": Case(
        "create-workload",
        {"prod": ["create deployments apps"]},
        [
            "POST /apis/apps/v1/namespaces/prod/deployments {metadata: {name: evil}, spec: {selector:"
            " {matchLabels:"
            f" {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {spec('boss')}}}}}}}"
        ],
    ),
    "a token": Case(
        "create-token",
        {"prod": ["create serviceaccounts/token - boss"]},
        [TOKEN.replace("spec: {}", "spec: {audiences: [sts.amazonaws.com]}")],
        [TOKEN.replace("boss", "default")],
    ),
    "a Secret of a token": Case(
        "token-in-secret",
        {"prod": ["create,get secrets"]},
        [
            "POST /api/v1/namespaces/prod/secrets {metadata: {name: evil, annotations:"
            " {kubernetes.io/service-account.name:"
            " boss}}, type: kubernetes.io/service-account-token}",
            "GET /api/v1/namespaces/prod/secrets/evil",
        ],
    ),
    "reading Secrets": Case(
        "read-secret",
        {"prod": ["list secrets"]},
        ["GET /api/v1/namespaces/prod/secrets"],
        ["POST /api/v1/namespaces/prod/secrets {metadata: {name: x}}"],
    ),
    "aws-auth": Case(
        "change-aws-auth",
        {"kube-system": ["patch configmaps - aws-auth"]},
        ["PATCH /api/v1/namespaces/kube-system/configmaps/aws-auth?dryRun=All {data: {a: b}}"],
        ["PATCH /api/v1/namespaces/kube-system/configmaps/coredns {data: {a: b}}"],
    ),
    "the host's files": Case("mount-host", {"dev": ["create pods"]}, [pod("default", HOST, place="dev")]),
    "a volume of the host's files": Case(
        "mount-host-volume",
        {"": ["create persistentvolumes"], "restricted": ["create pods"]},
        [
            f"POST /api/v1/persistentvolumes {{metadata: {{name: evil-MARK}}, spec: {VOLUME}}}",
            pod("default", CLAIM, place="restricted"),
        ],
        [pod("default", HOST, place="restricted", name="h")],
    ),
    "an admission policy": Case(
        "change-admission-policy",
        {
            "": [
                "create mutatingadmissionpolicies,mutatingadmissionpolicybindings"
                " admissionregistration.k8s.io"
            ]
        },
        [
            f"POST /apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies {{metadata: {{name:"
            f" evil-MARK}}, spec: {POLICY}}}",
            "POST /apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings {metadata: {name:"
            " evil-MARK}, spec: {policyName: evil-MARK}}",
        ],
    ),
    "constrained impersonation": Case(
        "impersonate-account",
        {
            "prod": [
                "impersonate:serviceaccount serviceaccounts authentication.k8s.io boss",
                "impersonate-on:serviceaccount:create serviceaccounts/token",
            ]
        },
        [f"{TOKEN} as Impersonate-User: 'system:serviceaccount:prod:boss'"],
        [
            "GET /api/v1/namespaces/prod/secrets as Impersonate-User: 'system:serviceaccount:prod:boss'",
            f"{TOKEN} as {AS_BOSS.replace('boss', 'default')}",
        ],
    ),
    "constrained impersonation of a user": Case(
        "impersonate-user",
        {
            "": [
                "impersonate:user-info users,groups authentication.k8s.io",
                "impersonate-on:user-info:create serviceaccounts/token",
            ]
        },
        [f"{TOKEN} as {AS_CHIEF}"],
        [
            f"GET /api/v1/secrets as {AS_CHIEF}",
            f"{TOKEN} as Impersonate-User: somebody, Impersonate-Group: 'system:masters'",
            # The names of ServiceAccounts are not users in this mode.
            f"{TOKEN} as Impersonate-User: 'system:serviceaccount:prod:boss'",
        ],
    ),
    "constrained impersonation of a node": Case(
        "impersonate-node",
        {
            "": [
                "impersonate:arbitrary-node nodes authentication.k8s.io",
                # What a node may do is decided by an authorizer that this server has not.
                "impersonate-on:arbitrary-node:create serviceaccounts/token",
                "impersonate-on:arbitrary-node:create selfsubjectreviews authentication.k8s.io",
            ]
        },
        [f"{NODE_REVIEW} as Impersonate-User: 'system:node:some'"],
    ),
    "a role of more": Case(
        "bind-role",
        {
            "prod": [
                "bind clusterroles rbac.authorization.k8s.io",
                "create rolebindings rbac.authorization.k8s.io",
            ]
        },
        [
            "POST /apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings {metadata: {name: evil},"
            " roleRef: {apiGroup: rbac.authorization.k8s.io,"
            " kind: ClusterRole, name: admin}, subjects: [{kind: ServiceAccount, namespace: dev, name: eve}]}"
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

    def attempt(self, line: str) -> Attempt:
        item = attempt(line)
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
        self.grant("prod", ["create serviceaccounts/token"], "prod", "boss", "boss")
        chief = {"kind": "User", "name": f"chief-{self.mark}"}
        ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": f"{self.mark}-boss-prod"}
        path = f"{RBAC}/namespaces/{self.mark}-prod/rolebindings"
        self.make(path, {"metadata": {"name": "chief"}, "roleRef": ref, "subjects": [chief]})

    def account(self, place: str, name: str) -> None:
        path = f"/api/v1/namespaces/{self.mark}-{place}/serviceaccounts"
        assert self.plane.admin.create(path, {"metadata": {"name": name}}).status in (201, 409)

    def grant(self, place: str, rules: Sequence[str], home: str, name: str, role: str) -> None:
        """A ClusterRole, and its binding in a namespace ('': everywhere)."""
        full = f"{self.mark}-{role}-{place}"
        self.make(f"{RBAC}/clusterroles", {"metadata": {"name": full}, "rules": list(map(rule, rules))})
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
        body = attempt(pod("boss")).body
        made = world.plane.admin.create(path, body, dryRun="All")
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
    world.grant("restricted", ["create pods"], "dev", "eve", "eve")
    world.grant("prod", ["create serviceaccounts/token"], "restricted", "default", "through")
    answer = until(eve, Attempt("POST", pods, attempt(pod("default")).body))
    assert answer.status == 201, answer.text
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "evil", "uid": answer.body["metadata"]["uid"]}
    mine = f"/api/v1/namespaces/{world.mark}-restricted/serviceaccounts/default/token"
    # What kubelet writes into the pod.
    found = world.plane.admin.create(mine, {"spec": {"boundObjectRef": bound}}).body["status"]["token"]
    through = world.plane.client(found)
    answer = until(through, Attempt("POST", token, {"spec": {"audiences": ["sts.amazonaws.com"]}}))
    assert answer.status == 201, answer.text
