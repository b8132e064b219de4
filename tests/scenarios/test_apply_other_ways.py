"""`irsa apply` where an entry changes what can't simply be changed: roleOnly, the role's name, its path."""

import json

import pytest

from tests.scenarios.test_apply import SQS, THEIRS, apply, bindings, config, entry, reader, writes
from tests.support.stage import READ_ONLY, Stage


def test_a_role_that_is_wished_alone_from_now_on(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique))).code == 0
    account = stage.account(unique, "reader")
    text = config(stage, entry("reader", unique, roleOnly=True, attachPolicyARNs=[SQS]))
    assert stage.irsa("diff", "-f", "-", stdin=text).code == 6
    ran = apply(stage, text, "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (0, {"committed": 1}), ran.err
    role = stage.role_of(unique, "reader")
    assert (role["attached"], role["tags"]["irsa/commit"]) == ([SQS], "done")
    assert stage.account(unique, "reader") == account
    # What the role says of itself holds without the ServiceAccount.
    stage.kube.delete(f"/api/v1/namespaces/{unique}/serviceaccounts/reader")
    again = apply(stage, text, "-o", "json")
    assert (again.code, again.metadata["summary"]) == (0, {"unchanged": 1}), again.err
    assert apply(stage, config(stage, reader(unique))).code == 0
    assert stage.role_of(unique, "reader")["attached"] == [READ_ONLY]


def test_the_path_of_a_role_is_refused_as_such(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique))).code == 0
    before = stage.world()
    ran = apply(stage, bindings(stage, reader(unique, rolePath="/teams/x/")))
    assert ran.code == 4, ran.err
    assert "IAM can't change the path of a role" in ran.err
    assert "for another desired state" not in ran.err
    assert stage.world() == before


def test_create_sa_of_a_role_alone_does_not_know_what_the_service_account_tells(
    stage: Stage, unique: str
) -> None:
    assert apply(stage, config(stage, reader(unique))).code == 0
    ran = stage.create_sa("reader", unique, "--role-only", "--attach-policy-arn", READ_ONLY)
    assert ran.code == 4, ran.err
    assert "created with its ServiceAccount" in ran.err
    assert "has not finished" not in ran.err


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
def test_a_role_of_that_name_at_another_path_is_seen_before(
    stage: Stage, unique: str, atomic: tuple[str, ...]
) -> None:
    stage.make_namespace(unique)
    document = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    stage.iam().create_role(RoleName=f"{unique}-old", AssumeRolePolicyDocument=document)
    text = config(stage, reader(unique, roleName=f"{unique}-old"))
    assert stage.associate().code == 0
    before = stage.world()
    shown = apply(stage, text, *atomic, "--dry-run")
    assert shown.code == 4, shown.err
    stage.sandbox.calls.clear()
    ran = apply(stage, text, *atomic)
    assert ran.code == 4, ran.err
    assert "is not managed by irsa" in ran.err
    assert "Another run" not in ran.err
    assert writes(stage) == []
    assert stage.world() == before


def test_what_a_list_did_not_show_is_seen_the_second_time(stage: Stage, unique: str) -> None:
    """A role that irsa named itself is looked for in the list of its path; it may be in another one."""
    stage.make_namespace(unique)
    first = entry("reader", unique, attachPolicyARNs=[READ_ONLY], roleOnly=True)
    assert apply(stage, bindings(stage, {**first, "rolePath": "/teams/x/"})).code == 0
    before = stage.world()
    ran = apply(stage, bindings(stage, first), "--atomic")
    assert ran.code == 4, ran.err
    assert "IAM can't change the path of a role" in ran.err
    assert stage.world() == before


def test_names_that_irsa_gives_are_looked_up_in_one_list(stage: Stage, unique: str) -> None:
    assert stage.associate().code == 0
    stage.make_namespace(unique)
    stage.sandbox.calls.clear()
    entries = [entry(f"app-{number}", unique, attachPolicyARNs=[READ_ONLY]) for number in range(3)]
    assert stage.irsa("diff", "-f", "-", stdin=config(stage, *entries)).code == 6
    assert not [call for call in stage.sandbox.calls if call.operation == "GetRole"]


def test_a_role_that_irsa_made_keeps_the_name_that_the_entry_no_longer_gives(
    stage: Stage, unique: str
) -> None:
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-mine"))).code == 0
    before = stage.world()
    ran = apply(stage, config(stage, reader(unique)), "-o", "json")
    assert (ran.code, ran.metadata["summary"]) == (0, {"unchanged": 1}), ran.err
    assert stage.world() == before


def test_a_role_that_two_entries_name_is_found_before_the_first_call(stage: Stage, unique: str) -> None:
    text = config(
        stage, reader(unique, roleName="r"), entry("other", unique, roleName="r", attachPolicyARNs=[SQS])
    )
    stage.sandbox.calls.clear()
    ran = apply(stage, text)
    assert ran.code == 2, ran.err
    assert f"{unique}/other has the roleName r of {unique}/reader" in ran.err
    assert not [call for call in stage.sandbox.calls if call.service in ("iam", "eks")]


def test_a_role_of_irsas_for_another_is_not_offered_to_be_adopted(stage: Stage, unique: str) -> None:
    assert apply(stage, config(stage, reader(unique, roleName=f"{unique}-r"))).code == 0
    ran = apply(stage, config(stage, entry("other", unique, roleName=f"{unique}-r", attachPolicyARNs=[SQS])))
    assert ran.code == 4, ran.err
    assert "attachRoleARN" in ran.err
    assert "irsa adopt" not in ran.err
