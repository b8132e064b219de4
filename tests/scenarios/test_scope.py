"""An answer, with anything hidden from it: it stays the same, or says that it is not complete."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.auditing import write_files
from tests.scenarios.binding import make_binding
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import ROLE_ARN, Json, Ran, Stage

COMMANDS = {
    "audit": ("audit", "--reach"),
    "who-can": ("who-can", "s3:ListBucket"),
    "get-sa": ("get-sa", "-A"),
    "describe-sa": ("describe-sa", "reader", "-n", "scoped", "--policies"),
    "verify": ("verify", "-A"),
}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with a working ServiceAccount, one with a wrong annotation, and one without a role."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("scoped")
    make_binding(stage, "scoped")
    stage.make_account("scoped", "junk", annotations={ROLE_ARN: "x"})
    return stage


def ask(stage: Stage, arguments: tuple[str, ...]) -> Ran:
    return stage.irsa(*arguments, "-c", stage.cluster, "-o", "json")


def answer(ran: Ran) -> Json:
    """What an answer says: its items and the facts beside them; of a verification its outcome."""
    facts = ("paths", "kubernetes", "summary")
    items = [item.get("proved") if "proved" in item else item for item in ran.items]
    return {"items": items, **{name: ran.metadata.get(name) for name in facts}}


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_call_the_answer_is_the_same_or_not_complete(name: str, stage: Stage) -> None:
    stage.sandbox.calls.clear()
    whole = ask(stage, COMMANDS[name])
    assert whole.metadata["scope"]["complete"], whole.metadata["scope"]
    calls = dict.fromkeys((call.service, call.operation) for call in stage.sandbox.calls)
    calls.pop(("sts", "AssumeRoleWithWebIdentity"), None)  # That STS refuses it is the answer of verify.
    assert len(calls) > 4
    silent = []
    for service, operation in calls:
        code = "Forbidden" if service == "kube" else "AccessDenied"
        stage.sandbox.faults.add(Fault(service, operation, "error", status=403, code=code, times=None))
        less = ask(stage, COMMANDS[name])
        stage.sandbox.faults.clear()
        complete = less.metadata.get("scope", {}).get("complete", False)
        if answer(less) != answer(whole) and (complete or less.code == 0):
            silent.append((service, operation))
    assert silent == []


def test_without_a_file_an_audit_is_the_same_or_its_scope_differs(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    write_files(stage.sandbox, folder)
    arguments = ("audit", "--reach", "--from", str(folder), "-o", "json", "--fail-on", "never")
    whole = stage.irsa(*arguments)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.json"))
    assert len(files) > 5
    silent = []
    for name in files:
        less_folder = tmp_path / "less"
        shutil.copytree(folder, less_folder)
        (less_folder / name).unlink()
        less = stage.irsa(*(str(less_folder) if part == str(folder) else part for part in arguments))
        shutil.rmtree(less_folder)
        told = less.metadata.get("scope"), less.code
        if answer(less) != answer(whole) and told == (whole.metadata["scope"], whole.code):
            silent.append(str(name))
    assert silent == []
