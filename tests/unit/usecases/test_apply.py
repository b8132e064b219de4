"""`irsa apply`, `diff`, `delete -f` and `--prune`, judged by the world: made, changed, let be, deleted."""

from __future__ import annotations

import pytest

from tests.support.memory.kube import moment
from tests.support.memory.playing import DENIED
from tests.support.ran import full_name
from tests.unit.usecases.commands import FILE, ONE, S3, SHARED, Stage, applied, by_hand

HEAD = FILE.partition("  - metadata: {name: writer")[0].partition("  - metadata")[0]
PRUNE = "apply -f $folder/irsa.yaml --prune --yes"


def outcomes(stage: Stage, line: str, text: str = FILE, code: int = 0, changes: str | None = None) -> str:
    """How the items of a command about a file ended, sorted: `NAME OUTCOME, …`."""
    stage.play.file(text)
    ran = stage.run(f"{line} -o json", code=code, changes=changes)
    return ", ".join(sorted(f"{full_name(item) or item['scope']} {item['outcome']}" for item in ran.items))


APPLY = "apply -f $folder/irsa.yaml"


def test_where_the_groundwork_can_not_be_laid_nothing_is_begun(stage: Stage) -> None:
    stage.play.cloud.break_("CreateOpenIDConnectProvider", DENIED, times=10)
    assert outcomes(stage, APPLY, code=1, changes="").rpartition(" ")[0] == "shared-parts"


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
