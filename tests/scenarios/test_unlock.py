"""Locks as others see them: while a run is at work, and after it was killed."""

import re
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Rule
from tests.support.stage import EVERYTHING, Json, Ran, Stage

CREATE = "create-sa app -n $ns --attach-policy-arn $S3"
LASTING = "6"
"""Seconds that a lock lasts here without renewal."""


class Locked:
    """A stage whose locks are in the test's own namespace: other tests have theirs elsewhere."""

    def __init__(self, stage: Stage, namespace: str) -> None:
        self.stage, self.namespace = stage, namespace
        self.env = {"IRSA_LOCK": "1", "IRSA_LOCK_NAMESPACE": namespace, "IRSA_LOCK_DURATION": LASTING}

    def run(self, line: str, **expected: Any) -> Ran:
        return self.stage.run(line, **{**self.env, **expected})

    def elsewhere(self, line: str, **expected: Any) -> Ran:
        """On another machine, which has no journals of ours."""
        return self.run(line, IRSA_STATE_DIR=str(self.stage.folder / "elsewhere"), **expected)

    def locks(self) -> list[Json]:
        items: list[Json] = self.elsewhere("recover --unlock -o json").items
        return items

    def killed(self) -> None:
        """A run of create-sa that is killed while it attaches a policy; `$holder` is its holder."""
        self.stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=self.stage.kill))
        self.run(CREATE, code=-9)
        self.stage.sandbox.settle()
        (lock,) = self.locks()
        self.stage.words["holder"] = lock["holder"]

    def history(self) -> str | None:
        """What history tells of the lock of the last run of this machine."""
        lock = self.stage.run("history -o json").items[-1]["lock"]
        return lock and str(lock["state"])

    def at_work(self) -> Json:
        """What doctor says of a run that is at work; it may find no pod."""
        where = ("app", "-n", self.namespace, "-c", self.stage.cluster, "-o", "json")
        findings = self.stage.irsa("doctor", *where, **self.env).item["findings"]
        (found,) = [item for item in findings if item["id"] == "run-at-work"]
        return dict(found)


@pytest.fixture
def locked(stage: Stage, namespace: str) -> Locked:
    stage.run("associate-oidc")
    return Locked(stage, namespace)


def test_a_run_at_work_is_seen_and_not_unlocked(locked: Locked) -> None:
    seen: list[object] = []

    def look() -> None:
        (lock,) = locked.locks()
        said = "renews its locks: it is still running"
        locked.elsewhere(f"recover --unlock {lock['holder']}", code=4, says=said)
        locked.elsewhere(f"recover --unlock {lock['run']} --dry-run", code=4, says=said)
        locked.stage.run("history", says="at work")
        seen.extend([locked.history(), locked.at_work()["text"]])

    locked.stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=look))
    locked.run(CREATE, IRSA_CALL_TIMEOUT="60")
    state, text = seen
    assert state == "held"
    assert "an irsa run is changing it now" in str(text)
    assert (locked.locks(), locked.history(), locked.at_work()["verdict"]) == ([], None, "ok")


def test_the_locks_of_a_killed_run_are_removed(locked: Locked) -> None:
    locked.killed()
    assert locked.history() == "interrupted"
    locked.stage.run("history", says="interrupted")
    locked.elsewhere("recover --unlock $holder --dry-run")
    assert len(locked.locks()) == 1
    done = locked.elsewhere("recover --unlock $holder -o json", changes="")
    assert [item["removal"] for item in done.items] == ["removed"]
    assert locked.locks() == []
    locked.elsewhere("recover --unlock $holder", code=4, says="$holder holds no lock")
    locked.run(f"{CREATE} --lock-timeout 0")


def test_the_machine_that_killed_it_knows_at_once(locked: Locked) -> None:
    locked.killed()
    locked.run("recover --unlock $holder", IRSA_LOCK_DURATION="45")
    assert (locked.locks(), locked.history()) == ([], "interrupted")


def test_each_proposed_command_works_where_it_is_proposed(locked: Locked) -> None:
    """From the refusal of a run that waits for the lock, over the list of locks, to their removal."""
    locked.killed()

    def proposed(line: str, start: str, *, code: int = 0) -> str:
        """The command that a run proposes, without `irsa` and the comment behind it."""
        ran = locked.elsewhere(line, code=code)
        (step,) = re.findall(rf"irsa ({start}.*?)(?:  #.*)?$", f"{ran.out}\n{ran.err}", re.MULTILINE)
        return str(step)

    removing = proposed(f"{CREATE} --lock-timeout 0", "recover --unlock", code=4)
    assert locked.stage.words["holder"] in removing
    listing = proposed("recover --unlock nobody", "recover --unlock", code=4)
    of_list = proposed(listing, "recover --unlock")
    assert of_list.startswith("recover --unlock HOLDER ")
    as_listed = of_list.replace("HOLDER", locked.stage.words["holder"])
    locked.elsewhere(f"{as_listed} --dry-run", says="would be removed")
    recovering = proposed(removing, "recover --cluster")
    assert locked.locks() == []
    locked.elsewhere(recovering)


def test_least_permissions(locked: Locked) -> None:
    """To list and delete Leases where the locks are, and nothing else in the cluster."""
    locked.killed()

    def user(*verbs: str) -> str:
        name = f"{locked.namespace}-{'-'.join(verbs) or 'nothing'}"
        locked.stage.sandbox.add_user(name, policy=EVERYTHING)
        groups = ("coordination.k8s.io",)
        rules = [Rule((verb,), ("leases",), locked.namespace, groups=groups) for verb in verbs]
        locked.stage._grant(name, rules)
        return name

    for verbs, missing in ("", "list"), ("delete", "list"), ("list", "delete"):
        said = f"this caller is not allowed to {missing} Leases"
        locked.elsewhere("recover --unlock $holder", code=4, says=said, user=user(*verbs.split()))
        assert len(locked.locks()) == 1
    locked.elsewhere("recover --unlock $holder", user=user("list", "delete"))
    assert locked.locks() == []
