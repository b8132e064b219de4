"""What a run with exit code 3 names is executed as printed, and ends what the run has left."""

import os
import shlex
import signal
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_lock_limits import Locking
from tests.support.stage import Json, Ran

OTHER_WISH = ("--no-policy", "--description", "another wish")


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> Locking:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("apps")
    assert stage.associate().code == 0
    return Locking(stage, "apps")


def overtaken(own: Locking, operation: str) -> list[Ran]:
    """While the next run stands still in a call to IAM, another one takes its lock, and is refused."""
    seen: list[Ran] = []

    def meanwhile() -> None:
        process = own.stage._process
        os.kill(process.pid, signal.SIGSTOP)
        seen.append(own.elsewhere("create-sa", *own.app, *OTHER_WISH))
        os.kill(process.pid, signal.SIGCONT)

    own.at(operation, meanwhile)
    return seen


def executed(own: Locking, ran: Ran) -> None:
    """Execute the proposed commands, each once, as they are printed."""
    assert ran.code == 3, ran.err
    entries: list[Json] = ran.item["left"]
    assert entries
    for command in dict.fromkeys(entry["repair"] for entry in entries):
        words = shlex.split(command, comments=True)
        assert words[0] == "irsa", command
        again = own.stage.irsa(*words[1:])
        assert again.code == 0, f"{command}: {again.err}"


def test_a_new_binding_whose_lock_was_lost_is_rolled_back(own: Locking) -> None:
    before = own.stage.world()
    seen = overtaken(own, "AttachRolePolicy")
    ran = own.create("-o", "json")
    assert seen[0].code == 4, seen[0].err
    executed(own, ran)
    assert own.stage.world() == before
    assert own.stage.irsa("recover", "-o", "json").items == []


def test_a_recovery_that_lost_its_lock_is_ended(own: Locking) -> None:
    """Another run may have continued: only who has looked and says yes rolls it back."""
    assert own.create().code == 0
    before = own.stage.world()
    own.at("AttachRolePolicy", own.stage.kill)
    assert (
        own.irsa(
            "update-sa", *own.app, "--attach-policy-arn", "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
        ).code
        == -9
    )
    own.stage.sandbox.settle()
    (journal,) = own.stage.irsa("recover", "-o", "json").items
    seen = overtaken(own, "DetachRolePolicy")
    ran = own.stage.irsa("recover", journal["transaction"], "-o", "json", **own.env)
    assert seen[0].code == 4, seen[0].err
    executed(own, ran)
    assert own.stage.world() == before
    assert own.stage.irsa("recover", "-o", "json").items == []
