"""What pages of the documentation show of files is what stands in the files."""

from __future__ import annotations

import re

from tests.pipeline.tools import ROOT

SHOWN = re.compile(r"^<!-- file: (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_files_stand_in_pages_as_they_are() -> None:
    found = {
        name: text
        for page in (ROOT / "docs").rglob("*.md")
        for name, text in SHOWN.findall(page.read_text("utf-8"))
    }
    assert {name: text for name, text in found.items() if (ROOT / name).read_text("utf-8") != text} == {}
    examples = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "examples").rglob("*") if path.is_file()
    }
    assert examples | {"templates/irsa.yml"} <= set(found)


def test_inputs_and_outputs_of_the_action_are_documented() -> None:
    import yaml

    page = (ROOT / "docs" / "how-to" / "ci-github.md").read_text("utf-8")
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    cells = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    assert {*action["inputs"], *action["outputs"]} <= cells
