"""Callers with documented permissions: what they do, and without which permission they fail at it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Rule, Sandbox
from tests.docs import staging
from tests.faults.zygote import PROPAGATION, SETTLE
from tests.support import this_process
from tests.support.documents import policy
from tests.support.rows import WORDS

Json = dict[str, Any]
ACCOUNT = "111122223333"
_WITHOUT_CLUSTER = {"repoint", "retire", "apply", "audit"}
"""Commands whose line says itself what they are about."""


class Caller:
    """Runs irsa in this process: as the administrator, then as the limited caller `ci`."""

    def __init__(self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox, self.folder, self.monkeypatch = sandbox, folder, monkeypatch
        self.words = {**WORDS, "folder": str(folder), "app": "app -n backend"}
        state = {"IRSA_STATE_DIR": str(folder / "state")}
        # IAM is never late here: a refusal is one at once.
        self.env = {**os.environ, **state, SETTLE: sandbox.control_url, PROPAGATION: "0"}
        self.before: Any = None
        self.since = 0
        self.said = ""
        (folder / "wide").mkdir()
        for name, action in (("queue", "sqs:ReceiveMessage"), ("wide/queue", "sqs:*"), ("topic", "sns:*")):
            (folder / f"{name}.json").write_text(document(action), "utf-8")
        sandbox.add_user("ci")
        self.become("admin")

    def become(self, user: str) -> None:
        """Call as this user from now on."""
        self.env |= self.sandbox.env(user=user)

    def admit(self, allowed: Json, rules: Sequence[Rule]) -> None:
        """Become the caller with this policy, and these rights in each cluster."""
        for statement in allowed["Statement"]:
            statement.pop("Sid", None)  # Those of several documents are not unique.
        named = {"UserName": "ci", "PolicyName": "policy"}
        staging.iam(self.sandbox).put_user_policy(**named, PolicyDocument=json.dumps(allowed))
        for cluster in self.sandbox.world()["kubernetes"]:
            self.sandbox.grant(cluster, "ci", rules=rules)
        self.become("ci")

    def run(self, line: str) -> int:
        """Run a command; what it says is kept."""
        arguments = shlex.split(Template(line).safe_substitute(self.words))
        where = [] if arguments[0] in _WITHOUT_CLUSTER or "-c" in arguments else ["-c", staging.CLUSTER]
        code, self.out, err = this_process.run([*arguments, *where], self.env, self.folder)
        self.said = self.out + err
        return code

    @property
    def json(self) -> Any:
        """The document that the last command printed."""
        printed: Json = json.loads(self.out)
        return printed

    @property
    def details(self) -> str:
        """The details of the error that the last command ended with."""
        return str(self.json["errors"][0]["details"])

    def make(self, lines: str) -> None:
        """Run commands that have to work."""
        for line in lines.splitlines():
            assert self.run(line) == 0, f"{line}\n{self.said}"

    def world(self) -> tuple[Any, Any]:
        """Both accounts. A role that was created again has another unique id."""
        elsewhere = self.sandbox.world(staging.OTHER)
        roles = {name: {**role, "role_id": ""} for name, role in elsewhere["roles"].items()}
        return self.sandbox.world(), {**elsewhere, "roles": roles}

    @property
    def role(self) -> str:
        """The name of the one role that irsa has created."""
        (name,) = (name for name, role in self.sandbox.world()["roles"].items() if role["path"] != "/")
        return str(name)


def document(action: str) -> str:
    """A policy that allows an action."""
    return json.dumps(policy(f"Allow {action} on *"))


@dataclass(frozen=True)
class Work:
    """What a caller does: lines, of which the last ends with `code`, and the permissions that it needs.

    `given` is what the administrator did before, `failing` the call that fails meanwhile; `holds` is what
    has to be so at the end.
    """

    name: str
    line: str
    needs: str = ""
    code: int = 0
    given: str | Callable[[Caller], object] = ""
    failing: str | Fault = ""
    unchanged: bool = False
    says: str = ""
    silent: str = ""
    holds: Callable[[Caller], bool] = lambda _: True

    def succeeds(self, caller: Caller) -> bool:
        """Do it, and say whether it ended as it should."""
        failing = self.failing
        if isinstance(failing, str):
            service, _, operation = failing.partition(" ")
            failing = Fault(service, operation, "error", times=None)
        if self.failing:
            caller.sandbox.faults.add(failing)
        caller.before, caller.since = caller.world(), len(caller.sandbox.calls)
        *first, last = self.line.splitlines()
        if any(caller.run(line) for line in first) or caller.run(last) != self.code:
            return False
        if self.says not in caller.said or (self.silent and self.silent in caller.said):
            return False
        return (not self.unchanged or caller.world() == caller.before) and self.holds(caller)


def give(caller: Caller, given: str | Callable[[Caller], object]) -> None:
    """Run lines that have to work, or call a function."""
    if isinstance(given, str):
        caller.make(given)
    else:
        given(caller)


@dataclass(frozen=True)
class Page:
    """Documented permissions, and works that need them: each policy is `documented`, by the files' names.

    `tried` are those of them that works need; the rest is tried on another page. `elsewhere` are those of
    the other account, where `tried` may be.
    """

    documented: str
    works: Sequence[Work]
    rules: Sequence[Rule]
    verbs: Sequence[Rule] = ()
    """Those of the rules whose need is tried."""
    given: str | Callable[[Caller], object] = ""
    tried: str = ""
    untried: str = ""
    elsewhere: str = ""
    issuer_of: str = staging.CLUSTER

    def begin(self, caller: Caller, work: Work) -> None:
        """Prepare the work as the administrator."""
        give(caller, self.given)
        give(caller, work.given)
        if self.elsewhere:
            iam = staging.other_iam(caller.sandbox)
            iam.detach_role_policy(RoleName="deployer", PolicyArn=WORDS["ADMIN"])

    def admit(self, caller: Caller, without: str = "") -> None:
        """Become the caller who lacks a permission, or none."""
        rules = [rule for rule in self.rules if not _is(rule, without)]
        caller.admit(self._policy(self.documented, without), rules)
        if self.elsewhere:
            allowed = json.dumps(self._policy(self.elsewhere, without))
            iam = staging.other_iam(caller.sandbox)
            iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=allowed)

    def _policy(self, names: str, without: str) -> Json:
        text = json.dumps(staging.joined(*names.split()))
        text = text.replace(staging.number_of(), staging.number_of(self.issuer_of))
        allowed: Json = json.loads(text)
        tried = (self.tried or self.documented).split()
        return staging.without(allowed, without) if set(names.split()) & set(tried) else allowed

    def needed(self, work: Work) -> list[str]:
        """The permissions of this page without which a work fails."""
        return [item for item in work.needs.split(", ") if item in self.permissions()]

    def permissions(self) -> set[str]:
        """All that is documented, and tried here."""
        verbs = {f"{rule.verbs[0]} {rule.resources[0]}" for rule in self.verbs}
        actions = staging.actions(staging.joined(*(self.tried or self.documented).split()))
        return {*actions, *verbs} - set(self.untried.split())


def _is(rule: Rule, permission: str) -> bool:
    """Whether the rule is what is left out. Who may list everything may list pods, too."""
    verb, _, resource = permission.partition(" ")
    return rule.verbs == (verb,) and rule.resources in ((resource,), *([("*",)] if verb == "list" else []))
