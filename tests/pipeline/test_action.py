"""The action's steps, executed on the sandbox: outputs, summary, comment, and what the next job can do."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from irsa_cli.cli.main import irsa
from irsa_cli.sandbox import Fault
from tests.pipeline.conftest import MakeJob
from tests.pipeline.github_api import GitHub
from tests.pipeline.runner import Job, Used
from tests.pipeline.tools import ROOT
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Stage

IRSA = {"version": "installed"}
"""The irsa of the tests: that the action installs its own is `test_install.py`."""
REAL = Path(sys.executable).parent
"""Where the irsa is that is a process of its own from its start."""
NO = "arn:aws:iam::111122223333:policy/there-is-none"


def bindings(job: Job, *names: str, policy: str = READ_ONLY) -> None:
    """The file bindings.yaml of the job's repository."""
    accounts = [
        {"metadata": {"name": name, "namespace": "backend"}, "attachPolicyARNs": [policy]} for name in names
    ]
    document = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "demo", "region": "eu-west-1"},
        "iam": {"serviceAccounts": accounts},
    }
    (job.workspace / "bindings.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def use(job: Job, command: str, **more: str) -> Used:
    """Use the action for the file."""
    files = (
        {}
        if "args" in more or ("plan_artifact" in more and command == "apply")
        else {"files": "bindings.yaml"}
    )
    return job.use(command=command, **IRSA, **files, **more)


def document(used: Used) -> Any:
    """The JSON document of the run."""
    return json.loads(Path(used.outputs["json-file"]).read_text("utf-8"))


def attaching_fails(stage: Stage, *, rollback_too: bool = False) -> None:
    """From now on no policy can be attached; with `rollback_too` no role deleted."""
    for operation in ("AttachRolePolicy", "DeleteRole") if rollback_too else ("AttachRolePolicy",):
        stage.sandbox.faults.add(
            Fault("iam", operation, "error", times=None, message=f"no {operation} for you")
        )


def test_changes_are_planned_and_told(job: MakeJob, stage: Stage, github: GitHub) -> None:
    before, mine = stage.world(), job()
    bindings(mine, "s3-reader")
    used = use(mine, "diff", plan_artifact="irsa-plan")
    assert not used.failed
    told = {name: used.outputs[name] for name in ("exit-code", "outcome", "changed", "sarif-file")}
    assert told == {"exit-code": "6", "outcome": "planned", "changed": "true", "sarif-file": ""}
    assert document(used)["metadata"]["exitCode"] == 6
    assert Path(used.outputs["plan-file"]).is_file()
    assert stage.world() == before
    assert used.step("Keep the journal").outcome == "skipped"
    (comment,) = github.comments
    for text in (comment["body"], used.summary):
        assert "irsa diff: 1 ServiceAccount to change; shared parts to change" in text
        assert "backend/s3-reader" in text
        assert "AmazonS3ReadOnlyAccess" in text
        assert (
            "[run 4711](https://github.example.com/acme/shop/actions/runs/4711) · commit c0ffee00c0ff" in text
        )
    assert re.match(r"<!-- irsa [0-9a-f]{32} -->\n## . irsa diff", comment["body"])


def test_what_was_planned_is_applied_in_the_next_job(job: MakeJob, stage: Stage) -> None:
    mine, next_one = job(), job()
    bindings(mine, "s3-reader")
    planned = use(mine, "diff", plan_artifact="irsa-plan")
    assert planned.outputs["outcome"] == "planned"
    assert f"plan {planned.outputs['plan-digest']}" in planned.summary
    other = use(next_one, "apply", plan_artifact="irsa-plan", plan_digest=f"sha256:{'0' * 64}")
    assert other.failed
    assert "is not the one of plan-digest" in other.log
    looked = use(next_one, "apply", plan_artifact="irsa-plan", args="--dry-run --detailed-exitcode")
    assert looked.outputs["exit-code"] == "6", looked.log
    used = use(next_one, "apply", plan_artifact="irsa-plan", plan_digest=planned.outputs["plan-digest"])
    assert not used.failed, used.log
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("0", "committed")
    assert used.outputs["changed"] == "true"
    assert stage.role_of("backend", "s3-reader")["attached"] == [READ_ONLY]
    assert "irsa apply: 1 ServiceAccount done; shared parts done" in used.summary
    verified = use(next_one, "verify", args="--all -A -c demo")
    assert (verified.outputs["exit-code"], verified.outputs["outcome"]) == ("0", "verified"), verified.log


def test_a_plan_of_another_world_is_refused(job: MakeJob, stage: Stage) -> None:
    mine = job()
    bindings(mine, "s3-reader")
    use(mine, "diff", plan_artifact="irsa-plan")
    assert stage.create_sa("s3-reader", "backend").code == 0
    before = stage.world()
    used = use(job(), "apply", plan_artifact="irsa-plan")
    assert used.failed
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("4", "refused")
    assert used.outputs["changed"] == "false"
    assert stage.world() == before
    assert "refused" in used.summary
    # The workflow's next job, which goes on after each failure, finds no journal, and nothing to do.
    recovered = job().use(command="recover", args="--all --yes", **IRSA)
    assert not recovered.failed, recovered.log
    assert stage.world() == before


def test_nothing_to_do_is_quiet(job: MakeJob, stage: Stage, github: GitHub) -> None:
    mine = job()
    bindings(mine, "s3-reader")
    assert use(mine, "apply", comment="never").outputs["outcome"] == "committed"
    used = use(mine, "diff")
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("0", "unchanged")
    assert used.outputs["changed"] == "false"
    assert github.comments == []
    assert "irsa diff: 1 ServiceAccount unchanged" in used.summary


def test_a_comment_that_is_there_is_put_right(job: MakeJob, github: GitHub) -> None:
    mine = job()
    bindings(mine, "s3-reader")
    use(mine, "diff")
    use(mine, "diff")
    assert "1 ServiceAccount to change; shared parts to change" in github.comments[0]["body"]
    assert use(mine, "apply", comment="never").outputs["outcome"] == "committed"
    use(mine, "diff")
    (comment,) = github.comments
    assert "1 ServiceAccount unchanged" in comment["body"]


def test_what_is_refused_says_why(job: MakeJob, stage: Stage, github: GitHub) -> None:
    mine = job()
    bindings(mine, "s3-reader")
    before = stage.world()
    used = use(mine, "diff", expect_account="999900001111")
    assert used.failed
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("4", "refused")
    assert used.outputs["plan-file"] == ""
    assert "999900001111" in github.comments[0]["body"]
    assert "::error title=irsa diff::refused (exit code 4)" in used.log
    assert stage.world() == before
    assert not use(mine, "diff", expect_account=ACCOUNT).failed


def test_what_failed_was_rolled_back(job: MakeJob, stage: Stage, github: GitHub) -> None:
    mine = job()
    bindings(mine, "s3-reader")
    before = stage.world()
    attaching_fails(stage)
    used = use(mine, "apply")
    assert used.failed
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("1", "rolled-back")
    assert used.outputs["changed"] == "false"
    assert stage.world() == before
    assert "rolled back" in github.comments[0]["body"]
    assert used.step("Keep the journal").outcome == "success"


def test_what_is_left_is_recovered_by_the_next_job(job: MakeJob, stage: Stage, github: GitHub) -> None:
    mine = job()
    bindings(mine, "s3-reader")
    before = stage.world()
    attaching_fails(stage, rollback_too=True)
    used = use(mine, "apply")
    assert used.failed
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("3", "incomplete")
    assert used.outputs["changed"] == "true"
    assert "demo-backend-s3-reader" in github.comments[0]["body"]
    stage.sandbox.faults.clear()
    assert stage.world() != before
    # On another machine, without the key by which journals are sealed.
    recovered = job().use(command="recover", args="--all --yes", **IRSA)
    assert not recovered.failed, recovered.log
    assert (recovered.outputs["exit-code"], recovered.outputs["outcome"]) == ("0", "rolled-back")
    assert stage.world() == before


@pytest.mark.parametrize("patience", ["60", "0"])
def test_a_cancelled_job_is_rolled_back(job: MakeJob, stage: Stage, github: GitHub, patience: str) -> None:
    """Also when the rollback takes longer than the time that a step is given: the next step waits for it."""
    mine = job(programs=REAL, IRSA_ACTION_PATIENCE=patience)
    bindings(mine, "s3-reader")
    before = stage.world()
    left = threading.Event()
    mine.before["Wait for the rollback"] = left.set

    def cancel() -> None:
        mine.cancel()
        # The call is under way until irsa has heard the signal, and says so.
        while not any("Stopping" in log.read_text() for log in mine.temp.glob("irsa-run-*/log")):
            threading.Event().wait(0.01)

    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=cancel))
    if patience == "0":
        # The role is deleted only after the step has ended.
        def held() -> None:
            left.wait(30)

        stage.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=held))
    used = use(mine, "apply")
    assert used.outputs["exit-code"] in ("130", "143"), used.log
    assert used.outputs["outcome"] == "rolled-back"
    # On a slow machine the step may be killed before the rollback has ended, whatever its patience.
    assert used.step("Wait for the rollback").outcome == "success" or patience != "0"
    assert used.failed
    assert stage.world() == before
    assert "rolled back" in github.comments[0]["body"]


def test_the_journal_of_a_killed_run_is_kept(job: MakeJob, stage: Stage) -> None:
    mine = job(programs=REAL)
    bindings(mine, "s3-reader")
    before = stage.world()

    def kill() -> None:
        (pid,) = (path.read_text() for path in mine.temp.glob("irsa-run-*/pid"))
        os.kill(int(pid), signal.SIGKILL)

    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=kill))
    used = use(mine, "apply")
    assert used.failed
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("137", "killed")
    assert used.step("Keep the journal").outcome == "success"
    stage.sandbox.faults.clear()
    stage.sandbox.settle()
    recovered = job().use(command="recover", args="--all --yes", **IRSA)
    assert not recovered.failed, recovered.log
    assert stage.world() == before


@pytest.mark.parametrize(
    ("fail_on", "command", "fails"),
    [
        ("error", "diff", False),
        ("changes", "diff", True),
        ("never", "diff", False),
        ("never", "refused", False),
    ],
)
def test_which_ends_fail(job: MakeJob, fail_on: str, command: str, fails: bool) -> None:
    mine = job()
    bindings(mine, "s3-reader")
    more = {"expect_account": "999900001111"} if command == "refused" else {}
    assert use(mine, "diff", fail_on=fail_on, comment="never", **more).failed is fails


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"command": "exec"}, "none that this action runs"),
        ({"command": "credentials"}, "none that this action runs"),
        ({"command": "diff; touch pwned"}, "none that this action runs"),
        ({"command": "--help"}, "none that this action runs"),
        ({"command": "diff", "fail_on": "sometimes"}, "none of error"),
        ({"command": "diff", "args": "'"}, "can't be split"),
        ({"command": "verify", "files": "x.yaml"}, "takes no files"),
        ({"command": "audit", "expect_account": ACCOUNT}, "no expect-account"),
        ({"command": "diff", "version": "99.0"}, "not published yet"),
    ],
)
def test_wrong_inputs_end_before_anything(
    job: MakeJob, stage: Stage, inputs: dict[str, str], said: str
) -> None:
    before, mine = stage.world(), job()
    used = mine.use(**{**IRSA, **inputs})
    assert used.failed
    assert said in used.log
    assert said in used.summary
    assert stage.world() == before
    assert not list(mine.workspace.iterdir())


def test_findings_are_sarif_and_markdown(job: MakeJob, github: GitHub) -> None:
    mine = job()
    trust = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    (mine.workspace / "trust.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    used = mine.use(command="lint", files="trust.json", **IRSA)
    assert used.failed
    assert (used.outputs["exit-code"], used.outputs["outcome"]) == ("5", "ok")
    sarif = json.loads(Path(used.outputs["sarif-file"]).read_text("utf-8"))
    assert sarif["runs"][0]["results"]
    assert "trust.json" in github.comments[0]["body"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to somebody else")
def test_journals_are_not_in_a_folder_of_somebody_else(job: MakeJob) -> None:
    """As in the container of a job: the runner's folder is the host user's, and irsa refuses it."""
    mine = job()
    os.chown(mine.temp, 1001, 1001)
    used = mine.use(command="history", **IRSA)
    assert not used.failed
    assert not Path(used.outputs["state-dir"]).is_relative_to(mine.temp)


def test_every_input_reaches_scripts_by_the_environment_only() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_action_knows_what_commands_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tables of commands are those of the command line."""
    monkeypatch.syspath_prepend(str(ROOT / "ci" / "github"))
    action = importlib.import_module("action")
    options = {}
    for name in action.COMMANDS:
        command = irsa.get_command(click.Context(irsa), name)
        assert command is not None
        options[name] = {param.name: param for param in command.params}
    with_out = {name for name, there in options.items() if "out" in there}
    assert with_out == set(action.PLANNING)
    assert {name for name, there in options.items() if "json_file" not in there} == set(action.DOCUMENTS)
    assert {name for name, there in options.items() if "expect_account" in there} == set(action.GUARDED)
    assert set(action.FILES) == {name for name in ("apply", "diff", "delete") if "files" in options[name]}
    secret = {"exec", "token", "credentials"}
    assert not secret & set(action.COMMANDS)


def test_annotated(job: MakeJob, stage: Stage) -> None:
    """A ServiceAccount that names another's role is drift, and the step says so."""
    mine = job()
    bindings(mine, "s3-reader")
    assert not use(mine, "apply", comment="never").failed
    stage.annotate("backend", "s3-reader", **{ROLE_ARN: "arn:aws:iam::111122223333:role/other"})
    used = use(mine, "diff", fail_on="changes", comment="never")
    assert used.failed
    assert used.outputs["exit-code"] in ("4", "6")
