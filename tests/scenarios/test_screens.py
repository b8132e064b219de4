"""What a person sees: commands at a real terminal, their screens as files in tests/scenarios/screens.

`IRSA_WRITE_SCREENS=1 pytest tests/scenarios/test_screens.py` writes the files anew; look at the difference.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support import forks
from tests.support.screen import REGENERATE, drawn, shown, watch
from tests.support.stage import READ_ONLY, Stage

FOLDER = Path(__file__).parent / "screens"
NEW = f"create-sa s3-reader -n backend -c demo --attach-policy-arn {READ_ONLY}"
UTF8 = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
ASCII = {"TERM": "xterm-256color", "LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}


def nothing(_stage: Stage) -> None:
    """A cluster with a provider, and nothing else."""


def made(stage: Stage) -> None:
    """One binding that works."""
    stage.run(NEW)


def refusing(stage: Stage) -> None:
    """IAM refuses to attach the policy."""
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))


def stuck(stage: Stage) -> None:
    """And refuses to delete what was made."""
    refusing(stage)
    stage.sandbox.faults.add(Fault("iam", "DeleteRole", "error", times=None))


def interrupted(stage: Stage) -> None:
    """A run was killed."""
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "reset-after", run=stage.kill))
    stage.run(NEW, code=-9)
    stage.sandbox.settle()


def broken(stage: Stage) -> None:
    """One binding works; another one's role is gone."""
    made(stage)
    arn = "arn:aws:iam::111122223333:role/irsa/demo/a-role-with-quite-a-long-name-that-is-not-there"
    stage.make_account("backend", "orphan", annotations={"eks.amazonaws.com/role-arn": arn})


def files(stage: Stage) -> None:
    """A file with twenty ServiceAccounts."""
    entries = "".join(
        f"  - {{metadata: {{name: worker-{n:02}, namespace: jobs}}, attachPolicyARNs: [{READ_ONLY}]}}\n"
        for n in range(20)
    )
    text = (
        "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: demo, region: eu-west-1}\n"
        f"iam:\n  withOIDC: true\n  serviceAccounts:\n{entries}"
    )
    (stage.folder / "cluster.yaml").write_text(text, encoding="utf-8")
    stage.make_namespace("jobs")


def fewer(stage: Stage) -> None:
    """Three were applied, and the file lists one of them by now."""
    files(stage)
    path = stage.folder / "cluster.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for count in (3, 1):
        path.write_text("".join(lines[: count - 20]), encoding="utf-8")
        if count == 3:
            stage.run("apply -f cluster.yaml")


@dataclass(frozen=True)
class Case:
    """A command, at which stage, at which terminal, and its exit code; `answer` is typed when it asks."""

    name: str
    stage: Callable[[Stage], None]
    line: str
    code: int = 0
    env: dict[str, str] = field(default_factory=lambda: UTF8)
    columns: int = 100
    answer: str = ""


OF = "s3-reader -n backend -c demo"
APPLY = "apply -f cluster.yaml"
CASES = [
    Case("success", nothing, NEW),
    Case("rolled-back", refusing, NEW, 1),
    Case("incomplete", stuck, NEW, 3),
    Case("no-colour", refusing, NEW, 1, {**UTF8, "NO_COLOR": "1"}),
    Case("ascii", refusing, NEW, 1, ASCII),
    Case("dumb", refusing, NEW, 1, {**UTF8, "TERM": "dumb"}),
    Case("ci", refusing, NEW, 1, {**UTF8, "CI": "true"}),
    Case("60-columns", refusing, NEW, 1, columns=60),
    Case("plan", nothing, f"{NEW} --dry-run"),
    Case("apply-20", files, f"{APPLY} --parallel 1"),
    Case("apply-plan", files, f"{APPLY} --dry-run --include jobs/worker-0*"),
    Case("delete-sa", made, f"delete-sa {OF}", answer="y", columns=140),
    Case("delete-sa-no", made, f"delete-sa {OF}", 4, answer="n"),
    Case("delete-files", fewer, "delete -f cluster.yaml", answer="y"),
    Case("prune", fewer, f"{APPLY} --prune --parallel 1", answer="y"),
    Case("prune-no", fewer, f"{APPLY} --prune", 4, answer="n"),
    Case("prune-atomic-no", fewer, f"{APPLY} --prune --atomic", 4, answer="n"),
    Case("get-sa", broken, "get-sa -c demo", columns=120),
    Case("get-sa-wide", broken, "get-sa -c demo -o wide", columns=120),
    Case("get-sa-60", broken, "get-sa -c demo", columns=60),
    Case("get-sa-interrupted", interrupted, "get-sa -c demo", columns=120),
    Case("describe-sa", made, f"describe-sa {OF}"),
    Case("describe-sa-interrupted", interrupted, f"describe-sa {OF}", 4),
    Case("verify", made, f"verify {OF}"),
    Case("verify-all", broken, "verify -A -c demo", 5),
    Case("doctor", broken, "doctor orphan -n backend -c demo", 5),
    Case("recover", interrupted, "recover"),
    Case("recover-cluster", interrupted, "recover -c demo --min-age 0"),
    Case("history", broken, "history"),
    Case("wrong-usage", nothing, "create-sa x -c demo --timeout soon", 2),
]


WIDTHS = (60, 80, 110, 200)
AT_ALL_WIDTHS = (
    *("plan", "success", "rolled-back", "incomplete", "get-sa", "describe-sa", "describe-sa-interrupted"),
    *("verify", "verify-all", "doctor", "delete-sa-no", "prune-atomic-no", "apply-plan", "recover-cluster"),
    "wrong-usage",
)
AUDIT = Case("audit", broken, "audit -c demo", 5)
TO_COPY = re.compile(r"\s*(> )?(irsa [a-z]+-|irsa (recover|doctor|verify|docs|adopt) |aws |kubectl |eksctl )")


@pytest.fixture
def desk(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox's own Kubernetes API, with the cluster's provider and a namespace: changes come in turn."""
    stage = sandbox_stage(sandbox, "demo", tmp_path)
    assert stage.associate().code == 0
    stage.make_namespace("backend")
    return stage


def environment(stage: Stage, env: dict[str, str]) -> dict[str, str]:
    """The stage's, with what a terminal's user has set, and nothing of who runs the tests."""
    own = {key: value for key, value in stage.env().items() if key not in ("LANG", "CI", "NO_COLOR")}
    return {**own, **env}


def seen(stage: Stage, case: Case, env: dict[str, str], columns: int = 100) -> tuple[int, list[bytes]]:
    """The exit code of a case's command, and what it sent to the terminal, in pieces."""
    command = [forks.irsa(), *shlex.split(case.line)]
    return watch(command, environment(stage, env), stage.folder, columns=columns, answer=case.answer)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_screen_is_as_it_is_kept(desk: Stage, case: Case) -> None:
    case.stage(desk)
    code, pieces = seen(desk, case, case.env, case.columns)
    found = shown(drawn(pieces, case.columns))
    assert code == case.code, found
    kept = FOLDER / f"{case.name}.txt"
    if os.environ.get(REGENERATE):
        kept.write_text(found, encoding="utf-8")
    assert found == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "case", [*(case for case in CASES if case.name in AT_ALL_WIDTHS), AUDIT], ids=lambda it: it.name
)
def test_no_width_cuts_a_word_or_a_command(desk: Stage, case: Case) -> None:
    case.stage(desk)
    arns: list[set[str]] = []
    for width in WIDTHS:
        code, pieces = seen(desk, case, {**UTF8, "NO_COLOR": "1"}, width)
        text = shown(drawn(pieces, 500))
        assert code in (case.code, 0, 1), text
        for line in text.splitlines():
            assert len(line) <= width or " " not in line.strip() or TO_COPY.match(line), (width, line)
        if case.name != "success":
            arns.append(set(re.findall(r"arn:[^\s,;]+\w", text)))
    assert all(found == arns[0] for found in arns), arns


def test_colours_in_a_pipe_are_there_on_demand_only(desk: Stage) -> None:
    refusing(desk)
    command = [forks.irsa(), *NEW.split()]

    def run(**env: str) -> str:
        everything = environment(desk, {**UTF8, **env})
        return subprocess.run(command, env=everything, capture_output=True, text=True, check=False).stderr

    assert "\x1b" not in run()
    assert "\x1b[31m\x1b[1mError:\x1b[0m" in run(FORCE_COLOR="1")
    assert "\x1b" not in run(FORCE_COLOR="1", NO_COLOR="1")


def test_who_waits_for_iam_sees_for_how_long(desk: Stage) -> None:
    """All that a terminal was sent counts, what was there for a moment, too."""
    desk.sandbox.lag = 2.5
    code, pieces = seen(desk, Case("", nothing, f"{NEW} --verify"), UTF8)
    assert code == 0
    assert re.search(rb"waiting for IAM to return .*, \d+ s of \d+ s", b"".join(pieces))


def test_who_applies_many_sees_how_many_are_done(desk: Stage) -> None:
    files(desk)
    code, pieces = seen(desk, Case("", files, APPLY), UTF8)
    assert code == 0
    assert re.search(rb"\b\d+ of 20 ServiceAccounts", b"".join(pieces))


def test_no_screen_is_kept_that_nothing_shows() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {case.name for case in CASES}
