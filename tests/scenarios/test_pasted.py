"""A killed create-sa, and what a person pasted before it was run again: there is a way out."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_recover import recover, unfinished
from tests.support.stage import ROLE_ARN, Json, Stage

WISH = "create-sa app -n apps --attach-policy-arn $S3,$SQS"


@pytest.fixture
def killed(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The role is there, without all its policies, and the ServiceAccount names none yet."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.run("associate-oidc")
    stage.make_namespace("apps")
    stage.make_account("apps", "app")
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=stage.kill))
    stage.run(WISH, code=-9)
    stage.sandbox.settle()
    stage.sandbox.faults.clear()
    stage.words |= {"run": unfinished(stage)[-1]["transaction"], "role": role_of(stage)["arn"]}
    return stage


@pytest.fixture
def annotated(killed: Stage) -> Stage:
    """By hand, with the role that is not whole."""
    killed.annotate("apps", "app", **{ROLE_ARN: killed.words["role"]})
    return killed


def role_of(stage: Stage) -> Json:
    (role,) = (item for item in stage.aws_world()["roles"].values() if "/irsa/" in item["arn"])
    return dict(role)


def first_finding(stage: Stage) -> Json:
    findings = stage.run("doctor app -n apps -o json", code=5).item["findings"]
    pasted = [line for item in findings for line in item["fix"].splitlines() if not line.startswith("#")]
    assert not any(stage.words["role"] in line for line in pasted)
    return dict(findings[0])


def assert_whole(stage: Stage) -> None:
    assert [arn.rpartition("/")[2] for arn in role_of(stage)["attached"]] == [
        "AmazonS3ReadOnlyAccess",
        "AmazonSQSReadOnlyAccess",
    ]


def test_the_interrupted_run_comes_first_and_its_role_is_no_fix(killed: Stage) -> None:
    first = first_finding(killed)
    assert first["id"] == "role-incomplete"
    assert first["fix"].startswith("irsa create-sa app -n apps")
    for command in ("get-sa", "describe-sa", "verify"):
        ran = killed.irsa(command, "app", "-n", "apps", "-c", "demo")
        step = (ran.out + ran.err).partition("Next:")[2].strip().splitlines()[0]
        # Both policies may have arrived before the run was killed: then the whole command is known.
        complete = "AmazonS3ReadOnly" in step and "AmazonSQSReadOnly" in step
        assert complete or ("describe-sa" if command == "get-sa" else "create-sa") in step, command
    error = killed.run("create-sa app -n apps --attach-role-arn $role -o json", code=4, changes="").error
    assert "again to complete it" in error["next"][0]


def test_a_role_that_was_annotated_by_hand_is_not_called_whole(annotated: Stage) -> None:
    annotated.run("get-sa app -n apps", says="incomplete")
    annotated.run("verify app -n apps", code=5)
    first = first_finding(annotated)
    assert (first["id"], first["verdict"]) == ("role-incomplete", "problem")


@pytest.mark.parametrize("forward", [False, True])
def test_the_same_command_converges_after_that(annotated: Stage, forward: bool) -> None:
    """Also after a way forward that was cut off."""
    if forward:
        annotated.irsa("recover", annotated.words["run"], "--forward")
        assert_whole(annotated)
    annotated.run(WISH)
    assert_whole(annotated)
    annotated.run("get-sa app -n apps", says="ok")
    assert unfinished(annotated) == []
    annotated.run(WISH, says="Nothing to do", changes="")


def test_recovery_ends_after_that(annotated: Stage) -> None:
    recover(annotated, "$run --yes", code=3, says="run the same irsa command again")
    assert unfinished(annotated) == []
    recover(annotated, "--all --yes", changes="")
    annotated.run(WISH)
    assert_whole(annotated)
