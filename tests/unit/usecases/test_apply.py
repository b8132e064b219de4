"""`irsa apply`, `diff`, `delete -f` and `--prune`, judged by the world: made, changed, let be, deleted."""

from __future__ import annotations

import copy

import pytest

from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from tests.support.memory.cloud import PROVIDER
from tests.support.memory.kube import moment
from tests.support.memory.playing import DENIED, Play
from tests.support.ran import full_name
from tests.unit.usecases.commands import CREATE, FILE, S3, SHARED, SQS, applied, by_hand, provider, shared

READER, WRITER = "reader", "writer"
SHARING = f"""
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: demo, region: eu-west-1}}
iam:
  withOIDC: true
  serviceAccounts:
  - metadata: {{name: reader, namespace: backend}}
    attachRoleARN: {SHARED}
  - metadata: {{name: writer, namespace: backend}}
    attachRoleARN: {SHARED}
"""


def outcomes(play: Play, *arguments: str, code: int = 0) -> dict[str, str]:
    """How each item of a command ended."""
    document = play.irsa(*arguments, "-o", "json", code=code)
    return {full_name(item) or item["scope"]: item["outcome"] for item in document.items}


def role_of(play: Play, namespace: str, name: str) -> str:
    """The name of the role that a ServiceAccount is annotated with, '' for none."""
    account = play.world.accounts[namespace, name]
    return account.annotations.get(ROLE_ARN_ANNOTATION, "").rsplit("/", 1)[-1]


def test_a_file_is_made_true_and_then_there_is_nothing_to_do(play: Play) -> None:
    file = play.file(FILE)
    play.irsa("diff", "-f", file, code=6)
    assert play.world.roles == {}
    assert set(outcomes(play, "apply", "-f", file).values()) == {"committed"}
    world = play.world
    assert world.providers[PROVIDER].audiences == ["sts.amazonaws.com"]
    assert world.roles[role_of(play, "backend", READER)].attached == {S3}
    assert world.roles[role_of(play, "frontend", WRITER)].attached == {SQS}
    assert set(outcomes(play, "apply", "-f", file).values()) == {"unchanged"}
    assert play.cloud.writes == []
    assert play.world == world
    play.irsa("diff", "-f", file)


def test_what_differs_is_changed_and_nothing_else(play: Play) -> None:
    play.irsa("apply", "-f", play.file(FILE))
    before = play.world
    found = outcomes(play, "apply", "-f", play.file(FILE.replace(SQS, S3)))
    assert found["backend/reader"] == "unchanged"
    assert found["frontend/writer"] == "committed"
    after, writer = play.world, role_of(play, "frontend", WRITER)
    assert after.roles[writer].attached == {S3}
    del before.roles[writer], after.roles[writer]
    assert after == before


def test_an_error_of_one_does_not_end_the_others(play: Play) -> None:
    play.cloud.iam.missing.add(SQS)
    found = outcomes(play, "apply", "-f", play.file(FILE), code=1)
    assert (found["backend/reader"], found["frontend/writer"]) == ("committed", "failed")
    assert ("frontend", "writer") not in play.world.accounts
    # What only the other one needed is taken back.
    assert play.world.namespaces == {"backend"}


def test_with_atomic_an_error_of_one_is_that_of_all(play: Play) -> None:
    play.cloud.iam.missing.add(SQS)
    before = play.world
    play.irsa("apply", "-f", play.file(FILE), "--atomic", code=1)
    assert play.world == before


def test_where_the_groundwork_can_not_be_laid_nothing_is_begun(play: Play) -> None:
    play.cloud.break_("CreateOpenIDConnectProvider", DENIED, times=10)
    before = play.world
    document = play.irsa("apply", "-f", play.file(FILE), "-o", "json", code=1)
    assert play.world == before
    assert [item["scope"] for item in document.items] == ["shared-parts"]


def test_without_permission_to_list_they_are_read_one_by_one(play: Play) -> None:
    for operation in ("ListRoles", "list serviceaccounts", "list namespaces"):
        play.cloud.break_(operation, DENIED, times=10)
    outcomes(play, "apply", "-f", play.file(FILE))
    assert role_of(play, "backend", READER) in play.world.roles


def test_those_on_a_role_of_somebody_elses_share_its_statement(play: Play) -> None:
    shared(play)
    before = play.world.roles["shared"].state.trust["Statement"]
    outcomes(play, "apply", "-f", play.file(SHARING), "--update-trust")
    statements = play.world.roles["shared"].state.trust["Statement"]
    assert statements[: len(before)] == before
    (ours,) = statements[len(before) :]
    assert "system:serviceaccount:backend:reader" in str(ours)
    assert "system:serviceaccount:backend:writer" in str(ours)
    outcomes(play, "delete", "--yes", "-f", play.file(SHARING))
    assert play.world.roles["shared"].state.trust["Statement"] == before
    assert ("backend", "writer") not in play.world.accounts
    assert play.world.accounts["backend", "reader"].annotations == {"team": "a"}


def test_a_role_of_somebody_elses_is_not_written_without_the_flag(play: Play) -> None:
    shared(play)
    before = play.world.roles["shared"]
    assert outcomes(play, "apply", "-f", play.file(SHARING), code=4)["backend/reader"] == "refused"
    assert play.world.roles["shared"] == before


def test_another_run_that_has_made_the_same_meanwhile_is_no_failure(play: Play) -> None:
    """It holds no lock, begins and ends while this one is about to make the role: all of it is done then.

    Only the namespace is told of, which both need (3).
    """
    provider(play)
    before = copy.deepcopy((play.cloud.iam, play.cloud.kube))
    play.irsa(*CREATE)
    done, world = (play.cloud.iam, play.cloud.kube), play.world
    play.cloud.iam, play.cloud.kube = before

    def end() -> None:
        play.cloud.iam, play.cloud.kube = done

    play.cloud.meanwhile("CreateRole", end)
    ran = play.irsa(*CREATE, "--state-dir", str(play.folder / "elsewhere"), code=None)
    assert ran.code in (0, 3)
    assert set(play.world.roles) == set(world.roles)
    assert play.world.accounts == world.accounts


def test_another_run_that_has_made_something_else_meanwhile_keeps_it(play: Play) -> None:
    provider(play)
    before = copy.deepcopy((play.cloud.iam, play.cloud.kube))
    play.irsa(*CREATE[:-1], SQS)
    done, world = (play.cloud.iam, play.cloud.kube), play.world
    play.cloud.iam, play.cloud.kube = before

    def end() -> None:
        play.cloud.iam, play.cloud.kube = done

    play.cloud.meanwhile("CreateRole", end)
    ran = play.irsa(*CREATE, "--state-dir", str(play.folder / "elsewhere"), code=None)
    assert ran.code in (3, 4)  # 3: the namespace, which the other one uses by now, is told of.
    assert play.world == world


def test_pruned_is_what_irsa_made_and_no_file_wishes(play: Play) -> None:
    applied(play)
    play.cloud.kube.put("namespaces", "", "theirs")
    play.cloud.kube.put("serviceaccounts", "theirs", "app", annotations={ROLE_ARN_ANNOTATION: SHARED})
    before = play.world
    file = play.file(FILE)
    play.irsa("apply", "-f", file, "--prune", "--yes", "--dry-run")
    assert play.world == before
    found = outcomes(play, "apply", "-f", file, "--prune", "--yes")
    assert {"backend/old", "attic/older"} <= set(found)
    after = play.world
    assert set(before.accounts) - set(after.accounts) == {("backend", "old"), ("attic", "older")}
    assert len(after.roles) == len(before.roles) - 2
    assert after.accounts["theirs", "app"] == before.accounts["theirs", "app"]
    assert set(outcomes(play, "apply", "-f", file, "--prune", "--yes").values()) == {"unchanged"}


@pytest.mark.parametrize("flags", [(), ("--atomic",)], ids=["one by one", "atomic"])
def test_what_is_pruned_is_told_once_also_when_it_is_looked_at_again_with_its_locks(
    play: Play, flags: tuple[str, ...]
) -> None:
    applied(play)
    ran = play.irsa("apply", "-f", play.file(FILE), "--prune", "--yes", "--lock", *flags)
    assert ran.err.count("No file contains these any more") == 1
    assert play.cloud.locks == []


def test_not_pruned_is_what_was_not_selected(play: Play) -> None:
    applied(play)
    found = outcomes(play, "apply", "-f", play.file(FILE), "--prune", "--yes", "--exclude", "attic/*")
    assert "backend/old" in found
    assert ("attic", "older") in play.world.accounts


def test_not_pruned_is_what_was_only_adopted(play: Play) -> None:
    by_hand(play)
    play.irsa("adopt", "reader", "-n", "backend", "-c", "demo")
    before = play.world
    empty = FILE.split("  serviceAccounts:")[0] + "  serviceAccounts: []\n"
    outcomes(play, "apply", "-f", play.file(empty), "--prune", "--yes")
    assert play.world == before


def test_nothing_is_pruned_where_something_can_not_be_read(play: Play) -> None:
    applied(play)
    before = play.world
    play.cloud.break_("GetRole", DENIED, times=100)
    play.cloud.break_("GetAccountAuthorizationDetails", DENIED, times=100)
    ran = play.irsa("apply", "-f", play.file(FILE), "--prune", "--yes", code=None)
    assert ran.code != 0
    assert set(play.world.accounts) == set(before.accounts)
    assert set(play.world.roles) == set(before.roles)


def test_a_role_that_is_left_from_before_is_pruned(play: Play) -> None:
    """The entry has another role by now."""
    shared(play)
    play.irsa("create-sa", "writer", "-n", "backend", "-c", "demo", "--attach-policy-arn", S3)
    former = role_of(play, "backend", WRITER)
    arguments = ("apply", "-f", play.file(SHARING), "--update-trust", "--override-existing-serviceaccounts")
    outcomes(play, *arguments)
    assert former in play.world.roles
    outcomes(play, *arguments, "--prune", "--yes")
    assert former not in play.world.roles
    assert role_of(play, "backend", WRITER) == "shared"


def test_nothing_is_deleted_that_is_in_use(play: Play) -> None:
    applied(play)
    pod = {
        "spec": {"serviceAccountName": "reader", "containers": [{"name": "app"}]},
        "status": {"phase": "Running"},
    }
    play.cloud.kube.put("pods", "backend", "app-1", pod)
    before = play.world
    found = outcomes(play, "delete", "--yes", "-f", play.file(FILE), code=1)
    assert found["backend/reader"] == "refused"
    assert found["frontend/writer"] == "committed"
    assert play.world.accounts["backend", "reader"] == before.accounts["backend", "reader"]
    assert (
        outcomes(play, "delete", "--yes", "-f", play.file(FILE), "--force")["backend/reader"] == "committed"
    )
    assert ("backend", "reader") not in play.world.accounts


def test_what_is_not_there_is_as_wished(play: Play) -> None:
    assert set(outcomes(play, "delete", "--yes", "-f", play.file(FILE)).values()) == {"unchanged"}


@pytest.mark.parametrize("flags", [(), ("--atomic",)], ids=["one by one", "atomic"])
def test_a_deletion_that_fails_leaves_everything(play: Play, flags: tuple[str, ...]) -> None:
    applied(play)
    before = play.world
    play.cloud.break_("DeleteRole", DENIED, times=10)
    play.irsa("apply", "-f", play.file(FILE), "--prune", "--yes", *flags, code=1)
    assert play.world == before


def test_old_namespaces_are_nobodys_to_take_back(play: Play) -> None:
    """One that was made long ago is not marked by this run, and stays whatever happens."""
    play.cloud.kube.put("namespaces", "", "backend", creationTimestamp=moment(days=-30))
    play.cloud.break_("AttachRolePolicy", DENIED)
    play.irsa(*CREATE, "--associate-oidc", code=1)
    assert play.world.namespaces == {"backend"}
    assert play.world.roles == {}


@pytest.mark.parametrize("how", [(), ("--atomic",)])
def test_where_nothing_changes_in_iam_a_refusal_of_sts_is_final(play: Play, how: tuple[str, ...]) -> None:
    by_hand(play)
    play.cloud.kube.put("serviceaccounts", "backend", "reader", annotations={})
    before = play.world
    play.cloud.break_("AssumeRoleWithWebIdentity", DENIED, times=1000)
    theirs = SHARED.replace("shared", "theirs")
    one = SHARING.partition("  - metadata: {name: writer")[0].replace(SHARED, theirs)
    play.irsa("apply", "-f", play.file(one), "--verify", "--timeout", "5s", *how, code=5)
    assert play.cloud.calls.count("AssumeRoleWithWebIdentity") == 1
    assert play.world == before
