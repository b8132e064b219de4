"""A killed create-sa, and what a person pasted before it was run again: there is a way out."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

SECOND = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
WISH = ("--attach-policy-arn", f"{READ_ONLY},{SECOND}")
OF = ("app", "-n", "apps", "-c", "demo")
CUTS = [("CreateRole", 0), ("AttachRolePolicy", 0)]


@pytest.fixture(params=CUTS, ids=lambda cut: cut[0])
def killed(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The role is there, without all its policies, and the ServiceAccount names none yet."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    stage.make_namespace("apps")
    stage.make_account("apps", "app")
    operation, skip = request.param
    stage.sandbox.faults.add(Fault("iam", operation, "callback", skip=skip, run=stage.kill))
    assert stage.create_sa("app", "apps", *WISH).code == -9
    stage.sandbox.settle()
    stage.sandbox.faults.clear()
    return stage


def role_of(stage: Stage) -> Json:
    (role,) = (item for item in stage.aws_world()["roles"].values() if "/irsa/" in item["arn"])
    return dict(role)


def annotate(stage: Stage) -> None:
    path = "/api/v1/namespaces/apps/serviceaccounts/app"
    stage.kube.patch(path, {"metadata": {"annotations": {ROLE_ARN: role_of(stage)["arn"]}}})


def transaction(stage: Stage) -> str:
    return str(stage.irsa("recover", "-o", "json").items[-1]["transaction"])


def test_the_interrupted_run_comes_first_and_its_role_is_no_fix(killed: Stage) -> None:
    arn = role_of(killed)["arn"]
    findings = killed.irsa("doctor", *OF, "-o", "json").items[0]["findings"]
    assert findings[0]["id"] == "role-incomplete"
    assert findings[0]["fix"].startswith("irsa create-sa app -n apps")
    pasted = [line for item in findings for line in item["fix"].splitlines() if not line.startswith("#")]
    assert not any(arn in line for line in pasted)
    for command in ("get-sa", "describe-sa", "verify"):
        ran = killed.irsa(command, *OF)
        step = (ran.out + ran.err).partition("Next:")[2].strip().splitlines()[0]
        # Both policies may have arrived before the run was killed: then the whole command is known.
        complete = READ_ONLY in step and SECOND in step
        assert complete or ("describe-sa" if command == "get-sa" else "create-sa") in step, command


def test_a_role_that_is_not_whole_is_not_used(killed: Stage) -> None:
    before = killed.world()
    ran = killed.create_sa("app", "apps", "--attach-role-arn", role_of(killed)["arn"], "-o", "json")
    assert ran.code == 4, ran.err
    assert "again to complete it" in ran.error["next"][0]
    assert killed.world() == before


def test_a_role_that_was_annotated_by_hand_is_not_called_whole(killed: Stage) -> None:
    annotate(killed)
    assert "incomplete" in killed.irsa("get-sa", *OF).out
    assert killed.irsa("verify", *OF).code == 5
    findings = killed.irsa("doctor", *OF, "-o", "json").items[0]["findings"]
    assert findings[0]["id"] == "role-incomplete"
    assert findings[0]["verdict"] == "problem"


def test_the_same_command_converges_after_that(killed: Stage) -> None:
    annotate(killed)
    again = killed.create_sa("app", "apps", *WISH)
    assert again.code == 0, again.err
    assert role_of(killed)["attached"] == sorted((READ_ONLY, SECOND))
    assert "ok" in killed.irsa("get-sa", *OF).out
    assert killed.irsa("recover", "-o", "json").items == []
    unchanged = killed.create_sa("app", "apps", *WISH, "-o", "json")
    assert (unchanged.code, unchanged.metadata["outcome"]) == (0, "unchanged")


def test_recovery_ends_after_that(killed: Stage) -> None:
    annotate(killed)
    back = killed.irsa("recover", transaction(killed), "--yes")
    assert back.code == 3
    assert "run the same irsa command again" in back.err
    assert killed.irsa("recover", "-o", "json").items == []
    assert killed.irsa("recover", "--all", "--yes").code == 0
    assert killed.create_sa("app", "apps", *WISH).code == 0
    assert role_of(killed)["attached"] == sorted((READ_ONLY, SECOND))


def test_a_way_forward_that_was_cut_off_is_ended_by_the_same_command(killed: Stage) -> None:
    annotate(killed)
    killed.irsa("recover", transaction(killed), "--forward")
    assert role_of(killed)["attached"] == sorted((READ_ONLY, SECOND))
    assert killed.create_sa("app", "apps", *WISH).code == 0
    assert killed.irsa("recover", "-o", "json").items == []
    assert "ok" in killed.irsa("get-sa", *OF).out
