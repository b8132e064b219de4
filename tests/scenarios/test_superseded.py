"""What a later run makes of an earlier one that was cut off: only what it is about needs no recovery."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import apply, config, entry
from tests.scenarios.test_recover import unfinished
from tests.scenarios.test_recover_cluster import iam_of
from tests.support.stage import ACCOUNT, READ_ONLY, Json, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
WISH = ("--attach-policy-arn", READ_ONLY)
THEIRS = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
ELSEWHERE = ("--state-dir", "elsewhere")
MINE = ("--include", "default/*")
"""Beside the stage stands the binding of another team, which no file of the test names."""


@pytest.fixture
def small(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on the sandbox's own Kubernetes API, with a provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    return stage


def killed(stage: Stage, *arguments: str, at: tuple[str, str], skip: int = 0, stdin: str = "") -> str:
    """Run a command and kill it behind a call; returns its transaction."""
    stage.sandbox.faults.add(Fault(*at, "callback", skip=skip, run=stage.kill))
    assert stage.irsa(*arguments, stdin=stdin).code == -9
    stage.sandbox.settle()
    stage.sandbox.faults.clear()
    transaction: str = unfinished(stage)[-1]["transaction"]
    return transaction


def create(stage: Stage, *arguments: str) -> tuple[str, ...]:
    return ("create-sa", "app", "-n", "default", "-c", stage.cluster, *arguments)


def delete(stage: Stage, *arguments: str) -> tuple[str, ...]:
    return ("delete-sa", "app", "-n", "default", "-c", stage.cluster, *arguments)


def roles(stage: Stage) -> dict[str, list[str]]:
    return {name: role["attached"] for name, role in stage.aws_world()["roles"].items()}


def role_with_a_role_name(stage: Stage) -> str:
    """Cut off a run whose role has another name than that of the run after it, which ends well."""
    first = killed(stage, *create(stage, *WISH, "--role-name", "a"), at=("iam", "AttachRolePolicy"))
    ran = stage.irsa(*create(stage, "--attach-policy-arn", SQS, "--role-name", "b"))
    assert ran.code == 0, ran.err
    assert f"irsa recover {first} rolls back" in ran.err
    assert "goes on" not in ran.err
    return first


def test_a_role_of_another_name_stays_listed_and_is_taken_back(small: Stage) -> None:
    first = role_with_a_role_name(small)
    assert [item["transaction"] for item in unfinished(small)] == [first]
    assert small.irsa("recover", first).code == 0
    assert roles(small) == {"b": [SQS]}
    assert unfinished(small) == []


@pytest.mark.parametrize("days", [0, 1])
def test_a_role_of_another_name_is_found_in_the_cluster(small: Stage, days: int) -> None:
    """Its journal says that it was never bound, whenever its ServiceAccount was created."""
    role_with_a_role_name(small)
    (made,) = [role for role in iam_of(small).roles.values() if role.name == "a"]
    made.create_date -= timedelta(days=days)
    ran = small.irsa("recover", "--cluster", small.cluster, "--min-age", "0s", "--all")
    assert ran.code == 0, ran.err
    assert roles(small) == {"b": [SQS]}


def test_a_statement_in_another_role_is_taken_out(small: Stage) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    for name in ("x", "y"):
        small.iam().create_role(RoleName=name, AssumeRolePolicyDocument=document)
    desired_states = [
        ("--attach-role-arn", f"arn:aws:iam::{ACCOUNT}:role/{name}", "--update-trust") for name in ("x", "y")
    ]
    first = killed(small, *create(small, *desired_states[0]), at=("iam", "UpdateAssumeRolePolicy"))
    assert small.irsa(*create(small, *desired_states[1])).code == 0
    assert small.irsa("recover", first).code == 0
    statements = {name: role["trust"]["Statement"] for name, role in small.aws_world()["roles"].items()}
    assert statements["x"] == [THEIRS]
    assert len(statements["y"]) == 2


def both(stage: Stage) -> tuple[str, str]:
    entries = [entry(name, "default", attachPolicyARNs=[READ_ONLY]) for name in ("one", "two")]
    return config(stage, *entries), config(stage, entries[0])


@pytest.mark.parametrize("way", [("--all",), ("--cluster", "demo", "--min-age", "0s", "--all")], ids=len)
def test_of_several_serviceaccounts_those_that_no_file_wishes_now_are_taken_back(
    small: Stage, way: tuple[str, ...]
) -> None:
    two, one = both(small)
    at = ("iam", "AttachRolePolicy")
    first = killed(small, "apply", "-f", "-", "--atomic", at=at, skip=1, stdin=two)
    ran = apply(small, one)
    assert ran.code == 0, ran.err
    assert f"irsa recover {first} rolls back" in ran.err
    assert [item["transaction"] for item in unfinished(small)] == [first]
    after = small.role_of("default", "one")
    ran = small.irsa("recover", *way)
    assert ran.code == 0, ran.err
    assert small.role_of("default", "one") == after
    assert len(roles(small)) == 1
    assert unfinished(small) == []


@pytest.mark.parametrize("atomic", [("--atomic",), ()], ids=["atomic", "one by one"])
def test_the_same_files_again_leave_nothing_to_recover(small: Stage, atomic: tuple[str, ...]) -> None:
    two, one = both(small)
    assert apply(small, two).code == 0
    at = ("iam", "DetachRolePolicy")
    killed(small, "apply", "-f", "-", "--atomic", "--prune", "--yes", *MINE, at=at, stdin=one)
    ran = apply(small, one, "--prune", "--yes", *MINE, *atomic)
    assert ran.code == 0, ran.err
    assert "with another request" not in ran.err
    assert len(roles(small)) == 1
    assert unfinished(small) == []


def test_a_role_that_was_taken_apart_is_not_kept(small: Stage) -> None:
    assert small.irsa(*create(small, *WISH)).code == 0
    before = small.world()
    first = killed(small, *delete(small), at=("iam", "DetachRolePolicy"))
    after = small.world()
    ran = small.irsa(*delete(small, "--keep-role"))
    assert ran.code == 4
    assert f"irsa recover {first}" in ran.err
    assert small.world() == after
    assert small.irsa("recover", first).code == 0
    assert small.world() == before
    assert small.irsa(*delete(small, "--keep-role")).code == 0


def test_a_deletion_that_was_undone_by_the_next_run_is_over(small: Stage) -> None:
    assert small.irsa(*create(small, *WISH)).code == 0
    killed(small, *delete(small), at=("iam", "DetachRolePolicy"))
    assert small.irsa(*create(small, *WISH)).code == 0
    assert unfinished(small) == []


def test_a_deletion_that_was_undone_elsewhere_ends_when_that_is_seen(small: Stage) -> None:
    assert small.irsa(*create(small, *WISH)).code == 0
    first = killed(small, *delete(small), at=("iam", "DetachRolePolicy"))
    assert small.irsa(*create(small, *WISH), *ELSEWHERE).code == 0
    after = small.world()
    ran = small.irsa("recover", first)
    assert ran.code == 3
    assert "left alone" in ran.err
    assert small.world() == after
    assert unfinished(small) == []


def test_a_role_that_another_run_has_only_begun_to_use_keeps_its_journal(small: Stage) -> None:
    first = killed(small, *create(small, *WISH), at=("iam", "AttachRolePolicy"))
    small.sandbox.faults.add(Fault("iam", "TagRole", "callback", run=small.kill))
    assert small.irsa(*create(small, *WISH), *ELSEWHERE).code == -9
    small.sandbox.settle()
    assert small.account("default", "app") is None
    after = small.world()
    assert small.irsa("recover", first).code == 3
    assert small.world() == after
    assert [item["transaction"] for item in unfinished(small)] == [first]


def test_a_role_whose_owner_can_not_be_read_for_a_while_is_not_taken_from_it(small: Stage) -> None:
    first = killed(small, *create(small, *WISH), at=("iam", "AttachRolePolicy"))
    assert small.irsa(*create(small, *WISH), *ELSEWHERE).code == 0
    after = small.world()
    small.sandbox.faults.add(Fault("iam", "GetRole", "status", status=500, times=4))
    assert small.irsa("recover", first).code == 3
    assert small.world() == after
    assert unfinished(small) == []


MADE_AGAIN = [None, ("POST serviceaccounts", 0), ("DELETE serviceaccounts", 2)]


@pytest.mark.parametrize("lost", MADE_AGAIN, ids=["answered", "create-lost", "delete-lost"])
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "bound"])
def test_a_serviceaccount_that_was_made_again_is_told_and_gets_its_role_back(
    small: Stage, lost: tuple[str, int] | None, bare: bool
) -> None:
    for name in ("one", "two"):
        assert small.create_sa(name, "default", *WISH).code == 0
        if bare:
            deletion = ("delete-sa", name, "-n", "default", "-c", small.cluster, *ELSEWHERE)
            small.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=small.kill))
            assert small.irsa(*deletion).code == -9
            small.sandbox.settle()
    before = small.world()
    small.sandbox.faults.add(
        Fault(
            "kubernetes", "DELETE serviceaccounts", "error", match="two", skip=2, times=None, code="Forbidden"
        )
    )
    if lost is not None:
        small.sandbox.faults.add(Fault("kubernetes", lost[0], "reset-after", match="one", skip=lost[1]))
    ran = apply(small, config(small), "--atomic", "--prune", "--yes", *MINE, "-o", "json")
    assert ran.code == 3, ran.err
    struck = [fault.kind for fault in small.sandbox.faults.struck]
    assert ("reset-after" in struck) == (lost is not None)
    (item,) = ran.items
    (left,) = item["left"]
    assert left["what"] == "ServiceAccount default/one"
    assert "with another uid" in left["why"]
    small.sandbox.faults.clear()
    assert small.world() != before
    assert without_uids(small.world()) == without_uids(before)
    assert unfinished(small) == []


def without_uids(world: Json) -> Json:
    accounts = world["kubernetes"]["serviceaccounts"]
    known = {
        name: {key: value for key, value in item.items() if key != "uid"} for name, item in accounts.items()
    }
    return {**world, "kubernetes": {**world["kubernetes"], "serviceaccounts": known}}
