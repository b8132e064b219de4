"""Who has one of the shipped files of RBAC tries to become more than he is, on a real API server.

Each attempt is made, not asked about. The files are found, not listed. What a file lets its holder do beyond
irsa's own work is in `EXCEPTIONS`, exactly, and said on its page.
"""

import json
import shlex
from pathlib import Path

import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.sandbox import Fault, Sandbox
from tests.docs import staging
from tests.docs.console import ROOT
from tests.support import locking, shipped_rbac
from tests.support.attempts import attempt
from tests.support.intruder import RBAC, Attempt, Intruder, Stage, refused, successes
from tests.support.kubes import kube_of

FOLDER = "docs/how-to/permissions"
WHOLE, NAMESPACED, NAMESPACES, CHAINING, CHANGE, IN_POD = (
    f"{FOLDER}/{name}.yaml"
    for name in ("rbac", "rbac-namespaced", "rbac-namespaces", "chaining-rbac", "change-rbac", "in-pod-rbac")
)
APPLY = "deploy/kustomize/rbac-apply/rbac.yaml"
SHIPPED = shipped_rbac.with_rbac()
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
EVERYTHING = "rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]"
BINDING = (
    "{metadata: {name: evil-$group}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name:"
    " cluster-admin}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: $group}]}"
)
POD = "{apiVersion: v1, kind: Pod, metadata: {name: evil}, spec: {containers: [{name: c, image: i}]}}"
ANYWHERE = (
    f"POST $rbac/clusterrolebindings {BINDING}",
    f"POST $rbac/clusterroles {{metadata: {{name: evil}}, {EVERYTHING}}}",
    f"PATCH $rbac/clusterroles/irsa-serviceaccounts-$group {{{EVERYTHING}}}",
    f"PATCH $rbac/clusterrolebindings/cluster-admin {BINDING}",
    "DELETE $rbac/clusterroles/cluster-admin",
    "POST /apis/authentication.k8s.io/v1/tokenreviews {spec: {token: x}}",
    "DELETE /api/v1/namespaces/$other",
    f"POST /api/v1/namespaces/$other/pods {POD}",
    "GET /api/v1/namespaces/$other/secrets/secret-$group",
    f"POST $rbac/namespaces/$other/rolebindings {BINDING}",
    "PATCH /api/v1/namespaces/kube-system/configmaps/aws-auth {data: {mapUsers: evil}}",
    "GET /metrics",
    "GET /api/v1/secrets as Impersonate-User: admin",
    "GET /api/v1/secrets as Impersonate-User: x, Impersonate-Group: 'system:masters'",
    "GET /api/v1/secrets as Impersonate-User: 'system:serviceaccount:kube-system:$victim'",
    "GET /api/v1/secrets as Impersonate-User: x, Impersonate-Uid: '1'",
)
"""What must never succeed, with any of the files; test_rbac_reach.py tries every verb on every resource."""
BEYOND = {
    "a token of a ServiceAccount of kube-system": "POST $base/serviceaccounts/$victim/token {spec: {}}",
    "all Secrets": "GET /api/v1/secrets",
    "Secrets of kube-system": "GET $base/secrets",
    CHANGED: "PATCH $base/serviceaccounts/$victim {metadata: {labels: {a: b}}}",
    CREATED: "POST $base/serviceaccounts {metadata: {name: new-$group}}",
    DELETED: "DELETE $base/serviceaccounts/$victim",
}
"""What some files allow beyond irsa's own work."""


def of(line: str, who: Intruder, place: str) -> Attempt:
    """A line in a namespace, for somebody."""
    words = {"group": who.group, "other": who.other, "victim": who.victim, "rbac": RBAC}
    return attempt(line, base=f"/api/v1/namespaces/{place}", **words)


def attempts(who: Intruder) -> list[Attempt]:
    """What must never succeed, with any of the files."""
    return [of(line, who, "") for line in ANYWHERE]


def beyond(who: Intruder) -> dict[str, Attempt]:
    """What some files allow beyond irsa's own work."""
    return {name: of(line, who, "kube-system") for name, line in BEYOND.items()}


def test_all_files_are_found() -> None:
    assert {WHOLE, NAMESPACED, NAMESPACES, CHAINING, CHANGE, APPLY} < set(SHIPPED)
    assert set(EXCEPTIONS) == set(SAID) <= set(SHIPPED)


@pytest.mark.parametrize("file", SHIPPED)
def test_nothing_leads_to_more_rights(rbac_stage: Stage, file: str) -> None:
    who = rbac_stage.enter(file)
    assert successes(who.client, attempts(who)) == []


@pytest.mark.parametrize("file", SHIPPED)
def test_what_it_allows_beyond_irsas_work_is_what_the_page_says(rbac_stage: Stage, file: str) -> None:
    who = rbac_stage.enter(file)
    allowed = {name for name, act in beyond(who).items() if not refused(act.by(who.client))}
    assert allowed == EXCEPTIONS.get(file, set())
    if file in SAID:
        page, words = SAID[file]
        assert words in (ROOT / page).read_text("utf-8")


def test_the_administrator_can_do_what_is_tried(rbac_stage: Stage) -> None:
    # Else a refusal would say nothing: each attempt reaches the API as it is written.
    who = rbac_stage.enter(NAMESPACED)
    assert len(successes(who.plane.admin, attempts(who)[:3])) == 3
    assert all(act.by(who.plane.admin).status < 300 for act in beyond(who).values())


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
    create = "create-sa app --no-create-namespace --attach-policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess"
    own = f"-n {who.places['backend']} {where}"
    assert [
        ends(f"{line} {own}") for line in (f"{create} --verify", f"{create} --verify", "delete-sa app")
    ] == [0] * 3
    assert ends(f"{create} -n {who.other} {where}") != 0


def test_by_namespace_irsa_chains_by_a_config_map(
    rbac_stage: Stage, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = rbac_stage.enter(NAMESPACED, CHAINING)
    place = who.places["backend"]
    where = f"-n {place} {_work(sandbox, who, 'backend-locks', tmp_path, monkeypatch)}"
    role = f"--target-role arn:aws:iam::{staging.OTHER}:role/data"
    create = f"create-sa reports --no-create-namespace {where} {role} --aws-config-map"
    path = f"/api/v1/namespaces/{place}/configmaps/reports-aws"
    assert ends(f"{create} somebodys") != 0
    assert ends(f"{create} reports-aws") == 0
    first = who.plane.admin.get(path).body["data"]
    assert ends(f"{create} reports-aws") == 0
    assert ends(f"update-sa reports --external-id tenant-8 {where}") == 0
    assert who.plane.admin.get(path).body["data"] != first
    assert ends(f"delete-sa reports {where}") == 0
    assert who.plane.admin.get(path).status == 404


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
    assert ends(f"create-sa app -n {place} --no-policy {where}") == code
    # Without a controller of namespaces, one that is deleted stays there, and says so.
    found = who.plane.admin.get(f"/api/v1/namespaces/{place}").body
    assert found["status"]["phase"] == ("Terminating" if code == 1 else "Active")


def ends(line: str) -> int:
    """The exit code of a command."""
    return run(shlex.split(line))


def _be(sandbox: Sandbox, user: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**sandbox.env(user=user), "IRSA_STATE_DIR": str(folder / "state")}.items():
        monkeypatch.setenv(name, value)


def _work(sandbox: Sandbox, who: Intruder, locks: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Be the holder, with the documented IAM policy for this cluster's name; returns the options."""
    _be(sandbox, "admin", folder, monkeypatch)
    assert ends("associate-oidc -c real -q") == 0
    text = json.dumps(staging.joined("iam-policy")).replace("/demo", "/real")
    user = f"w-{who.group}"
    sandbox.add_user(user, policy=json.loads(text))
    sandbox.grant("real", user, username=user, groups=[who.group])
    _be(sandbox, user, folder, monkeypatch)
    return f"--lock-namespace {who.places[locks]} -c real -q"
