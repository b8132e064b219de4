"""After every cut of every writing command, with its journal lost, all commands give one answer.

And what one of them has called complete, or what a ServiceAccount names, no recovery takes away afterwards.
Each run is killed behind each of its writes; the questions are asked in this process, as there are many, and
as on another machine, which has no journals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_apply import config, entry
from tests.support.asked import Answer, ask
from tests.support.rows import arguments_of
from tests.support.stage import READ_ONLY, ROLE_ARN, Json, Stage

WRITES = {
    "iam": "CreateRole DeleteRole UpdateRole UpdateAssumeRolePolicy TagRole UntagRole AttachRolePolicy "
    "DetachRolePolicy PutRolePolicy DeleteRolePolicy",
    "kubernetes": "POST PATCH DELETE",
}
CREATE = "create-sa {} -n default -c demo --attach-policy-arn $S3"
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


def roles_of(stage: Stage, name: str) -> dict[str, Json]:
    """The roles that irsa has for a ServiceAccount."""
    roles = stage.aws_world()["roles"].items()
    return {key: role for key, role in roles if role["tags"].get("irsa/service-account") == f"default/{name}"}


def by_items(answer: Answer, roles: Any) -> str:
    """By the status of what is listed."""
    items = answer.document["items"]
    return STATUSES[items[0]["status"] if items else "no-role"] if answer.code == 0 else UNBOUND


def by_refusal(answer: Answer, roles: Any) -> str:
    """By the word for the role, or because there is none."""
    if answer.code == 0:
        return COMPLETE
    message = answer.document["errors"][0]["message"]
    said = re.search(r"is (incomplete|deleting)", message)
    return said[1] if said else ABSENT if "does not exist" in message and "role" in message else UNBOUND


def by_steps(answer: Answer, roles: Any) -> str:
    if answer.code == 0:
        return COMPLETE
    for item in answer.document["items"]:
        texts = {step["name"]: json.dumps(step["checks"]) for step in item["steps"]}
        said = re.search(r"the role is (\w+):", texts.get("completeness", ""))
        assert said or "does not exist" in texts["trust"], answer.text
        return said[1] if said else ABSENT
    return UNBOUND


def by_findings(answer: Answer, roles: Any) -> str:
    findings = answer.document["items"][0]["findings"]
    problems = {item["id"]: item["text"] for item in findings if item["verdict"] == "problem"}
    if "role-incomplete" in problems:
        return str(problems["role-incomplete"].split("the role is ")[1].split(":")[0])
    if "role-missing" in problems:
        return ABSENT
    return UNBOUND if {"service-account-missing", "annotation-missing"} & set(problems) else COMPLETE


def by_remains(answer: Answer, roles: Any) -> str:
    for item in answer.document["items"]:
        for piece in (*item["objects"], *item["leftAlone"]):
            if piece["kind"] == "Role" and piece["target"] in roles:
                return DELETING if "started to delete" in piece.get("why", item["why"]) else INCOMPLETE
    return COMPLETE if roles else ABSENT


QUESTIONS: dict[str, Callable[[Answer, Any], str]] = {
    "get-sa {} -n default --ignore-not-found": by_items,
    "describe-sa {} -n default": by_items,
    "verify {} -n default": by_steps,
    "doctor {} -n default": by_findings,
    "update-sa {} -n default --description asked --dry-run": by_refusal,
    "adopt {} -n default --dry-run": by_refusal,
    "recover": by_remains,
}


@dataclass
class Cutting:
    """Kills the run under way behind its write of a number, counted from 0 over all kinds."""

    stage: Stage
    number: int
    seen: int = 0
    lock: Any = field(default_factory=Lock)

    def arm(self) -> None:
        for service, operations in WRITES.items():
            for operation in operations.split():
                what = operation if service == "iam" else f"{operation} serviceaccounts"
                self.stage.sandbox.faults.add(Fault(service, what, "callback", times=None, run=self))

    def __call__(self) -> None:
        with self.lock:
            self.seen += 1
            if self.seen == self.number + 1:
                self.stage.kill()


def asked(stage: Stage, name: str) -> str:
    """What all commands say, which has to be one thing."""
    before = stage.world()
    said = {}
    for line, meaning in QUESTIONS.items():
        asking = ask(stage, f"{line.format(name)} -c demo", IRSA_STATE_DIR=str(stage.folder / "elsewhere"))
        said[line] = meaning(asking, set(roles_of(stage, name)))
    assert stage.world() == before
    account = stage.account("default", name)
    bound = account is not None and ROLE_ARN in account["annotations"]
    (answer,) = set(said.values()) - ({UNBOUND} if not bound else set())
    return answer


def nothing(stage: Stage, name: str) -> None:
    pass


def bound(stage: Stage, name: str) -> None:
    """A complete binding."""
    stage.run(CREATE.format(name))


def by_others(stage: Stage, name: str) -> None:
    """A binding that irsa has not made, and whose role it could adopt."""
    bound(stage, name)
    ((role, state),) = roles_of(stage, name).items()
    keys = [key for key in state["tags"] if key.startswith("irsa/")]
    stage.iam().untag_role(RoleName=role, TagKeys=keys)


def carrying(stage: Stage, name: str) -> None:
    """A chart's ServiceAccount that carries the ARN already of the role to be."""
    planned = stage.run(f"{CREATE.format(name)},$SQS --dry-run -o json").item
    stage.make_account("default", name, annotations={ROLE_ARN: planned["role"]["arn"]})


@pytest.mark.parametrize(
    ("given", "line", "answers", "last"),
    [
        (nothing, CREATE, {INCOMPLETE, COMPLETE}, COMPLETE),
        (carrying, f"{CREATE},$SQS", {INCOMPLETE, COMPLETE}, COMPLETE),
        (nothing, f"{CREATE} --role-only", {COMPLETE, INCOMPLETE}, COMPLETE),
        (bound, "delete-sa {} -n default -c demo", {COMPLETE, DELETING, ABSENT}, ABSENT),
        (
            bound,
            "update-sa {} -n default -c demo --set-policy-arns $S3 --description x",
            {COMPLETE},
            COMPLETE,
        ),
        (by_others, "adopt {} -n default -c demo", {COMPLETE}, COMPLETE),
        (nothing, "apply -f -", {INCOMPLETE, COMPLETE}, COMPLETE),
    ],
    ids=["create-sa", "the ARN is there", "a role alone", "delete-sa", "update-sa", "adopt", "apply"],
)
def test_all_commands_give_one_answer(
    stage: Stage, given: Callable[[Stage, str], None], line: str, answers: set[str], last: str
) -> None:
    """One ServiceAccount after the other, each killed one write later; the last run ends by itself."""
    said: dict[str, str] = {}
    code = -9
    for number in range(20):
        name = f"app-{number}"
        given(stage, name)
        before = stage.world()
        stdin = config(stage, entry(name, "default", attachPolicyARNs=[READ_ONLY]))
        Cutting(stage, number).arm()
        code = stage.irsa(*arguments_of(stage, line.format(name)), stdin=stdin).code
        stage.sandbox.settle()
        stage.sandbox.faults.clear()
        if code == 0 or stage.world() != before:  # Else it was killed in a rehearsal.
            said[name] = asked(stage, name)
        if code != -9:
            break
    assert (code, said[name], set(said.values())) == (0, last, answers), said
    names = {name: roles_of(stage, name) for name in said}
    accounts = stage.world()["kubernetes"]["serviceaccounts"].values()
    used = {account["annotations"].get(ROLE_ARN) for account in accounts}
    recovered = ask(stage, "recover --all --min-age 0s -c demo", IRSA_STATE_DIR=str(stage.folder / "none"))
    assert recovered.code == 0, recovered.text
    for name, roles in names.items():
        stays = said[name] == COMPLETE or used & {role["arn"] for role in roles.values()}
        assert roles_of(stage, name) == (roles if stays else {}), name
