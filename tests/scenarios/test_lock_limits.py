"""Locks of processes: nothing is written without one, none is left, and who has lost it stops."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.transaction.reading import read
from irsa_cli.usecases.command.execute import SAME_AGAIN
from tests.faults.zygote import SETTLE
from tests.scenarios.conftest import sandbox_stage
from tests.support.rows import arguments_of
from tests.support.stage import EVERYTHING, READ_ONLY, Json, Ran, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"


class Locking:
    """A stage whose locks are in the test's own namespace, in which its ServiceAccounts are, too."""

    def __init__(self, stage: Stage, namespace: str, lasting: str = "2") -> None:
        self.stage, self.namespace = stage, namespace
        self.env = {
            "IRSA_LOCK": "1",
            "IRSA_LOCK_NAMESPACE": namespace,
            "IRSA_LOCK_DURATION": lasting,
            "IRSA_CALL_TIMEOUT": "60",  # Others run while a call is under way.
            SETTLE: "",  # A lock lasts for real time.
        }
        stage.words["ns"] = namespace
        (stage.folder / "app.json").write_text(
            '{"apiVersion": "irsa/v1", "kind": "Bindings", "serviceAccounts": [{"metadata": {"name": "app",'
            f' "namespace": "{namespace}"}}, "attachPolicyARNs": ["{READ_ONLY}", "{SQS}"]}}]}}'
        )

    def at(self, operation: str, run: Callable[[], None]) -> None:
        """Do something when the next run is in that call to IAM."""
        self.stage.sandbox.faults.add(Fault("iam", operation, "callback", run=run))

    def run(self, line: str, **how: Any) -> Ran:
        """Run a command line; see `Stage.run`."""
        return self.stage.run(line, **{**self.env, **how})

    def meanwhile(self, operation: str, line: str) -> list[Ran]:
        """While the next run stands still in a call to IAM, another machine's takes its lock; that one."""
        seen: list[Ran] = []
        env = {**self.env, "IRSA_STATE_DIR": "elsewhere"}

        def work() -> None:
            process = self.stage._process
            os.kill(process.pid, signal.SIGSTOP)
            seen.append(self.stage.irsa(*arguments_of(self.stage, line), **env))
            os.kill(process.pid, signal.SIGCONT)

        self.at(operation, work)
        return seen

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


CREATE = "create-sa app -n $ns --attach-policy-arn $S3"


def test_who_does_not_wait_is_refused_and_writes_nothing(locking: Locking) -> None:
    seen: list[Ran] = []

    def meanwhile() -> None:
        said = "another run is working on"
        elsewhere = {"IRSA_STATE_DIR": "elsewhere"}
        lines = (f"{line} --lock-timeout 0" for line in LINES)
        seen.extend(locking.run(line, code=4, says=said, changes="", **elsewhere) for line in lines)

    locking.at("AttachRolePolicy", meanwhile)
    locking.run(CREATE)
    assert len(seen) == len(LINES)
    assert locking.leases() == []


def test_what_a_killed_run_holds_ends_by_itself_for_other_machines(locking: Locking) -> None:
    locking.at("AttachRolePolicy", locking.stage.kill)
    locking.run(CREATE, code=-9)
    locking.stage.sandbox.settle()
    assert len(locking.leases()) == 1
    locking.run(CREATE, says="Waiting for ServiceAccount", IRSA_STATE_DIR="elsewhere")
    assert locking.stage.role_of(locking.namespace, "app")["attached"] == [READ_ONLY]
    assert locking.leases() == []


def test_who_stood_still_while_another_took_over_writes_no_more(locking: Locking) -> None:
    seen = locking.meanwhile("AttachRolePolicy", CREATE)
    first = locking.run(f"{CREATE} -o json", code=3)
    assert seen[0].code == 0, seen[0].err
    assert "the lock of ServiceAccount" in first.error["message"]
    assert locking.stage.role_of(locking.namespace, "app")["attached"] == [READ_ONLY]
    assert locking.run(f"{CREATE} -o json").metadata["outcome"] == "unchanged"
    assert locking.leases() == []


def test_who_has_lost_its_lock_does_not_propose_to_undo_what_another_has_finished(locking: Locking) -> None:
    """No mark tells whose an update of a complete role is."""
    locking.run(CREATE)
    update = "update-sa app -n $ns --set-policy-arns $SQS"
    seen = locking.meanwhile("AttachRolePolicy", update)
    first = locking.run(f"{update} -o json", code=3, silent="irsa recover")
    assert seen[0].code == 0, seen[0].err
    assert {item["repair"] for item in first.item["left"]} == {SAME_AGAIN}
    assert locking.stage.irsa("recover", "--all", "--yes").code == 0
    locking.run(update)
    assert locking.stage.role_of(locking.namespace, "app")["attached"] == [SQS]


def test_what_another_run_has_deleted_is_not_restored_and_the_journal_ends(
    locking: Locking,
) -> None:
    stage, queue = locking.stage, locking.stage.folder / "queue.json"
    queue.write_text(json.dumps(EVERYTHING))
    locking.run(f"{CREATE} --inline-policy queue.json")
    queue.write_text(json.dumps(EVERYTHING).replace("Allow", "Deny"))
    seen = locking.meanwhile("AttachRolePolicy", "delete-sa app -n $ns")
    update = "--set-policy-arns $SQS --inline-policy queue.json --label a=b --tags a=b"
    ran = stage.irsa(*arguments_of(stage, f"update-sa app -n $ns {update}"), **locking.env)
    assert seen[0].code == 0, seen[0].err
    stage.sandbox.settle()
    after = stage.world()
    journals = [path for path in (stage.folder / "state").glob("*.jsonl") if not read(path).finished]
    assert ran.code in (0, 3, 4), ran.err
    assert bool(journals) == (ran.code == 3)
    for path in journals:
        stage.irsa("recover", path.stem, "--yes")
        assert read(path).finished or stage.irsa("recover", path.stem, "--yes").code == 0
        assert read(path).finished
    assert stage.world() == after
    assert "nothing to recover" in stage.irsa("recover", "--all", "--yes").out


def test_who_may_not_lock_is_told_what_to_do_and_has_written_nothing(locking: Locking) -> None:
    accounts = (("get", "create", "patch", "delete"), ("serviceaccounts",))
    user = locking.stage.restricted(accounts, (("get",), ("namespaces",)), locks=False)
    said = ("not allowed to create Leases", "--no-lock")
    locking.run(CREATE, code=4, says=said, changes="", user=user)
    locking.run(f"{CREATE} --no-lock", user=user)


@pytest.mark.parametrize("number", [0, signal.SIGTERM])
def test_a_run_that_is_rolled_back_leaves_no_lock(own: Locking, number: int) -> None:
    """Nor one that a signal reaches while the lock is given back: all is rolled back by then."""
    faults = own.stage.sandbox.faults
    faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    if number:
        faults.add(Fault("kubernetes", "DELETE leases", "reset-before", run=lambda: own.stage.signal(number)))
    own.run(CREATE, code=128 + number if number else 1, changes="")
    assert own.leases() == []


def test_a_signal_ends_the_waiting_at_once(own: Locking) -> None:
    """The second waits for the first, which is in a call until the second has ended."""
    waits, seen = threading.Event(), list[Ran]()

    def meanwhile() -> None:
        first = own.stage._process
        own.stage.sandbox.faults.add(Fault("kubernetes", "GET leases", "callback", run=waits.set, skip=1))
        env = {**own.env, "IRSA_STATE_DIR": "elsewhere"}
        words = arguments_of(own.stage, CREATE)
        thread = threading.Thread(target=lambda: seen.append(own.stage.irsa(*words, **env)))
        thread.start()
        assert waits.wait(60)
        assert own.stage._process is not first
        own.stage.signal(signal.SIGINT)
        thread.join(60)

    own.at("AttachRolePolicy", meanwhile)
    own.run(CREATE)
    assert seen[0].code == 128 + signal.SIGINT, seen[0].err
    assert own.stage.role_of("apps", "app")["attached"] == [READ_ONLY]
    assert own.leases() == []


LINES = (
    "create-sa app -n $ns --attach-policy-arn $SQS",
    "delete-sa app -n $ns",
    "apply -f app.json -c $cluster",
    "apply -f app.json --atomic -c $cluster",
    "delete --yes -f app.json -c $cluster",
)
