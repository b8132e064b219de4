"""Every step of `irsa update-sa` that fails is taken back: judged by the world, on both Kubernetes APIs."""

import json
import subprocess
import sys

import pytest

from irsa_cli.sandbox import Fault
from tests.scenarios.updating import ADMIN, EVERYTHING, NAME, SNS, SQS, TOPIC, make_complete, update, write
from tests.support.stage import READ_ONLY, Stage

WRITES = (
    "PutRolePermissionsBoundary",
    "AttachRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "TagRole",
    "UntagRole",
    "UpdateRole",
    "UpdateAssumeRolePolicy",
    "AddClientIDToOpenIDConnectProvider",
)


@pytest.fixture(autouse=True)
def complete(stage: Stage, namespace: str) -> None:
    make_complete(stage, namespace)
    write(stage, "queue.json", TOPIC)


@pytest.mark.parametrize("operation", WRITES)
def test_a_refused_write_is_taken_back(stage: Stage, namespace: str, operation: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", operation, "error"))
    ran = update(stage, namespace, *EVERYTHING, IRSA_CALL_TIMEOUT="1")
    assert ran.code == 1, ran.err
    assert f"iam:{operation}" in ran.err
    assert stage.world() == before


def test_a_service_account_that_can_not_be_written_takes_all_back(stage: Stage, namespace: str) -> None:
    before = stage.world()
    user = stage.restricted((("get", "list"), ("serviceaccounts",)))
    ran = update(stage, namespace, *EVERYTHING, user=user)
    assert ran.code == 1, ran.err
    assert "patch" in ran.err
    assert stage.world() == before


def test_a_refused_verification_takes_all_back(stage: Stage, namespace: str) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("sts", "AssumeRoleWithWebIdentity", "error", times=None))
    ran = update(stage, namespace, *EVERYTHING, "--verify", "--timeout", "4s")
    assert ran.code == 5, ran.err
    assert stage.world() == before


@pytest.mark.parametrize("kind", ["reset-after", "half-body"])
def test_one_lost_answer_to_each_write_is_settled(stage: Stage, namespace: str, kind: str) -> None:
    for operation in WRITES:
        stage.sandbox.faults.add(Fault("iam", operation, kind, times=1))  # type: ignore[arg-type]
    ran = update(stage, namespace, *EVERYTHING)
    assert ran.code == 0, ran.err
    role = stage.role_of(namespace, NAME)
    assert (role["attached"], role["inline"], role["boundary"]) == (
        [READ_ONLY, SNS],
        {"queue": TOPIC},
        READ_ONLY,
    )


def test_what_somebody_else_did_meanwhile_to_other_parts_is_kept(stage: Stage, namespace: str) -> None:
    name = _role_name(stage, namespace)

    def meddle() -> None:
        stage.iam().tag_role(RoleName=name, Tags=[{"Key": "theirs", "Value": "x"}])
        stage.iam().attach_role_policy(RoleName=name, PolicyArn=ADMIN)
        stage.annotate(namespace, NAME, theirs="x")

    stage.sandbox.faults.add(Fault("iam", "PutRolePermissionsBoundary", "callback", run=meddle))
    ran = update(stage, namespace, *EVERYTHING)
    assert ran.code == 0, ran.err
    role, account = stage.role_of(namespace, NAME), stage.account(namespace, NAME)
    assert role["attached"] == sorted([ADMIN, READ_ONLY, SNS])
    assert role["tags"]["theirs"] == "x"
    assert account is not None
    assert account["annotations"]["theirs"] == "x"


def test_what_somebody_else_did_to_the_same_part_is_looked_at_again(stage: Stage, namespace: str) -> None:
    name = _role_name(stage, namespace)

    def meddle() -> None:
        stage.iam().update_role(RoleName=name, Description="theirs", MaxSessionDuration=10800)

    stage.sandbox.faults.add(Fault("iam", "PutRolePermissionsBoundary", "callback", run=meddle))
    ran = update(stage, namespace, "--permissions-boundary", READ_ONLY, "--description", "new")
    assert ran.code == 0, ran.err
    role = stage.role_of(namespace, NAME)
    # Their session duration was not named: it stays.
    assert (role["description"], role["max_session_duration"]) == ("new", 10800)


def test_a_rollback_leaves_alone_what_somebody_else_changed_and_names_it(
    stage: Stage, namespace: str
) -> None:
    name = _role_name(stage, namespace)

    def meddle() -> None:
        stage.iam().update_role(RoleName=name, Description="theirs")
        raise ConnectionAbortedError("the request got lost on its way")

    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", times=None, run=meddle))
    arguments = ("--description", "new", "--tags", "team=b", "--detach-policy-arn", SQS)
    before = stage.role_of(namespace, NAME)
    ran = update(stage, namespace, *arguments, "-o", "json", IRSA_CALL_TIMEOUT="1")
    assert ran.code == 3, ran.err
    (item,) = ran.item["left"]
    assert item["what"] == f"RoleSettings {name}"
    assert stage.role_of(namespace, NAME) == {**before, "description": "theirs"}


def test_a_run_that_was_cut_off_is_finished_by_running_it_again(stage: Stage, namespace: str) -> None:
    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", run=stage.kill))
    assert update(stage, namespace, *EVERYTHING).code == -9
    other = update(stage, namespace, "--label", "more=b")
    assert other.code == 0
    assert "irsa recover" in other.err
    again = update(stage, namespace, *EVERYTHING)
    assert again.code == 0, again.err
    assert stage.role_of(namespace, NAME)["attached"] == [READ_ONLY, SNS]
    assert "No unfinished" in stage.irsa("recover").out


@pytest.mark.parametrize("forward", [False, True])
def test_a_run_that_was_cut_off_is_taken_back_or_finished_from_its_journal(
    stage: Stage, namespace: str, forward: bool
) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "DetachRolePolicy", "callback", run=stage.kill))
    assert update(stage, namespace, *EVERYTHING).code == -9
    transaction = stage.irsa("recover", "--no-headers").out.split()[0]
    ran = stage.irsa("recover", transaction, *(("--forward",) if forward else ()))
    assert ran.code == 0, ran.err
    if not forward:
        assert stage.world() == before
    else:
        assert update(stage, namespace, *EVERYTHING).out.startswith("Nothing to do")


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_takes_everything_back(stage: Stage, namespace: str, number: int, code: int) -> None:
    before = stage.world()
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=lambda: stage.signal(number)))
    ran = update(stage, namespace, *EVERYTHING)
    assert ran.code == code, ran.err
    assert stage.world() == before


def test_two_at_once_lose_nothing(stage: Stage, namespace: str) -> None:
    """Of parts that both name one wins as a whole; what only one names is there at the end."""
    names = {"a": SNS, "b": "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"}
    account = ("update-sa", NAME, "-n", namespace, "-c", stage.cluster, "-q")
    common = (*account, "--permissions-boundary", READ_ONLY)
    desired_states = [
        ("--attach-policy-arn", arn, "--tags", f"{key}=x", "--description", key) for key, arn in names.items()
    ]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "irsa_cli", *common, *desired], env=stage.env(), cwd=stage.folder
        )
        for desired in desired_states
    ]
    codes = [process.wait(120) for process in running]
    assert set(codes) <= {0, 4}
    assert 0 in codes
    role = stage.role_of(namespace, NAME)
    done = [key for key, code in zip(names, codes, strict=True) if code == 0]
    assert role["description"] in done
    for key in done:
        assert names[key] in role["attached"]
        assert role["tags"][key] == "x"


def _role_name(stage: Stage, namespace: str) -> str:
    arn: str = stage.role_of(namespace, NAME)["arn"]
    return arn.rsplit("/", 1)[-1]


def test_the_journal_knows_each_change(stage: Stage, namespace: str) -> None:
    assert update(stage, namespace, *EVERYTHING).code == 0
    (journal, *_) = sorted((stage.folder / "state").glob("*.jsonl"))[-1:]
    header = json.loads(journal.read_text().splitlines()[0])
    assert header["context"]["command"] == "update-sa"
    kinds = {change["kind"] for stage_ in header["plan"] for change in stage_}
    assert {"RoleSettings", "RoleBoundary", "RoleTags", "TrustStatement", "ServiceAccount"} <= kinds
