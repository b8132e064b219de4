"""Locks as others see them: while a run is at work, and after it was killed."""

from collections.abc import Callable, Sequence

import pytest

from irsa_cli.sandbox import Fault, Rule
from tests.support.stage import EVERYTHING, READ_ONLY, Json, Ran, Stage

POLICY = ("--attach-policy-arn", READ_ONLY)
LASTING = "6"
"""Seconds that a lock lasts here without renewal."""


class Locked:
    """A stage whose locks are in the test's own namespace: other tests have theirs elsewhere."""

    def __init__(self, stage: Stage, namespace: str) -> None:
        self.stage, self.namespace = stage, namespace
        self.env = {"IRSA_LOCK": "1", "IRSA_LOCK_NAMESPACE": namespace, "IRSA_LOCK_DURATION": LASTING}

    def irsa(self, *arguments: str, user: str = "admin", **env: str) -> Ran:
        return self.stage.irsa(*arguments, "-c", self.stage.cluster, user=user, **{**self.env, **env})

    def elsewhere(self, *arguments: str, user: str = "admin") -> Ran:
        """On another machine, which has no journals of ours."""
        return self.irsa(*arguments, user=user, IRSA_STATE_DIR=str(self.stage.folder / "elsewhere"))

    def create(self, *arguments: str) -> Ran:
        return self.irsa("create-sa", "app", "-n", self.namespace, *POLICY, *arguments)

    def locks(self) -> list[Json]:
        items: list[Json] = self.elsewhere("unlock", "-o", "json").items
        return items

    def meanwhile(self, run: Callable[[], Sequence[Ran]]) -> list[Ran]:
        """Have others look, while create-sa attaches a policy."""
        found: list[Ran] = []
        fault = Fault("iam", "AttachRolePolicy", "callback", run=lambda: found.extend(run()))
        self.stage.sandbox.faults.add(fault)
        return found

    def killed(self) -> str:
        """A run of create-sa that is killed while it attaches a policy; its holder."""
        self.stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=self.stage.kill))
        assert self.create().code == -9
        self.stage.sandbox.settle()
        (lock,) = self.locks()
        return str(lock["holder"])

    def history(self) -> list[str | None]:
        """What history tells of the locks of this machine's runs."""
        items = self.stage.irsa("history", "-o", "json").items
        return [item["lock"] and item["lock"]["state"] for item in items]


@pytest.fixture
def locked(stage: Stage, namespace: str) -> Locked:
    assert stage.associate().code == 0
    return Locked(stage, namespace)


def run_at_work(ran: Ran) -> Json:
    (found,) = [item for item in ran.item["findings"] if item["id"] == "run-at-work"]
    return dict(found)


def test_a_run_at_work_is_seen_and_not_unlocked(locked: Locked) -> None:
    name = ("app", "-n", locked.namespace)

    def look() -> list[Ran]:
        (lock,) = locked.locks()
        return [
            locked.elsewhere("unlock", lock["holder"]),
            locked.elsewhere("unlock", lock["run"], "--dry-run"),
            locked.elsewhere("doctor", *name, "-o", "json"),
            locked.stage.irsa("history", "-o", "json"),
            locked.stage.irsa("history"),
        ]

    found = locked.meanwhile(look)
    assert locked.create().code == 0
    unlocked, rehearsed, doctor, history, told = found
    for ran in (unlocked, rehearsed):
        assert ran.code == 4, ran.out + ran.err
        assert "renews its locks: it is still running" in ran.err
    assert "an irsa run is changing it now" in run_at_work(doctor)["text"]
    assert history.items[-1]["lock"]["state"] == "held"
    assert "at work" in told.out
    assert (locked.locks(), locked.history()[-1]) == ([], None)
    assert run_at_work(locked.elsewhere("doctor", *name, "-o", "json"))["verdict"] == "ok"


def test_the_locks_of_a_killed_run_are_removed(locked: Locked) -> None:
    holder = locked.killed()
    assert locked.history()[-1] == "interrupted"
    assert "interrupted" in locked.stage.irsa("history").out
    before = locked.stage.world()
    assert locked.elsewhere("unlock", holder, "--dry-run").code == 0
    assert len(locked.locks()) == 1
    done = locked.elsewhere("unlock", holder, "-o", "json")
    assert done.code == 0, done.err
    assert [item["removal"] for item in done.items] == ["removed"]
    assert (locked.locks(), locked.stage.world()) == ([], before)
    refused = locked.elsewhere("unlock", holder)
    assert refused.code == 4
    assert f"{holder} holds no lock" in refused.err
    assert locked.create("--lock-timeout", "0").code == 0


def test_the_machine_that_killed_it_knows_at_once(locked: Locked) -> None:
    holder = locked.killed()
    assert locked.irsa("unlock", holder, IRSA_LOCK_DURATION="45").code == 0
    assert locked.locks() == []
    assert locked.history()[-1] == "interrupted"


def test_least_permissions(locked: Locked) -> None:
    """To list and delete Leases where the locks are, and nothing else in the cluster."""
    holder, stage = locked.killed(), locked.stage

    def user(*verbs: str) -> str:
        name = f"{locked.namespace}-{'-'.join(verbs) or 'nothing'}"
        stage.sandbox.add_user(name, policy=EVERYTHING)
        groups = ("coordination.k8s.io",)
        rules = [Rule((verb,), ("leases",), locked.namespace, groups=groups) for verb in verbs]
        stage._grant(name, rules)
        return name

    for verbs, missing in (((), "list"), (("delete",), "list"), (("list",), "delete")):
        ran = locked.elsewhere("unlock", holder, user=user(*verbs))
        assert ran.code == 4, ran.out + ran.err
        assert f"this caller is not allowed to {missing} Leases" in ran.err
        assert len(locked.locks()) == 1
    assert locked.elsewhere("unlock", holder, user=user("list", "delete")).code == 0
    assert locked.locks() == []
