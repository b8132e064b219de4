"""The tasks of the tutorial, done by reading only what the program itself prints.

Each command is an example of a help text, or what the output before it says under `Next:`; the test takes it
from there. docs/explanation/six-tasks.md is the transcript: `IRSA_WRITE_PAGES=1` writes it again.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from irsa_cli.sandbox import Sandbox
from tests.docs.console import ROOT, Shell, matches

PAGE = ROOT / "docs" / "explanation" / "six-tasks.md"
POLICY = (
    '{"Version": "2012-10-17", "Statement":'
    ' [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "%s"}]}'
)
HEAD = """\
# Six tasks without the documentation

<!-- Written by tests/scenarios/test_six_tasks.py with IRSA_WRITE_PAGES=1 in the environment. -->

**Short answer.** Yes: this is a transcript of a test that does the tasks of the [tutorial](../tutorial.md)
and reads only irsa's output. Each command is an example of a help text or a line under `Next:`. It knows
only the name of the cluster, `demo`, and the permissions that the ServiceAccount needs.
"""


@dataclass
class Transcript:
    """What was typed and printed, task by task."""

    shell: Shell
    parts: list[str] = field(default_factory=list)
    last: str = ""

    def task(self, title: str) -> None:
        """Begin with a task."""
        self.parts.append(f"## {title}\n")

    def type(self, command: str, why: str, code: int = 0) -> str:
        """Run a command, and say where it is from; returns what it prints."""
        self.last, ended = self.shell.run(command)
        assert ended == code, f"{command}\n{self.last}"
        shown = self.last
        if "Examples:" in shown:
            shown = f"{shown.splitlines()[0]}\n…\n  Examples:{shown.partition('Examples:')[2]}"
        status = f"Exit code {code}.\n" if code else ""
        said = f"```sh\n{command}\n```\n\n```text\n{shown}```"
        self.parts.append("\n".join([why, "", said, *(["", status] if status else [""])]))
        return self.last

    def next(self) -> str:
        """The first command under `Next:`."""
        lines = [line.strip() for line in self.last.partition("Next:\n")[2].splitlines()]
        return next(line for line in lines if line.startswith("irsa "))

    def example(self, *words: str) -> str:
        """The example of the help text with these words, for the cluster that there is."""
        text = self.last.partition("Examples:\n")[2].replace(" \\\n", " ")
        lines = [" ".join(line.split()).replace(" prod", " demo") for line in text.splitlines()]
        return next(line for line in lines if all(word in line for word in words))


def play(told: Transcript) -> None:
    """Do the tasks."""
    told.task("1. Create the OIDC provider")
    told.type("irsa --help", "Where to begin?")
    told.type(told.example("create-sa"), "The first example.")
    create = told.example("s3-reader")
    told.type(create, "The first example of that command, with the name of the cluster.", 4)
    told.type(told.next(), "The command under `Next:`.")
    told.task("2. Look at the plan")
    told.type(f"{create} --dry-run", "The example again, with the option that shows the plan.")
    told.task("3. Apply it")
    told.type(create, "The same without that option.")
    told.type(create, "And again, to be sure.")
    told.task("4. Ask for something else")
    other = create.replace("AmazonS3ReadOnlyAccess", "AmazonSQSReadOnlyAccess")
    told.type(other, "Another policy.", 4)
    told.type(told.next(), "The command under `Next:`.")
    told.task("5. See a run fail, and correct it")
    told.type("irsa help create-sa", "How do I add my own policy to the role?")
    inline = told.example("--inline-policy").removesuffix(" --dry-run")
    policy = told.shell.folder / "queue.json"
    policy.write_text(POLICY % "arn:aws:s3:eu-west-1::jobs/*", encoding="utf-8")
    told.type(
        inline, "Its example. The ARN in `queue.json` has a mistake: `arn:aws:s3:eu-west-1::jobs/*`.", 1
    )
    policy.write_text(POLICY % "arn:aws:s3:::jobs/*", encoding="utf-8")
    told.type(inline, "The message names the mistake. The same command, after it is corrected.")
    told.task("6. Delete it")
    told.type("irsa help delete-sa", "The first help lists this command.")
    delete = told.example("s3-reader", "--dry-run")
    told.type(delete, "Its first example.")
    told.type(delete.removesuffix(" --dry-run"), "Its second example.")


BLOCK = re.compile(r"```text\n(?P<output>.*?)```", re.DOTALL)


def _in_order(text: str) -> str:
    lines = text.splitlines(keepends=True)
    attachments = iter(sorted(line for line in lines if " PolicyAttachment " in line))
    return "".join(next(attachments) if " PolicyAttachment " in line else line for line in lines)


def test_the_tutorials_tasks_need_no_documentation(sandbox: Sandbox, tmp_path: Path) -> None:
    told = Transcript(Shell.make(tmp_path, sandbox.env()))
    play(told)
    world = sandbox.world()
    assert [name for name in world["roles"] if "s3-reader" in name] == []
    assert [name for name in world["roles"] if "worker" in name]
    text = "\n".join([HEAD, *told.parts])
    text = re.sub(r"\d{8}T\d{9}Z-[0-9a-f]{8}|\d{4}-\d\d-\d\d \d\d:\d\d UTC", "…", text)
    text = re.sub(r"(?m)^  … waiting for .*\n", "", text)  # How long depends on the machine.
    if os.environ.get("IRSA_WRITE_PAGES"):
        PAGE.write_text(text, encoding="utf-8")
    kept = PAGE.read_text(encoding="utf-8")
    assert BLOCK.sub("", kept) == BLOCK.sub("", text)
    for shown, printed in zip(BLOCK.finditer(kept), BLOCK.finditer(text), strict=True):
        # Attachments are changed at the same time: they end in any order.
        assert matches(*map(_in_order, (shown["output"], printed["output"]))), printed["output"]
