"""Steps of `irsa update-sa` that fail are taken back: judged by the world, on both Kubernetes APIs.

The matrix of tests/faults breaks each call; here is what only Kubernetes or others decide.
"""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.updating import EVERYTHING, EVERYTHING_CHANGED, NAME, SNS, TOPIC, make_complete, write
from tests.support.rows import arguments_of
from tests.support.stage import Stage

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(autouse=True)
def complete(stage: Stage, namespace: str) -> None:
    make_complete(stage, namespace)
    write(stage, "queue.json", TOPIC)
    stage.words["issuer"] = next(iter(stage.aws_world()["oidc_providers"])).rpartition("/")[2]


def test_a_refused_write_is_taken_back(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "error"))
    stage.run(EVERYTHING, code=1, says="iam:UpdateAssumeRolePolicy", changes="", IRSA_CALL_TIMEOUT="1")


def test_a_service_account_that_can_not_be_written_takes_all_back(stage: Stage) -> None:
    user = stage.restricted((("get", "list"), ("serviceaccounts",)))
    stage.run(EVERYTHING, code=1, says="patch", changes="", user=user)


def test_a_refused_verification_takes_all_back(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "error", times=None))
    stage.run(f"{EVERYTHING} --verify", code=5, changes="", time_ends_at="sts AssumeRoleWithWebIdentity")


def meanwhile(stage: Stage, operation: str, run: Callable[[], None], times: int | None = 1) -> None:
    """Let somebody else do something at a call."""
    stage.sandbox.faults.add(Fault("iam", operation, "callback", times=times, run=run))


def test_what_somebody_else_did_meanwhile_to_other_parts_is_kept(stage: Stage, namespace: str) -> None:
    name = stage.words["name"]

    def meddle() -> None:
        stage.iam().tag_role(RoleName=name, Tags=[{"Key": "theirs", "Value": "x"}])
        stage.iam().attach_role_policy(RoleName=name, PolicyArn=ADMIN)
        stage.annotate(namespace, NAME, theirs="x")

    meanwhile(stage, "PutRolePermissionsBoundary", meddle)
    theirs = """+ $role tags theirs x
        + $role attached AdministratorAccess
        + $sa annotations theirs x"""
    stage.run(EVERYTHING, changes=[EVERYTHING_CHANGED, theirs])


def test_what_somebody_else_did_to_the_same_part_is_looked_at_again(stage: Stage) -> None:
    settings = {"Description": "theirs", "MaxSessionDuration": 10800}
    change = stage.iam().update_role
    meanwhile(stage, "PutRolePermissionsBoundary", lambda: change(RoleName=stage.words["name"], **settings))
    # Their session duration was not named: it stays.
    stage.run(
        "update-sa app -n $ns --permissions-boundary $S3 --description new",
        changes="""- $role boundary AdministratorAccess
            + $role boundary AmazonS3ReadOnlyAccess
            - $role description what it is
            + $role description new
            - $role max_session_duration 3600
            + $role max_session_duration 10800""",
    )


def test_a_rollback_leaves_alone_what_somebody_else_changed_and_names_it(stage: Stage) -> None:
    name = stage.words["name"]

    def meddle() -> None:
        stage.iam().update_role(RoleName=name, Description="theirs")
        raise ConnectionAbortedError("the request got lost on its way")

    meanwhile(stage, "DetachRolePolicy", meddle, times=None)
    ran = stage.run(
        "update-sa app -n $ns --description new --tags team=b --detach-policy-arn $SQS -o json",
        code=3,
        changes="- $role description what it is\n + $role description theirs",
        IRSA_CALL_TIMEOUT="1",
    )
    assert [item["what"] for item in ran.item["left"]] == [f"RoleSettings {name}"]


def cut_off(stage: Stage) -> None:
    meanwhile(stage, "DetachRolePolicy", stage.kill)
    stage.run(EVERYTHING, code=-9)


def test_a_run_that_was_cut_off_is_finished_by_running_it_again(stage: Stage) -> None:
    before = stage.world()
    cut_off(stage)
    stage.run("update-sa app -n $ns --label more=b", says="irsa recover")
    stage.run(EVERYTHING)
    stage.run("update-sa app -n $ns --label more-")
    after = stage.world()
    assert "No unfinished" in stage.irsa("recover").out
    assert after["roles"].keys() == before["roles"].keys()
    stage.run(EVERYTHING, says="Nothing to do", changes="")


@pytest.mark.parametrize("forward", [False, True])
def test_a_run_that_was_cut_off_is_taken_back_or_finished_from_its_journal(
    stage: Stage, forward: bool
) -> None:
    before = stage.world()
    cut_off(stage)
    stage.words["run"] = stage.irsa("recover", "--no-headers").out.split()[0]
    stage.irsa("recover", stage.words["run"], *(["--forward"] if forward else []))
    if forward:
        stage.run(EVERYTHING, says="Nothing to do", changes="")
    else:
        assert stage.world() == before


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_takes_everything_back(stage: Stage, number: int, code: int) -> None:
    meanwhile(stage, "AttachRolePolicy", lambda: stage.signal(number))
    stage.run(EVERYTHING, code=code, changes="")


def test_two_at_once_lose_nothing(stage: Stage, namespace: str) -> None:
    """Of parts that both name one wins as a whole; what only one names is there at the end."""
    names = {"a": SNS, "b": "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"}
    line = "update-sa app -n $ns -q --permissions-boundary $S3 --attach-policy-arn"
    running = []
    for key, arn in names.items():
        words = arguments_of(stage, f"{line} {arn} --tags {key}=x --description {key}")
        command = [sys.executable, "-m", "irsa_cli", *words]
        running.append(subprocess.Popen(command, env=stage.env(), cwd=stage.folder))
    codes = [process.wait(120) for process in running]
    assert set(codes) <= {0, 4}
    role = stage.role_of(namespace, NAME)
    done = [key for key, code in zip(names, codes, strict=True) if code == 0]
    assert role["description"] in done
    assert all(names[key] in role["attached"] and role["tags"][key] == "x" for key in done)


def test_the_journal_knows_each_change(stage: Stage) -> None:
    stage.run(EVERYTHING)
    journal = max((stage.folder / "state").glob("*.jsonl"))
    header = json.loads(journal.read_text().splitlines()[0])
    assert header["context"]["command"] == "update-sa"
    kinds = {change["kind"] for stage_ in header["plan"] for change in stage_}
    assert {"RoleSettings", "RoleBoundary", "RoleTags", "TrustStatement", "ServiceAccount"} <= kinds
