"""Every step that fails is taken back: judged by the world before and after, on both Kubernetes APIs."""

import pytest

from irsa_cli.sandbox import Fault
from tests.support.stage import READ_ONLY, ROLE_ARN, Stage

CREATE = "create-sa app -n $ns --attach-policy-arn $S3"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(autouse=True)
def associated(stage: Stage, namespace: str) -> None:
    assert stage.associate().code == 0


def at(stage: Stage, operation: str, run: object) -> None:
    """Do something when the next run is in that call to IAM."""
    stage.sandbox.faults.add(Fault("iam", operation, "callback", run=run))  # type: ignore[arg-type]


def failing(stage: Stage, operation: str, service: str = "iam", **how: object) -> None:
    """Refuse a call."""
    fault = Fault(service, operation, "error", **{"times": None, **how})  # type: ignore[arg-type]
    stage.sandbox.faults.add(fault)


def test_a_caller_without_rbac_fails_before_the_first_write(stage: Stage, namespace: str) -> None:
    ran = stage.run(f"{CREATE} -o json", code=1, user=stage.restricted(), changes="")
    assert ran.error["code"] == "Forbidden"
    assert "serviceaccounts" in ran.error["reason"]
    assert not [call for call in stage.sandbox.calls if call.operation == "CreateRole"]


def test_a_caller_who_may_not_patch_is_rolled_back(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app", labels={"app.kubernetes.io/managed-by": "Helm"})
    user = stage.restricted((("get", "create"), ("serviceaccounts",)))
    stage.run(CREATE, code=1, says="patch", user=user, changes="")


@pytest.mark.parametrize(
    ("annotation", "code"), [("note", 0), (ROLE_ARN, 4)], ids=["is kept", "takes the annotation"]
)
def test_another_writer_between_read_and_patch(
    stage: Stage, namespace: str, annotation: str, code: int
) -> None:
    theirs = "arn:aws:iam::111122223333:role/theirs"
    stage.make_account(namespace, "app")
    at(stage, "CreateRole", lambda: stage.annotate(namespace, "app", **{annotation: theirs}))
    lines = f"+ sa {namespace}/app annotations {ROLE_ARN} theirs"
    ran = stage.run(CREATE, code=code, changes=lines if code else None)
    account = stage.account(namespace, "app")
    assert account is not None
    assert account["annotations"][annotation] == theirs, ran.err
    assert ROLE_ARN in account["annotations"]


def test_a_verification_waits_until_iam_has_spread_the_role(stage: Stage, namespace: str) -> None:
    failing(stage, "AssumeRoleWithWebIdentity", "sts", times=2)
    ran = stage.run(f"{CREATE} --verify -o json", says="Verified         STS accepts the token")
    assert ran.item["verifications"][0]["subject"] == f"system:serviceaccount:{namespace}:app"


def test_a_rollback_that_fails_names_what_is_left_and_recover_finishes_it(
    stage: Stage, namespace: str
) -> None:
    before = stage.world()
    failing(stage, "AttachRolePolicy")
    failing(stage, "DeleteRole")
    ran = stage.run(f"{CREATE} -o json", code=3)
    (item,) = ran.item["left"]
    assert (ran.metadata["outcome"], "Role" in item["what"]) == ("incomplete", True)
    assert stage.world() != before
    stage.sandbox.faults.clear()
    assert item["repair"] == f"irsa recover {ran.item['transaction']}"
    recovered(stage, ran.item["transaction"])
    assert stage.world() == before


def recovered(stage: Stage, *words: str) -> str:
    """What irsa recover prints, without a cluster's option."""
    ran = stage.irsa("recover", *words)
    assert ran.code == 0, ran.err
    return ran.out + ran.err


def test_what_somebody_else_put_on_the_role_is_not_destroyed(stage: Stage, namespace: str) -> None:
    def attach() -> None:
        (role,) = [name for name, role in stage.aws_world()["roles"].items() if "/irsa/" in role["arn"]]
        stage.iam().attach_role_policy(RoleName=role, PolicyArn=ADMIN)

    at(stage, "DeleteRole", attach)
    failing(stage, "AttachRolePolicy", match="ReadOnly")
    (item,) = stage.run(f"{CREATE} -o json", code=3).item["left"]
    assert "AdministratorAccess" in item["why"]
    assert item["repair"].startswith("aws iam get-role --role-name ")
    (role,) = [role for role in stage.aws_world()["roles"].values() if "/irsa/" in role["arn"]]
    assert role["attached"] == [ADMIN]


def test_a_run_that_was_cut_off_is_finished_by_running_it_again(stage: Stage, namespace: str) -> None:
    at(stage, "AttachRolePolicy", stage.kill)
    stage.run(CREATE, code=-9)
    stage.run(f"{CREATE} --description another", code=4, says="irsa recover")
    stage.run(CREATE, says="interrupted")
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
    # What was begun is wished now: nobody can take it back by the old run's name.
    assert "No unfinished" in recovered(stage)
    outcomes = [item["outcome"] for item in stage.run("history -o json").items]
    assert outcomes == ["committed", "superseded", "committed"]


@pytest.mark.parametrize(("operation", "number", "code"), [("CreateRole", 2, 130), ("GetRole", 15, 143)])
def test_a_signal_takes_everything_back(
    stage: Stage, namespace: str, operation: str, number: int, code: int
) -> None:
    at(stage, operation, lambda: stage.signal(number))
    assert stage.run(f"{CREATE} -o json", code=code, changes="").metadata["exitCode"] == code
