"""What a later run makes of an earlier one that was cut off: only what it is about needs no recovery."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_recover import unfinished
from tests.scenarios.test_recover_cluster import iam_of
from tests.support.short_files import file_of
from tests.support.stage import Stage
from tests.support.worlds import difference

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
CREATE = "create-sa app -n default --attach-policy-arn $S3"
ELSEWHERE = "--state-dir elsewhere"
THEIRS = '{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}'
PRUNE = "apply -f - --prune --yes --include default/*"
"""Beside the stage stands the binding of another team, which no file of the test names."""
ONE, TWO = "one: attachPolicyARNs: [$S3]", "two: attachPolicyARNs: [$S3]"


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, with a provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.words["ns"] = "default"
    stage.run("associate-oidc")
    return stage


def killed(stage: Stage, line: str, at: str, skip: int = 0, stdin: str = "") -> None:
    """Run a command and kill it behind a call of IAM; `$first` is its transaction."""
    stage.sandbox.faults.add(Fault("iam", at, "callback", skip=skip, run=stage.kill))
    stage.run(line, code=-9, stdin=stdin)
    stage.sandbox.settle()
    stage.sandbox.faults.clear()
    stage.words["first"] = open_runs(stage)[-1]


def open_runs(stage: Stage) -> list[str]:
    return [item["transaction"] for item in unfinished(stage)]


def roles(stage: Stage) -> dict[str, list[str]]:
    return {name: role["attached"] for name, role in stage.aws_world()["roles"].items()}


def role_with_a_role_name(stage: Stage) -> None:
    """Cut off a run whose role has another name than that of the run after it, which ends well."""
    killed(stage, f"{CREATE} --role-name a", "AttachRolePolicy")
    line = "create-sa app -n default --attach-policy-arn $SQS --role-name b"
    stage.run(line, says="irsa recover $first rolls back", silent="goes on")


def test_a_role_of_another_name_stays_listed_and_is_taken_back(small: Stage) -> None:
    role_with_a_role_name(small)
    assert open_runs(small) == [small.words["first"]]
    small.irsa("recover", small.words["first"])
    assert (roles(small), open_runs(small)) == ({"b": [SQS]}, [])


def test_a_role_of_another_name_is_found_in_the_cluster(small: Stage) -> None:
    """Its journal says that it was never bound, whenever its ServiceAccount was created."""
    role_with_a_role_name(small)
    (made,) = [role for role in iam_of(small).roles.values() if role.name == "a"]
    made.create_date -= timedelta(days=1)
    small.run("recover --min-age 0s --all")
    assert roles(small) == {"b": [SQS]}


def test_a_role_that_another_machine_finished_is_kept(small: Stage) -> None:
    """The journal here says that its first run never bound it: the role says whose it is since."""
    killed(small, CREATE, "AttachRolePolicy")
    small.run(f"{CREATE} {ELSEWHERE}")
    (made,) = [role for role in iam_of(small).roles.values() if role.name in roles(small)]
    made.create_date -= timedelta(days=1)
    assert small.kube.delete("/api/v1/namespaces/default/serviceaccounts/app").status == 200
    small.make_account("default", "app", labels={"app.kubernetes.io/managed-by": "Helm"})
    small.run("recover --min-age 0s --all", says="was created after it, and not by its run", changes="")


def test_a_statement_in_another_role_is_taken_out(small: Stage) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [json.loads(THEIRS)]})
    for name in ("x", "y"):
        small.iam().create_role(RoleName=name, AssumeRolePolicyDocument=document)
    line = "create-sa app -n default --update-trust --attach-role-arn arn:aws:iam::$account:role"
    before = small.world()["roles"]["x"]
    killed(small, f"{line}/x", "UpdateAssumeRolePolicy")
    small.run(f"{line}/y")
    assert small.irsa("recover", small.words["first"]).code == 0
    after = small.world()["roles"]
    assert (after["x"], len(after["y"]["trust"]["Statement"])) == (before, 2)


def test_of_several_serviceaccounts_those_that_no_file_wishes_now_are_taken_back(small: Stage) -> None:
    killed(small, "apply -f - --atomic", "AttachRolePolicy", skip=1, stdin=file_of(small, ONE, TWO))
    small.run("apply -f -", stdin=file_of(small, ONE), says="irsa recover $first rolls back")
    assert open_runs(small) == [small.words["first"]]
    after = small.role_of("default", "one")
    small.run("recover --all --min-age 0s")
    assert list(small.aws_world()["roles"].values()) == [after]
    assert open_runs(small) == []


def test_the_same_files_again_leave_nothing_to_recover(small: Stage) -> None:
    small.run("apply -f -", stdin=file_of(small, ONE, TWO))
    text = file_of(small, ONE)
    killed(small, f"{PRUNE} --atomic", "DetachRolePolicy", stdin=text)
    small.run(PRUNE, stdin=text, silent="with another request")
    assert (len(roles(small)), open_runs(small)) == (1, [])


def test_a_role_that_was_taken_apart_is_not_kept(small: Stage) -> None:
    small.run(CREATE)
    before = small.world()
    killed(small, "delete-sa app -n default", "DetachRolePolicy")
    small.run("delete-sa app -n default --keep-role", code=4, says="irsa recover $first", changes="")
    assert small.irsa("recover", small.words["first"]).code == 0
    assert small.world() == before
    small.run("delete-sa app -n default --keep-role")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_deletion_that_was_undone_is_over(small: Stage, elsewhere: bool) -> None:
    """By the next run here at once; elsewhere, it ends when that is seen."""
    small.run(CREATE)
    killed(small, "delete-sa app -n default", "DetachRolePolicy")
    small.run(f"{CREATE} {ELSEWHERE if elsewhere else ''}")
    if elsewhere:
        left_alone(small)
    assert open_runs(small) == []


def left_alone(stage: Stage) -> None:
    """The recovery of the first run takes nothing."""
    before = stage.world()
    ran = stage.irsa("recover", stage.words["first"])
    assert (ran.code, "left alone" in ran.err) == (3, True), ran.err
    assert stage.world() == before


def test_a_role_that_another_run_has_only_begun_to_use_keeps_its_journal(small: Stage) -> None:
    killed(small, CREATE, "AttachRolePolicy")
    first = small.words["first"]
    small.sandbox.faults.add(Fault("iam", "TagRole", "callback", run=small.kill))
    small.run(f"{CREATE} {ELSEWHERE}", code=-9)
    small.sandbox.settle()
    assert small.account("default", "app") is None
    left_alone(small)
    assert open_runs(small) == [first]


def test_a_role_whose_owner_can_not_be_read_for_a_while_is_not_taken_from_it(small: Stage) -> None:
    killed(small, CREATE, "AttachRolePolicy")
    small.run(f"{CREATE} {ELSEWHERE}")
    small.sandbox.faults.add(Fault("iam", "GetRole", "status", status=500, times=4))
    left_alone(small)
    assert open_runs(small) == []


def add_fault(stage: Stage, operation: str, kind: Any, **how: Any) -> None:
    stage.sandbox.faults.add(Fault("kubernetes", operation, kind, **how))


@pytest.mark.parametrize(("lost", "skip", "bare"), [("", 0, False), ("POST", 0, True), ("DELETE", 2, False)])
def test_a_serviceaccount_that_was_made_again_is_told_and_gets_its_role_back(
    small: Stage, lost: str, skip: int, bare: bool
) -> None:
    """`lost` is the call whose answer does not arrive; `bare`: their roles are half deleted."""
    for name in ("one", "two"):
        small.run(f"create-sa {name} -n default --attach-policy-arn $S3")
        if bare:
            small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=small.kill))
            small.run(f"delete-sa {name} -n default {ELSEWHERE}", code=-9)
            small.sandbox.settle()
    before = small.world()
    add_fault(small, "DELETE serviceaccounts", "error", match="two", skip=2, times=None, code="Forbidden")
    if lost:
        add_fault(small, f"{lost} serviceaccounts", "reset-after", match="one", skip=skip)
    (item,) = small.run(f"{PRUNE} --atomic -o json", code=3, stdin=file_of(small)).items
    assert ("reset-after" in [fault.kind for fault in small.sandbox.faults.struck]) == bool(lost)
    (left,) = item["left"]
    assert (left["what"], "with another uid" in left["why"]) == ("ServiceAccount default/one", True)
    small.sandbox.faults.clear()
    after = small.world()
    assert (after != before, difference(before, after), open_runs(small)) == (True, "", [])
