"""A run that lost its lock to another one: it looks again before it says done, or names what ends it.

What a run with exit code 3 names is executed as printed, and ends what the run has left.
"""

import shlex
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.usecases.command.execute import SAME_AGAIN
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_lock_limits import CREATE, Locking
from tests.support.rows import arguments_of
from tests.support.stage import READ_ONLY, Json, Ran

OTHER_WISH = "create-sa app -n $ns --no-policy --description wish"


@pytest.fixture(params=["60"])
def own(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Locking:
    """The sandbox's own Kubernetes API, with the cluster's provider; for how long a lock holds."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("apps")
    assert stage.associate().code == 0
    return Locking(stage, "apps", request.param)


def at_the_release(own: Locking, line: str) -> list[Ran]:
    """Before the next run releases its lock, somebody removes that, and another run works and ends."""
    seen: list[Ran] = []

    def meanwhile() -> None:
        if not seen:
            names = [lease["metadata"]["name"] for lease in own.leases()]
            (name,) = [name for name in names if name.startswith("irsa-binding-")]
            path = f"/apis/coordination.k8s.io/v1/namespaces/{own.namespace}/leases/{name}"
            assert own.stage.kube.delete(path).status == 200
            env = {**own.env, "IRSA_STATE_DIR": "elsewhere"}
            seen.append(own.stage.irsa(*arguments_of(own.stage, line), **env))

    fault = Fault("kubernetes", "DELETE leases", "callback", match="irsa-binding-", run=meanwhile)
    own.stage.sandbox.faults.add(fault)
    return seen


@pytest.mark.parametrize(
    ("line", "other", "outcome", "attached"),
    [
        (CREATE, "delete-sa app -n $ns --force", "committed", [READ_ONLY]),
        (CREATE, "update-sa app -n $ns --description wish", "incomplete", [READ_ONLY]),
        (f"{CREATE}\ndelete-sa app -n $ns --force", CREATE, "committed", None),
    ],
    ids=["deleted meanwhile", "differs", "made meanwhile"],
)
def test_who_finds_at_the_release_that_another_worked_looks_again(
    own: Locking, line: str, other: str, outcome: str, attached: list[str] | None
) -> None:
    *given, command = line.split("\n")
    for step in given:
        own.run(step)
    seen = at_the_release(own, other)
    ran = own.run(f"{command} -o json", code=0 if outcome == "committed" else 3)
    assert seen[0].code == 0, seen[0].err
    assert ran.metadata["outcome"] == outcome
    if attached is None:
        assert own.stage.account("apps", "app") is None
    else:
        assert own.stage.role_of("apps", "app")["attached"] == attached
    if other.startswith("delete-sa"):
        assert "Looking again: another run worked on this at the same time" in ran.err
    if outcome == "incomplete":
        assert "wish" in str(ran.error["details"])
        assert {entry["repair"] for entry in ran.item["left"]} == {SAME_AGAIN}
        # The same command ends it: it says what differs, and the command for that.
        own.run(command, code=4)
    assert own.leases() == []


def test_without_others_no_call_is_more(own: Locking) -> None:
    own.stage.sandbox.calls.clear()
    own.run(CREATE)
    leases = [call.operation for call in own.stage.sandbox.calls if "leases" in call.operation]
    assert leases.count("DELETE leases") == 1
    assert len(own.stage.sandbox.calls) == 13


def executed(own: Locking, ran: Ran, seen: list[Ran], before: Json) -> None:
    """Execute the proposed commands, each once, as they are printed: then all is as before."""
    assert (seen[0].code, ran.code) == (4, 3), ran.err
    repairs = {entry["repair"]: None for entry in ran.item["left"]}
    assert repairs
    for command in repairs:
        words = shlex.split(command, comments=True)
        assert words[0] == "irsa", command
        again = own.stage.irsa(*words[1:])
        assert again.code == 0, f"{command}: {again.err}"
    assert own.stage.world() == before
    assert own.stage.irsa("recover", "-o", "json").items == []


@pytest.mark.parametrize("own", ["2"], indirect=True)
def test_a_new_binding_whose_lock_was_lost_is_rolled_back(own: Locking) -> None:
    before = own.stage.world()
    seen = own.meanwhile("AttachRolePolicy", OTHER_WISH)
    executed(own, own.run(f"{CREATE} -o json", code=3), seen, before)


@pytest.mark.parametrize("own", ["2"], indirect=True)
def test_a_recovery_that_lost_its_lock_is_ended(own: Locking) -> None:
    """Another run may have continued: only who has looked and says yes rolls it back."""
    own.run(CREATE)
    before = own.stage.world()
    own.at("AttachRolePolicy", own.stage.kill)
    own.run("update-sa app -n $ns --attach-policy-arn $SQS", code=-9)
    own.stage.sandbox.settle()
    (journal,) = own.stage.irsa("recover", "-o", "json").items
    seen = own.meanwhile("DetachRolePolicy", OTHER_WISH)
    words = ("recover", journal["transaction"], "-o", "json", "--rollback-timeout", "8s")
    executed(own, own.stage.irsa(*words, **own.env), seen, before)
