"""Locks of processes: nothing is written without one, none is left, and who has lost it stops."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from irsa_cli.core.marks.locks import Timing
from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.transaction.reading import read
from irsa_cli.usecases.command.execute import SAME_AGAIN
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import EVERYTHING, READ_ONLY, Json, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
POLICY = ("--attach-policy-arn", READ_ONLY)


class Locking:
    """A stage whose locks are in the test's own namespace, in which its ServiceAccounts are, too."""

    def __init__(self, stage: Stage, namespace: str, lasting: str = "2") -> None:
        self.stage, self.namespace = stage, namespace
        self.env = {
            "IRSA_LOCK": "1",
            "IRSA_LOCK_NAMESPACE": namespace,
            "IRSA_LOCK_DURATION": lasting,
            "IRSA_CALL_TIMEOUT": "60",  # Others run while a call is under way.
        }
        self.app = ("app", "-n", namespace)
        entry = {
            "metadata": {"name": "app", "namespace": namespace},
            "attachPolicyARNs": [READ_ONLY, SQS],
        }
        document = {"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": [entry]}
        (stage.folder / "app.json").write_text(json.dumps(document))

    def irsa(self, *arguments: str, user: str = "admin", **env: str) -> Ran:
        return self.stage.irsa(*arguments, "-c", self.stage.cluster, user=user, **{**self.env, **env})

    def elsewhere(self, *arguments: str) -> Ran:
        """On another machine, which has no journals of ours, and knows nothing of our processes."""
        return self.irsa(*arguments, IRSA_STATE_DIR=str(self.stage.folder / "elsewhere"))

    def create(self, *arguments: str, **env: str) -> Ran:
        return self.irsa("create-sa", *self.app, *POLICY, *arguments, **env)

    def at(self, operation: str, run: Callable[[], None]) -> None:
        """Do something when the next run is in that call to IAM."""
        self.stage.sandbox.faults.add(Fault("iam", operation, "callback", run=run))

    def leases(self) -> list[Json]:
        """All there are, as an administrator sees them."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"
        answer = self.stage.kube.get(path)
        assert answer.status == 200, answer.text
        items: list[Json] = answer.body["items"]
        return items


@pytest.fixture
def locking(stage: Stage, namespace: str) -> Locking:
    assert stage.associate().code == 0
    return Locking(stage, namespace)


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> Locking:
    """On the sandbox's own Kubernetes API, whose calls can be broken."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("apps")
    assert stage.associate().code == 0
    return Locking(stage, "apps", "4")


OTHERS: dict[str, tuple[str, ...]] = {
    "create-sa": ("create-sa", "APP", "--attach-policy-arn", SQS),
    "delete-sa": ("delete-sa", "APP"),
    "apply": ("apply", "-f", "app.json"),
    "apply --atomic": ("apply", "-f", "app.json", "--atomic"),
    "delete -f": ("delete", "--yes", "-f", "app.json"),
}


def of(locking: Locking, name: str) -> Iterator[str]:
    for word in OTHERS[name]:
        yield from locking.app if word == "APP" else (word,)


@pytest.mark.parametrize("name", OTHERS)
def test_who_does_not_wait_is_refused_and_writes_nothing(locking: Locking, name: str) -> None:
    seen: list[tuple[Ran, bool]] = []

    def meanwhile() -> None:
        before = locking.stage.world()
        ran = locking.elsewhere(*of(locking, name), "--lock-timeout", "0")
        seen.append((ran, locking.stage.world() == before))

    locking.at("AttachRolePolicy", meanwhile)
    first = locking.create()
    ((second, same),) = seen
    assert (first.code, second.code, same) == (0, 4, True), second.err
    assert "another run is working on" in second.err
    assert locking.leases() == []


def test_what_a_killed_run_holds_ends_by_itself_for_other_machines(locking: Locking) -> None:
    locking.at("AttachRolePolicy", locking.stage.kill)
    assert locking.create().code < 0
    locking.stage.sandbox.settle()
    assert len(locking.leases()) == 1
    again = locking.elsewhere("create-sa", *locking.app, *POLICY)
    assert again.code == 0, again.err
    assert "Waiting for ServiceAccount" in again.err
    assert locking.stage.role_of(locking.namespace, "app")["attached"] == [READ_ONLY]
    assert locking.leases() == []


def test_who_stood_still_while_another_took_over_writes_no_more(locking: Locking) -> None:
    seen: list[Ran] = []

    def meanwhile() -> None:
        process = locking.stage._process
        os.kill(process.pid, signal.SIGSTOP)
        seen.append(locking.elsewhere("create-sa", *locking.app, *POLICY))
        os.kill(process.pid, signal.SIGCONT)

    locking.at("AttachRolePolicy", meanwhile)
    first = locking.create("-o", "json")
    assert seen[0].code == 0, seen[0].err
    assert first.code == 3, first.err
    assert "the lock of ServiceAccount" in first.error["message"]
    assert locking.stage.role_of(locking.namespace, "app")["attached"] == [READ_ONLY]
    assert locking.create("-o", "json").metadata["outcome"] == "unchanged"
    assert locking.leases() == []


def test_who_has_lost_its_lock_does_not_propose_to_undo_what_another_has_finished(locking: Locking) -> None:
    """No mark tells whose an update of a complete role is."""
    assert locking.create().code == 0
    update = ("update-sa", *locking.app, "--set-policy-arns", SQS)
    seen: list[Ran] = []

    def meanwhile() -> None:
        process = locking.stage._process
        os.kill(process.pid, signal.SIGSTOP)
        seen.append(locking.elsewhere(*update))
        os.kill(process.pid, signal.SIGCONT)

    locking.at("AttachRolePolicy", meanwhile)
    first = locking.irsa(*update, "-o", "json")
    assert (seen[0].code, first.code) == (0, 3), seen[0].err + first.err
    assert {item["repair"] for item in first.item["left"]} == {SAME_AGAIN}
    assert "irsa recover" not in first.err
    again = locking.stage.irsa("recover", "--all", "--yes")
    assert again.code == 0, again.err
    assert locking.stage.role_of(locking.namespace, "app")["attached"] == [SQS]
    assert locking.irsa(*update).code == 0
    assert locking.stage.role_of(locking.namespace, "app")["attached"] == [SQS]


@pytest.mark.parametrize(
    ("command", "operation", "words"),
    [
        ("delete-sa", "TagRole", ("--all", "--yes")),
        ("delete-sa", "DetachRolePolicy", ("ID", "--forward", "--yes")),
        ("delete-sa", "DeleteRole", ("--all", "--yes")),
        ("delete-theirs", "DeleteRole", ("--all", "--yes")),
        ("update-sa", "AttachRolePolicy", ("ID", "--yes")),
        ("update-sa", "PutRolePolicy", ("--all", "--yes")),
    ],
)
def test_what_another_run_has_deleted_meanwhile_is_not_restored_and_the_journal_ends(
    locking: Locking, command: str, operation: str, words: tuple[str, ...]
) -> None:
    stage = locking.stage
    (stage.folder / "queue.json").write_text(json.dumps(EVERYTHING))
    if command == "delete-theirs":
        stage.make_account(locking.namespace, "app", labels={"of": "them"})
    assert locking.create("--inline-policy", "queue.json").code == 0
    (stage.folder / "queue.json").write_text(json.dumps(EVERYTHING).replace("Allow", "Deny"))
    update = ("--set-policy-arns", SQS, "--inline-policy", "queue.json", "--label", "a=b", "--tags", "a=b")
    first = ("update-sa", *locking.app, *update) if command == "update-sa" else ("delete-sa", *locking.app)
    seen: list[Ran] = []

    def meanwhile() -> None:
        process = stage._process
        os.kill(process.pid, signal.SIGSTOP)
        seen.append(locking.elsewhere("delete-sa", *locking.app))
        os.kill(process.pid, signal.SIGCONT)

    locking.at(operation, meanwhile)
    ran = locking.irsa(*first, "-o", "json")
    assert seen[0].code == 0, seen[0].err
    stage.sandbox.settle()
    after = stage.world()
    journals = [path for path in (stage.folder / "state").glob("*.jsonl") if not read(path).finished]
    assert ran.code in (0, 3, 4), ran.err
    assert bool(journals) == (ran.code == 3)
    for path in journals:
        recovered = stage.irsa("recover", *(path.stem if word == "ID" else word for word in words))
        ended = recovered.code == 0 or stage.irsa("recover", path.stem, "--yes").code == 0
        assert ended, recovered.err
        assert read(path).finished
    assert stage.world() == after
    assert "nothing to recover" in stage.irsa("recover", "--all", "--yes").out


def test_who_can_not_renew_stops_and_takes_back(own: Locking) -> None:
    before, stage = own.stage.world(), own.stage

    def meanwhile() -> None:
        """For longer than a run may go on that can't renew."""
        until, pause = time.monotonic() + Timing(4.0).stop, threading.Event()
        while time.monotonic() <= until or not stage.sandbox.faults.struck:
            pause.wait(0.05)

    stage.sandbox.faults.add(Fault("kubernetes", "PUT leases", "status", times=None, status=500))
    own.at("AttachRolePolicy", meanwhile)
    ran = own.create("-o", "json")
    assert ran.code in (1, 3), ran.err
    assert "could not be renewed" in ran.error["reason"]
    assert stage.account("apps", "app") is None
    stage.sandbox.faults.clear()
    if ran.code == 3:  # On a machine that is busy, the time for taking back is over soon.
        assert stage.irsa("recover", "--all", "--yes").code == 0
    assert stage.world() == before


def test_who_may_not_lock_is_told_what_to_do_and_has_written_nothing(locking: Locking) -> None:
    before = locking.stage.world()
    user = locking.stage.restricted(
        (("get", "create", "patch", "delete"), ("serviceaccounts",)), (("get",), ("namespaces",)), locks=False
    )
    ran = locking.irsa("create-sa", *locking.app, *POLICY, user=user)
    assert ran.code == 4, ran.err
    assert "not allowed to create Leases" in ran.err
    assert "--no-lock" in ran.err
    assert locking.stage.world() == before
    assert locking.irsa("create-sa", *locking.app, *POLICY, "--no-lock", user=user).code == 0


def test_a_run_that_is_rolled_back_leaves_no_lock(locking: Locking) -> None:
    before = locking.stage.world()
    locking.stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", status=403, times=None))
    assert locking.create().code == 1
    assert locking.stage.world() == before
    assert locking.leases() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_lock_is_given_back_leaves_none(own: Locking, number: int) -> None:
    """All is rolled back by then, so the signal ends the command at once."""
    before = own.stage.world()
    faults = own.stage.sandbox.faults
    faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    faults.add(Fault("kubernetes", "DELETE leases", "reset-before", run=lambda: own.stage.signal(number)))
    ran = own.create()
    assert ran.code == 128 + number, ran.err
    assert own.leases() == []
    assert own.stage.world() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_waiting_at_once(own: Locking, number: int) -> None:
    """The second waits for the first, which is in a call until the second has ended."""
    waits, ended = threading.Event(), threading.Event()
    seen: list[Ran] = []
    second: list[int] = []

    def wait_and_see() -> None:
        seen.append(own.elsewhere("create-sa", *own.app, *POLICY))
        ended.set()

    def meanwhile() -> None:
        first = own.stage._process
        own.stage.sandbox.faults.add(Fault("kubernetes", "GET leases", "callback", run=waits.set, skip=1))
        thread = threading.Thread(target=wait_and_see)
        thread.start()
        assert waits.wait(60)
        second.append(own.stage._process.pid)
        assert own.stage._process is not first
        own.stage.signal(number)
        assert ended.wait(60)
        thread.join()

    own.at("AttachRolePolicy", meanwhile)
    first = own.create()
    assert first.code == 0, first.err
    assert seen[0].code == 128 + number, seen[0].err
    assert own.stage.role_of("apps", "app")["attached"] == [READ_ONLY]
    assert own.leases() == []
