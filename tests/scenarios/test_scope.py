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

COMMANDS = (
    "audit --reach",
    "who-can s3:ListBucket",
    "get-sa -A",
    "describe-sa reader -n scoped --policies",
    "verify -A",
)


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with a working ServiceAccount, one with a wrong annotation, and one without a role."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    stage.make_namespace("scoped")
    make_binding(stage, "scoped")
    stage.make_account("scoped", "junk", annotations={ROLE_ARN: "x"})
    return stage


def answer(ran: Ran) -> Json:
    """What an answer says: its items and the facts beside them; of a verification its outcome."""
    facts = {name: ran.metadata.get(name) for name in ("paths", "kubernetes", "summary")}
    return {"items": [item.get("proved", item) for item in ran.items], **facts}


@pytest.mark.parametrize("line", COMMANDS)
def test_without_a_call_the_answer_is_the_same_or_not_complete(line: str, stage: Stage) -> None:
    words = (*line.split(), "-c", stage.cluster, "-o", "json")
    stage.sandbox.calls.clear()
    whole = stage.irsa(*words)
    assert whole.metadata["scope"]["complete"], whole.metadata["scope"]
    calls = dict.fromkeys((call.service, call.operation) for call in stage.sandbox.calls)
    calls.pop(("sts", "AssumeRoleWithWebIdentity"), None)  # That STS refuses it is the answer of verify.
    assert len(calls) > 4
    silent = []
    for call in calls:
        code = "Forbidden" if call[0] == "kube" else "AccessDenied"
        stage.sandbox.faults.add(Fault(*call, "error", status=403, code=code, times=None))
        less = stage.irsa(*words)
        stage.sandbox.faults.clear()
        complete = less.metadata.get("scope", {}).get("complete", False)
        if answer(less) != answer(whole) and (complete or less.code == 0):
            silent.append(call)
    assert silent == []


def test_without_a_file_an_audit_is_the_same_or_its_scope_differs(stage: Stage, tmp_path: Path) -> None:
    folder, less_folder = tmp_path / "export", tmp_path / "less"
    folder.mkdir()
    write_files(stage.sandbox, folder)
    audit = ("audit", "--reach", "-o", "json", "--fail-on", "never", "--from")
    whole = stage.irsa(*audit, str(folder))
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.json"))
    assert len(files) > 5
    silent = []
    for name in files:
        shutil.copytree(folder, less_folder)
        (less_folder / name).unlink()
        less = stage.irsa(*audit, str(less_folder))
        shutil.rmtree(less_folder)
        told = less.metadata.get("scope"), less.code
        if answer(less) != answer(whole) and told == (whole.metadata["scope"], whole.code):
            silent.append(str(name))
    assert silent == []
