"""Two runs that change one role's trust policy, one of them forced into the window of the other.

    python -m tests.faults.windows --count 40

The window of a run is between its GetRole and its UpdateAssumeRolePolicy. `both`: both runs stand in theirs
at the same time. `write`: one stands in it until the other has written, and has looked at what it wrote.
`run`: until the other one has ended. Reads of IAM are in time, late, or of any age. A window is lost where a
statement is missing, or has come back, and both runs ended with 0 and without a word about it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.exchange import Label
from irsa_cli.sandbox.model import Call
from tests.faults.zygote import OVERLAP
from tests.scenarios.test_repoint import JENKINS, NAMESPACE, Pair
from tests.support.eks_states import add_addon
from tests.support.stage import ACCOUNT, EVERYTHING, Ran

WINDOWS = ("both", "write", "run")
LAG_SECONDS = 0.4
"""Less than what is left of irsa's `PROPAGATION_SECONDS` here."""
LATENESS: Mapping[str, Callable[[Sandbox, int], None]] = {
    "in time": lambda sandbox, seed: None,
    "late": lambda sandbox, seed: setattr(sandbox, "lag", LAG_SECONDS),
    "any age": lambda sandbox, seed: sandbox.replicate(LAG_SECONDS, seed),
}
LONGEST_SECONDS = 60.0
"""For how long a run is held at most: a busy machine takes long for the other one."""
HELD = {"IRSA_CALL_TIMEOUT": f"{LONGEST_SECONDS:g}"}
"""Who is held does not give its call up before."""
ROLE = "shared"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
WRITE = "UpdateAssumeRolePolicy"
USERS = ("first", "second")
TOLD = "may be lost"


@dataclass
class Holding:
    """Holds a run at its first write of a trust policy; told of each call before it is executed.

    `callers` are the access keys of the run that is held and of the other one, `answered` the sandbox's calls
    so far.
    """

    window: str
    callers: Sequence[str]
    answered: Sequence[Call]
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set when the run that is held is in its window."""
    forced: bool = False
    """Whether it was held until what it was held for."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _writes: Counter[str] = field(default_factory=Counter)
    _ended: set[str] = field(default_factory=set)

    def listen(self, label: Label) -> None:
        """Note a write of a trust policy, and hold it."""
        caller = label.caller
        if caller not in self.callers or label.operation != WRITE:
            return
        with self._changed:
            self._writes[caller] += 1
            self._changed.notify_all()
            if self._writes[caller] == 1 and (caller == self.callers[0] or self.window == "both"):
                self.arrived.set()
                self._hold(self.callers[1 - self.callers.index(caller)])

    def _hold(self, other: str) -> None:
        until = time.monotonic() + LONGEST_SECONDS
        while not (is_over := self._is_over(other)) and time.monotonic() < until:
            self._changed.wait(0.02)  # Nobody tells when a call was answered.
        self.forced = self.forced or is_over

    def _is_over(self, other: str) -> bool:
        if self.window == "both":
            return self._writes[other] > 0
        mine = [call.operation for call in self.answered if call.service == "iam" and call.caller == other]
        since = mine[mine.index(WRITE) :] if WRITE in mine else []
        return other in self._ended or (self.window == "write" and len(since) > 1)

    def ended(self, caller: str) -> None:
        """Note that a run has ended."""
        with self._changed:
            self._ended.add(caller)
            self._changed.notify_all()


@dataclass(frozen=True)
class Case:
    """One window: `--add` of a new cluster's statements, and the other command; which of both is held."""

    window: str
    other: str
    late: str
    is_add_held: bool
    is_same_machine: bool
    seed: int

    def __str__(self) -> str:
        held = "repoint" if self.is_add_held else self.other
        machine = "one machine" if self.is_same_machine else "two machines"
        return f"{self.window:5} repoint x {self.other:9} {held:9} held, reads {self.late}, {machine}"


def cases(count: int, windows: Sequence[str]) -> Iterator[Case]:
    """So many different cases, those of each window in turn."""
    kinds = itertools.product(
        ("create-sa", "delete-sa", "migrate"), LATENESS, (True, False), (True, False), windows
    )
    for seed, (other, late, is_add_held, is_same, window) in zip(
        range(count), itertools.cycle(kinds), strict=False
    ):
        yield Case(window, other, late, is_add_held, is_same, seed)


def world(sandbox: Sandbox, folder: Path) -> Pair:
    """Two clusters and a role of somebody else that one ServiceAccount of the first one uses."""
    pair = Pair(sandbox, folder)
    document = json.dumps({"Version": "2012-10-17", "Statement": [JENKINS]})
    pair.blue.iam().create_role(RoleName=ROLE, AssumeRolePolicyDocument=document)
    for user in USERS:
        sandbox.add_user(user, policy=EVERYTHING)
    for stage in (pair.blue, pair.green):
        add_addon(sandbox, stage.cluster, "eks-pod-identity-agent")
        for user in USERS:
            sandbox.grant(stage.cluster, user, groups=("system:masters",))
    assert pair.green.associate().code == 0
    assert attach(pair, "app", "admin", {}).code == 0
    return pair


def attach(pair: Pair, name: str, user: str, env: Mapping[str, str]) -> Ran:
    words = ("create-sa", name, "-n", NAMESPACE, "-c", "blue", "--attach-role-arn", ARN, "--update-trust")
    return pair.blue.irsa(*words, user=user, **env)


def other_run(pair: Pair, case: Case, user: str, env: Mapping[str, str]) -> Ran:
    """The other command."""
    if case.other == "create-sa":
        return attach(pair, "new", user, env)
    common = ("app", "-n", NAMESPACE, "-c", "blue")
    if case.other == "migrate":
        return pair.blue.irsa("migrate", *common, "--to", "pod-identity", user=user, **env)
    return pair.blue.irsa("delete-sa", *common, user=user, **env)


def play(case: Case, sandbox: Sandbox, folder: Path) -> tuple[str, str]:
    """What became of it (`kept`, `said` or `lost`), and what both runs said."""
    pair = world(sandbox, folder)
    users = USERS if case.is_add_held else USERS[::-1]
    keys = {user: pair.blue.env(user)["AWS_ACCESS_KEY_ID"] for user in users}
    sandbox.calls.clear()
    holding = Holding(case.window, [*keys.values()], sandbox.calls)
    usual: dict[str, Any] = {OVERLAP: "1", **HELD}  # The overlap as users have it.
    env = usual if case.is_same_machine else {**usual, "IRSA_STATE_DIR": "elsewhere"}
    runs: dict[str, Callable[[], Ran]] = {
        "first": lambda: pair.repoint("--add", ROLE, user="first", **usual),
        "second": lambda: other_run(pair, case, "second", env),
    }

    def run(user: str) -> Ran:
        if case.window != "both" and user == users[1]:
            holding.arrived.wait(LONGEST_SECONDS)
        try:
            return runs[user]()
        finally:
            holding.ended(keys[user])

    sandbox.listen(holding.listen)
    LATENESS[case.late](sandbox, case.seed)
    with ThreadPoolExecutor(2) as pool:
        ended = [item.result() for item in [pool.submit(run, user) for user in users]]
    sandbox.settle()
    text = "\n".join(f"exit {ran.code}\n{ran.err}" for ran in ended)
    if not holding.forced:
        return "not forced", text
    if is_kept(pair, case):
        return "kept" if all(ran.code == 0 for ran in ended) else "kept, but failed", text
    return "said" if any(ran.code != 0 or TOLD in ran.err for ran in ended) else "lost", text


def is_kept(pair: Pair, case: Case) -> bool:
    """Whether the trust policy is as both runs wanted it."""
    found = pair.blue.aws_world()["roles"][ROLE]["trust"]["Statement"]
    text = json.dumps(found)
    blue = json.dumps([item for item in found if pair.provider(pair.blue) in json.dumps(item)])
    added = pair.provider(pair.green) in text
    wanted = {
        "create-sa": f":{NAMESPACE}:new" in blue,
        "delete-sa": f":{NAMESPACE}:app" not in blue,
        "migrate": "pods.eks.amazonaws.com" in text,
    }
    return added and wanted[case.other]


def main() -> int:
    """Play, print what became of each window; exit 1: one was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.windows", description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--window", choices=WINDOWS, action="append")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    for case in cases(options.count, options.window or WINDOWS):
        began = time.monotonic()
        with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
            outcome, story = play(case, sandbox, Path(folder))
        machine = "one machine" if case.is_same_machine else "two machines"
        counts.setdefault(f"{case.window}, {machine}", Counter())[outcome] += 1
        print(f"{case}: {outcome} ({time.monotonic() - began:.1f} s)", flush=True)
        if options.verbose and outcome != "kept":
            print(story, flush=True)
    for name, found in sorted(counts.items()):
        print(f"{name:22} " + ", ".join(f"{number} {outcome}" for outcome, number in found.items()))
    return int(any(set(found) - {"kept", "said"} for found in counts.values()))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
