"""`serviceAccounts: {git: [...]}` in `.irsa.yaml`: no command writes a ServiceAccount there, and says why."""

from __future__ import annotations

import shlex

import pytest
import yaml

from tests.scenarios.test_boundaries import APP, APPLY
from tests.support.acts import put, wish
from tests.support.associated import AGENT
from tests.support.eks_states import add_addon
from tests.support.stage import ROLE_ARN, Json, Stage

CREATE = "create-sa app -n $ns --attach-policy-arn $S3"
PLACE = ".irsa.yaml:1"


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")


def in_git(stage: Stage) -> None:
    """The project's ServiceAccounts of this namespace are in Git."""
    put(stage, ".irsa.yaml", "serviceAccounts: {git: [$ns, 'team-*']}\n")


def account(stage: Stage, namespace: str) -> Json | None:
    """The ServiceAccount, with its version: whoever writes it changes that."""
    answer = stage.kube.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/app")
    return answer.body["metadata"] if answer.status == 200 else None


def manifest(stage: Stage, **annotations: str) -> Json:
    """The ServiceAccount as Git has it."""
    namespace = stage.words["ns"]
    metadata = {"name": "app", "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def test_the_role_is_created_and_the_line_for_git_is_said(stage: Stage, namespace: str) -> None:
    in_git(stage)
    stage.run(f"{CREATE} --dry-run", says=[PLACE, "add to its manifest", "irsa export app"], changes="")
    ran = stage.run(f"{CREATE} -o json", says=PLACE)
    assert account(stage, namespace) is None
    role = ran.item["role"]["arn"]
    (note,) = (text for text in ran.item["notes"] if PLACE in text)
    line = note.partition("manifest: ")[2].partition(", or run: ")[0]
    assert yaml.safe_load(line) == {"metadata": {"annotations": {ROLE_ARN: role}}}
    put(stage, "app.yaml", yaml.safe_dump(manifest(stage)))
    export = shlex.split(note.partition("or run: irsa ")[2].replace("FILE", "app.yaml"))
    stage.run(shlex.join([*export, "-q"]))
    body = yaml.safe_load((stage.folder / "app.yaml").read_text("utf-8"))
    assert body == manifest(stage, **{ROLE_ARN: role})
    stage.kube.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)
    before = account(stage, namespace)
    stage.run(f"{CREATE} --verify", says=["Nothing to do", "--verify is ignored"], silent=PLACE, changes="")
    stage.run(
        "delete-sa app -n $ns --yes",
        says=["Deleted: role", PLACE, "keeps its annotation", "Remove it from its manifest"],
    )
    assert account(stage, namespace) == before


def test_each_command_leaves_the_service_account(stage: Stage, namespace: str) -> None:
    """One that irsa created, before its namespace was handed over to Git."""
    stage.run(CREATE)
    in_git(stage)
    before = account(stage, namespace)
    lines = (
        (CREATE, 0, ""),
        (CREATE, 0, "Nothing to do"),
        ("update-sa app -n $ns --description new", 0, ""),
        ("update-sa app -n $ns --label team=web", 4, ["is in Git", PLACE, 'set the label team: "web"']),
        ("release app -n $ns", 0, PLACE),
        ("adopt app -n $ns", 0, PLACE),
        ("adopt --all -n $ns --yes", (0, 7), ""),
        ("delete-sa app -n $ns --keep-sa --yes", 0, PLACE),
    )
    for line, code, says in lines:
        stage.run(line, code=code, says=says)
        assert account(stage, namespace) == before, line
    # Without the file, irsa does not know it.
    put(stage, ".irsa.yaml", "{}\n")
    stage.run(CREATE)
    stage.run("update-sa app -n $ns --label team=web")
    assert account(stage, namespace) != before


@pytest.mark.parametrize("mode", ["", "--atomic"])
def test_files_create_the_role_and_delete_it(stage: Stage, namespace: str, mode: str) -> None:
    in_git(stage)
    stage.make_account(namespace, "app")
    before = account(stage, namespace)
    wish(stage, APP)
    stage.run(f"{APPLY} {mode}", says=[PLACE, "add to its manifest"])
    stage.run("diff -f f.yaml", changes="")
    assert account(stage, namespace) == before
    assert stage.run("get-sa -n $ns -o json").items[0]["role"]
    stage.run("delete -f f.yaml --yes", says=PLACE)
    assert account(stage, namespace) == before
    stage.run("get-sa -n $ns", code=7)


def test_the_other_way_is_added_and_the_annotation_stays(stage: Stage, namespace: str) -> None:
    add_addon(stage.sandbox, "demo", AGENT)
    stage.run(CREATE)
    in_git(stage)
    before = account(stage, namespace)
    move = "migrate --to pod-identity app -n $ns"
    stage.run(move)
    stage.run(f"{move} --finish", code=4, says=["is in Git", f"remove the annotation {ROLE_ARN}"], changes="")
    assert account(stage, namespace) == before


def test_other_namespaces_are_written(stage: Stage, namespace: str) -> None:
    put(stage, ".irsa.yaml", "serviceAccounts: {git: ['team-*', '${ns}x']}\n")
    stage.run(CREATE, silent=PLACE)
    assert account(stage, namespace) is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{git: [A_B]}", "'A_B' is not a valid namespace"),
        ("{git: ['{a,b}']}", "is not a valid namespace"),
        ("{git: ['']}", "is not a valid namespace"),
        ("{git: backend}", "expected a list of strings, not 'backend'"),
        ("{git: [1]}", "1 is a number in YAML"),
        ("{gti: []}", "did you mean 'git'?"),
        ("{}", "git is missing"),
        ("[backend]", "expected a mapping with git"),
        ("", "expected a mapping with git"),
    ],
)
def test_a_wrong_value_is_refused_at_once(stage: Stage, text: str, says: str) -> None:
    put(stage, ".irsa.yaml", f"serviceAccounts: {text}\n")
    stage.run(CREATE, code=2, says=says, changes="")
