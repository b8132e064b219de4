"""The step that comments: one comment of our own, and no failure of it that nobody asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.github_api import GitHub
from tests.pipeline.runner import event
from tests.pipeline.tools import ROOT

TEXT = "## irsa diff: 2 ServiceAccounts to change\n\nbackend/s3-reader\n"
Tell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tell(github: GitHub, tmp_path: Path) -> Tell:
    """Runs the step behind a run of irsa that has ended like this."""
    home = tmp_path / "home"
    home.mkdir()

    def run(
        text: str = TEXT, *, exit_code: int = 6, comment: str = "auto", **env: str
    ) -> subprocess.CompletedProcess[str]:
        (home / "result.md").write_text(text, "utf-8")
        ended = {"outcome": "planned", "changed": str(exit_code == 6).lower(), "exit-code": str(exit_code)}
        (home / "ended.json").write_text(json.dumps(ended), "utf-8")
        (home / "run.json").write_text(json.dumps({"COMMAND": "diff"}), "utf-8")
        own = {
            "PATH": os.environ["PATH"],
            "IRSA_ACTION_FOLDER": str(home),
            "IRSA_ACTION_COMMENT": comment,
            "IRSA_ACTION_COMMENT_AUTHOR": "github-actions[bot]",
            "IRSA_ACTION_TOKEN": "the-token",
            "GITHUB_API_URL": github.url,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_EVENT_PATH": event(tmp_path, pull_request={"number": 7}),
        }
        script = ROOT / "ci" / "github" / "action.py"
        command = [sys.executable, str(script), "comment"]
        return subprocess.run(command, env={**own, **env}, capture_output=True, check=False, encoding="utf-8")

    return run


def test_one_is_updated_and_none_repeated(tell: Tell, github: GitHub) -> None:
    for number in range(150):
        github.add(f"comment {number}", "somebody")
    assert tell().returncode == 0
    assert tell(TEXT.replace("s3-reader", "another")).returncode == 0
    assert len(github.comments) == 151
    assert "backend/another" in github.comments[-1]["body"]


def test_what_it_says_already_is_not_written_again(tell: Tell, github: GitHub) -> None:
    tell()
    tell()
    assert [method for method, _ in github.asked] == ["GET", "POST", "GET"]
    tell(IRSA_ACTION_COMMENT_ID="second")
    tell(GITHUB_JOB="another")
    assert len(github.comments) == 3, "jobs have their own"


def test_nothing_to_do_puts_right_what_is_there_only(tell: Tell, github: GitHub) -> None:
    done = "## irsa diff: 1 ServiceAccount unchanged\n"
    tell(done, exit_code=0)
    assert github.comments == []
    tell(done, exit_code=0, comment="always")
    assert len(github.comments) == 1
    tell()
    tell(done, exit_code=0)
    assert "1 ServiceAccount unchanged" in github.comments[0]["body"]


def test_another_s_comment_is_left_alone(tell: Tell, github: GitHub) -> None:
    """Who has written a comment can change what stands in it."""
    tell()
    body = github.comments.pop()["body"]
    forged = github.add(body.replace("2 ServiceAccounts to change", "1 ServiceAccount unchanged"), "mallory")
    tell()
    assert "1 ServiceAccount unchanged" in forged["body"]
    assert len(github.comments) == 2


def test_a_token_of_another_is_told(tell: Tell, github: GitHub) -> None:
    github.login = "our-app[bot]"
    assert "'our-app[bot]'" in tell().stdout
    tell(IRSA_ACTION_COMMENT_AUTHOR="our-app[bot]")
    assert len(github.comments) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 302, 422])
def test_without_permission_it_is_said_and_the_job_goes_on(tell: Tell, github: GitHub, status: int) -> None:
    github.statuses = [status]
    ended = tell()
    assert ended.returncode == 0
    assert ended.stdout.startswith("::notice title=irsa%3A no comment::")
    assert not any("elsewhere" in path for _, path in github.asked), "a redirection is not followed"


@pytest.mark.parametrize(
    ("statuses", "comment", "code", "methods"),
    [
        ([403], "required", 1, "GET"),
        ([], "required", 0, "GET POST"),
        # A moment's failure is tried again; what may have been written is not written twice.
        ([502, 200], "required", 0, "GET GET POST"),
        ([200, 502, 200], "auto", 0, "GET POST"),
    ],
)
def test_a_failure_of_github(
    tell: Tell, github: GitHub, statuses: list[int], comment: str, code: int, methods: str
) -> None:
    github.statuses = statuses
    ended = tell(comment=comment)
    assert (ended.returncode, " ".join(method for method, _ in github.asked)) == (code, methods)
    assert ("no comment" in ended.stdout) == (code == 1 or comment == "auto")


def test_no_server_is_no_failure(tell: Tell) -> None:
    assert tell(GITHUB_API_URL="http://evil.example").stdout.startswith("::notice")
    assert tell(IRSA_ACTION_TOKEN="").returncode == 0
    assert tell(GITHUB_REPOSITORY="../../user").returncode == 0


def test_outside_of_a_pull_request_there_is_none(tell: Tell, github: GitHub, tmp_path: Path) -> None:
    push = tmp_path / "push.json"
    push.write_text('{"ref": "refs/heads/main"}', "utf-8")
    ended = tell(GITHUB_EVENT_PATH=str(push))
    assert (ended.returncode, github.asked) == (0, [])
    assert "::" not in ended.stdout


@pytest.mark.parametrize("mark", ["x", "\u00e9", "\U0001f600"])
def test_whatever_is_too_long_is_cut_to_what_fits(tell: Tell, github: GitHub, mark: str) -> None:
    block = f"<details><summary>a</summary>\n\n```json\n{mark * 60}\n```\n\n</details>\n"
    assert tell(TEXT + block * 2000, comment="required").returncode == 0
    body = github.comments[0]["body"]
    assert len(body.encode("utf-16-le")) // 2 < 65_536
    assert body.count("<details>") == body.count("</details>")
    assert body.count("```") % 2 == 0
    assert "left out" in body
