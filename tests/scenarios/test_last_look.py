"""A run finds out at the release of its lock that another one had it: it looks again before it says done."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.usecases.command.execute import SAME_AGAIN
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_lock_limits import Locking
from tests.support.stage import READ_ONLY, Ran


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> Locking:
    """The sandbox's own Kubernetes API, with the cluster's provider."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("apps")
    assert stage.associate().code == 0
    return Locking(stage, "apps", "60")


def at_the_release(own: Locking, *words: str) -> list[Ran]:
    """Before the next run releases its lock, somebody removes that, and another run works and ends."""
    seen: list[Ran] = []

    def meanwhile() -> None:
        if not seen:
            names = [lease["metadata"]["name"] for lease in own.leases()]
            (name,) = [name for name in names if name.startswith("irsa-binding-")]
            path = f"/apis/coordination.k8s.io/v1/namespaces/{own.namespace}/leases/{name}"
            assert own.stage.kube.delete(path).status == 200
            seen.append(own.elsewhere(*words))

    fault = Fault("kubernetes", "DELETE leases", "callback", match="irsa-binding-", run=meanwhile)
    own.stage.sandbox.faults.add(fault)
    return seen


def test_a_binding_that_another_run_deleted_meanwhile_is_not_called_done(own: Locking) -> None:
    seen = at_the_release(own, "delete-sa", *own.app, "--force")
    ran = own.create("-o", "json")
    assert seen[0].code == 0, seen[0].err
    assert "Looking again: another run worked on this at the same time" in ran.err
    assert (ran.code, ran.metadata["outcome"]) == (0, "committed"), ran.err
    assert own.stage.role_of(own.namespace, "app")["attached"] == [READ_ONLY]
    assert own.leases() == []


def test_what_another_run_left_as_it_was_is_as_this_one_said(own: Locking) -> None:
    seen = at_the_release(own, "create-sa", *own.app, "--attach-policy-arn", READ_ONLY)
    ran = own.create("-o", "json")
    assert seen[0].code == 0, seen[0].err
    assert (ran.code, ran.metadata["outcome"]) == (0, "committed"), ran.err
    assert "Role" in [change["kind"] for change in ran.item["changes"]]
    assert own.leases() == []


def test_what_differs_by_then_is_left_to_the_user(own: Locking) -> None:
    other = ("update-sa", *own.app, "--description", "another wish")
    seen = at_the_release(own, *other)
    ran = own.create("-o", "json")
    assert seen[0].code == 0, seen[0].err
    assert (ran.code, ran.metadata["outcome"]) == (3, "incomplete"), ran.err
    assert "another wish" in str(ran.error["details"])
    assert {entry["repair"] for entry in ran.item["left"]} == {SAME_AGAIN}
    # The same command ends it: it says what differs, and the command for that.
    assert own.create().code == 4
    assert own.leases() == []


def test_a_deletion_looks_again_too(own: Locking) -> None:
    assert own.create().code == 0
    seen = at_the_release(own, "create-sa", *own.app, "--attach-policy-arn", READ_ONLY)
    ran = own.irsa("delete-sa", *own.app, "--force", "-o", "json")
    assert seen, ran.err
    assert seen[0].code == 0, seen[0].err
    assert (ran.code, ran.metadata["outcome"]) == (0, "committed"), ran.err
    assert own.stage.account(own.namespace, "app") is None
    assert own.leases() == []


def test_without_others_no_call_is_more(own: Locking) -> None:
    own.stage.sandbox.calls.clear()
    assert own.create().code == 0
    leases = [call.operation for call in own.stage.sandbox.calls if "leases" in call.operation]
    assert leases.count("DELETE leases") == 1
    assert len(own.stage.sandbox.calls) == 13
