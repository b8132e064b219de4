"""`irsa delete-sa`: what irsa made goes, the rest stays, a failure anywhere takes everything back.

That each call of it may fail, lose its answer or be the last one of a killed run, the matrix shows.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import make_role, trust_of, write_trust
from tests.support import forks
from tests.support.acts import SERVICE, forget, killed, named, put, put_pod, strike, there_and_back
from tests.support.rows import Row, arguments_of, rows
from tests.support.stage import NO_LOCK as UNLOCKED
from tests.support.stage import READ_ONLY, ROLE_ARN, Ran, Stage

WISH = (
    "create-sa app -n $ns --attach-policy-arn $S3,$SQS --inline-policy inline.json --description reads "
    "--max-session-duration 7200 --permissions-boundary $SQS --tags team=a --label x=y --annotation n=m "
    "--token-expiration 900"
)
PLAIN = "create-sa app -n $ns --attach-policy-arn $S3"
BARE = "create-sa app -n $ns --no-policy"
DELETE = "delete-sa app -n $ns"
INLINE = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
NO_LOCK: dict[str, Any] = {**UNLOCKED}
UNIQUE = "as a principal keep its unique id"


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "app")
    put(stage, "inline.json", INLINE)


def elsewhere(stage: Stage) -> dict[str, Any]:
    """Another machine, which has no journals of what was run here."""
    return {"IRSA_STATE_DIR": str(stage.folder / "elsewhere")}


def test_what_irsa_made_is_gone(stage: Stage) -> None:
    before = stage.world()
    stage.run(WISH)
    planned = stage.run(f"{DELETE} --dry-run --detailed-exitcode -o json", code=6, changes="")
    assert planned.item["changes"][-1]["kind"] == "ServiceAccount"
    assert UNIQUE in str(planned.item["notes"])
    item = stage.run(f"{DELETE} -o json", says='"committed"').item
    assert item["serviceAccount"] == {"namespace": stage.words["ns"], "name": "app", "deleted": True}
    assert item["role"]["deleted"] is True
    assert stage.world() == before
    stage.run(DELETE, code=4, changes="")
    stage.run(f"{DELETE} --ignore-not-found", changes="")
    assert stage.irsa("recover").out.startswith("No unfinished")


@pytest.mark.parametrize(("operation", "skip"), [("TagRole", 1), ("DeleteRole", 0)])
def test_a_step_that_fails_takes_everything_back(stage: Stage, operation: str, skip: int) -> None:
    stage.run(WISH)
    strike(stage, f"iam {operation} error", skip=skip)
    stage.run(DELETE, code=1, changes="", silent=UNIQUE)
    stage.run(WISH, says="Nothing to do", changes="")


def test_a_service_account_that_may_not_go_is_found_before_anything_is_written(stage: Stage) -> None:
    stage.run(WISH)
    user = stage.restricted((("get", "patch", "list"), ("serviceaccounts",)), (("list",), ("pods",)))
    stage.sandbox.calls.clear()
    stage.run(DELETE, code=1, says="delete serviceaccounts", changes="", user=user)
    assert "TagRole" not in [call.operation for call in stage.sandbox.calls]


def test_a_role_that_a_rollback_creates_again_is_another_principal(sandbox: Sandbox, tmp_path: Path) -> None:
    # On a real API server the calls of a deletion are not always the same in number.
    small = sandbox_stage(sandbox, "demo", tmp_path)
    small.words["ns"] = "default"
    small.run(PLAIN + " --associate-oidc")
    named(small, "app")
    strike(small, "kubernetes DELETE serviceaccounts error", match="default", skip=2)
    ids = [small.iam().get_role(RoleName=small.words["role"])["Role"]["RoleId"]]
    small.run(DELETE, code=1, says=UNIQUE, changes="")
    assert small.iam().get_role(RoleName=small.words["role"])["Role"]["RoleId"] not in ids


def test_answers_that_are_all_lost_are_settled_by_reading(stage: Stage) -> None:
    strike(stage, "iam DeleteRole reset-after", times=None)
    strike(stage, "iam DetachRolePolicy reset-after", times=None)
    there_and_back(stage, f"{WISH}\n{DELETE}")


def others(stage: Stage) -> None:
    """A role of others that admits nobody of the cluster."""
    make_role(stage, f"{stage.words['ns']}-r", SERVICE)


USING = "--attach-role-arn arn:aws:iam::$account:role/$ns-r --update-trust"


def test_a_role_that_it_only_used_loses_its_statement(stage: Stage) -> None:
    others(stage)
    before = stage.world()
    stage.run(f"create-sa app -n $ns {USING}")
    strike(stage, "iam UpdateAssumeRolePolicy error")
    stage.run(DELETE, code=1, changes="")
    stage.run(DELETE)
    assert stage.world() == before


def test_of_several_that_share_a_statement_one_goes(stage: Stage) -> None:
    others(stage)
    stage.run(f"create-sa app -n $ns {USING}")
    before = stage.world()
    stage.run(f"create-sa guest -n $ns {USING}")
    strike(stage, "iam UpdateAssumeRolePolicy error")
    stage.run("delete-sa guest -n $ns", code=1, changes="")
    stage.run("delete-sa guest -n $ns")
    assert stage.world() == before


def test_the_only_statement_of_a_role_stays(stage: Stage, namespace: str) -> None:
    others(stage)
    stage.run(f"create-sa app -n $ns {USING}")
    write_trust(stage, f"{namespace}-r", trust_of(stage, f"{namespace}-r")["Statement"][1])
    before = stage.aws_world()["roles"]
    stage.run(DELETE, says="its only one")
    assert stage.account(namespace, "app") is None
    assert stage.aws_world()["roles"] == before


def only_annotated(stage: Stage) -> None:
    stage.make_account(
        stage.words["ns"], "app", labels={"of": "them"}, annotations={"a": "b"}, secrets=("s",)
    )


def test_a_service_account_that_irsa_only_annotated_stays(stage: Stage) -> None:
    only_annotated(stage)
    there_and_back(stage, f"{PLAIN} --token-expiration 900\n{DELETE}")
    stage.run(DELETE, code=4, changes="")


@pytest.mark.parametrize(
    "text", ["not-an-arn", "arn:aws:iam::111122223333:role/gone", "arn:aws:iam::444455556666:role/theirs"]
)
def test_what_the_annotation_names_need_not_be_there(stage: Stage, namespace: str, text: str) -> None:
    stage.run(WISH)
    stage.run(f"{DELETE} --keep-sa")
    before = stage.world()
    stage.annotate(namespace, "app", **{ROLE_ARN: text})
    stage.run(DELETE, code=4, changes="")
    stage.annotate(namespace, "app", **{"irsa/role-arn": text})
    stage.run(DELETE, says=text)
    assert stage.world() == before


def test_a_kept_service_account_is_nobodys(stage: Stage, namespace: str) -> None:
    stage.run(WISH)
    uid = (stage.account(namespace, "app") or {})["uid"]
    stage.run(f"{DELETE} --keep-sa")
    kept = stage.account(namespace, "app") or {}
    assert (kept["uid"], kept["labels"], kept["annotations"]) == (uid, {"x": "y"}, {"n": "m"})
    assert not stage.aws_world()["roles"]
    stage.run(DELETE, code=4, changes="")


def test_a_kept_role_is_complete(stage: Stage, namespace: str) -> None:
    stage.run(WISH)
    role = stage.role_of(namespace, "app")
    stage.run(f"{DELETE} --keep-role")
    assert stage.account(namespace, "app") is None
    (kept,) = stage.aws_world()["roles"].values()
    assert {**role, "tags": 0} == {**kept, "tags": 0}
    left = stage.irsa("recover", "--cluster", stage.cluster, "-o", "json").items
    assert "Role" not in [piece["kind"] for item in left for piece in item["objects"]]
    stage.run(WISH)
    stage.run(DELETE)
    assert not stage.aws_world()["roles"]


def test_a_role_without_a_service_account(stage: Stage) -> None:
    there_and_back(stage, f"{PLAIN} --role-only\n{DELETE} --role-only")
    stage.run(PLAIN)
    stage.run(f"{DELETE} --role-only", code=4, changes="")


def test_roles_of_other_names_are_found(stage: Stage, namespace: str) -> None:
    before = stage.world()
    stage.run(f"{WISH} --role-name $ns-own --role-path /else/")
    forget(stage)
    stage.run(DELETE)
    assert stage.world() == before
    others(stage)
    stage.run(f"{DELETE} --role-name $ns-r", code=4, changes="")


def by_pod(stage: Stage) -> None:
    stage.run(WISH)
    put_pod(stage)


def by_another(stage: Stage) -> None:
    """Another ServiceAccount uses the role, which admits it by its pattern."""
    stage.run(f"{BARE} --subject-pattern app*")
    stage.make_account(stage.words["ns"], "app-2", annotations={ROLE_ARN: stage.words["arn"]})


def by_principal(stage: Stage, principal: str = '{"AWS": "*"}') -> None:
    """Its trust policy admits somebody else, too."""
    stage.run(PLAIN)
    (own,) = trust_of(stage, stage.words["role"])["Statement"]
    write_trust(stage, stage.words["role"], own, {**SERVICE, "Principal": json.loads(principal)})


def by_service(stage: Stage) -> None:
    by_principal(stage, '{"Service": "ec2.amazonaws.com"}')


def by_account(stage: Stage) -> None:
    by_principal(stage, '{"AWS": "111122223333"}')


ALSO = ("has a role that others may also use", "its trust policy also allows")


@rows(
    Row("a pod", DELETE, 4, "web-0 (StatefulSet/web)", given=by_pod),
    Row("another account", DELETE, 4, "$ns/app-2", given=by_another),
    Row("anybody", DELETE, 4, ALSO, given=by_principal),
    Row("a service", DELETE, 4, ALSO, given=by_service),
    Row("an AWS account", DELETE, 4, ALSO, given=by_account),
)
def test_while_others_use_it_it_stays(row: Row, stage: Stage, namespace: str) -> None:
    row.play(stage)
    stage.run(f"{DELETE} --force")
    assert stage.account(namespace, "app") is None
    assert stage.words["role"] not in stage.world()["roles"]


def test_pods_that_may_not_be_listed_are_not_taken_for_none(stage: Stage) -> None:
    by_pod(stage)
    user = stage.restricted((("get", "patch", "delete"), ("serviceaccounts",)))
    stage.run(DELETE, code=4, says="can't be listed", changes="", user=user)


@pytest.mark.parametrize("lock", [{}, NO_LOCK], ids=["locks", "no locks"])
def test_a_role_whose_namespace_is_gone_is_deleted_at_once(stage: Stage, lock: dict[str, Any]) -> None:
    """The run that made it holds no Lease any more: only where nobody takes locks its age has to tell."""
    before = stage.world()["roles"]
    stage.run(WISH)
    forget(stage)
    # A bare API server has no controller to end that.
    stage.kube.delete(f"/api/v1/namespaces/{stage.words['ns']}")
    code = 4 if lock else 0
    stage.run(f"{DELETE} --dry-run", code=code, changes="", **elsewhere(stage), **lock)
    stage.run(DELETE, code=code, **elsewhere(stage), **lock)
    assert (stage.world()["roles"] == before) is not bool(lock)


def test_force_says_each_thing_that_it_goes_past(stage: Stage) -> None:
    """Who skips the look at the run that makes it has skipped nothing else."""
    by_pod(stage)
    forget(stage)
    says = ("is creating", "web-0 (StatefulSet/web)")
    stage.run(f"{DELETE} --force", says=says, **elsewhere(stage), **NO_LOCK)


def test_a_run_that_has_only_made_the_role_is_waited_for(stage: Stage, namespace: str) -> None:
    """Its namespace is not there yet, as after one that is gone: its Lease tells the two apart."""
    told: list[str] = []

    def meanwhile() -> None:
        arguments = ("delete-sa", "app", "-n", f"{namespace}-new", "-c", stage.cluster, "--lock-timeout", "0")
        with forks.one() as zygote:
            process = zygote.start(arguments, {**stage.env(), **elsewhere(stage)}, stage.folder)
            assert process.ended.wait(60)
            told.append(f"{process.code} {bytes(process.err).decode()}")

    strike(stage, "iam AttachRolePolicy callback", run=meanwhile)
    # Its call is held while the other one is at work.
    stage.run("create-sa app -n $ns-new --attach-policy-arn $S3", IRSA_CALL_TIMEOUT="120")
    assert [text[0] for text in told] == ["4"], told
    assert "another run is working" in told[0]
    assert stage.account(f"{namespace}-new", "app") is not None


def plain(stage: Stage) -> None:
    stage.make_account(stage.words["ns"], "app")


@rows(
    Row("the wrong namespace", "delete-sa app -n default", 4, "$ns", given=BARE, silent="again with -n $ns"),
    Row("which is ignored", "delete-sa app -n default --ignore-not-found", given=BARE),
    Row("one that is not irsa's", DELETE, 4, given=plain),
)
def test_what_is_not_there_or_not_irsas_is_left_alone(row: Row, stage: Stage, namespace: str) -> None:
    row.play(stage)


def test_no_deletion_of_what_others_need_is_proposed(stage: Stage, namespace: str) -> None:
    stage.run(BARE)
    stage.make_namespace(f"{namespace}-2")
    stage.make_account(f"{namespace}-2", "app")
    kubectl = "if nobody needs it, delete the ServiceAccount: kubectl delete serviceaccount app -n $ns-2"
    stage.run("delete-sa app -n $ns-2", code=4, says=kubectl, changes="")


@pytest.mark.parametrize("at", ["TagRole", "DeleteRole"])
@pytest.mark.parametrize("way", ["back", "forward", "again", "elsewhere"])
def test_a_deletion_that_was_cut_off_is_finished(stage: Stage, namespace: str, at: str, way: str) -> None:
    stage.run(WISH)
    before = stage.world()
    killed(stage, DELETE, f"iam {at} callback")
    if way in ("back", "forward"):
        ran = stage.irsa("recover", "--all", *(["--forward"] if way == "forward" else []))
        assert ran.code == 0, ran.err
    else:
        stage.run(DELETE, **(elsewhere(stage) if way == "elsewhere" else {}))
    if way != "back":
        del before["kubernetes"]["serviceaccounts"][f"{namespace}/app"]
        before["roles"] = {}
    assert stage.world() == before


def test_a_service_account_that_is_gone_does_not_come_back(
    stage: Stage, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The faults of the cluster's API strike on the sandbox's own only."""
    small = sandbox_stage(sandbox, "demo", tmp_path)
    small.foreign = stage.foreign
    small.run("create-sa app -n apps --attach-policy-arn $S3 --associate-oidc")
    killed(small, "delete-sa app -n apps", "kubernetes DELETE serviceaccounts callback", skip=2)
    item = small.irsa("recover", "--all", "-o", "json", IRSA_CALL_TIMEOUT="1").item
    assert (item["outcome"], "can't be restored" in item["notes"][0]) == ("committed", True)
    assert small.account("apps", "app") is None
    assert not small.aws_world()["roles"]


def beside(stage: Stage, line: str, at: str) -> list[Ran]:
    """Run a command on another machine, which takes no lock, where the next run has made a call."""
    ended: list[Ran] = []

    def other() -> None:
        ended.append(stage.irsa(*arguments_of(stage, line), **elsewhere(stage), **NO_LOCK))

    strike(stage, f"iam {at} callback", run=other)
    return ended


@pytest.mark.parametrize("at", ["TagRole", "DetachRolePolicy", "DeleteRole"])
def test_of_two_deletions_both_end_well(stage: Stage, at: str) -> None:
    before = stage.world()
    stage.run(PLAIN)
    ended = beside(stage, DELETE, at)
    stage.run(f"{DELETE} --ignore-not-found")
    assert ended[0].code == 0, ended[0].err
    assert stage.world() == before


def test_what_a_run_is_making_is_left_to_it(stage: Stage, namespace: str) -> None:
    ended = beside(stage, DELETE, "AttachRolePolicy")
    stage.run(PLAIN)
    assert [ran.code for ran in ended] == [4]
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


def test_who_makes_it_again_while_it_goes_has_it_whole(stage: Stage, namespace: str) -> None:
    stage.run(PLAIN)
    ended = beside(stage, PLAIN, "DeleteRole")
    ran = stage.irsa(*arguments_of(stage, DELETE))
    assert ended[0].code in (0, 1, 3, 4), ended[0].err
    # Whoever ended with 0 last has what was promised; nothing is left in between without a word.
    if ran.code == 0:
        assert stage.account(namespace, "app") is None
        assert not stage.aws_world()["roles"]
    else:
        assert ended[0].code == 0
        assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
