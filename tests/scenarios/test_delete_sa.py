"""`irsa delete-sa`: what irsa made goes, the rest stays, a failure anywhere takes everything back.

That each call of it may fail, lose its answer or be the last one of a killed run, the matrix shows.
"""

from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import trust_of, write_trust
from tests.support import forks
from tests.support.acts import (
    SERVICE,
    Step,
    account,
    after,
    changed,
    fault,
    gone,
    killed,
    made,
    named,
    put,
    put_pod,
    refused,
    role,
    strike,
    there_and_back,
)
from tests.support.rows import Row, arguments_of, in_words, play_all, rows
from tests.support.stage import NO_LOCK, READ_ONLY, ROLE_ARN, Ran, Stage

PLAIN = "create-sa app -n $ns --attach-policy-arn $S3"
WISH = (
    "create-sa app -n $ns --attach-policy-arn $S3,$SQS --inline-policy inline.json --description reads "
    "--max-session-duration 7200 --permissions-boundary $SQS --tags team=a --label x=y --annotation n=m "
    "--token-expiration 900"
)
INLINE = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
USING = "create-sa app -n $ns --attach-role-arn arn:aws:iam::$account:role/$ns-r --update-trust"
DELETE = "delete-sa app -n $ns"
UNIQUE = "as a principal keep its unique id"
ELSEWHERE: Any = {"IRSA_STATE_DIR": "elsewhere"}
"""Another machine, which has no journals of what was run here."""
UNLOCKED: Any = {**ELSEWHERE, **NO_LOCK}


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    named(stage, "app")
    put(stage, "inline.json", INLINE)


def no_namespace(stage: Stage) -> None:
    """It goes with all that is in it; a bare API server has no controller to end that."""
    gone()(stage)
    stage.kube.delete(f"/api/v1/namespaces/{stage.words['ns']}")


OWN: Any = {"labels": {"of": "them"}, "annotations": {"a": "b"}, "secrets": ("s",)}


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        pytest.param((), (f"{PLAIN} --role-only", f"{DELETE} --role-only"), id="role only"),
        pytest.param((), (f"{WISH} --role-name $ns-o --role-path /p/", gone(), DELETE), id="another name"),
        pytest.param((), (WISH, f"{DELETE} --keep-role", WISH, DELETE), id="a kept role"),
        pytest.param((role(), USING), (USING.replace("app", "b"), "delete-sa b -n $ns"), id="a shared one"),
        pytest.param((fault("iam DeleteRole reset-after", times=None),), (WISH, DELETE), id="lost answers"),
    ],
)
def test_what_irsa_made_is_gone_and_the_rest_stays(
    stage: Stage, given: tuple[Step, ...], steps: tuple[Step, ...]
) -> None:
    after(*given)(stage)
    there_and_back(stage, *steps)
    refused(stage, DELETE if steps[-1] == DELETE else f"{DELETE} --role-only")
    assert stage.irsa("recover").out.startswith("No unfinished")


def test_a_service_account_that_may_not_go_is_found_before_anything_is_written(stage: Stage) -> None:
    stage.run(WISH)
    user = stage.restricted((("get", "patch", "list"), ("serviceaccounts",)), (("list",), ("pods",)))
    stage.sandbox.calls.clear()
    stage.run(DELETE, code=1, says="delete serviceaccounts", changes="", user=user)
    assert "TagRole" not in [call.operation for call in stage.sandbox.calls]


def small_stage(stage: Stage, sandbox: Sandbox, folder: Path) -> Stage:
    """The sandbox's own API: faults strike there only, and deletions are always the same calls."""
    small = sandbox_stage(sandbox, "demo", folder)
    small.foreign = stage.foreign
    small.words["ns"] = "default"
    named(small, "app")
    small.run(f"{PLAIN} --associate-oidc")
    return small


AT = "kubernetes DELETE serviceaccounts"


def test_a_role_that_a_rollback_creates_again_is_another_principal(
    stage: Stage, sandbox: Sandbox, tmp_path: Path
) -> None:
    small = small_stage(stage, sandbox, tmp_path)
    strike(small, f"{AT} error", match="default", skip=2)
    before = small.iam().get_role(RoleName=small.words["role"])["Role"]["RoleId"]
    small.run(DELETE, code=1, says=UNIQUE, changes="")
    assert small.iam().get_role(RoleName=small.words["role"])["Role"]["RoleId"] != before


def test_a_service_account_that_is_gone_does_not_come_back(
    stage: Stage, sandbox: Sandbox, tmp_path: Path
) -> None:
    small = small_stage(stage, sandbox, tmp_path)
    killed(small, DELETE, f"{AT} callback", skip=2)
    item = small.irsa("recover", "--all", "-o", "json", IRSA_CALL_TIMEOUT="1").item
    assert (item["outcome"], "can't be restored" in item["notes"][0]) == ("committed", True)
    assert small.account("default", "app") is None
    assert not small.aws_world()["roles"]


def test_the_only_statement_of_a_role_stays(stage: Stage, namespace: str) -> None:
    after(role(), USING)(stage)
    write_trust(stage, f"{namespace}-r", trust_of(stage, f"{namespace}-r")["Statement"][1])
    before = stage.aws_world()["roles"]
    stage.run(DELETE, says="its only one")
    assert stage.account(namespace, "app") is None
    assert stage.aws_world()["roles"] == before


def test_what_the_annotation_names_need_not_be_there(stage: Stage, namespace: str) -> None:
    before = stage.world()
    for text in ("not-an-arn", "arn:aws:iam::$account:role/gone"):
        account()(stage)
        kept = stage.world()
        arn = in_words(stage, text)
        stage.annotate(namespace, "app", **{ROLE_ARN: arn})
        refused(stage, DELETE)
        stage.annotate(namespace, "app", **{"irsa/role-arn": arn})
        stage.run(DELETE, says=text)
        changed(stage, kept, "")
        gone()(stage)
    changed(stage, before, "")


def test_while_others_use_it_it_stays(stage: Stage) -> None:
    stage.run(PLAIN)
    own = trust_of(stage, stage.words["role"])["Statement"]
    for principal in ({"AWS": "*"}, {"Service": "ec2.amazonaws.com"}, {"AWS": "111122223333"}):
        write_trust(stage, stage.words["role"], *own, {**SERVICE, "Principal": principal})
        refused(stage, DELETE, ("has a role that others may also use", "its trust policy also allows"))
    write_trust(stage, stage.words["role"], *own)
    put_pod(stage)
    refused(stage, DELETE, "web-0 (StatefulSet/web)")
    user = stage.restricted((("get", "patch", "delete"), ("serviceaccounts",)))
    refused(stage, DELETE, "can't be listed", user=user)
    stage.run(f"{DELETE} --force", changes=[line.replace("+ ", "- ") for line in [*made(), *ATTACHED]])


ATTACHED = ["+ role $role attached AmazonS3ReadOnlyAccess"]


def test_while_another_account_matches_its_pattern_it_stays(stage: Stage) -> None:
    after(f"{PLAIN} --subject-pattern app*", account("app-2", "$arn"))(stage)
    refused(stage, DELETE, "$ns/app-2")
    stage.run(f"{DELETE} --force")
    assert stage.words["role"] not in stage.world()["roles"]


KUBECTL = "if nobody needs it, delete the ServiceAccount: kubectl delete serviceaccount app -n $ns"
WITHOUT = after(WISH, no_namespace)
PARTS = (
    *(
        "attached AmazonS3ReadOnlyAccess",
        "attached AmazonSQSReadOnlyAccess",
        "boundary AmazonSQSReadOnlyAccess",
    ),
    *("description reads", "tags team a", 'inline inline {"Effect":"Allow","Action":"s3:*","Resource":"*"}'),
)
WISHED = (
    "\n".join(made("app", *PARTS)).replace("duration 3600", "duration 7200")
    + """
+ sa $ns/app annotations eks.amazonaws.com/token-expiration 900
+ sa $ns/app annotations irsa/token-expiration 900
+ sa $ns/app annotations n m
+ sa $ns/app labels x y
"""
)
LOST = WISHED.replace("+ ", "- ").splitlines()
OWN_LINES = {"- sa $ns/app", "- sa $ns/app annotations n m", "- sa $ns/app labels x y"}
KEPT_SA = [line for line in LOST if line not in OWN_LINES]
KEPT_ROLE = [*(line for line in LOST if "- sa" in line), "+ role $role tags irsa/commit done"]
KEEP_SA, KEEP_ROLE = f"{DELETE} --keep-sa", f"{DELETE} --keep-role"
LAST = {"items.0.changes.-1.kind": "ServiceAccount", "metadata.outcome": "planned"}
DELETED = {
    "metadata.outcome": "committed",
    "items.0.serviceAccount.name": "app",
    "items.0.serviceAccount.deleted": True,
    "items.0.role.deleted": True,
}


@rows(
    Row("a plan", f"{DELETE} --dry-run --detailed-exitcode -o json", 6, UNIQUE, given=WISH, document=LAST),
    Row("everything", f"{DELETE} -o json", 0, (), LOST, given=WISH, document=DELETED),
    Row("a kept ServiceAccount", KEEP_SA, 0, (), KEPT_SA, given=WISH),
    Row("a kept role", KEEP_ROLE, 0, (), KEPT_ROLE, given=WISH),
    Row("no leftover", "recover -o json", 0, (), "", '"kind": "Role"', after(WISH, KEEP_ROLE)),
    Row("an error", DELETE, 1, "", "", UNIQUE, after(WISH, fault("iam TagRole error", skip=1))),
)
def test_how_it_ends(row: Row, stage: Stage) -> None:
    row.play(stage)


def test_what_is_refused_and_what_was_there_before_stays(stage: Stage) -> None:
    after(role(), account(**OWN))(stage)
    before = stage.world()
    played = (
        Row("nothing", "delete-sa none -n $ns --ignore-not-found"),
        Row("a role that is not irsa's", f"{DELETE} --role-name $ns-r", 4),
        Row("one that is not irsa's", DELETE, 4, KUBECTL),
        Row("the role of a whole one", f"{DELETE} --role-only", 4, given=f"{PLAIN} --token-expiration 900"),
        Row("the wrong namespace", "delete-sa app -n default", 4, "$ns", "", "again with -n $ns"),
        Row("which is ignored", "delete-sa app -n default --ignore-not-found"),
        Row("an annotated one", DELETE, 0, "it is kept", None),
        Row("one that was kept", DELETE, 4),
    )
    play_all(stage, played)
    changed(stage, before, "")


def test_of_a_namespace_that_is_gone_the_role_goes(stage: Stage) -> None:
    # The run that made it holds no Lease any more: only where nobody takes locks its age has to tell.
    played = (
        Row("no namespace, no locks", DELETE, 4, given=WITHOUT, options=UNLOCKED),
        Row("as planned", f"{DELETE} --dry-run", 4, options=UNLOCKED),
        Row("no namespace", DELETE, 0, (), None, options=ELSEWHERE),
    )
    play_all(stage, played)
    assert not stage.aws_world()["roles"]


def test_force_deletes_what_a_run_may_be_making(stage: Stage) -> None:
    after(WISH, put_pod, gone())(stage)
    stage.run(f"{DELETE} --force", says=("is creating", "web-0 (StatefulSet/web)"), **UNLOCKED)
    assert not stage.aws_world()["roles"]


def beside(stage: Stage, line: str, at: str, **env: str) -> list[Ran]:
    """Run a command on another machine where the next run has made a call."""
    ended: list[Ran] = []

    def other() -> None:
        with forks.one() as zygote:
            process = zygote.start(arguments_of(stage, line), {**stage.env(), **env}, stage.folder)
            assert process.ended.wait(60)
            ended.append(Ran(process.code, bytes(process.out).decode(), bytes(process.err).decode()))

    strike(stage, f"iam {at} callback", run=other)
    return ended


def test_a_run_that_has_only_made_the_role_is_waited_for(stage: Stage, namespace: str) -> None:
    """Its namespace is not there yet, as after one that is gone: its Lease tells the two apart."""
    line = "delete-sa app -n $ns-new --lock-timeout 0"
    ended = beside(stage, line, "AttachRolePolicy", **ELSEWHERE)
    # Its call is held while the other one is at work.
    stage.run(PLAIN.replace("$ns", "$ns-new"), IRSA_CALL_TIMEOUT="120")
    assert (ended[0].code, "another run is working" in ended[0].err) == (4, True), ended[0].err
    assert stage.account(f"{namespace}-new", "app") is not None


@pytest.mark.parametrize(
    ("at", "way"),
    [
        ("TagRole", "recover --all"),
        ("DeleteRole", "recover --all --forward"),
        ("TagRole", f"{DELETE} -c $cluster"),
        ("DeleteRole", f"{DELETE} --state-dir elsewhere -c $cluster"),
    ],
)
def test_a_deletion_that_was_cut_off_is_finished(stage: Stage, at: str, way: str) -> None:
    before = stage.world()
    stage.run(PLAIN)
    whole = stage.world()
    killed(stage, DELETE, f"iam {at} callback")
    ran = stage.irsa(*in_words(stage, way).split())
    assert ran.code == 0, ran.err
    changed(stage, whole if way == "recover --all" else before, "")


@pytest.mark.parametrize("at", ["TagRole", "DeleteRole"])
def test_of_two_deletions_both_end_well(stage: Stage, at: str) -> None:
    before = stage.world()
    stage.run(PLAIN)
    ended = beside(stage, DELETE, at, **UNLOCKED)
    stage.run(f"{DELETE} --ignore-not-found")
    assert ended[0].code == 0, ended[0].err
    assert stage.world() == before


def test_what_a_run_is_making_is_left_to_it(stage: Stage, namespace: str) -> None:
    ended = beside(stage, DELETE, "AttachRolePolicy", **UNLOCKED)
    stage.run(PLAIN)
    assert ended[0].code == 4
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]


def test_who_makes_it_again_while_it_goes_has_it_whole(stage: Stage, namespace: str) -> None:
    stage.run(PLAIN)
    ended = beside(stage, PLAIN, "DeleteRole", **UNLOCKED)
    ran = stage.irsa(*arguments_of(stage, DELETE))
    assert ended[0].code in (0, 1, 3, 4), ended[0].err
    # Whoever ended with 0 last has what was promised; nothing is left in between without a word.
    if ran.code == 0:
        assert (stage.account(namespace, "app"), stage.aws_world()["roles"]) == (None, {})
    else:
        assert ended[0].code == 0
        assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
