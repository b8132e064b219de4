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

import click
import pytest
import yaml

from irsa_cli.cli.main import irsa
from irsa_cli.sandbox import Fault
from tests.pipeline.conftest import MakeJob
from tests.pipeline.github_api import GitHub
from tests.pipeline.runner import Job, Used
from tests.pipeline.tools import ROOT, config_of
from tests.support.sandbox_clients import trust
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Stage

IRSA = {"version": "installed"}
"""The irsa of the tests: that the action installs its own is `test_install.py`."""
REAL = Path(sys.executable).parent
"""Where the irsa is that is a process of its own from its start."""


def bindings(job: Job, *names: str, policy: str = READ_ONLY) -> None:
    """The file bindings.yaml of the job's repository."""
    (job.workspace / "bindings.yaml").write_text(config_of("demo", *names, policy=policy), "utf-8")


def use(job: Job, command: str, **more: str) -> Used:
    """Use the action for the file."""
    planned = "args" in more or ("plan_artifact" in more and command == "apply")
    files = {} if planned else {"files": "bindings.yaml"}
    return job.use(command=command, **IRSA, **files, **more)


def recover(job: MakeJob) -> Used:
    """What the workflow's next job does, on another machine, without the key by which journals are sealed."""
    return job().use(command="recover", args="--all --yes", **IRSA)


def ended(used: Used) -> str:
    """How it ended, in words: exit code, outcome, whether it changed something, whether a step failed."""
    words = [used.outputs["exit-code"], used.outputs["outcome"]]
    words += ["changed"] * (used.outputs["changed"] == "true") + ["failed"] * used.failed
    return " ".join(words)


def attaching_fails(stage: Stage, *, rollback_too: bool = False) -> None:
    """From now on no policy can be attached; with `rollback_too` no role deleted."""
    for operation in ("AttachRolePolicy", "DeleteRole") if rollback_too else ("AttachRolePolicy",):
        message = f"no {operation} for you"
        stage.sandbox.faults.add(Fault("iam", operation, "error", times=None, message=message))


@pytest.fixture
def mine(job: MakeJob) -> Job:
    """A job whose repository binds one ServiceAccount."""
    made = job()
    bindings(made, "s3-reader")
    return made


def test_changes_are_planned_and_told(mine: Job, stage: Stage, github: GitHub) -> None:
    before = stage.world()
    used = use(mine, "diff", plan_artifact="irsa-plan")
    assert (ended(used), used.outputs["sarif-file"]) == ("6 planned changed", "")
    document = json.loads(Path(used.outputs["json-file"]).read_text("utf-8"))
    assert document["metadata"]["exitCode"] == 6
    assert Path(used.outputs["plan-file"]).is_file()
    assert stage.world() == before
    assert used.step("Keep the journal").outcome == "skipped"
    (comment,) = github.comments
    assert re.match(r"<!-- irsa [0-9a-f]{32} -->\n## . irsa diff", comment["body"])
    for said in (
        "irsa diff: 1 ServiceAccount to change; shared parts to change",
        "backend/s3-reader",
        "AmazonS3ReadOnlyAccess",
        "[run 4711](https://github.example.com/acme/shop/actions/runs/4711) · commit c0ffee00c0ff",
    ):
        assert said in comment["body"]
        assert said in used.summary


def test_what_was_planned_is_applied_in_the_next_job(mine: Job, job: MakeJob, stage: Stage) -> None:
    next_one = job()
    planned = use(mine, "diff", plan_artifact="irsa-plan")
    digest = planned.outputs["plan-digest"]
    assert f"plan {digest}" in planned.summary
    other = use(next_one, "apply", plan_artifact="irsa-plan", plan_digest=f"sha256:{'0' * 64}")
    assert other.failed
    assert "is not the one of plan-digest" in other.log
    looked = use(next_one, "apply", plan_artifact="irsa-plan", args="--dry-run --detailed-exitcode")
    assert looked.outputs["exit-code"] == "6", looked.log
    used = use(next_one, "apply", plan_artifact="irsa-plan", plan_digest=digest)
    assert ended(used) == "0 committed changed", used.log
    assert stage.role_of("backend", "s3-reader")["attached"] == [READ_ONLY]
    assert "irsa apply: 1 ServiceAccount done; shared parts done" in used.summary
    verified = use(next_one, "verify", args="--all -A -c demo")
    assert (verified.outputs["exit-code"], verified.outputs["outcome"]) == ("0", "verified"), verified.log


def test_the_role_is_an_output(job: MakeJob, stage: Stage) -> None:
    """For Helm values in a later step: also of a run that changed nothing, never of a plan."""
    args = f"s3-reader -n backend -c demo --attach-policy-arn {READ_ONLY}"
    planned = job().use(command="create-sa", args=f"{args} --dry-run", **IRSA)
    assert (planned.outputs["role-arn"], planned.outputs["role-arns"]) == ("", "{}")
    for outcome in ("committed", "unchanged"):
        used = job().use(command="create-sa", args=args, **IRSA)
        arn = stage.role_of("backend", "s3-reader")["arn"]
        assert (used.outputs["outcome"], used.outputs["role-arn"]) == (outcome, arn)
        assert json.loads(used.outputs["role-arns"]) == {"backend/s3-reader": arn}
    several = job()
    bindings(several, "s3-reader", "writer")
    used = use(several, "apply")
    assert used.outputs["role-arn"] == ""
    arns = json.loads(used.outputs["role-arns"])
    assert arns == {
        f"backend/{name}": stage.role_of("backend", name)["arn"] for name in ("s3-reader", "writer")
    }
    # What others wrote into the annotation is no output, and no role of a deletion is.
    stage.annotate("backend", "writer", **{ROLE_ARN: "$(touch pwned)"})
    listed = job().use(command="get-sa", args="-n backend -c demo", **IRSA)
    assert json.loads(listed.outputs["role-arns"]) == arns
    deleted = job().use(command="delete-sa", args="s3-reader -n backend -c demo --yes", **IRSA)
    assert (deleted.outputs["outcome"], deleted.outputs["role-arns"]) == ("committed", "{}"), deleted.log


def test_commands_of_a_schedule_run(job: MakeJob, stage: Stage) -> None:
    """Those that pages run every night: dead clusters, moves of many roles, joined reports of shards."""
    assert stage.create_sa("s3-reader", "backend").code == 0
    before = stage.world()
    moves = "--to pod-identity s3-reader -n backend -c demo"
    migrated = job().use(command="migrate", args=moves, **IRSA)
    assert ended(migrated) == "4 refused failed", migrated.log
    assert "has no EKS Pod Identity agent" in migrated.summary
    assert not job().use(command="retire", args="--all", **IRSA).failed
    to_nowhere = "--to nowhere --from demo"
    refused = job().use(command="repoint", args=to_nowhere, **IRSA)
    assert (refused.failed, refused.outputs["outcome"]) == (True, "refused"), refused.log
    # The machine of the job is no pod: preflight says so, and does not know more.
    asked = job().use(command="preflight", **IRSA)
    assert asked.failed
    assert json.loads(Path(asked.outputs["json-file"]).read_text("utf-8"))["kind"] == "PreflightList"
    assert stage.world() == before


def test_files_of_git_are_compared_with_the_cluster(job: MakeJob, stage: Stage) -> None:
    """The gate of a repository that has the ServiceAccounts: exit code 6 fails with `fail-on: changes`."""
    assert stage.create_sa("s3-reader", "backend").code == 0
    mine = job()
    export = "s3-reader -n backend -c demo --out account.yaml"
    missing = mine.use(command="export", args=f"{export} --check", fail_on="changes", **IRSA)
    assert ended(missing) == "6 planned changed failed", missing.log
    assert ROLE_ARN in missing.summary
    assert not mine.use(command="export", args=export, **IRSA).failed
    assert ROLE_ARN in (mine.workspace / "account.yaml").read_text("utf-8")
    same = mine.use(command="export", args=f"{export} --check", fail_on="changes", **IRSA)
    assert ended(same) == "0 ok", same.log


def test_reports_of_shards_are_joined(mine: Job, job: MakeJob) -> None:
    shards = [use(mine, "diff", args=f"-f bindings.yaml --shard {number}/2") for number in (0, 1)]
    joined = job()
    names = [f"shard-{number}.json" for number in (0, 1)]
    for name, shard in zip(names, shards, strict=True):
        (joined.workspace / name).write_bytes(Path(shard.outputs["json-file"]).read_bytes())
    used = joined.use(command="report", files="\n".join(names), **IRSA)
    assert used.outputs["outcome"] == "planned", used.log
    assert "backend/s3-reader" in used.summary


def test_a_plan_of_another_world_is_refused(mine: Job, job: MakeJob, stage: Stage) -> None:
    use(mine, "diff", plan_artifact="irsa-plan")
    assert stage.create_sa("s3-reader", "backend").code == 0
    before = stage.world()
    used = use(job(), "apply", plan_artifact="irsa-plan")
    assert ended(used) == "4 refused failed"
    assert "refused" in used.summary
    # The workflow's next job, which goes on after each failure, finds no journal, and nothing to do.
    recovered = recover(job)
    assert not recovered.failed, recovered.log
    assert stage.world() == before


def test_a_comment_that_is_there_is_put_right(mine: Job, stage: Stage, github: GitHub) -> None:
    use(mine, "diff")
    assert "1 ServiceAccount to change; shared parts to change" in github.comments[0]["body"]
    assert ended(use(mine, "apply", comment="never")) == "0 committed changed"
    used = use(mine, "diff")
    assert ended(used) == "0 unchanged"
    (comment,) = github.comments
    for text in (comment["body"], used.summary):
        assert "irsa diff: 1 ServiceAccount unchanged" in text
    # A ServiceAccount that names another's role is drift, and the step says so.
    stage.annotate("backend", "s3-reader", **{ROLE_ARN: "arn:aws:iam::111122223333:role/other"})
    drifted = use(mine, "diff", fail_on="changes", comment="never")
    assert drifted.failed
    assert drifted.outputs["exit-code"] in ("4", "6")


def test_what_is_refused_says_why(mine: Job, stage: Stage, github: GitHub) -> None:
    before = stage.world()
    used = use(mine, "diff", expect_account="999900001111")
    assert (ended(used), used.outputs["plan-file"]) == ("4 refused failed", "")
    assert "999900001111" in github.comments[0]["body"]
    assert "::error title=irsa diff::refused (exit code 4)" in used.log
    assert stage.world() == before
    assert not use(mine, "diff", expect_account=ACCOUNT).failed
    assert not use(mine, "diff", fail_on="never", expect_account="999900001111").failed


@pytest.mark.parametrize(
    ("rollback_too", "expected", "said"),
    [
        (False, "1 rolled-back failed", "rolled back"),
        (True, "3 incomplete changed failed", "demo-backend-s3-reader"),
    ],
)
def test_what_failed_is_rolled_back_or_recovered_by_the_next_job(
    mine: Job, job: MakeJob, stage: Stage, github: GitHub, rollback_too: bool, expected: str, said: str
) -> None:
    before = stage.world()
    attaching_fails(stage, rollback_too=rollback_too)
    used = use(mine, "apply")
    assert ended(used) == expected
    assert said in github.comments[0]["body"]
    assert used.step("Keep the journal").outcome == "success"
    assert (stage.world() != before) == rollback_too
    stage.sandbox.faults.clear()
    if rollback_too:
        assert ended(recover(job)).startswith("0 rolled-back")
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

    def held() -> None:
        left.wait(30)

    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=cancel))
    if patience == "0":
        # The role is deleted only after the step has ended.
        stage.sandbox.faults.add(Fault("iam", "DeleteRole", "callback", run=held))
    used = use(mine, "apply")
    assert used.outputs["exit-code"] in ("130", "143"), used.log
    assert (used.outputs["outcome"], used.failed) == ("rolled-back", True)
    # On a slow machine the step may be killed before the rollback has ended, whatever its patience.
    assert used.step("Wait for the rollback").outcome == "success" or patience != "0"
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
    assert (used.outputs["exit-code"], used.outputs["outcome"], used.failed) == ("137", "killed", True)
    assert used.step("Keep the journal").outcome == "success"
    stage.sandbox.faults.clear()
    stage.sandbox.settle()
    recovered = recover(job)
    assert not recovered.failed, recovered.log
    assert stage.world() == before


WRONG: tuple[tuple[dict[str, str], str], ...] = (
    ({"command": "exec"}, "none that this action runs"),
    ({"command": "credentials"}, "none that this action runs"),
    ({"command": "diff; touch pwned"}, "none that this action runs"),
    ({"command": "--help"}, "none that this action runs"),
    ({"command": "diff", "fail_on": "sometimes"}, "none of error"),
    ({"command": "diff", "args": "'"}, "can't be split"),
    ({"command": "verify", "files": "x.yaml"}, "takes no files"),
    ({"command": "audit", "expect_account": ACCOUNT}, "no expect-account"),
    ({"command": "diff", "version": "99.0"}, "not published yet"),
)


def test_wrong_inputs_end_before_anything(job: MakeJob, stage: Stage) -> None:
    before, mine = stage.world(), job()
    for inputs, said in WRONG:
        used = mine.use(**{**IRSA, **inputs})
        assert (used.failed, said in used.log, said in used.summary) == (True, True, True), inputs
    assert stage.world() == before
    assert not list(mine.workspace.iterdir())


def test_findings_are_sarif_and_markdown(job: MakeJob, github: GitHub) -> None:
    mine = job()
    (mine.workspace / "trust.json").write_text(trust("*"))
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
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), "merge")
        assert command is not None
        options[name] = {param.name for param in command.params}
    with_option = {
        option: {name for name, there in options.items() if option in there}
        for option in ("out", "json_file", "expect_account", "expect_cluster_arn")
    }
    assert with_option == {
        "out": {*action.PLANNING, *action.TEXTS},
        "json_file": set(options) - {*action.DOCUMENTS, *action.TEXTS},
        "expect_account": set(action.GUARDED["expect-account"]),
        "expect_cluster_arn": set(action.GUARDED["expect-cluster-arn"]),
    }
    assert set(action.FILES) == {name for name in ("apply", "diff", "delete") if "files" in options[name]}
    assert not {"exec", "token", "credentials"} & set(options)


def test_the_action_runs_a_renamed_command_by_its_new_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "ci" / "github"))
    action = importlib.import_module("action")
    inputs = {"IRSA_ACTION_COMMAND": "unlock", "IRSA_ACTION_ARGS": "HOLDER -c prod"}
    words = ["recover", "--unlock", "--output=json", "HOLDER", "-c", "prod"]
    assert action.words(inputs, tmp_path) == words
