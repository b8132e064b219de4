"""Managed policies by name: AWS's own and the account's, resolved once and before anything is written."""

import json
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, Stage

READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
EBS = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
OURS = "arn:aws:iam::111122223333:policy/teams/reports"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    made = sandbox_stage(sandbox, "demo", tmp_path)
    assert made.associate().code == 0
    for name, path in (("reports", "/teams/"), ("AmazonSQSReadOnlyAccess", "/")):
        made.iam().create_policy(PolicyName=name, Path=path, PolicyDocument=json.dumps(READS))
    sandbox.calls.clear()
    return made


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("AmazonS3ReadOnlyAccess", READ_ONLY),
        ("service-role/AmazonEBSCSIDriverPolicy", EBS),
        ("AmazonEBSCSIDriverPolicy", EBS),
        ("reports", OURS),
        ("teams/reports", OURS),
    ],
)  # fmt: skip
def test_a_name_is_the_policy_that_has_it(stage: Stage, name: str, arn: str) -> None:
    assert stage.create_sa("reader", "default", "--attach-policy-arn", f"{name},{READ_ONLY}").code == 0
    assert set(stage.role_of("default", "reader")["attached"]) == {arn, READ_ONLY}
    again = stage.create_sa("reader", "default", "--attach-policy-arn", f"{arn},{READ_ONLY}", "-o", "json")
    assert (again.code, again.item["changes"]) == (0, [])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AmazonS3ReadOnlyAcess", READ_ONLY),
        ("report", OURS),
        ("AmazonSQSReadOnlyAccess", "2 policies have the name"),
        ("AWSSupportServiceRolePolicy", "no managed policy has the name"),
    ],
)
def test_a_name_of_none_or_of_several_is_refused(stage: Stage, name: str, said: str) -> None:
    before = stage.world()
    ran = stage.create_sa("reader", "default", "--attach-policy-arn", name)
    assert (ran.code, said in ran.err) == (4, True), ran.err
    assert stage.world() == before


def test_full_arns_need_no_further_call(stage: Stage) -> None:
    assert stage.create_sa("reader", "default", "--attach-policy-arn", READ_ONLY).code == 0
    assert "ListPolicies" not in {call.operation for call in stage.sandbox.calls}


@pytest.mark.parametrize("operation", ["ListPolicies", "GetPolicy"])
def test_who_may_not_look_is_told_to_give_the_arn(stage: Stage, operation: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", operation, "error", code="AccessDenied", status=403, times=None))
    ran = stage.create_sa("reader", "default", "--attach-policy-arn", "AmazonS3ReadOnlyAccess")
    assert (ran.code, "full ARN" in ran.err, stage.world()) == (1, True, before), ran.err


def test_another_partition_has_policies_of_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_cluster(ClusterSpec("china", region="cn-north-1", account="444455556666"))
    there = sandbox_stage(sandbox, "china", tmp_path, account="444455556666", region="cn-north-1")
    assert there.associate().code == 0
    assert there.create_sa("reader", "default", "--attach-policy-arn", "AmazonS3ReadOnlyAccess").code == 0
    attached = there.role_of("default", "reader")["attached"]
    assert attached == ["arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess"]


def test_update_sa_takes_names_as_well(stage: Stage) -> None:
    assert stage.create_sa("reader", "default", "--attach-policy-arn", READ_ONLY).code == 0
    place = ("reader", "-n", "default", "-c", "demo")
    flags = ("--attach-policy-arn", "reports", "--detach-policy-arn", "AmazonS3ReadOnlyAccess")
    assert stage.irsa("update-sa", *place, *flags).code == 0
    assert stage.role_of("default", "reader")["attached"] == [OURS]
    both = ("--attach-policy-arn", "reports", "--detach-policy-arn", OURS)
    assert stage.irsa("update-sa", *place, *both).code == 2
    assert stage.irsa("update-sa", *place, "--set-policy-arns", "AmazonS3ReadOnlyAccess").code == 0
    assert stage.role_of("default", "reader")["attached"] == [READ_ONLY]


def test_a_saved_plan_with_names_is_carried_out(stage: Stage) -> None:
    plan = ("--dry-run", "--out", "plan.json")
    assert stage.create_sa("reader", "default", "--attach-policy-arn", "reports", *plan).code == 0
    ran = stage.irsa("apply", "plan.json")
    assert ran.code == 0, ran.err
    assert stage.role_of("default", "reader")["attached"] == [OURS]


def test_a_document_is_for_another_option(stage: Stage) -> None:
    for given in (json.dumps(READS), "queue.json", "./queue.json"):
        ran = stage.create_sa("reader", "default", "--attach-policy-arn", given)
        assert (ran.code, "--inline-policy" in ran.err) == (2, True), ran.err


def test_a_role_without_policies_is_asked_for(stage: Stage) -> None:
    place = ("reader", "-n", "default", "-c", "demo")
    before = stage.world()
    ran = stage.irsa("create-sa", *place)
    assert (ran.code, "--no-policy" in ran.err, stage.world()) == (2, True, before)
    assert stage.irsa("create-sa", *place, "--no-policy", "--attach-policy-arn", READ_ONLY).code == 2
    assert stage.irsa("create-sa", *place, "--no-policy").code == 0
    assert stage.irsa("create-sa", *place).code == 2
