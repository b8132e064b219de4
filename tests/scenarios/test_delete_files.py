"""`irsa delete -f` and `irsa apply --prune`: what irsa made goes, what others made stays."""

import json

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.test_apply import THEIRS, apply, config, entry, reader, worker
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Ran, Stage


def delete(stage: Stage, text: str, *arguments: str) -> Ran:
    return stage.irsa("delete", "--yes", "-f", "-", *arguments, stdin=text)


def test_what_was_applied_is_deleted(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0
    stage.make_namespace(unique)
    stage.make_account(unique, "worker", labels={"chart": "x"})
    before = stage.world()
    labelled = worker(unique)
    labelled["metadata"] |= {"labels": {"team": "a"}, "annotations": {"note": "b"}}
    text = config(
        stage, reader(unique), labelled, entry("role", unique, roleOnly=True, attachPolicyARNs=[READ_ONLY])
    )
    assert apply(stage, text).code == 0
    planned = delete(stage, text, "--dry-run", "--detailed-exitcode", "-o", "json")
    assert (planned.code, planned.metadata["summary"]) == (6, {"planned": 3})
    ran = delete(stage, text, "-o", "json")
    assert ran.code == 0, ran.err
    assert stage.world() == before
    again = delete(stage, text, "-o", "json")
    assert (again.code, again.metadata["summary"]) == (0, {"unchanged": 3})


def test_one_that_fails_does_not_end_the_others(stage: Stage, unique: str) -> None:
    text = config(stage, reader(unique), worker(unique))
    assert apply(stage, text).code == 0
    role = stage.role_of(unique, "reader")
    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "error", status=403, code="AccessDenied"))
    ran = delete(stage, text, "-o", "json")
    assert ran.code == 1, ran.err
    assert stage.role_of(unique, "reader") == role
    assert stage.account(unique, "worker") is None


def test_prune_takes_what_no_file_wishes_and_irsa_made(stage: Stage, unique: str) -> None:
    stage.make_namespace(unique)
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    theirs = f"{unique}-theirs"
    stage.iam().create_role(RoleName=theirs, AssumeRolePolicyDocument=document)
    stage.make_account(unique, "theirs", annotations={ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/{theirs}"})
    assert apply(stage, config(stage, reader(unique))).code == 0
    kept = stage.world()
    both = config(stage, reader(unique), worker(unique))
    assert apply(stage, both).code == 0
    only = config(stage, reader(unique))
    assert apply(stage, only).code == 0
    assert stage.account(unique, "worker") is not None
    # Other tests' bindings on the same API server are not this test's to prune.
    mine = ("--include", f"{unique}/*")
    shown = apply(stage, only, "--prune", "--yes", *mine, "--dry-run", "-o", "json")
    assert shown.metadata["summary"] == {"unchanged": 1, "planned": 1}
    ran = apply(stage, only, "--prune", "--yes", *mine, "-o", "json")
    assert ran.code == 0, ran.err
    assert f"{unique}/worker" in ran.err
    assert stage.world() == kept


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
def test_what_can_not_be_read_is_not_taken_for_nothing_to_prune(
    stage: Stage, unique: str, atomic: tuple[str, ...]
) -> None:
    assert apply(stage, config(stage, reader(unique), worker(unique))).code == 0
    role = stage.role_of(unique, "worker")["arn"]
    denied = [
        {"Effect": "Deny", "Action": "iam:GetRole", "Resource": role},
        {"Effect": "Deny", "Action": "iam:GetAccountAuthorizationDetails", "Resource": "*"},
    ]
    user = stage.restricted((("*",), ("*",)))
    policy = json.dumps({"Version": "2012-10-17", "Statement": denied})
    stage.iam().put_user_policy(UserName=user, PolicyName="deny", PolicyDocument=policy)
    before = stage.world()
    flags = ("--prune", "--yes", *atomic, "--include", f"{unique}/*", "-o", "json")
    ran = apply(stage, config(stage, reader(unique)), *flags, user=user)
    assert ran.code == 1
    assert "Nothing was pruned" in ran.out
    assert f"the role of {unique}/worker" in ran.out
    assert stage.world() == before
    assert apply(stage, config(stage, reader(unique)), *flags).code == 0
    assert stage.account(unique, "worker") is None


@pytest.mark.parametrize("why", ["another account", "not irsa's"])
def test_others_roles_that_can_not_be_read_keep_nothing_from_being_pruned(
    stage: Stage, unique: str, why: str
) -> None:
    account = "999988887777" if why == "another account" else ACCOUNT
    role = f"{unique}-theirs"
    if account == ACCOUNT:
        document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
        stage.iam().create_role(RoleName=role, AssumeRolePolicyDocument=document)
    assert apply(stage, config(stage, reader(unique), worker(unique))).code == 0
    stage.make_account(unique, "theirs", annotations={ROLE_ARN: f"arn:aws:iam::{account}:role/{role}"})
    ran = apply(stage, config(stage, reader(unique)), "--prune", "--yes", "--include", f"{unique}/*")
    assert ran.code == 0, ran.err
    assert stage.account(unique, "worker") is None


def test_prune_is_part_of_an_atomic_apply(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique), worker(unique))).code == 0
    before = stage.world()
    text = config(stage, entry("reader", unique, attachPolicyARNs=[READ_ONLY], description="x"))
    text = text.replace("description: x", "tags: {a: b}")
    flags = ("--prune", "--yes", "--atomic", "--include", f"{unique}/*")
    stage.sandbox.faults.add(Fault("iam", "DeleteRole", "error", status=403, code="AccessDenied"))
    ran = apply(stage, text, *flags)
    assert ran.code == 1, ran.err
    assert stage.world() == before
    ran = apply(stage, text, *flags)
    assert ran.code == 0, ran.err
    assert stage.account(unique, "worker") is None
    assert stage.role_of(unique, "reader")["tags"]["a"] == "b"


@pytest.mark.parametrize("name", ["aws-node"])
def test_the_network_is_never_pruned(stage: Stage, name: str) -> None:
    text = config(stage, entry(name, "kube-system", attachPolicyARNs=[READ_ONLY], roleOnly=True))
    assert apply(stage, text).code == 0
    before = stage.world()
    nothing = config(stage, entry("x", "kube-system", roleOnly=True, attachPolicyARNs=[READ_ONLY]))
    ran = apply(stage, nothing, "--prune", "--yes", "--include", "kube-system/*", "-o", "json")
    assert ran.code == 0, ran.err
    roles = {tuple(role["tags"].items()) for role in stage.world()["roles"].values()}
    assert {tuple(role["tags"].items()) for role in before["roles"].values()} <= roles


def test_what_was_done_is_told_when_pruning_can_not_be_begun(stage: Stage, unique: str) -> None:
    """The fault strikes on the sandbox's own API only; on a real one, pruning finds nothing."""
    assert stage.associate().code == 0
    listing = Fault("kubernetes", "GET serviceaccounts", "error", times=None, skip=1, status=403)
    stage.sandbox.faults.add(listing)
    ran = apply(
        stage, config(stage, reader(unique)), "--prune", "--yes", "--include", f"{unique}/*", "-o", "json"
    )
    assert ran.json["kind"] == "ResultList", ran.err
    assert ran.metadata["summary"]["committed"] == 2
    assert ran.code == (1 if "failed" in ran.metadata["summary"] else 0)
    assert stage.role_of(unique, "reader")["attached"] == [READ_ONLY]
