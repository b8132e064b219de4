"""`irsa apply`, `diff`, `delete -f` and `--prune`, judged by the world: made, changed, let be, deleted."""

from __future__ import annotations

import json

import pytest

from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from tests.support.memory.kube import moment
from tests.support.memory.playing import DENIED, Play
from tests.support.ran import full_name
from tests.unit.usecases.commands import FILE, ONE, S3, SHARED, Stage, applied, by_hand, shared

HEAD = FILE.partition("  - metadata: {name: writer")[0].partition("  - metadata")[0]
SHARING = HEAD + "".join(
    f"  - metadata: {{name: {name}, namespace: backend}}\n    attachRoleARN: {SHARED}\n"
    for name in ("reader", "writer")
)
PRUNE = "apply -f $folder/irsa.yaml --prune --yes"
DELETE = "delete --yes -f $folder/irsa.yaml"
POD = json.loads(
    '{"spec": {"serviceAccountName": "reader", "containers": [{"name": "app"}]},'
    ' "status": {"phase": "Running"}}'
)


def outcomes(stage: Stage, line: str, text: str = FILE, code: int = 0, changes: str | None = None) -> str:
    """How the items of a command about a file ended, sorted: `NAME OUTCOME, …`."""
    stage.play.file(text)
    ran = stage.run(f"{line} -o json", code=code, changes=changes)
    return ", ".join(sorted(f"{full_name(item) or item['scope']} {item['outcome']}" for item in ran.items))


def role_of(play: Play, namespace: str, name: str) -> str:
    """The name of the role that a ServiceAccount is annotated with, '' for none."""
    account = play.world.accounts[namespace, name]
    return account.annotations.get(ROLE_ARN_ANNOTATION, "").rsplit("/", 1)[-1]


APPLY = "apply -f $folder/irsa.yaml"
UNCHANGED = "backend/reader unchanged, frontend/writer unchanged"


def test_where_the_groundwork_can_not_be_laid_nothing_is_begun(stage: Stage) -> None:
    stage.play.cloud.break_("CreateOpenIDConnectProvider", DENIED, times=10)
    assert outcomes(stage, APPLY, code=1, changes="").rpartition(" ")[0] == "shared-parts"


def test_without_permission_to_list_they_are_read_one_by_one(stage: Stage) -> None:
    for operation in ("ListRoles", "list serviceaccounts", "list namespaces"):
        stage.play.cloud.break_(operation, DENIED, times=10)
    outcomes(stage, APPLY)
    assert role_of(stage.play, "backend", "reader") in stage.play.world.roles


def test_those_on_a_role_of_somebody_elses_share_its_statement(stage: Stage) -> None:
    shared(stage.play)
    before = stage.play.world.roles["shared"].state.trust["Statement"]
    assert "backend/reader refused" in outcomes(stage, APPLY, SHARING, code=4)
    assert stage.play.world.roles["shared"].state.trust["Statement"] == before
    outcomes(stage, f"{APPLY} --update-trust", SHARING)
    statements = stage.play.world.roles["shared"].state.trust["Statement"]
    assert statements[: len(before)] == before
    (ours,) = statements[len(before) :]
    assert "system:serviceaccount:backend:reader" in str(ours)
    assert "system:serviceaccount:backend:writer" in str(ours)
    outcomes(stage, DELETE, SHARING)
    assert stage.play.world.roles["shared"].state.trust["Statement"] == before
    assert ("backend", "writer") not in stage.play.world.accounts
    assert stage.play.world.accounts["backend", "reader"].annotations == {"team": "a"}


@pytest.mark.parametrize("flags", ["", " --atomic"])
def test_what_is_pruned_is_told_once_also_when_it_is_looked_at_again_with_its_locks(
    stage: Stage, flags: str
) -> None:
    applied(stage.play)
    stage.play.file(FILE)
    assert stage.run(f"{PRUNE} --lock{flags}").err.count("No file contains these any more") == 1
    assert stage.play.cloud.locks == []


def test_not_pruned_is_what_was_not_selected(stage: Stage) -> None:
    applied(stage.play)
    assert "backend/old committed" in outcomes(stage, f"{PRUNE} --exclude 'attic/*'")
    assert ("attic", "older") in stage.play.world.accounts


def test_not_pruned_is_what_was_only_adopted(stage: Stage) -> None:
    by_hand(stage.play)
    stage.run("adopt reader -n backend")
    outcomes(stage, PRUNE, HEAD.replace("serviceAccounts:", "serviceAccounts: []"), changes="")


def test_nothing_is_deleted_that_is_in_use(stage: Stage) -> None:
    applied(stage.play)
    stage.play.cloud.kube.put("pods", "backend", "app-1", POD)
    before = stage.play.world
    assert outcomes(stage, DELETE, code=1) == "backend/reader refused, frontend/writer committed"
    assert stage.play.world.accounts["backend", "reader"] == before.accounts["backend", "reader"]
    assert "backend/reader committed" in outcomes(stage, f"{DELETE} --force")
    assert ("backend", "reader") not in stage.play.world.accounts
    assert outcomes(stage, DELETE, changes="") == UNCHANGED


@pytest.mark.parametrize("flags", ["", " --atomic"])
def test_a_deletion_that_fails_leaves_everything(stage: Stage, flags: str) -> None:
    applied(stage.play)
    stage.play.cloud.break_("DeleteRole", DENIED, times=10)
    stage.play.file(FILE)
    stage.run(PRUNE + flags, code=1, changes="")


def test_old_namespaces_are_nobodys_to_take_back(stage: Stage) -> None:
    """One that was made long ago is not marked by this run, and stays whatever happens."""
    stage.play.cloud.kube.put("namespaces", "", "backend", creationTimestamp=moment(days=-30))
    stage.play.cloud.break_("AttachRolePolicy", DENIED)
    stage.run("create-sa reader -n backend --attach-policy-arn $S3 --associate-oidc", code=1, changes="")


@pytest.mark.parametrize("flags", ["", " --atomic"])
def test_where_nothing_changes_in_iam_a_refusal_of_sts_is_final(stage: Stage, flags: str) -> None:
    by_hand(stage.play)
    stage.play.cloud.kube.put("serviceaccounts", "backend", "reader", annotations={})
    stage.play.cloud.break_("AssumeRoleWithWebIdentity", DENIED, times=1000)
    theirs = f"attachRoleARN: {SHARED.replace('shared', 'theirs')}"
    stage.play.file(ONE.replace(f'attachPolicyARNs: ["{S3}"]', theirs))
    stage.run(f"{APPLY} --verify --timeout 5s{flags}", code=5, changes="")
    assert stage.play.cloud.calls.count("AssumeRoleWithWebIdentity") == 1
