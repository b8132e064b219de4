"""Who has one of the shipped files of RBAC tries to become more than he is, on a real API server.

Each attempt is made, not asked about. The files are found, not listed. What a file lets its holder do beyond
irsa's own work is in `EXCEPTIONS`, exactly, and said on its page.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.sandbox import Fault, Sandbox
from tests.docs import staging
from tests.docs.console import ROOT
from tests.support import locking, shipped_rbac
from tests.support.intruder import RBAC, Attempt, Intruder, Stage, refused, successes
from tests.support.kubes import kube_of

FOLDER = "docs/how-to/permissions"
WHOLE, NAMESPACED, NAMESPACES, CHAINING, CHANGE, IN_POD = (
    f"{FOLDER}/{name}.yaml"
    for name in ("rbac", "rbac-namespaced", "rbac-namespaces", "chaining-rbac", "change-rbac", "in-pod-rbac")
)
APPLY = "deploy/kustomize/rbac-apply/rbac.yaml"
SHIPPED = shipped_rbac.with_rbac()
STARTED, LOGGED = "batch/v1/namespaces/{}/jobs", "v1/namespaces/{}/pods/some/log"
"""What `--in-pod` is for, in the namespace of its file."""
CREATED = "a ServiceAccount in kube-system"
CHANGED = "a ServiceAccount of others, changed"
DELETED = "a ServiceAccount of others, deleted"
SECRETS = {"all Secrets", "Secrets of kube-system"}
EXCEPTIONS: dict[str, set[str]] = {
    WHOLE: {CREATED, CHANGED, DELETED},
    NAMESPACES: SECRETS,
    CHANGE: {CHANGED},
    IN_POD: set(),
    APPLY: {CREATED, CHANGED, DELETED},
}
"""What a file lets its holder do beyond irsa's own work; of all others: nothing."""
SAID = {
    WHOLE: ("docs/how-to/permissions.md", "change and delete any ServiceAccount"),
    NAMESPACES: ("docs/how-to/permissions.md", "read all Secrets"),
    CHANGE: ("docs/how-to/permissions.md", "change any ServiceAccount"),
    IN_POD: ("docs/how-to/permissions.md", "run any image as any ServiceAccount of the namespace"),
    APPLY: ("docs/how-to/ci-cluster.md", "change and delete any ServiceAccount"),
}
"""The page that tells of it, and its words."""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "evil"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
LEASES = "/apis/coordination.k8s.io/v1/namespaces"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
KUBERNETES = ("default", "kube-system", "kube-public", "kube-node-lease")


def attempts(who: Intruder) -> list[Attempt]:
    """What must never succeed, with any of the files."""
    binding = _binding(who.group)
    places = (*who.places.values(), who.other, *KUBERNETES)
    found = [
        Attempt("POST", f"{RBAC}/clusterrolebindings", binding),
        Attempt("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "evil"}, "rules": EVERYTHING}),
        Attempt("PATCH", f"{RBAC}/clusterroles/irsa-serviceaccounts-{who.group}", {"rules": EVERYTHING}),
        Attempt("PATCH", f"{RBAC}/clusterrolebindings/cluster-admin", {"subjects": binding["subjects"]}),
        Attempt("DELETE", f"{RBAC}/clusterroles/cluster-admin"),
        Attempt("GET", "/api/v1/nodes/none"),
        Attempt("PATCH", "/api/v1/nodes/none", {}),
        Attempt("GET", "/api/v1/nodes/none/proxy/pods"),
        Attempt("POST", "/api/v1/persistentvolumes", {"metadata": {"name": "evil"}}),
        Attempt("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", {}),
        Attempt("PATCH", "/apis/certificates.k8s.io/v1/certificatesigningrequests/none/approval", {}),
        Attempt("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}}),
        Attempt("POST", "/apis/apiregistration.k8s.io/v1/apiservices", {}),
        Attempt("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}),
        Attempt("PATCH", f"/api/v1/namespaces/{who.other}", {"metadata": {"labels": {"a": "b"}}}),
        Attempt("PUT", f"/api/v1/namespaces/{who.other}/finalize", {}),
        Attempt("DELETE", f"/api/v1/namespaces/{who.other}"),
        Attempt("DELETE", "/api/v1/namespaces"),
        Attempt("GET", "/metrics"),
    ]
    for kind in (
        *("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
        *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    ):
        found += [
            Attempt("POST", f"{ADMISSION}/{kind}", {}),
            Attempt("PATCH", f"{ADMISSION}/{kind}/none", {}),
            Attempt("DELETE", f"{ADMISSION}/{kind}/none"),
            Attempt("DELETE", f"{ADMISSION}/{kind}"),
        ]
    account = f"system:serviceaccount:kube-system:{who.victim}"
    for headers in (
        {"Impersonate-User": "admin"},
        {"Impersonate-User": "x", "Impersonate-Group": "system:masters"},
        {"Impersonate-User": account},
        {"Impersonate-User": "x", "Impersonate-Uid": "1"},
    ):
        found.append(Attempt("GET", "/api/v1/secrets", headers=headers))
    return [*found, *(item for place in places for item in _in(place, who))]


def _binding(group: str) -> dict[str, Any]:
    """The group as administrators."""
    return {
        "metadata": {"name": f"evil-{group}"},
        "roleRef": {"apiGroup": shipped_rbac.GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": shipped_rbac.GROUP, "kind": "Group", "name": group}],
    }


def _in(place: str, who: Intruder) -> list[Attempt]:
    """What must never succeed in any namespace."""
    base = f"/api/v1/namespaces/{place}"
    role = {"metadata": {"name": "evil"}, "rules": EVERYTHING}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    deployment = {"metadata": {"name": "evil"}, "spec": spec}
    found = [
        Attempt("POST", f"{base}/pods", POD),
        Attempt("DELETE", f"{base}/pods"),
        Attempt("GET", f"{base}/pods/some/log"),
        *(Attempt(way, f"{base}/pods/some/exec") for way in ("GET", "POST")),
        *(Attempt(way, f"{base}/pods/some/attach") for way in ("GET", "POST")),
        Attempt("POST", f"{base}/pods/some/portforward"),
        Attempt("GET", f"{base}/pods/some/proxy/x"),
        Attempt("GET", f"{base}/services/some/proxy/x"),
        Attempt("PATCH", f"{base}/pods/some/ephemeralcontainers", {}),
        Attempt("POST", f"{base}/pods/some/eviction", {}),
        *(
            Attempt(
                "POST",
                f"/apis/{kind.rpartition('/')[0]}/namespaces/{place}/{kind.rpartition('/')[2]}",
                deployment,
            )
            for kind in ("apps/v1/deployments", "apps/v1/daemonsets", "batch/v1/jobs", "batch/v1/cronjobs")
        ),
        Attempt("PATCH", f"/apis/apps/v1/namespaces/{place}/deployments/coredns", {"spec": {}}),
        Attempt("POST", f"{RBAC}/namespaces/{place}/rolebindings", _binding(who.group)),
        Attempt("POST", f"{RBAC}/namespaces/{place}/roles", role),
        Attempt("PATCH", f"{RBAC}/namespaces/{place}/roles/irsa-locks-{who.group}", {"rules": EVERYTHING}),
        Attempt("DELETE", f"{RBAC}/namespaces/{place}/rolebindings"),
        Attempt("GET", f"{base}/secrets/secret-{who.group}"),
        Attempt("POST", f"{base}/secrets", {"metadata": {"name": "evil"}}),
        Attempt("PATCH", f"{base}/secrets/secret-{who.group}", {"stringData": {"a": "c"}}),
        Attempt("DELETE", f"{base}/secrets/secret-{who.group}"),
        Attempt("DELETE", f"{base}/secrets"),
        Attempt("DELETE", f"{base}/configmaps"),
        Attempt("DELETE", f"{base}/serviceaccounts"),
        Attempt("PUT", f"{base}/serviceaccounts/{who.victim}", {}),
    ]
    for name in ("aws-auth", "coredns", "kube-root-ca.crt", "somebodys"):
        found += [
            Attempt("PATCH", f"{base}/configmaps/{name}", {"data": {"mapUsers": "evil"}}),
            Attempt("PUT", f"{base}/configmaps/{name}", {"metadata": {"name": name}}),
            Attempt("DELETE", f"{base}/configmaps/{name}"),
        ]
    if place in who.places.values():
        return found
    # What is allowed in a namespace of the file's own, and is not elsewhere.
    lease = {"metadata": {"name": "evil"}, "spec": {"holderIdentity": "evil"}}
    return [
        *found,
        Attempt("POST", f"{base}/configmaps", {"metadata": {"name": "aws-auth"}}),
        Attempt("POST", f"{base}/serviceaccounts/default/token", {"spec": {}}),
        Attempt("POST", f"{LEASES}/{place}/leases", lease),
        Attempt("GET", f"{LEASES}/{place}/leases/kube-scheduler"),
        Attempt("PUT", f"{LEASES}/{place}/leases/kube-scheduler", lease),
        Attempt("PATCH", f"{LEASES}/{place}/leases/kube-scheduler", lease),
        Attempt("DELETE", f"{LEASES}/{place}/leases/kube-scheduler"),
        Attempt("DELETE", f"{LEASES}/{place}/leases"),
    ]


def beyond(who: Intruder) -> dict[str, Attempt]:
    """What some files allow beyond irsa's own work."""
    base = "/api/v1/namespaces/kube-system"
    theirs = f"{base}/serviceaccounts/{who.victim}"
    new = {"metadata": {"name": f"new-{who.group}"}}
    return {
        "a token of a ServiceAccount of kube-system": Attempt("POST", f"{theirs}/token", {"spec": {}}),
        "all Secrets": Attempt("GET", "/api/v1/secrets"),
        "Secrets of kube-system": Attempt("GET", f"{base}/secrets"),
        CHANGED: Attempt("PATCH", theirs, {"metadata": {"labels": {"a": "b"}}}),
        CREATED: Attempt("POST", f"{base}/serviceaccounts", new),
        DELETED: Attempt("DELETE", theirs),
    }


def test_all_files_are_found() -> None:
    assert {WHOLE, NAMESPACED, NAMESPACES, CHAINING, CHANGE, APPLY} < set(SHIPPED)
    assert set(EXCEPTIONS) == set(SAID) <= set(SHIPPED)


@pytest.mark.parametrize("file", SHIPPED)
def test_nothing_leads_to_more_rights(rbac_stage: Stage, file: str) -> None:
    who = rbac_stage.enter(file)
    own = {
        part.format(place) for part in (STARTED, LOGGED) for place in who.places.values() if file == IN_POD
    }
    found = successes(who.client, attempts(who))
    assert [item for item in found if not any(f"/{part}:" in item for part in own)] == []
    assert len(found) == len(own)


@pytest.mark.parametrize("file", SHIPPED)
def test_what_it_allows_beyond_irsas_work_is_what_the_page_says(rbac_stage: Stage, file: str) -> None:
    who = rbac_stage.enter(file)
    allowed = {name for name, attempt in beyond(who).items() if not refused(attempt.by(who.client))}
    assert allowed == EXCEPTIONS.get(file, set())
    if file in SAID:
        page, words = SAID[file]
        assert words in (ROOT / page).read_text(encoding="utf-8")


def test_the_administrator_can_do_what_is_tried(rbac_stage: Stage) -> None:
    # Else a refusal would say nothing: each attempt reaches the API as it is written.
    who = rbac_stage.enter(NAMESPACED)
    assert len(successes(who.plane.admin, attempts(who)[:3])) == 3
    assert all(attempt.by(who.plane.admin).status < 300 for attempt in beyond(who).values())


@pytest.mark.parametrize(
    ("file", "place"), [(WHOLE, "irsa-system"), (CHANGE, "irsa-system"), (NAMESPACED, "backend-locks")]
)
def test_locks_are_taken_in_their_own_namespace_only(
    rbac_stage: Stage, unique: str, file: str, place: str
) -> None:
    who = rbac_stage.enter(file)
    kube = kube_of(who.client)
    locking.all_of_it(kube, who.places[place], unique)
    for other in (who.places["backend"], "default"):
        with pytest.raises(ServiceError) as caught:
            locking.take(kube, other, unique)
        assert (caught.value.code, caught.value.status) == ("Forbidden", 403)


@pytest.mark.parametrize("file", [WHOLE, CHANGE, NAMESPACED])
def test_tokens_are_got_in_the_namespace_of_the_binding_only(rbac_stage: Stage, file: str) -> None:
    who = rbac_stage.enter(file)
    for place, status in ((who.places["backend"], 201), (who.other, 403)):
        accounts = f"/api/v1/namespaces/{place}/serviceaccounts"
        assert who.plane.admin.create(accounts, {"metadata": {"name": "mine"}}).status == 201
        assert who.client.create(f"{accounts}/mine/token", {"spec": {}}).status == status


def test_without_the_contents_no_secrets_are_read(rbac_stage: Stage) -> None:
    who = rbac_stage.enter(NAMESPACES, without=["irsa-namespace-contents"])
    assert successes(who.client, [*beyond(who).values()]) == []


def test_by_namespace_irsa_does_its_work(
    rbac_stage: Stage, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = rbac_stage.enter(NAMESPACED)
    where = _work(sandbox, who, "backend-locks", tmp_path, monkeypatch)
    policy = ("--attach-policy-arn", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    made = ("create-sa", "app", *policy, "--verify", "--no-create-namespace")
    own = ("-n", who.places["backend"])
    assert run([*made, *own, *where]) == 0
    assert run([*made, *own, *where]) == 0
    assert run(["delete-sa", "app", *own, *where]) == 0
    assert run(["create-sa", "app", *policy, "--no-create-namespace", "-n", who.other, *where]) != 0


def test_by_namespace_irsa_chains_by_a_config_map(
    rbac_stage: Stage, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = rbac_stage.enter(NAMESPACED, CHAINING)
    where = ("-n", who.places["backend"], *_work(sandbox, who, "backend-locks", tmp_path, monkeypatch))
    chain = ("--target-role", f"arn:aws:iam::{staging.OTHER}:role/data", "--aws-config-map")
    maps = f"/api/v1/namespaces/{who.places['backend']}/configmaps"
    made = ("create-sa", "reports", "--no-create-namespace", *chain)
    assert run([*made, "somebodys", *where]) != 0
    assert run([*made, "reports-aws", *where]) == 0
    first = who.plane.admin.get(f"{maps}/reports-aws").body["data"]
    assert run([*made, "reports-aws", *where]) == 0
    assert run(["update-sa", "reports", "--external-id", "tenant-8", *where]) == 0
    assert who.plane.admin.get(f"{maps}/reports-aws").body["data"] != first
    assert run(["delete-sa", "reports", *where]) == 0
    assert who.plane.admin.get(f"{maps}/reports-aws").status == 404


@pytest.mark.parametrize(
    ("without", "code"), [([], 1), (["irsa-namespace-contents"], 3)], ids=["all", "without-contents"]
)
def test_a_namespace_that_was_made_is_taken_back(
    without: list[str],
    code: int,
    rbac_stage: Stage,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    who = rbac_stage.enter(WHOLE, NAMESPACES, without=without, missing=["backend"])
    where = _work(sandbox, who, "irsa-system", tmp_path, monkeypatch)
    sandbox.faults.add(Fault("iam", "CreateRole", "error", times=None))
    place = who.places["backend"]
    assert run(["create-sa", "app", "-n", place, "--no-policy", *where]) == code
    # Without a controller of namespaces, one that is deleted stays there, and says so.
    found = who.plane.admin.get(f"/api/v1/namespaces/{place}").body
    assert found["status"]["phase"] == ("Terminating" if code == 1 else "Active")


def _be(sandbox: Sandbox, user: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**sandbox.env(user=user), "IRSA_STATE_DIR": str(folder / "state")}.items():
        monkeypatch.setenv(name, value)


def _work(
    sandbox: Sandbox, who: Intruder, locks: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, ...]:
    """Be the holder, with the documented IAM policy for this cluster's name; returns the arguments."""
    _be(sandbox, "admin", folder, monkeypatch)
    assert run(["associate-oidc", "-c", "real", "-q"]) == 0
    text = json.dumps(staging.joined("iam-policy")).replace("/demo", "/real")
    user = f"w-{who.group}"
    sandbox.add_user(user, policy=json.loads(text))
    sandbox.grant("real", user, username=user, groups=[who.group])
    _be(sandbox, user, folder, monkeypatch)
    return ("--lock-namespace", who.places[locks], "-c", "real", "-q")
