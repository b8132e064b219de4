"""Two runs that change one role's trust policy, of two clusters, each in the window of the other.

Their locks are in different clusters, and IAM compares nothing: the second write undoes the first one's
change. Both runs are held between GetRole and UpdateAssumeRolePolicy until both have come there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.test_repoint import JENKINS, NAMESPACE, Pair
from tests.support.eks_states import add_addon
from tests.support.stage import ACCOUNT, Json, Ran

ROLE = "shared"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
ELSEWHERE = {"IRSA_STATE_DIR": "elsewhere"}
"""The other run is on another machine."""
LATENESS: dict[str, Callable[[Sandbox], None]] = {
    "in time": lambda sandbox: None,
    "late": lambda sandbox: setattr(sandbox, "lag", 0.4),
    "of any age": lambda sandbox: sandbox.replicate(0.4, 5),
}


class Windows:
    """Holds each run at its first write of a trust policy until all have come there."""

    def __init__(self, sandbox: Sandbox, runs: int) -> None:
        self._barrier = threading.Barrier(runs)
        self.met = False
        for _ in range(runs):
            sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "callback", run=self._wait))

    def _wait(self) -> None:
        try:
            self._barrier.wait(5)
            self.met = True
        except threading.BrokenBarrierError:
            pass


@pytest.fixture
def pair(sandbox: Sandbox, tmp_path: Path) -> Pair:
    """Blue's ServiceAccount `app` has the role `shared`; `green` has no statement in it yet."""
    found = Pair(sandbox, tmp_path)
    document = {"Version": "2012-10-17", "Statement": [found.statement("app", Sid="Pods")]}
    found.blue.iam().create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(document))
    found.blue.make_account(NAMESPACE, "app", annotations={"eks.amazonaws.com/role-arn": ARN})
    for stage in (found.blue, found.green):
        add_addon(sandbox, stage.cluster, "eks-pod-identity-agent")
    assert found.green.associate().code == 0
    return found


def statements(pair: Pair) -> str:
    role: Json = pair.blue.aws_world()["roles"][ROLE]
    return json.dumps(role["trust"]["Statement"])


def together(pair: Pair, late: str, *runs: Callable[[], Ran]) -> list[Ran]:
    """The runs, both in the window at the same time."""
    LATENESS[late](pair.sandbox)
    windows = Windows(pair.sandbox, len(runs))
    with ThreadPoolExecutor(len(runs)) as pool:
        ended = [item.result() for item in [pool.submit(run) for run in runs]]
    assert windows.met
    pair.sandbox.settle()
    return ended


def attach(pair: Pair, name: str) -> Ran:
    words = ("create-sa", name, "-n", NAMESPACE, "-c", "blue", "--attach-role-arn", ARN, "--update-trust")
    return pair.blue.irsa(*words, **ELSEWHERE)


@pytest.mark.parametrize("late", LATENESS)
def test_a_statement_that_is_added_is_not_lost(pair: Pair, late: str) -> None:
    ended = together(pair, late, lambda: pair.repoint("--add", ROLE), lambda: attach(pair, "new"))
    assert [ran.code for ran in ended] == [0, 0], "\n".join(ran.err for ran in ended)
    found = statements(pair)
    assert pair.provider(pair.green) in found
    assert f":{NAMESPACE}:new" in found


@pytest.mark.parametrize("late", LATENESS)
def test_a_statement_that_is_removed_does_not_come_back(pair: Pair, late: str) -> None:
    assert attach(pair, "old").code == 0

    def delete() -> Ran:
        return pair.blue.irsa("delete-sa", "old", "-n", NAMESPACE, "-c", "blue", **ELSEWHERE)

    ended = together(pair, late, lambda: pair.repoint("--add", ROLE), delete)
    assert [ran.code for ran in ended] == [0, 0], "\n".join(ran.err for ran in ended)
    found = json.loads(statements(pair))
    blue = [item for item in found if item["Principal"]["Federated"] == pair.provider(pair.blue)]
    assert f":{NAMESPACE}:old" not in json.dumps(blue)
    assert pair.provider(pair.green) in json.dumps(found)


@pytest.mark.parametrize("late", LATENESS)
def test_pods_that_move_to_pod_identity_keep_their_role(pair: Pair, late: str) -> None:
    small = {"Version": "2012-10-17", "Statement": [JENKINS]}  # Two copies of each statement have to fit.
    pair.blue.iam().update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(small))
    assert attach(pair, "mover").code == 0

    def migrate() -> Ran:
        words = ("migrate", "mover", "-n", NAMESPACE, "-c", "blue", "--to", "pod-identity")
        return pair.blue.irsa(*words, **ELSEWHERE)

    ended = together(pair, late, lambda: pair.repoint("--add", ROLE), migrate)
    assert [ran.code for ran in ended] == [0, 0], "\n".join(ran.err for ran in ended)
    assert "pods.eks.amazonaws.com" in statements(pair)
    assert pair.provider(pair.green) in statements(pair)
