"""After every cut of every writing command, with its journal lost, all commands give one answer.

And what one of them has called complete, or what a ServiceAccount names, no recovery takes away afterwards.
Each run is killed behind each of its writes; the questions are asked in this process, as there are many.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from unittest import mock

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import config, entry
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
WISH = ("--attach-policy-arn", READ_ONLY)
TWO = (*WISH, "--attach-policy-arn", SQS)
WRITES = {
    "iam": (
        *("CreateRole", "DeleteRole", "UpdateRole", "UpdateAssumeRolePolicy", "TagRole", "UntagRole"),
        *("AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy"),
    ),
    "kubernetes": ("POST serviceaccounts", "PATCH serviceaccounts", "DELETE serviceaccounts"),
}
NAMESPACE = "default"
COMPLETE, INCOMPLETE, DELETING, ABSENT = "complete", "incomplete", "deleting", "absent"
UNBOUND = "unbound"
"""The ServiceAccount names no role: true of what is there whatever the role says."""
STATUSES = {
    **dict.fromkeys(("ok", "role-only"), COMPLETE),
    # A role that no ServiceAccount names: its run was interrupted before that, or it went later.
    **dict.fromkeys(("incomplete", "no-service-account"), INCOMPLETE),
    "deleting": DELETING,
    "no-role": ABSENT,
}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API: what is asked is about marks, which both keep."""
    made = sandbox_stage(sandbox, "demo", tmp_path)
    assert made.associate().code == 0
    return made


@dataclass(frozen=True)
class Answer:
    """What a command in this process said."""

    code: int
    document: Json
    text: str


def ask(stage: Stage, *arguments: str) -> Answer:
    """Ask on another machine, which has no journals."""
    out, err = io.StringIO(), io.StringIO()
    terminate = signal.getsignal(signal.SIGTERM)
    environment = {**stage.env(), "IRSA_STATE_DIR": str(stage.folder / "elsewhere")}
    with (
        mock.patch.dict(os.environ, environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run([*arguments, "-c", stage.cluster, "-o", "json", "-q"])
    signal.signal(signal.SIGTERM, terminate)
    return Answer(code, json.loads(out.getvalue()), out.getvalue() + err.getvalue())


def of(name: str) -> tuple[str, ...]:
    return (name, "-n", NAMESPACE)


def roles_of(stage: Stage, name: str) -> dict[str, Json]:
    """The roles that irsa has for a ServiceAccount."""
    return {
        role_name: role
        for role_name, role in stage.aws_world()["roles"].items()
        if role["tags"].get("irsa/service-account") == f"{NAMESPACE}/{name}"
    }


def refused(answer: Answer) -> str:
    """What a command means that refuses: by the word for the role, or because there is none."""
    (error,) = answer.document["errors"]
    said = re.search(r"is (incomplete|deleting)", error["message"])
    if said:
        return said[1]
    return ABSENT if "does not exist" in error["message"] and "role" in error["message"] else UNBOUND


def get_sa(stage: Stage, name: str) -> str:
    answer = ask(stage, "get-sa", *of(name), "--ignore-not-found")
    assert answer.code == 0, answer.text
    (status,) = [item["status"] for item in answer.document["items"]] or ["no-role"]
    return STATUSES[status]


def describe_sa(stage: Stage, name: str) -> str:
    answer = ask(stage, "describe-sa", *of(name))
    return STATUSES[answer.document["items"][0]["status"]] if answer.code == 0 else UNBOUND


def verify(stage: Stage, name: str) -> str:
    answer = ask(stage, "verify", *of(name))
    if answer.code == 0:
        return COMPLETE
    for item in answer.document["items"]:
        texts = {step["name"]: json.dumps(step["checks"]) for step in item["steps"]}
        said = re.search(r"the role is (\w+):", texts.get("completeness", ""))
        assert said or "does not exist" in texts["trust"], answer.text
        return said[1] if said else ABSENT
    return UNBOUND


def doctor(stage: Stage, name: str) -> str:
    found = {
        item["id"]: item["text"]
        for item in ask(stage, "doctor", *of(name)).document["items"][0]["findings"]
        if item["verdict"] == "problem"
    }
    if "role-incomplete" in found:
        return str(found["role-incomplete"].split("the role is ")[1].split(":")[0])
    if "role-missing" in found:
        return ABSENT
    return UNBOUND if {"service-account-missing", "annotation-missing"} & set(found) else COMPLETE


def update_sa(stage: Stage, name: str) -> str:
    answer = ask(stage, "update-sa", *of(name), "--description", "asked", "--dry-run")
    return COMPLETE if answer.code == 0 else refused(answer)


def adopt(stage: Stage, name: str) -> str:
    answer = ask(stage, "adopt", *of(name), "--dry-run")
    return COMPLETE if answer.code == 0 else refused(answer)


def recover(stage: Stage, name: str) -> str:
    roles = set(roles_of(stage, name))
    items = ask(stage, "recover").document["items"]
    for item in items:
        for piece in (*item["objects"], *item["leftAlone"]):
            if piece["kind"] == "Role" and piece["target"] in roles:
                return DELETING if "started to delete" in piece.get("why", item["why"]) else INCOMPLETE
    return COMPLETE if roles else ABSENT


QUESTIONS: tuple[Callable[[Stage, str], str], ...] = (
    get_sa,
    describe_sa,
    verify,
    doctor,
    update_sa,
    adopt,
    recover,
)


@dataclass
class Cutting:
    """Kills the run under way behind its write of a number, counted from 0 over all kinds."""

    stage: Stage
    number: int
    seen: int = 0
    lock: Any = field(default_factory=Lock)

    def arm(self) -> None:
        for service, operations in WRITES.items():
            for operation in operations:
                fault = Fault(service, operation, "callback", times=None, run=self)
                self.stage.sandbox.faults.add(fault)

    def __call__(self) -> None:
        with self.lock:
            self.seen += 1
            if self.seen == self.number + 1:
                self.stage.kill()


def cut_everywhere(
    stage: Stage, prepare: Callable[[str], object], command: Callable[[str], tuple[Sequence[str], str]]
) -> dict[str, set[str]]:
    """Run a command for one ServiceAccount after the other, each killed one write later; returns the answers.

    The last is the first that ended before it was killed.
    """
    answers: dict[str, set[str]] = {}
    for number in range(20):
        name = f"app-{number}"
        prepare(name)
        arguments, stdin = command(name)
        before = stage.world()
        Cutting(stage, number).arm()
        ran = stage.irsa(*arguments, stdin=stdin)
        stage.sandbox.settle()
        stage.sandbox.faults.clear()
        if ran.code == -9 and stage.world() == before:
            continue  # It was killed in a rehearsal.
        assert ran.code in (0, -9), ran.err
        answers[name] = asked(stage, name)
        if ran.code == 0:
            return answers
    raise AssertionError("the command does not end")


def asked(stage: Stage, name: str) -> set[str]:
    """What all commands say, which has to be one thing."""
    before = stage.world()
    found = {question.__name__: question(stage, name) for question in QUESTIONS}
    assert stage.world() == before
    answers = set(found.values())
    account = stage.account(NAMESPACE, name)
    if account is None or ROLE_ARN not in account["annotations"]:
        answers -= {UNBOUND}
    assert len(answers) == 1, f"{name}: {found}"
    return answers


def recovered(stage: Stage, answers: dict[str, set[str]]) -> None:
    """Recover all: what was called complete is as it was, and so is what a ServiceAccount names."""
    names = {name: roles_of(stage, name) for name in answers}
    arns = {account["annotations"].get(ROLE_ARN) for account in accounts(stage).values()}
    used = {name for name, roles in names.items() if arns & {role["arn"] for role in roles.values()}}
    ran = ask(stage, "recover", "--all", "--min-age", "0s")
    assert ran.code == 0, ran.text
    for name, roles in names.items():
        stays = name in used or answers[name] == {COMPLETE}
        assert roles_of(stage, name) == (roles if stays else {}), name


def accounts(stage: Stage) -> dict[str, Json]:
    found: dict[str, Json] = stage.world()["kubernetes"]["serviceaccounts"]
    return found


def create(stage: Stage, name: str, *arguments: str) -> tuple[str, ...]:
    return ("create-sa", *of(name), "-c", stage.cluster, *(arguments or WISH))


def made(stage: Stage, name: str, *arguments: str) -> None:
    """A complete binding."""
    assert run_here(stage, *create(stage, name, *arguments)) == 0


def run_here(stage: Stage, *arguments: str) -> int:
    """Run irsa in this process."""
    terminate = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ, stage.env()), contextlib.redirect_stdout(io.StringIO()):
        code = run([*arguments, "-q"])
    signal.signal(signal.SIGTERM, terminate)
    return code


def carrying(stage: Stage, name: str) -> None:
    """A chart's ServiceAccount that carries the ARN already of the role to be."""
    planned = ask(stage, "create-sa", *of(name), *TWO, "--dry-run").document
    stage.make_account(NAMESPACE, name, annotations={ROLE_ARN: planned["items"][0]["role"]["arn"]})


def test_create_sa(stage: Stage) -> None:
    answers = cut_everywhere(stage, lambda name: None, lambda name: (create(stage, name), ""))
    assert [*answers.values()][-1] == {COMPLETE}
    assert {INCOMPLETE} in answers.values()
    recovered(stage, answers)


def test_create_sa_where_the_serviceaccount_carries_the_arn_already(stage: Stage) -> None:
    answers = cut_everywhere(
        stage, lambda name: carrying(stage, name), lambda name: (create(stage, name, *TWO), "")
    )
    assert [*answers.values()][-1] == {COMPLETE}
    assert {INCOMPLETE} in answers.values()
    recovered(stage, answers)


def test_create_sa_of_a_role_alone(stage: Stage) -> None:
    command = lambda name: (create(stage, name, "--role-only", *WISH), "")  # noqa: E731
    answers = cut_everywhere(stage, lambda name: None, command)
    assert [*answers.values()][-1] == {COMPLETE}
    recovered(stage, answers)


def test_delete_sa(stage: Stage) -> None:
    answers = cut_everywhere(
        stage,
        lambda name: made(stage, name),
        lambda name: (("delete-sa", *of(name), "-c", stage.cluster), ""),
    )
    assert [*answers.values()][-1] == {ABSENT}
    assert {DELETING} in answers.values()
    recovered(stage, answers)


def test_update_sa(stage: Stage) -> None:
    answers = cut_everywhere(
        stage,
        lambda name: made(stage, name),
        lambda name: (
            (
                "update-sa",
                *of(name),
                "-c",
                stage.cluster,
                "--set-policy-arns",
                READ_ONLY,
                "--description",
                "x",
            ),
            "",
        ),
    )
    assert set().union(*answers.values()) == {COMPLETE}
    recovered(stage, answers)


def test_adopt(stage: Stage) -> None:
    answers = cut_everywhere(
        stage, lambda name: theirs(stage, name), lambda name: (("adopt", *of(name), "-c", stage.cluster), "")
    )
    assert set().union(*answers.values()) == {COMPLETE}
    recovered(stage, answers)


def theirs(stage: Stage, name: str) -> None:
    """A binding that irsa has not made, and whose role it could adopt."""
    made(stage, name)
    (role,) = roles_of(stage, name)
    keys = [key for key in roles_of(stage, name)[role]["tags"] if key.startswith("irsa/")]
    stage.iam().untag_role(RoleName=role, TagKeys=keys)


def test_apply(stage: Stage) -> None:
    def command(name: str) -> tuple[Sequence[str], str]:
        text = config(stage, entry(name, NAMESPACE, attachPolicyARNs=[READ_ONLY]))
        return ("apply", "-f", "-"), text

    answers = cut_everywhere(stage, lambda name: None, command)
    assert [*answers.values()][-1] == {COMPLETE}
    assert {INCOMPLETE} in answers.values()
    recovered(stage, answers)
