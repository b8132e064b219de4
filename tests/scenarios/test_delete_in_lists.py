"""`irsa delete -f` of many entries: read in lists, and what changes after a list was read is noticed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.aws.iam import current_role
from irsa_cli.aws.recent_writes import recent_writes
from irsa_cli.aws.role_lists import listed_roles
from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.exchange import Label
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.foreign import trust_of, write_trust
from tests.scenarios.test_apply import APPLY, DELETE, DOCUMENT
from tests.support.acts import SERVICE, forget, put_pod, strike, unchanged, wish
from tests.support.sandbox_clients import administrator, trust
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

ENTRIES = 12
CALLS_OF_ENTRY = 15
"""Two locks, the rehearsal, and the transaction, which compares what it changes."""
CALLS_OF_LISTS = 20
BY_TIME = ("PUT leases", *(f"GET {kind}" for kind in ("pods", *KINDS)))
"""Calls that a slow machine repeats: locks are renewed, pods are listed again."""
IN_TURN = f"{DELETE} --parallel 1 -o json"
ENTRY = "{metadata: {name: %s, namespace: $ns}, attachPolicyARNs: [$S3]}"
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    found = sandbox_stage(sandbox, "demo", tmp_path)
    found.words["ns"] = "apps"
    found.make_namespace("apps")
    found.run("associate-oidc")
    wish(found, *(ENTRY % f"app-{number}" for number in range(ENTRIES)))
    found.run(APPLY)
    return found


def operations(stage: Stage) -> list[str]:
    """The calls since they were forgotten, without those that the time decides."""
    return [call.operation for call in stage.sandbox.calls if call.operation not in BY_TIME]


def test_entries_are_read_in_lists(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    stage.run(f"{DELETE} -o json", says=f'"committed": {ENTRIES}')
    calls = operations(stage)
    assert len(calls) <= ENTRIES * CALLS_OF_ENTRY + CALLS_OF_LISTS
    assert calls.count("GetAccountAuthorizationDetails") == 2
    assert calls.count("ListPodIdentityAssociations") == 2
    assert not {"ListAttachedRolePolicies", "ListRolePolicies", "GetRolePolicy"} & {*calls}


def test_a_dry_run_makes_hardly_a_call_for_an_entry(stage: Stage) -> None:
    stage.sandbox.calls.clear()
    unchanged(stage, f"{DELETE} --dry-run -o json", f'"planned": {ENTRIES}')
    assert len(operations(stage)) <= 2 * ENTRIES + CALLS_OF_LISTS


def test_nothing_is_locked_where_nothing_is_left_to_delete(stage: Stage) -> None:
    stage.run(DELETE)
    stage.sandbox.calls.clear()
    unchanged(stage, f"{DELETE} -o json", f'"unchanged": {ENTRIES}')
    calls = operations(stage)
    assert not [call for call in calls if "leases" in call]
    assert len(calls) <= 2 * ENTRIES + CALLS_OF_LISTS


def test_who_may_not_list_deletes_one_by_one(stage: Stage) -> None:
    for operation in ("GetAccountAuthorizationDetails", "ListRoles"):
        strike(stage, f"iam {operation} error", times=None, status=403, code="AccessDenied")
    strike(stage, "eks ListPodIdentityAssociations error", times=1)
    stage.run(f"{DELETE} -o json", says=f'"committed": {ENTRIES}')


def once(stage: Stage, operation: str, meddle: Callable[[], object]) -> None:
    """Do something when irsa first makes a call."""
    caller, done = stage.env()["AWS_ACCESS_KEY_ID"], list[str]()

    def listen(label: Label) -> None:
        if label.caller == caller and label.operation == operation and not done:
            done.append(operation)
            meddle()

    stage.sandbox.listen(listen)


AFTER_LISTS = "DELETE serviceaccounts"
"""The rehearsal of the first deletion: the lists of all entries were read before."""


def test_a_pod_that_starts_before_the_lock_is_held_keeps_its_role(stage: Stage) -> None:
    once(stage, "POST leases", lambda: put_pod(stage, "app-7"))
    ran = stage.run(f"{DELETE} -o json", code=1)
    (kept,) = [item for item in ran.items if item["outcome"] == "refused"]
    assert kept["serviceAccount"]["name"] == "app-7"
    assert stage.role_of("apps", "app-7")["attached"] == [READ_ONLY]


def test_a_trust_policy_that_changes_after_the_list_keeps_the_role(stage: Stage) -> None:
    role = stage.role_of("apps", "app-7")
    name = role["arn"].rpartition("/")[2]
    statements = trust_of(stage, name)["Statement"]
    once(stage, AFTER_LISTS, lambda: write_trust(stage, name, *statements, SERVICE))
    ran = stage.run(IN_TURN, code=1)
    (kept,) = [item for item in ran.items if item["outcome"] != "committed"]
    assert "also allows Service ec2.amazonaws.com" in str(ran.error_of(kept))
    assert stage.role_of("apps", "app-7")["attached"] == [READ_ONLY]
    assert stage.account("apps", "app-7") is not None


def test_a_role_that_somebody_else_assigns_after_the_list_stays(stage: Stage) -> None:
    theirs = "arn:aws:iam::999988887777:role/theirs"
    once(stage, AFTER_LISTS, lambda: stage.annotate("apps", "app-7", **{ROLE_ARN: theirs}))
    stage.run(IN_TURN)
    account = stage.account("apps", "app-7")
    assert account is not None
    assert account["annotations"][ROLE_ARN] == theirs


def test_a_policy_that_is_attached_after_the_list_is_seen(stage: Stage) -> None:
    name = stage.role_of("apps", "app-7")["arn"].rpartition("/")[2]
    iam = administrator(stage.sandbox, "iam")
    once(stage, AFTER_LISTS, lambda: iam.attach_role_policy(RoleName=name, PolicyArn=SQS))
    ran = stage.run(IN_TURN, says="Looking again")
    assert {item["outcome"] for item in ran.items} == {"committed"}


def test_a_service_account_that_goes_after_the_list_is_no_error(stage: Stage) -> None:
    once(stage, AFTER_LISTS, lambda: forget(stage, "app-7"))
    name = stage.role_of("apps", "app-7")["arn"].rpartition("/")[2]
    stage.run(IN_TURN)
    assert name not in stage.aws_world()["roles"]


VARIED: dict[str, dict[str, object]] = {
    "plain": {},
    "described": {"Description": "x", "MaxSessionDuration": 7200, "Path": "/a/b/"},
    "bounded": {"PermissionsBoundary": READ_ONLY},
    "tagged": {"Tags": [{"Key": "irsa/service-account", "Value": "apps/app"}]},
}


def test_lists_show_of_a_role_what_its_name_shows(sandbox: Sandbox) -> None:
    iam = administrator(sandbox, "iam")
    for name, options in VARIED.items():
        iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}), **options
        )
    iam.attach_role_policy(RoleName="plain", PolicyArn=SQS)
    iam.put_role_policy(RoleName="tagged", PolicyName="own", PolicyDocument=json.dumps(DOCUMENT))
    roles = listed_roles(iam, [*VARIED, "missing"])
    assert roles == {name: current_role(iam, name) for name in VARIED}
    assert {name: role.role_id for name, role in roles.items()} == {
        name: iam.get_role(RoleName=name)["Role"]["RoleId"] for name in VARIED
    }


def test_few_roles_are_not_looked_for_in_lists(sandbox: Sandbox) -> None:
    assert listed_roles(administrator(sandbox, "iam"), ["one", "two"]) == {}


def test_a_list_that_is_older_than_a_write_of_this_process_shows_no_role(sandbox: Sandbox) -> None:
    iam = administrator(sandbox, "iam")
    for name in VARIED:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    # The write is noted as it is when irsa makes it, and IAM does not show it yet.
    tag = {"RoleName": "plain", "Tags": [{"Key": "irsa/transaction", "Value": "t"}]}
    recent_writes(iam).note("TagRole", tag, {})
    assert listed_roles(iam, [*VARIED]).keys() == VARIED.keys() - {"plain"}
