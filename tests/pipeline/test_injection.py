"""Texts of others in everything that the action is given or reads: they reach no shell, and forge nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.pipeline.conftest import MakeJob
from tests.pipeline.github_api import GitHub
from tests.pipeline.runner import Job, Used
from tests.pipeline.test_action import IRSA, bindings
from tests.support.documents import doc

EVIL = {
    "a command": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "a list": "; touch pwned; #",
    "quotes": "'\"; touch pwned; \"'",
    "an expression": "${{ github.token }}${IFS}&&touch${IFS}pwned",
    "a workflow command": "x\n::set-output name=outcome::forged\n::add-path::/tmp\n::error::forged",
    "an old one": "##[set-output name=outcome;]forged",
    "an encoded line": "x%0A::error::forged%0D%0A",
    "a delimiter": "x\nEOF\noutcome<<EOF\nforged\nEOF\nirsa-0\noutcome=forged",
    "markdown": "](https://evil.example) ![x](https://evil.example/x.png) | `x` | @admins **x**\n# x",
    "html": "<img src=https://evil.example/x><script>alert(1)</script></details>--><!-- irsa -->",
    "a fence": "```\n</details>\n~~~\n<img src=x>",
    "marks": "\u202egpj.exe\u2028::error::forged\x1b[31m",
}
IN_NAMES = ("a command", "a list", "a workflow command", "an encoded line", "markdown", "html", "a fence")
IN_PLANS = ("an expression", "a workflow command", "a delimiter", "markdown", "html", "a fence", "marks")
"""What could get out of an error's words, and of a plan's; names of branches and files have all."""


def evil(*names: str) -> pytest.MarkDecorator:
    """These texts, by default all."""
    return pytest.mark.parametrize("text", [EVIL[name] for name in names or EVIL], ids=names or EVIL)


OWN = re.compile(
    r"::(?:(?:error|notice) title=irsa[ a-z%A-F0-9-]*::|stop-commands::[0-9a-f]{32}$|[0-9a-f]{32}::$)"
)
TAGS = re.compile(
    r"</?(?:details|summary|sub|br|code|pre|b|table|tr|td|th)\b[^<>]*>|<!-- irsa [0-9a-f]{32} -->"
)


def assert_harmless(used: Used, job: Job, github: GitHub) -> None:
    """No shell has run it; no output, command of the log, tag or link is of its making."""
    assert not list(job.workspace.rglob("pwned"))
    assert set(used.outputs) >= {"exit-code", "outcome"}
    assert "forged" not in used.outputs["outcome"]
    for step in used.steps:
        assert "forged" not in "".join(value for name, value in step.outputs.items() if name != "files")
        assert commands_of(step.log) == [], step.log
    for text in (used.summary, *(comment["body"] for comment in github.comments)):
        shown = without_code(text)
        assert not re.search("<(?:img|script|a|iframe|svg)", TAGS.sub("", shown), re.IGNORECASE), text
        assert not re.search(r"\]\(https://evil", shown), text
        assert shown.count("<details") == shown.count("</details>"), text
    for comment in github.comments:
        assert len(re.findall("<!-- irsa", without_code(comment["body"]))) == 1


def commands_of(log: str) -> list[str]:
    """Lines that GitHub would take for a command, and that are not the action's own."""
    found, ending = [], ""
    for line in re.split(r"\r\n|[\n\r]", log):
        if ending:
            ending = "" if line.strip() == f"::{ending}::" else ending
        elif stopped := re.fullmatch("::stop-commands::([0-9a-f]{32})", line):
            ending = stopped[1]
        elif (line.lstrip().startswith("::") and not OWN.match(line)) or (
            "##[" in line and not OWN.match(line)
        ):
            found.append(line)
    assert not ending
    return found


def without_code(text: str) -> str:
    """Markdown without its blocks and spans of code, in which nothing is markup."""
    text = re.sub(r"(?ms)^\s*(`{3,}|~{3,})[^\n]*\n.*?^\s*\1\s*$", "", text)
    return re.sub(r"(?<!\\)(`+)(?!`).+?(?<!`)\1(?!`)", "", text)


@evil()
def test_names_of_branches_and_files(job: MakeJob, github: GitHub, text: str) -> None:
    one_line = text.replace("\n", " ").replace("\u2028", " ").replace("/", "")
    refs = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "GITHUB_WORKFLOW", "GITHUB_ACTOR", "GITHUB_SHA")
    mine = job(**dict.fromkeys(refs, text))
    bindings(mine, "s3-reader")
    name = f"x {one_line}.yaml"
    (mine.workspace / "bindings.yaml").rename(mine.workspace / name)
    used = mine.use(command="diff", files=name, **IRSA)
    # A plan whose texts can't be printed is not saved.
    assert used.outputs["exit-code"] == ("6" if name.isprintable() else "1"), used.log
    assert_harmless(used, mine, github)


@evil(*IN_NAMES)
def test_names_of_service_accounts(job: MakeJob, github: GitHub, text: str) -> None:
    mine = job()
    bindings(mine, "s3-reader", text)
    used = mine.use(command="diff", files="bindings.yaml", comment="always", **IRSA)
    assert used.outputs["exit-code"] == "2", used.log
    assert_harmless(used, mine, github)


@evil(*IN_PLANS)
def test_texts_of_policies_and_tags(job: MakeJob, github: GitHub, text: str) -> None:
    """In a plan, in a failure of AWS that says it again, and in what is there already."""
    mine = job()
    policy = doc(
        '{"Version": "2012-10-17", "Statement":'
        ' [{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/"}]}'
    )
    policy["Statement"][0]["Resource"] += text
    (mine.workspace / "policy.json").write_text(json.dumps(policy), "utf-8")
    words = "s3-reader -n backend -c demo --inline-policy policy.json"
    planned = mine.use(command="create-sa", args=f"{words} --dry-run", **IRSA)
    assert planned.outputs["outcome"] in ("planned", "failed", "refused"), planned.log
    assert_harmless(planned, mine, github)


INPUTS = ("command", "fail_on", "version", "comment_id", "expect_account", "working_directory", "comment")


@evil()
def test_inputs_of_every_kind(job: MakeJob, text: str) -> None:
    """Whatever is an input is one value of it, or an error: each input has two texts or one."""
    mine, name = job(), INPUTS[list(EVIL.values()).index(text) % len(INPUTS)]
    bindings(mine, "s3-reader")
    given = {"command": "diff", "files": "bindings.yaml", "comment": "never", **IRSA, name: text}
    used = mine.use(**given)
    assert not list(Path(mine.temp).parent.rglob("pwned"))
    for step in used.steps:
        assert "forged" not in step.outputs.values()
        assert commands_of(step.log) == [], step.log


def test_arguments_are_words_and_never_a_script(job: MakeJob, github: GitHub) -> None:
    mine = job()
    used = mine.use(
        command="diff", args="-f $(touch${IFS}pwned) `touch pwned` && touch pwned > pwned", **IRSA
    )
    assert used.outputs["exit-code"] == "2"
    assert_harmless(used, mine, github)


def test_the_checks_of_this_module_find_something() -> None:
    assert commands_of("::error::forged\n")
    assert commands_of("x\r::set-output name=a::b\n")
    assert commands_of("see ##[error]x\n")
    assert commands_of("::stop-commands::" + "0" * 32 + "\n::error::x\n::" + "0" * 32 + "::\n") == []
    assert without_code("a `<img>` b ```` `<img>` ````\n```\n<img>\n```\n<b>") == "a  b \n\n<b>"
