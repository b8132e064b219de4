"""While IAM does not show yet what it has confirmed, nothing is forgotten, or taken for a stranger's.

On the sandbox only: no real API server is needed to have IAM lag. irsa waits for a shortened time, as in all
scenarios; the lag is a part of it.
"""

from collections import Counter
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.updating import QUEUE, TOPIC, write
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import ACCOUNT, Stage

LAG = 0.7
"""Seconds, less than the time that is left of irsa's `PROPAGATION_SECONDS` here."""
SHARED = f"create-sa app -n $ns --attach-role-arn arn:aws:iam::{ACCOUNT}:role/shared --update-trust"
CREATE = "create-sa app -n $ns --no-policy"


def refused(call: str, skip: int = 1) -> Fault:
    """Kubernetes refuses a call."""
    return Fault("kubernetes", call, "error", times=None, skip=skip, status=403, code="Forbidden")


NO_POST = refused("POST serviceaccounts")
NO_PATCH = refused("PATCH serviceaccounts", 0)


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    found = sandbox_stage(sandbox, "demo", tmp_path)
    write(found, "queue.json", QUEUE)
    return found


@pytest.fixture
def associated(stage: Stage, namespace: str) -> None:
    assert stage.associate().code == 0


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (NO_POST, "--inline-policy queue.json --attach-policy-arn $S3"),
        (NO_POST, "--no-policy --audience vault --associate-oidc"),
    ],
    ids=["policies", "audience"],
)
@pytest.mark.usefixtures("associated")
def test_what_is_not_seen_yet_is_taken_back(stage: Stage, fault: Fault, line: str) -> None:
    stage.sandbox.faults.add(fault)
    stage.sandbox.lag = LAG
    stage.run(f"create-sa app -n $ns {line}", code=1, changes="")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("update-sa app -n $ns --inline-policy queue.json --attach-policy-arn $S3", NO_PATCH),
        ("delete-sa app -n $ns", refused("DELETE serviceaccounts")),
    ],
)
@pytest.mark.usefixtures("associated")
def test_a_change_that_is_not_seen_yet_is_taken_back(stage: Stage, line: str, fault: Fault) -> None:
    """A role that had to be made again gets its marks back."""
    stage.run("create-sa app -n $ns --inline-policy queue.json")
    write(stage, "queue.json", TOPIC)
    stage.sandbox.faults.add(fault)
    stage.sandbox.lag = LAG
    more = "--token-expiration 7200" if line.startswith("update") else ""
    stage.run(f"{line} {more}", code=1, changes="")


@pytest.mark.usefixtures("associated")
def test_what_somebody_else_took_away_is_taken_back(stage: Stage) -> None:
    before = stage.world()

    def delete_roles() -> None:
        for name in stage.aws_world()["roles"].keys() - before["roles"].keys():
            stage.iam().delete_role(RoleName=name)

    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=delete_roles))
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None, skip=1))
    line = "create-sa app -n $ns --attach-policy-arn $S3 -o json"
    assert stage.run(line, code=1, changes="").item["left"] == []


@pytest.mark.usefixtures("associated")
def test_a_rollback_whose_time_is_too_short_to_be_sure_says_so(stage: Stage) -> None:
    before = stage.world()
    stage.sandbox.faults.add(NO_POST)
    stage.sandbox.lag = 60
    ran = stage.run(f"{CREATE} --rollback-timeout 1s -o json", code=3)
    assert [item["what"].split()[0] for item in ran.item["left"]] == ["Role"]
    stage.sandbox.lag = 0
    assert stage.irsa("recover", "--all").code == 0
    assert stage.world() == before


@pytest.fixture
def shared(stage: Stage, associated: None) -> None:
    """A role of somebody else's."""
    stage.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=EC2_TRUST)


@pytest.mark.usefixtures("shared")
def test_a_statement_is_written_once_and_waited_for(stage: Stage) -> None:
    # A second write would be refused.
    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "error", times=None, skip=1))
    stage.sandbox.lag = LAG
    stage.run(SHARED)
    assert len(stage.aws_world()["roles"]["shared"]["trust"]["Statement"]) == 2


def late(stage: Stage, service: str, write: str, seconds: float, last: Fault) -> None:
    """A write that is executed late, and refused when it is repeated."""
    for fault in (
        Fault(service, write, "reset-before", times=3),
        Fault(service, write, "late", seconds=seconds),
        last,
    ):
        stage.sandbox.faults.add(fault)


@pytest.mark.usefixtures("shared")
def test_a_statement_that_is_late_and_then_refused_is_taken_back(stage: Stage) -> None:
    before, write = stage.world(), "UpdateAssumeRolePolicy"
    late(stage, "iam", write, 2.2, Fault("iam", write, "error"))
    words = SHARED.replace("$ns", stage.words["ns"]).split()
    ran = stage.irsa(*words, "-c", "demo", IRSA_CALL_TIMEOUT="1", IRSA_RETRY_TIMEOUT="8")
    stage.sandbox.settle()
    if ran.code == 0:  # It was executed before irsa looked for it.
        assert stage.account(stage.words["ns"], "app") is not None
        assert stage.world()["roles"] != before["roles"]
    else:
        assert (ran.code, stage.world()) == (1, before), ran.err


@pytest.mark.usefixtures("associated")
def test_an_annotation_that_is_late_and_then_refused_is_looked_for(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "app")
    late(stage, "kubernetes", "PATCH serviceaccounts", 1.5, NO_PATCH)
    stage.run(CREATE, IRSA_CALL_TIMEOUT="1")
    stage.sandbox.settle()
    assert stage.role_of(namespace, "app")["arn"]


@pytest.mark.usefixtures("associated")
def test_who_is_stopped_before_its_own_role_shows_looks_for_it(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault("iam", "CreateRole", "reset-after"))
    stage.sandbox.lag = 1.2
    stage.run(f"{CREATE} --timeout 1s", code=1, changes="", IRSA_CALL_TIMEOUT="1")


PROPAGATION = "FAULTS_PROPAGATION_SECONDS"
"""For how long irsa expects late reads here."""
REFUSED_AT_ONCE = (
    "create-sa other -n $ns --no-policy --pod-identity",
    f"create-sa other -n $ns --attach-role-arn arn:aws:iam::{ACCOUNT}:role/mistyped",
    "create-sa other -n $ns --attach-policy-arn NoSuchPolicy",
    "create-sa other -n nowhere --no-policy --no-create-namespace",
    f"create-sa other -n $ns --no-policy --target-role arn:aws:iam::{ACCOUNT}:role/mistyped",
    "update-sa mistyped -n $ns --token-expiration 7200",
    "update-sa app -n $ns --external-id other",
    "update-sa app -n nowhere --token-expiration 7200",
    "adopt mistyped -n $ns",
    "release mistyped -n $ns",
    "migrate app -n $ns --to pod-identity",
    "exec mistyped -n $ns -- true",
    "verify mistyped -n $ns",
)


@pytest.mark.parametrize("line", REFUSED_AT_ONCE)
@pytest.mark.usefixtures("associated")
def test_a_refusal_that_no_late_read_explains_is_not_looked_at_again(stage: Stage, line: str) -> None:
    """As many calls shortly after a write, when irsa expects late reads, as in an account at rest."""
    stage.run(CREATE)

    def calls(seconds: str) -> Counter[tuple[str, str]]:
        stage.sandbox.calls.clear()
        stage.run(line, code=(2, 4, 5), **{PROPAGATION: seconds})
        return Counter((call.service, call.operation) for call in stage.sandbox.calls)

    assert calls("60") == calls("0")
