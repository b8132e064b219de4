"""Results in the forms of pipelines: one result on standard output and in each file, however it ended."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.support.memory.playing import DENIED, Play
from tests.unit.usecases.commands import CREATE, FILE, S3, SQS

DIFFERS = (*CREATE[:-1], SQS)


def ended(files: dict[str, Path]) -> tuple[str, int]:
    """The outcome and the exit code in the JSON file."""
    metadata = json.loads(files["json-file"].read_text(encoding="utf-8"))["metadata"]
    return metadata["outcome"], metadata["exitCode"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {name: tmp_path / name for name in ("summary-file", "json-file")}


def flags(files: dict[str, Path]) -> list[str]:
    return [word for name, path in files.items() for word in (f"--{name}", str(path))]


def test_one_result_goes_everywhere(play: Play, files: dict[str, Path]) -> None:
    play.irsa("associate-oidc", "-c", "demo")
    planned = play.irsa(*CREATE, "--dry-run", "-o", "markdown", *flags(files))
    assert files["summary-file"].read_text(encoding="utf-8") == planned.out
    assert "### to change: `backend/reader`" in planned.out
    assert ended(files) == ("planned", 0)
    done = play.irsa(*CREATE, "-q", *flags(files))
    assert done.out.startswith("Done")
    document = json.loads(files["json-file"].read_text(encoding="utf-8"))
    (item,) = document["items"]
    assert ended(files) == ("committed", 0)
    assert item["role"]["arn"] in done.out
    assert files["summary-file"].read_text(encoding="utf-8").startswith(planned.out)
    play.irsa(*CREATE, *flags(files))
    assert ended(files) == ("unchanged", 0)


def test_what_is_refused_or_rolled_back_is_told_everywhere(play: Play, files: dict[str, Path]) -> None:
    play.irsa("associate-oidc", "-c", "demo")
    play.irsa(*CREATE)
    refused = play.irsa(*DIFFERS, "-o", "github", *flags(files), code=4)
    assert refused.out.startswith("::error title=irsa create-sa%3A refused")
    assert ended(files) == ("refused", 4)
    assert "❌ irsa create-sa: refused" in files["summary-file"].read_text(encoding="utf-8")
    play.cloud.break_("AttachRolePolicy", DENIED)
    back = play.irsa("create-sa", "other", *CREATE[2:], "-o", "markdown", *flags(files), code=None)
    assert "### rolled back: `backend/other`" in back.out
    assert "- **create** `/irsa/demo/demo-backend-other" in back.out
    assert ended(files) == ("rolled-back", back.code)


@pytest.mark.parametrize(
    "arguments",
    [
        ("create-sa", "reader", "-c", "demo", "--no-such-flag"),
        ("create-sa", "reader", "-c", "demo", "--update-trust"),
        ("verify", "-c", "demo"),
        ("audit", "--role", "x"),
        ("lint",),
    ],
)
def test_a_wrong_command_line_is_told_everywhere(
    play: Play, files: dict[str, Path], arguments: tuple[str, ...]
) -> None:
    ran = play.irsa(*arguments, "-o", "markdown", *flags(files), code=2)
    assert ran.out.startswith(f"## ❌ irsa {arguments[0]}: ")
    assert ended(files) == ("failed", 2)
    assert files["summary-file"].read_text(encoding="utf-8") == ran.out
    said = play.irsa(*arguments, "-o", "github", code=2).out.splitlines()
    assert [line.partition(" ")[0] for line in said] == ["::error", "::notice"]


def test_what_is_wrong_in_a_file_is_shown_at_its_line(play: Play) -> None:
    path = play.file(FILE.replace(f'attachPolicyARNs: ["{SQS}"]', "attachPolicyARNs: [x]"))
    said = play.irsa("diff", "-f", path, "-o", "github", code=2).out
    assert f"::error file={path},line=11,col=" in said


def test_a_file_that_cannot_be_written_changes_nothing_else(play: Play, files: dict[str, Path]) -> None:
    play.irsa("associate-oidc", "-c", "demo")
    nowhere = {"summary-file": Path("/dev/full"), "json-file": files["json-file"] / "x"}
    play.irsa(*CREATE, "--dry-run", *flags(nowhere), code=1)
    done = play.irsa(*CREATE, *flags(nowhere))
    assert done.out.startswith("Done")
    assert "/dev/full: No space left on device" in done.err
    assert "json-file/x: No such file or directory" in done.err


def test_files_have_to_be_different_ones(play: Play, tmp_path: Path) -> None:
    same = str(tmp_path / "x")
    play.irsa(*CREATE, "--summary-file", same, "--json-file", same, code=2)


def test_nothing_is_guessed_from_the_environment_of_a_ci_system(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    play.irsa(*CREATE, "--dry-run", code=None)
    assert not list(tmp_path.glob("GITHUB*"))


def test_many_are_told_in_the_order_of_the_file_and_the_most_important_first(play: Play) -> None:
    more = [f"app-{number}" for number in range(12)]
    entry = '  - metadata: {{name: {name}, namespace: backend}}\n    attachPolicyARNs: ["{arn}"]\n'
    text = FILE + "".join(entry.format(name=name, arn=S3) for name in more)
    path = play.file(text)
    play.irsa("associate-oidc", "-c", "demo")
    titles = re.findall(
        r"(?m)^### to change: `(.*?)`", play.irsa("diff", "-f", path, "-o", "markdown", code=6).out
    )
    assert titles == [
        "(shared parts)",
        "backend/reader",
        "frontend/writer",
        *(f"backend/{it}" for it in more),
    ]
    play.irsa("apply", "-f", path)
    path = play.file(
        text.replace(
            f'app-7, namespace: backend}}\n    attachPolicyARNs: ["{S3}"]',
            f'app-7, namespace: backend}}\n    attachPolicyARNs: ["{SQS}"]',
        )
    )
    found = play.irsa("diff", "-f", path, "-o", "markdown", code=6).out
    assert re.findall(r"(?m)^### to change: `(.*?)`", found) == ["backend/app-7"]
    assert "Not listed: 13 unchanged." in found


@pytest.mark.parametrize("length", [4000, 9000])
def test_a_length_is_kept(play: Play, length: int) -> None:
    entry = '  - metadata: {{name: app-{number}, namespace: backend}}\n    attachPolicyARNs: ["{arn}"]\n'
    path = play.file(FILE + "".join(entry.format(number=number, arn=S3) for number in range(60)))
    found = play.irsa("diff", "-f", path, "-o", "markdown", "--max-length", str(length), code=None).out
    assert len(found) <= length + 1
    assert all(f"backend/app-{number}" in found for number in range(60))


def test_a_saved_plan_is_shown_and_applied_with_reports(
    play: Play, files: dict[str, Path], tmp_path: Path
) -> None:
    path, plan = play.file(FILE), str(tmp_path / "plan.json")
    made = play.irsa("diff", "-f", path, "--out", plan, "-o", "markdown", code=6).out
    shown = play.irsa("show", plan, "-o", "markdown", *flags(files)).out
    changes = made.splitlines()[4:]
    assert shown.splitlines()[-len(changes) :] == changes, "after the request, which only a saved plan shows"
    assert ended(files)[0] == "planned"
    applied = play.irsa("apply", plan, "-o", "markdown", *flags(files))
    assert applied.out.startswith("## ✅ irsa apply: ")
    assert ended(files)[0] == "committed"
    again = play.irsa("apply", plan, "-o", "markdown", *flags(files))
    assert again.out.startswith("## ✅ irsa apply: ")
    assert ended(files)[0] == "unchanged"


def test_a_pipe_that_nobody_reads_is_told_and_not_waited_for(play: Play, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ran = play.irsa("associate-oidc", "-c", "demo", "--json-file", str(pipe))
    assert ran.code == 0, "it is done, whatever can't be written"
    assert f"Error: {pipe}: No such device or address" in ran.err
