"""Two runs that change one role's trust policy, of two clusters, each in the window of the other.

Their locks are in different clusters, and IAM compares nothing: the second write undoes what the first one
has changed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.sandbox.exchange import Label
from tests.faults.windows import LATENESS, Case, play
from tests.scenarios.conftest import sandbox_stage
from tests.support.sandbox_clients import administrator
from tests.support.sandbox_clients import trust as trusting
from tests.support.stage import Stage

OTHERS_ALONE = trusting({"Service": "ec2.amazonaws.com"})
OTHERS = ("create-sa", "delete-sa", "migrate")


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("late", LATENESS)
def test_a_change_that_another_machine_writes_over_is_made_again(
    sandbox: Sandbox, tmp_path: Path, other: str, late: str
) -> None:
    """The other run reads before, and writes when this one has written and looked."""
    case = Case("write", other, late, is_add_held=other != "migrate", is_same_machine=False, seed=3)
    assert play(case, sandbox, tmp_path)[0] == "kept"


@pytest.mark.parametrize("other", OTHERS)
def test_a_run_restores_what_it_undid_of_one_that_has_ended_on_this_machine(
    sandbox: Sandbox, tmp_path: Path, other: str
) -> None:
    case = Case("run", other, "any age", is_add_held=True, is_same_machine=True, seed=3)
    assert play(case, sandbox, tmp_path)[0] == "kept"


def test_a_write_that_took_long_says_that_others_may_have_lost_theirs(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A run on another machine has ended in the meantime: nobody else can tell."""
    case = Case("run", "create-sa", "in time", is_add_held=True, is_same_machine=False, seed=3)
    outcome, story = play(case, sandbox, tmp_path)
    assert outcome == "said"
    assert "aws iam get-role --role-name shared" in story


class Meddler:
    """Does something before the read with which a run looks again at what it wrote, each time it does."""

    def __init__(self, stage: Stage, meddle: Callable[[], object]) -> None:
        self._meddle = meddle
        self._caller = stage.env()["AWS_ACCESS_KEY_ID"]
        self._writes = self._reads = 0
        stage.sandbox.listen(self._listen)

    def _listen(self, label: Label) -> None:
        if label.caller != self._caller:
            return
        if label.operation == "UpdateAssumeRolePolicy":
            self._writes, self._reads = self._writes + 1, 0
        elif label.operation == "GetRole" and self._writes:
            self._reads += 1
            # The first write is looked at as soon as it was answered, too.
            if self._reads == (2 if self._writes == 1 else 1):
                self._meddle()


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    found = sandbox_stage(sandbox, "demo", tmp_path)
    found.run("associate-oidc")
    found.make_namespace("apps")
    found.iam().create_role(RoleName="shared", AssumeRolePolicyDocument=OTHERS_ALONE)
    return found


ATTACH = "create-sa app -n apps --attach-role-arn arn:aws:iam::$account:role/shared --update-trust -o json"


def trust(stage: Stage) -> str:
    return json.dumps(stage.aws_world()["roles"]["shared"]["trust"])


def overwrite(sandbox: Sandbox) -> None:
    """Another tool writes its own document."""
    iam = administrator(sandbox, "iam")
    iam.update_assume_role_policy(RoleName="shared", PolicyDocument=OTHERS_ALONE)


def test_who_is_undone_again_and_again_says_how_to_mend_it(sandbox: Sandbox, stage: Stage) -> None:
    Meddler(stage, lambda: overwrite(sandbox))
    ran = stage.run(ATTACH, code=3)
    assert ran.metadata["outcome"] == "incomplete"
    assert ":apps:app" not in trust(stage)
    (left,) = ran.item["left"]
    assert "undid TrustStatement" in left["why"]
    assert left["repair"].endswith(" --forward")
    sandbox.listen(lambda label: None)
    assert stage.irsa(*shlex.split(left["repair"])[1:]).code == 0
    assert [text in trust(stage) for text in (":apps:app", "ec2.amazonaws.com")] == [True, True]


def test_a_read_that_fails_undoes_nothing_and_is_told(sandbox: Sandbox, stage: Stage) -> None:
    denied = Fault("iam", "GetRole", "error", times=None, status=403, code="AccessDenied")
    Meddler(stage, lambda: sandbox.faults.add(denied))
    notes = stage.run(ATTACH).item["notes"]
    assert any("could not check whether another write undid" in note for note in notes)
    assert ":apps:app" in trust(stage)


def test_only_who_changes_a_trust_policy_that_was_there_reads_once_more(stage: Stage) -> None:
    def calls(line: str) -> list[str]:
        stage.sandbox.calls.clear()
        stage.run(line)
        return [call.operation for call in stage.sandbox.calls if call.service == "iam"]

    created = calls("create-sa own -n apps --no-policy")
    assert "UpdateAssumeRolePolicy" not in created
    assert created[-1] == "CreateRole"
    attached = calls(ATTACH)
    looked = attached[attached.index("UpdateAssumeRolePolicy") :]
    assert looked == ["UpdateAssumeRolePolicy", "GetRole", "GetRole"]
