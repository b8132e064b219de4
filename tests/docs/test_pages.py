"""The documentation as a whole: generated pages are fresh, links lead somewhere, nothing is left out."""

from __future__ import annotations

import importlib.metadata
import re
import signal
import subprocess
import sys

import pytest

from irsa_cli.core.doctor.causes import CAUSES
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG
from irsa_cli.core.trust.rules.rule import RULES
from irsa_cli.core.values.errors import ExitCode
from tests.docs.console import ROOT, pages
from tests.scenarios.breaks import BREAKS, ELSEWHERE


@pytest.mark.parametrize(
    "tool",
    ["commands", "causes", "audit_rules", "config_schema", "well_known_policies", "man", "picture"],
)
def test_what_is_generated_is_fresh(tool: str) -> None:
    """In a process of its own: other tests add commands and options to those of this one."""
    command = [sys.executable, f"tools/docs/{tool}.py", "--check"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_pages_outside_of_the_site_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_exit_code_is_documented() -> None:
    page = ROOT / "docs" / "reference" / "exit-codes.md"
    cells = re.findall(r"^\| ([\d, ]+) \|", page.read_text("utf-8"), re.MULTILINE)
    documented = {int(number) for cell in cells for number in cell.split(",")}
    assert documented == {*ExitCode, 128 + signal.SIGINT, 128 + signal.SIGTERM}


def test_every_dependency_has_its_reason_and_no_other() -> None:
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text("utf-8")
    cells = re.findall(r"^\| ([\w-]+(?:, [\w-]+)*) \|", page, re.MULTILINE)
    explained = {name.lower() for cell in cells for name in cell.split(", ")} - {"package", "---"}
    wanted = importlib.metadata.requires("irsa-cli") or []
    required = {re.split(r"[^\w.-]", text)[0].lower() for text in wanted} - {"irsa-cli"}
    assert explained == required


def test_every_room_is_on_the_map() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")
    picture = page.partition("```text\n")[2].partition("```")[0]
    rooms = {path.parent.name for path in (ROOT / "irsa_cli").glob("*/__init__.py")}
    assert rooms - {name for line in picture.splitlines() for name in line.split()} == set()
    listed = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"(?m)^\| (`.*?) \|", page))))
    for layer in ("core", "usecases"):
        within = {path.parent.name for path in (ROOT / "irsa_cli" / layer).glob("*/__init__.py")}
        assert within - listed == set()


def test_every_make_target_and_test_folder_is_documented() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    folders = [path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")]
    assert targets
    assert [target for target in targets if f"| `make {target}` |" not in page] == []
    assert [folder for folder in folders if f"`tests/{folder}`" not in page] == []


def test_every_tag_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "names-and-tags.md").read_text("utf-8")
    assert all(f"| `{tag}` |" in page for tag in (CLUSTER_TAG, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG))


def test_no_page_names_a_file_that_is_not_there() -> None:
    """Modules are named as `room/module.py`."""
    named = {
        name for page in pages() for name in re.findall(r"`((?:\w+/)+\w+\.py)`", page.read_text("utf-8"))
    }
    assert named
    assert {
        name for name in named if not (ROOT / "irsa_cli" / name).is_file() and not (ROOT / name).is_file()
    } == set()


def test_every_cause_and_every_rule_has_its_source_and_is_found() -> None:
    """The table of causes is as the tests demand it: each is found, never missed, and never named wrongly."""
    causes = (ROOT / "docs" / "reference" / "causes.md").read_text("utf-8")
    rows = re.findall(
        r"^\| \[([a-z-]+)\]\(#\1\) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", causes, re.MULTILINE
    )
    assert [row[0] for row in rows] == list(CAUSES)
    assert [row for row in rows if row[2:] != (row[1], "0", "0")] == []
    assert {cause for cause, _ in BREAKS.values()} | set(ELSEWHERE) <= set(CAUSES)
    assert [cause.id for cause in CAUSES.values() if f"<{cause.source}>" not in causes] == []
    rules = (ROOT / "docs" / "reference" / "audit-rules.md").read_text("utf-8")
    for rule in RULES.values():
        assert f"### {rule.id}\n" in rules
        assert f"<{rule.source}>" in rules
