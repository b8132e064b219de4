"""Who has the documented RBAC tries to become more than he is, on a real API server.

Each attempt is made, not asked about. What rbac.yaml lets its holder do beyond irsa's work is what
docs/how-to/permissions.md says of it; rbac-namespaced.yaml lets him do nothing beyond its namespace.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.sandbox import Sandbox
from tests.docs import staging
from tests.support import locking
from tests.support.controlplane import ControlPlane
from tests.support.eks import bearer
from tests.support.kubeclient import Answer, Json, KubeClient
from tests.support.kubes import kube_of

RBAC = "/apis/rbac.authorization.k8s.io/v1"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "evil"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
OWN = "backend"
"""The namespace of rbac-namespaced.yaml, in whose place the test's is put; `default`, of the locks, stays."""
LEASES = "/apis/coordination.k8s.io/v1/namespaces"
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


@dataclass(frozen=True)
class Attempt:
    """One request."""

    method: str
    path: str
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {dict(self.headers) or ''}".strip()

    def by(self, client: KubeClient) -> Answer:
        """Make it."""
        kind = "application/merge-patch+json" if self.method == "PATCH" else "application/json"
        with KubeClient(client.endpoint, client.ca_pem, client.token) as caller:
            caller.headers.update(self.headers)
            return caller.request(self.method, self.path, self.body, content_type=kind)


@dataclass
class Intruder:
    """The holder of the documented rights; `victim` is somebody's powerful ServiceAccount of kube-system."""

    plane: ControlPlane
    client: KubeClient
    group: str
    own: str
    other: str
    victim: str


def attempts(who: Intruder) -> list[Attempt]:
    """What must never succeed, with any of the documented files."""
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": who.group}
    to_admin = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": f"evil-{who.group}"}, "roleRef": to_admin, "subjects": [subject]}
    deployment = {
        "metadata": {"name": "evil"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]},
        },
    }
    places = (who.own, who.other, "kube-system")
    found = [
        Attempt("POST", f"{RBAC}/clusterrolebindings", binding),
        Attempt("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "evil"}, "rules": EVERYTHING}),
        Attempt("PATCH", f"{RBAC}/clusterroles/irsa-serviceaccounts-{who.group}", {"rules": EVERYTHING}),
        Attempt("PATCH", f"{RBAC}/clusterrolebindings/cluster-admin", {"subjects": [subject]}),
        Attempt("DELETE", f"{RBAC}/clusterroles/cluster-admin"),
        Attempt("GET", "/api/v1/nodes/none"),
        Attempt("PATCH", "/api/v1/nodes/none", {}),
        Attempt("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", {}),
        Attempt("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}}),
        Attempt("POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", {}),
        Attempt("DELETE", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/x"),
        Attempt("PATCH", f"/api/v1/namespaces/{who.other}", {"metadata": {"labels": {"a": "b"}}}),
        Attempt("PUT", f"/api/v1/namespaces/{who.other}/finalize", {}),
        Attempt("DELETE", "/api/v1/namespaces"),
    ]
    for target in (("User", "admin"), ("Group", "system:masters")):
        name, value = target
        headers = {f"Impersonate-{name}": value, **({"Impersonate-User": "x"} if name == "Group" else {})}
        found.append(Attempt("GET", "/api/v1/secrets", headers=headers))
    account = f"system:serviceaccount:kube-system:{who.victim}"
    found.append(Attempt("GET", "/api/v1/secrets", headers={"Impersonate-User": account}))
    for place in (who.other, "kube-system", "kube-node-lease"):
        lease = {"metadata": {"name": "evil"}, "spec": {"holderIdentity": "evil"}}
        found += [
            Attempt("POST", f"{LEASES}/{place}/leases", lease),
            Attempt("PUT", f"{LEASES}/{place}/leases/evil", lease),
            Attempt("GET", f"{LEASES}/{place}/leases/kube-scheduler"),
            Attempt("DELETE", f"{LEASES}/{place}/leases/kube-scheduler"),
        ]
    for place in places:
        base = f"/api/v1/namespaces/{place}"
        role = {"metadata": {"name": "evil"}, "rules": EVERYTHING}
        found += [
            Attempt("POST", f"{base}/pods", POD),
            Attempt("GET", f"{base}/pods/some/log"),
            Attempt("POST", f"{base}/pods/some/exec"),
            Attempt("PATCH", f"{base}/pods/some/ephemeralcontainers", {}),
            Attempt("POST", f"{base}/pods/some/eviction", {}),
            Attempt("POST", f"/apis/apps/v1/namespaces/{place}/deployments", deployment),
            Attempt("POST", f"/apis/apps/v1/namespaces/{place}/daemonsets", deployment),
            Attempt("POST", f"/apis/batch/v1/namespaces/{place}/jobs", deployment),
            Attempt("POST", f"{RBAC}/namespaces/{place}/rolebindings", binding),
            Attempt("POST", f"{RBAC}/namespaces/{place}/roles", role),
            Attempt("PATCH", f"{RBAC}/namespaces/{place}/roles/irsa-serviceaccounts", {"rules": EVERYTHING}),
            Attempt("GET", f"{base}/secrets/secret"),
            Attempt("POST", f"{base}/secrets", {"metadata": {"name": "evil"}}),
            Attempt("PATCH", f"{base}/secrets/secret", {"stringData": {"a": "c"}}),
            Attempt("DELETE", f"{base}/secrets/secret"),
            Attempt("PATCH", f"{base}/configmaps/aws-auth", {"data": {"mapUsers": "evil"}}),
            Attempt("POST", f"{base}/configmaps", {"metadata": {"name": "evil"}}),
            Attempt("DELETE", f"{base}/serviceaccounts"),
            Attempt("PUT", f"{base}/serviceaccounts/{who.victim}", {}),
        ]
    return found


def beyond(who: Intruder) -> dict[str, Attempt]:
    """What rbac.yaml allows beyond irsa's own work: said of it in permissions.md, refused by the other."""
    base = "/api/v1/namespaces/kube-system"
    theirs = f"{base}/serviceaccounts/{who.victim}"
    return {
        "a token of a ServiceAccount of kube-system": Attempt("POST", f"{theirs}/token", {"spec": {}}),
        "all Secrets": Attempt("GET", "/api/v1/secrets"),
        "Secrets of kube-system": Attempt("GET", f"{base}/secrets"),
        "a ServiceAccount of others, changed": Attempt("PATCH", theirs, {"metadata": {"labels": {"a": "b"}}}),
        "a ServiceAccount in kube-system": Attempt(
            "POST", f"{base}/serviceaccounts", {"metadata": {"name": f"new-{who.group}"}}
        ),
        "a ServiceAccount of others, deleted": Attempt("DELETE", theirs),
        "a namespace of others, deleted": Attempt("DELETE", f"/api/v1/namespaces/{who.other}"),
    }


def _objects(name: str, group: str, namespace: str) -> Iterator[tuple[str, Json]]:
    """The documented objects, with the group and the namespace of this test."""
    for item in staging.rbac(staging.PERMISSIONS / name):
        kind = f"{item['kind'].lower()}s"
        for subject in item.get("subjects", []):
            subject["name"] = group
        documented = item["metadata"].get("namespace")
        if documented == OWN:
            item["metadata"]["namespace"] = namespace
            yield f"{RBAC}/namespaces/{namespace}/{kind}", item
            continue
        item["metadata"]["name"] += f"-{group}"
        if "roleRef" in item:
            item["roleRef"]["name"] += f"-{group}"
        yield f"{RBAC}/{f'namespaces/{documented}/' if documented else ''}{kind}", item


@pytest.fixture
def enter(control_plane: ControlPlane, sandbox: Sandbox, unique: str) -> Iterator[Callable[..., Intruder]]:
    """Let somebody have the rights of one of the files, without the roles that are left out."""
    admin, other = control_plane.admin, f"{unique}-other"
    made: list[str] = []

    def make(path: str, body: Json) -> None:
        answer = admin.create(path, body)
        assert answer.status == 201, answer.text
        made.append(f"{path}/{body['metadata']['name']}")

    def begin(name: str, without: Sequence[str] = ()) -> Intruder:
        for place in (unique, other):
            make("/api/v1/namespaces", {"metadata": {"name": place}})
        victim = {"metadata": {"name": f"victim-{unique}"}}
        make("/api/v1/namespaces/kube-system/serviceaccounts", victim)
        for place in (unique, other, "kube-system"):
            secret = {"metadata": {"name": f"secret-{unique}"}, "stringData": {"a": "hidden-from-all"}}
            make(f"/api/v1/namespaces/{place}/secrets", secret)
        account = {"kind": "ServiceAccount", "namespace": "kube-system", "name": f"victim-{unique}"}
        to_admin = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        make(
            f"{RBAC}/clusterrolebindings",
            {"metadata": {"name": f"victim-{unique}"}, "roleRef": to_admin, "subjects": [account]},
        )
        for path, body in _objects(name, unique, unique):
            if not body["metadata"]["name"].startswith(tuple(without) or ("-",)):
                make(path, body)
        user = f"u-{unique}"
        sandbox.add_user(user, policy=staging.joined("iam-policy"))
        sandbox.grant("real", user, username=user, groups=[unique])
        client = control_plane.client(bearer(sandbox.env(user=user), "real"))
        _until_granted(client, f"/api/v1/namespaces/{unique}/serviceaccounts/none")
        return Intruder(control_plane, client, unique, unique, other, f"victim-{unique}")

    yield begin
    for path in reversed(made):
        admin.delete(path)


def _until_granted(client: KubeClient, path: str) -> None:
    deadline = time.monotonic() + 20
    while client.get(path).status == 403:
        assert time.monotonic() < deadline, "the rights did not come"
        time.sleep(0.05)


def _successes(client: KubeClient, tried: Sequence[Attempt]) -> list[str]:
    answers = [(attempt, attempt.by(client)) for attempt in tried]
    return [f"{attempt}: {answer.status}" for attempt, answer in answers if answer.status != 403]


@pytest.mark.parametrize("file", ["rbac.yaml", "rbac-namespaced.yaml"])
def test_nothing_leads_to_more_rights(enter: Callable[..., Intruder], file: str) -> None:
    who = enter(file)
    assert _successes(who.client, attempts(who)) == []


def test_the_administrator_can_do_what_is_tried(enter: Callable[..., Intruder]) -> None:
    # Else a refusal would say nothing: each attempt reaches the API as it is written.
    who = enter("rbac-namespaced.yaml")
    assert len(_successes(who.plane.admin, [*attempts(who)][:3])) == 3
    assert all(attempt.by(who.plane.admin).status < 300 for attempt in [*beyond(who).values()][:5])


@pytest.mark.parametrize("file", ["rbac.yaml", "rbac-namespaced.yaml"])
def test_locks_are_taken_in_the_namespace_of_the_file_only(
    enter: Callable[..., Intruder], unique: str, file: str
) -> None:
    who = enter(file)
    place, other = ("default", who.own) if file == "rbac.yaml" else (who.own, "default")
    kube = kube_of(who.client)
    _until_granted(who.client, f"{LEASES}/{place}/leases/none")
    locking.all_of_it(kube, place, unique)
    with pytest.raises(ServiceError) as caught:
        locking.take(kube, other, unique)
    assert (caught.value.code, caught.value.status) == ("Forbidden", 403)


def test_by_namespace_nothing_beyond_it_is_reached(enter: Callable[..., Intruder]) -> None:
    who = enter("rbac-namespaced.yaml")
    assert _successes(who.client, [*beyond(who).values()]) == []
    own = f"/api/v1/namespaces/{who.own}/serviceaccounts"
    assert who.client.create(own, {"metadata": {"name": "mine"}}).status == 201
    assert who.client.create(f"{own}/mine/token", {"spec": {}}).status == 201
    token = who.client.create(f"/api/v1/namespaces/{who.other}/serviceaccounts/default/token", {"spec": {}})
    assert token.status == 403


def test_for_the_whole_cluster_it_is_what_the_page_says(enter: Callable[..., Intruder]) -> None:
    who = enter("rbac.yaml")
    page = (staging.PERMISSIONS.parent / "permissions.md").read_text(encoding="utf-8")
    tried = beyond(who)
    token = tried["a token of a ServiceAccount of kube-system"].by(who.client).body["status"]["token"]
    # That ServiceAccount is an administrator, and so is who has its token.
    assert who.plane.client(token).get(f"{RBAC}/clusterroles").status == 200
    for name, attempt in tried.items():
        assert attempt.by(who.client).status in (200, 201), name
    for words in (
        "kube-system",
        "read Secrets",
        "delete any namespace",
        "change and delete any ServiceAccount",
    ):
        assert words in page


def test_without_the_two_that_can_be_left_out_there_are_no_tokens_and_no_secrets(
    enter: Callable[..., Intruder],
) -> None:
    who = enter("rbac.yaml", ("irsa-verify", "irsa-namespace-contents"))
    tried = beyond(who)
    names = ("a token of a ServiceAccount of kube-system", "all Secrets", "Secrets of kube-system")
    assert _successes(who.client, [tried[name] for name in names]) == []


def test_by_namespace_irsa_does_its_work(
    enter: Callable[..., Intruder], sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = enter("rbac-namespaced.yaml")
    _be(sandbox, "admin", tmp_path, monkeypatch)
    assert run(["associate-oidc", "-c", "real", "-q"]) == 0
    _allow_cluster(sandbox, who, tmp_path, monkeypatch)
    where = ("-n", who.own, "--lock-namespace", who.own, "-c", "real", "-q")
    policy = ("--attach-policy-arn", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    made = ("create-sa", "app", *policy, "--verify", "--no-create-namespace", *where)
    assert run([*made]) == 0
    assert run([*made]) == 0
    assert run(["delete-sa", "app", *where]) == 0
    elsewhere = ("-n", who.other, *where[2:])
    assert run(["create-sa", "app", *policy, "--no-create-namespace", *elsewhere]) != 0


def _be(sandbox: Sandbox, user: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**sandbox.env(user=user), "IRSA_STATE_DIR": str(folder / "state")}.items():
        monkeypatch.setenv(name, value)


def _allow_cluster(sandbox: Sandbox, who: Intruder, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a user of the same group have the documented IAM policy for this cluster's name."""
    text = json.dumps(staging.joined("iam-policy")).replace("/demo", "/real")
    policy: dict[str, Any] = json.loads(text)
    user = f"w-{who.group}"
    sandbox.add_user(user, policy=policy)
    sandbox.grant("real", user, username=user, groups=[who.group])
    _be(sandbox, user, folder, monkeypatch)
