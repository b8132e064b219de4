"""Managed policies by name: AWS's own and the account's, resolved once and before anything is written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.aws_lines import do
from tests.support.rows import Row, in_words, rows
from tests.support.sandbox_clients import policy
from tests.support.stage import Stage

CREATE = "create-sa reader -n default"
UPDATE = "update-sa reader -n default"
READS = json.dumps(policy("s3:GetObject"))
EBS = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
OURS = "arn:aws:iam::111122223333:policy/teams/reports"
ROLE = "role demo-default-reader-6e3a04ac"


@pytest.fixture
def named(stage: Stage) -> Stage:
    """The account has a policy `reports`, and one whose name is also of AWS's."""
    for name, path in (("reports", "/teams/"), ("AmazonSQSReadOnlyAccess", "/")):
        line = "CreatePolicy {PolicyName: $NAME, Path: $PATH, PolicyDocument: $READS}"
        do(stage.iam(), line, NAME=name, PATH=path)
    stage.sandbox.calls.clear()
    return stage


def may_not(operation: str) -> Callable[[Stage], None]:
    """Who calls may not look."""
    fault = Fault("iam", operation, "error", code="AccessDenied", status=403, times=None)
    return lambda stage: stage.sandbox.faults.add(fault)


def test_a_name_is_the_policy_that_has_it(named: Stage) -> None:
    for number, (name, arn) in enumerate(
        (
            ("AmazonSNSReadOnlyAccess", "$SNS"),
            ("service-role/AmazonEBSCSIDriverPolicy", EBS),
            ("AmazonEBSCSIDriverPolicy", EBS),
            ("reports", OURS),
            ("teams/reports", OURS),
        )
    ):
        create = f"create-sa reader-{number} -n default --attach-policy-arn"
        named.run(f"{create} {name},$S3")
        named.run(f"{create} {arn},$S3", changes="")
        attached = named.role_of("default", f"reader-{number}")["attached"]
        assert attached.count(in_words(named, arn)) == 1, name


REFUSED = (
    Row("a typing error", f"{CREATE} --attach-policy-arn AmazonS3ReadOnlyAcess", 4, "$S3"),
    Row("a typing error of an own one", f"{CREATE} --attach-policy-arn report", 4, OURS),
    Row(
        "two of a name",
        f"{CREATE} --attach-policy-arn AmazonSQSReadOnlyAccess",
        4,
        "2 policies have the name",
    ),
    Row(
        "none of a name",
        f"{CREATE} --attach-policy-arn AWSSupportServiceRolePolicy",
        4,
        "no managed policy has the name",
    ),
    *(
        Row(
            f"who may not call {operation}",
            f"{CREATE} --attach-policy-arn AmazonS3ReadOnlyAccess",
            1,
            "full ARN",
            given=may_not(operation),
        )
        for operation in ("ListPolicies", "GetPolicy")
    ),
    *(
        Row(f"a document: {text[:12]}", f"{CREATE} --attach-policy-arn '{text}'", 2, "--inline-policy")
        for text in (READS, "queue.json", "./queue.json")
    ),
    Row("no policy", CREATE, 2, "--no-policy"),
    Row("no policy and one", f"{CREATE} --no-policy --attach-policy-arn $S3", 2),
    Row("no policy of a role that has none", CREATE, 2, given=f"{CREATE} --no-policy"),
    Row(
        "one to attach and to detach, by name and ARN",
        f"{UPDATE} --attach-policy-arn reports --detach-policy-arn {OURS}",
        2,
    ),
)


def test_names_that_are_none(named: Stage) -> None:
    for row in REFUSED:
        row.play(named)
        named.sandbox.faults.clear()


@rows(
    Row(
        "update-sa takes names",
        f"{UPDATE} --attach-policy-arn reports --detach-policy-arn AmazonS3ReadOnlyAccess",
        given=f"{CREATE} --attach-policy-arn $S3",
        changes=(
            f"- {ROLE} attached AmazonS3ReadOnlyAccess\n+ {ROLE} attached reports",
            "- policy reports attachments 0\n+ policy reports attachments 1",
        ),
    ),
    Row(
        "update-sa sets names",
        f"{UPDATE} --set-policy-arns AmazonS3ReadOnlyAccess",
        given=f"{CREATE} --attach-policy-arn reports",
        changes=(
            f"+ {ROLE} attached AmazonS3ReadOnlyAccess\n- {ROLE} attached reports",
            "+ policy reports attachments 0\n- policy reports attachments 1",
        ),
    ),
)
def test_names(named: Stage, row: Row) -> None:
    row.play(named)


def test_full_arns_need_no_further_call(stage: Stage) -> None:
    stage.run(f"{CREATE} --attach-policy-arn $S3")
    assert "ListPolicies" not in {call.operation for call in stage.sandbox.calls}


def test_another_partition_has_policies_of_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add_cluster(ClusterSpec("china", region="cn-north-1", account="444455556666"))
    there = sandbox_stage(sandbox, "china", tmp_path, account="444455556666", region="cn-north-1")
    there.run("associate-oidc")
    there.run(f"{CREATE} --attach-policy-arn AmazonS3ReadOnlyAccess")
    attached = there.role_of("default", "reader")["attached"]
    assert attached == ["arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess"]


def test_a_saved_plan_with_names_is_carried_out(named: Stage) -> None:
    named.run(f"{CREATE} --attach-policy-arn reports --dry-run --out plan.json", changes="")
    named.run("apply plan.json")
    assert named.role_of("default", "reader")["attached"] == [OURS]
