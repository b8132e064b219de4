"""Every step that fails is taken back: judged by the world before and after, on both Kubernetes APIs."""

import json

import pytest

from irsa_cli.sandbox import Fault
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

POLICIES = f"{READ_ONLY},arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
IAM_WRITES = ["CreateRole", "AttachRolePolicy", "PutRolePolicy"]


@pytest.fixture(autouse=True)
def associated(stage: Stage) -> None:
    assert stage.associate().code == 0
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    (stage.folder / "inline.json").write_text(json.dumps(document))


@pytest.mark.parametrize("operation", IAM_WRITES)
def test_a_refused_iam_write_leaves_nothing(stage: Stage, unique: str, operation: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", operation, "error", times=None))
    ran = stage.create_sa("worker", unique, "--attach-policy-arn", POLICIES, "--inline-policy", "inline.json")
    assert ran.code == 1
    assert stage.world() == _without(before, unique)
    assert "AccessDenied" in ran.err
    assert f"iam:{operation}" in ran.err


@pytest.mark.parametrize("operation", IAM_WRITES)
@pytest.mark.parametrize("kind", ["reset-after", "half-body"])
def test_a_write_whose_answers_are_all_lost_is_settled_by_reading(
    stage: Stage, unique: str, operation: str, kind: str
) -> None:
    fault = Fault("iam", operation, kind, times=None)  # type: ignore[arg-type]
    stage.sandbox.faults.add(fault)
    ran = stage.create_sa("worker", unique, "--attach-policy-arn", POLICIES, "--inline-policy", "inline.json")
    assert ran.code == 0, ran.err
    role = stage.role_of(unique, "worker")
    assert sorted(role["attached"]) == sorted(POLICIES.split(","))
    assert list(role["inline"]) == ["inline"]


def _without(world: dict[str, object], namespace: str) -> dict[str, object]:
    kubernetes = world["kubernetes"]
    assert isinstance(kubernetes, dict)
    assert namespace not in kubernetes["namespaces"]
    return world


def test_one_lost_answer_to_each_write_is_settled(stage: Stage, unique: str) -> None:
    for operation in IAM_WRITES:
        stage.sandbox.faults.add(Fault("iam", operation, "reset-after", times=1))
    ran = stage.create_sa(
        "worker", unique, "--attach-policy-arn", READ_ONLY, "--inline-policy", "inline.json"
    )
    assert ran.code == 0, ran.err
    role = stage.role_of(unique, "worker")
    assert role["attached"] == [READ_ONLY]
    assert list(role["inline"]) == ["inline"]


def test_a_caller_without_rbac_fails_before_the_first_write(stage: Stage, namespace: str) -> None:
    user = stage.restricted()
    before = stage.world()
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "-o", "json", user=user)
    assert ran.code == 1
    assert ran.error["code"] == "Forbidden"
    assert "serviceaccounts" in ran.error["reason"]
    assert stage.world() == before
    assert not [call for call in stage.sandbox.calls if call.operation == "CreateRole"]


def test_a_caller_who_may_not_patch_is_rolled_back(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", labels={"app.kubernetes.io/managed-by": "Helm"})
    user = stage.restricted((("get", "create"), ("serviceaccounts",)))
    before = stage.world()
    ran = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY, user=user)
    assert ran.code == 1
    assert "patch" in ran.err
    assert stage.world() == before


def test_another_writer_between_read_and_patch_is_kept(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app")

    def write() -> None:
        stage.annotate(namespace, "app", note="theirs")

    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=write))
    ran = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 0, ran.err
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"]["note"] == "theirs"
    assert ROLE_ARN in account["annotations"]


def test_another_writer_who_takes_the_annotation_wins(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app")
    theirs = "arn:aws:iam::111122223333:role/theirs"

    def write() -> None:
        stage.annotate(namespace, "app", **{ROLE_ARN: theirs})

    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=write))
    ran = stage.create_sa("app", namespace, "--attach-policy-arn", READ_ONLY)
    assert ran.code == 4, ran.err
    assert stage.world()["roles"] == before["roles"]
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"] == {ROLE_ARN: theirs}


def test_a_refused_verification_takes_everything_back(stage: Stage, unique: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "error", times=None))
    ran = stage.create_sa("reader", unique, "--attach-policy-arn", READ_ONLY, "--verify", "--timeout", "8s")
    assert ran.code == 5, ran.err
    assert stage.world() == before


def test_a_verification_waits_until_iam_has_spread_the_role(stage: Stage, namespace: str) -> None:
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "error", times=2))
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "--verify", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["verifications"][0]["subject"] == f"system:serviceaccount:{namespace}:reader"
    assert "Verified         STS accepts the token" in ran.err


def test_a_rollback_that_fails_names_what_is_left_and_recover_finishes_it(
    stage: Stage, namespace: str
) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    stage.sandbox.faults.add(Fault("iam", "DeleteRole", "error", times=None))
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "-o", "json")
    assert ran.code == 3
    assert ran.metadata["outcome"] == "incomplete"
    (item,) = ran.item["left"]
    assert "Role" in item["what"]
    assert stage.world() != before
    stage.sandbox.faults.clear()
    assert item["repair"] == f"irsa recover {ran.item['transaction']}"
    recovered = stage.irsa("recover", ran.item["transaction"])
    assert recovered.code == 0, recovered.err
    assert stage.world() == before


def test_what_somebody_else_put_on_the_role_is_not_destroyed(stage: Stage, namespace: str) -> None:
    def attach() -> None:
        (role,) = [name for name, role in stage.aws_world()["roles"].items() if "/irsa/" in role["arn"]]
        stage.iam().attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")

    stage.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=attach))
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match="ReadOnly", times=None))
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "-o", "json")
    assert ran.code == 3, ran.err
    (item,) = ran.item["left"]
    assert "AdministratorAccess" in item["why"]
    assert item["repair"].startswith("aws iam get-role --role-name ")
    (role,) = [role for role in stage.aws_world()["roles"].values() if "/irsa/" in role["arn"]]
    assert role["attached"] == ["arn:aws:iam::aws:policy/AdministratorAccess"]


def test_a_run_that_was_cut_off_is_finished_by_running_it_again(stage: Stage, namespace: str) -> None:
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY)
    assert ran.code == -9
    refused = stage.create_sa("reader", namespace, "--description", "another wish")
    assert refused.code == 4
    assert "irsa recover" in refused.err
    again = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY)
    assert again.code == 0, again.err
    assert "interrupted" in again.err
    assert stage.role_of(namespace, "reader")["attached"] == [READ_ONLY]
    # What was begun is wished now: nobody can take it back by the old run's name.
    assert "No unfinished" in stage.irsa("recover").out
    outcomes = [item["outcome"] for item in stage.irsa("history", "-o", "json").items]
    assert outcomes == ["committed", "superseded", "committed"]


def test_a_run_that_was_cut_off_can_be_taken_back(stage: Stage, namespace: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=stage.kill))
    assert stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY).code == -9
    transaction = stage.irsa("recover", "--no-headers").out.split()[0]
    recovered = stage.irsa("recover", transaction)
    assert recovered.code == 0, recovered.err
    assert stage.world() == before


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_takes_everything_back(stage: Stage, namespace: str, number: int, code: int) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=lambda: stage.signal(number)))
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY)
    assert ran.code == code, ran.err
    assert stage.world() == before


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_before_the_first_write_changes_nothing(
    stage: Stage, namespace: str, number: int, code: int
) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "GetRole", "callback", run=lambda: stage.signal(number)))
    ran = stage.create_sa("reader", namespace, "--attach-policy-arn", READ_ONLY, "-o", "json")
    assert ran.code == code, ran.err
    assert ran.metadata["exitCode"] == code
    assert stage.world() == before
