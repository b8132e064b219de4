"""Results in the forms of pipelines: one result on standard output and in each file, however it ended."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.support.memory.playing import DENIED
from tests.support.ran import Ran
from tests.unit.usecases.commands import FILE, S3, SQS, Stage, bound, provider

REPORTS = "--summary-file $folder/summary --json-file $folder/json"
CREATING = "create-sa reader -n backend --attach-policy-arn $S3"
DIFF = "diff -f $folder/irsa.yaml -o markdown"
ENTRY = '  - metadata: {{name: app-{number}, namespace: backend}}\n    attachPolicyARNs: ["{arn}"]\n'


def summary(stage: Stage) -> str:
    return (stage.play.folder / "summary").read_text(encoding="utf-8")


def ends(stage: Stage, line: str, outcome: str, code: int = 0) -> Ran:
    """Run a command with reports: the JSON file has its outcome and exit code."""
    ran = stage.run(f"{line} {REPORTS}", code=code)
    metadata = json.loads((stage.play.folder / "json").read_text(encoding="utf-8"))["metadata"]
    assert (metadata["outcome"], metadata["exitCode"]) == (outcome, code)
    return ran


def test_one_result_goes_everywhere(stage: Stage) -> None:
    provider(stage.play)
    planned = ends(stage, f"{CREATING} --dry-run -o markdown", "planned").out
    assert summary(stage) == planned
    assert "### to change: `backend/reader`" in planned
    done = ends(stage, f"{CREATING} -q", "committed").out
    assert done.startswith("Done")
    (item,) = json.loads((stage.play.folder / "json").read_text(encoding="utf-8"))["items"]
    assert item["role"]["arn"] in done
    assert summary(stage).startswith(planned)
    ends(stage, CREATING, "unchanged")


def test_what_is_refused_or_rolled_back_is_told_everywhere(stage: Stage) -> None:
    bound(stage.play)
    refused = ends(stage, f"{CREATING.replace('S3', 'SQS')} -o github", "refused", 4)
    assert refused.out.startswith("::error title=irsa create-sa%3A refused")
    assert "❌ irsa create-sa: refused" in summary(stage)
    stage.play.cloud.break_("AttachRolePolicy", DENIED)
    back = ends(stage, f"{CREATING.replace('reader', 'other')} -o markdown", "rolled-back", 1)
    assert "### rolled back: `backend/other`" in back.out
    assert "- **create** `/irsa/demo/demo-backend-other" in back.out


@pytest.mark.parametrize(
    "line",
    [
        "create-sa reader --no-such-flag",
        "create-sa reader --update-trust",
        "verify -c demo",
        "audit --role x -c demo",
        "lint",
    ],
)
def test_a_wrong_command_line_is_told_everywhere(stage: Stage, line: str) -> None:
    ran = ends(stage, f"{line} -o markdown", "failed", 2)
    assert ran.out.startswith(f"## ❌ irsa {line.partition(' ')[0]}: ")
    assert summary(stage) == ran.out
    said = stage.run(f"{line} -o github", code=2).out.splitlines()
    assert [text.partition(" ")[0] for text in said] == ["::error", "::notice"]


def test_what_is_wrong_in_a_file_is_shown_at_its_line(stage: Stage) -> None:
    stage.play.file(FILE.replace(f'attachPolicyARNs: ["{SQS}"]', "attachPolicyARNs: [x]"))
    says = "::error file=$folder/irsa.yaml,line=11,col="
    stage.run("diff -f $folder/irsa.yaml -o github", code=2, says=says)


def test_a_file_that_cannot_be_written_changes_nothing_else(stage: Stage) -> None:
    provider(stage.play)
    stage.play.file("", "json")
    nowhere = f"{CREATING} --summary-file /dev/full --json-file $folder/json/x"
    stage.run(f"{nowhere} --dry-run", code=1)
    done = stage.run(nowhere, says=["/dev/full: No space left on device", "json/x: Not a directory"])
    assert done.out.startswith("Done")


def test_files_have_to_be_different_ones(stage: Stage) -> None:
    stage.run(f"{CREATING} --summary-file $folder/x --json-file $folder/x", code=2)


def test_many_are_told_in_the_order_of_the_file_and_the_most_important_first(stage: Stage) -> None:
    text = FILE + "".join(ENTRY.format(number=number, arn=S3) for number in range(12))
    stage.play.file(text)
    provider(stage.play)

    def titles() -> list[str]:
        return re.findall(r"(?m)^### to change: `(.*?)`", stage.run(DIFF, code=6).out)

    apps = [f"backend/app-{number}" for number in range(12)]
    assert titles() == ["(shared parts)", "backend/reader", "frontend/writer", *apps]
    stage.run("apply -f $folder/irsa.yaml")
    stage.play.file(text.replace(ENTRY.format(number=7, arn=S3), ENTRY.format(number=7, arn=SQS)))
    assert titles() == ["backend/app-7"]
    stage.run(DIFF, code=6, says="Not listed: 13 unchanged.")


def test_a_pipe_that_nobody_reads_is_told_and_not_waited_for(stage: Stage) -> None:
    os.mkfifo(stage.play.folder / "pipe")
    # It is done, whatever can't be written.
    says = "Error: $folder/pipe: No such device or address"
    stage.run("associate-oidc --json-file $folder/pipe", says=says)
