"""The documentation as a whole: generated pages are fresh, links lead somewhere, nothing is left out."""

from __future__ import annotations

import importlib.metadata
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from irsa_cli.cli.main import run
from irsa_cli.core.plan.changes import Kind
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG
from irsa_cli.core.results.result import Ended
from irsa_cli.core.values.errors import ExitCode
from irsa_cli.sandbox import Fault, Sandbox
from tests.docs import staging
from tests.docs.console import ROOT, pages

SCHEMA = ROOT / "docs" / "reference" / "result.schema.json"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def test_the_commands_page_is_fresh() -> None:
    generator = ROOT / "tools" / "docs" / "commands.py"
    ended = subprocess.run([sys.executable, str(generator), "--check"], cwd=ROOT, check=False)
    assert ended.returncode == 0


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_of_pages_outside_of_the_site_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/reference/exit-codes.md"])
def test_every_exit_code_is_documented(page: str) -> None:
    cells = re.findall(r"^\| ([\d, ]+) \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    documented = {int(number) for cell in cells for number in cell.split(",")}
    assert documented == {*ExitCode, 128 + signal.SIGINT, 128 + signal.SIGTERM}


def test_every_dependency_has_its_reason_and_no_other() -> None:
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([\w-]+(?:, [\w-]+)*) \|", page, re.MULTILINE)
    explained = {name.lower() for cell in cells for name in cell.split(", ")} - {"package", "---"}
    wanted = importlib.metadata.requires("irsa-cli") or []
    required = {re.split(r"[^\w.-]", text)[0].lower() for text in wanted} - {"irsa-cli"}
    assert explained == required


def test_every_room_is_on_the_map() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    picture = page.partition("```text\n")[2].partition("```")[0]
    rooms = {path.parent.name for path in (ROOT / "irsa_cli").glob("*/__init__.py")}
    assert rooms - {name for line in picture.splitlines() for name in line.split()} == set()
    listed = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"(?m)^\| (`.*?) \|", page))))
    for layer in ("core", "usecases"):
        within = {path.parent.name for path in (ROOT / "irsa_cli" / layer).glob("*/__init__.py")}
        assert within - listed == set()


def test_every_make_target_and_test_folder_is_documented() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    folders = [path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")]
    assert targets
    assert [target for target in targets if f"| `make {target}` |" not in page] == []
    assert [folder for folder in folders if f"`tests/{folder}`" not in page] == []


def test_every_tag_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "names-and-tags.md").read_text(encoding="utf-8")
    assert all(f"| `{tag}` |" in page for tag in (CLUSTER_TAG, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG))


def test_no_page_names_a_file_that_is_not_there() -> None:
    """Modules are named as `room/module.py`."""
    named = {
        name
        for page in pages()
        for name in re.findall(r"`((?:\w+/)+\w+\.py)`", page.read_text(encoding="utf-8"))
    }
    assert named
    assert {
        name for name in named if not (ROOT / "irsa_cli" / name).is_file() and not (ROOT / name).is_file()
    } == set()


def test_the_schema_lists_what_the_code_can_say() -> None:
    schema = _schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    change = schema["$defs"]["change"]["properties"]
    assert set(schema["properties"]["outcome"]["enum"]) == {ended.value for ended in Ended}
    assert set(change["kind"]["enum"]) == {kind.value for kind in Kind}


CREATE = ("create-sa", "app", "-n", "backend", "-c", "demo", "-o", "json", "-q")
SHARED = ("--attach-role-arn", "arn:aws:iam::111122223333:role/shared")


RunIrsa = Callable[..., tuple[dict[str, Any], int]]


@pytest.fixture
def result(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunIrsa:
    """Runs irsa in this process; returns the document, which fits the schema, and the exit code."""
    for name, value in {**sandbox.env(), "IRSA_STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)

    def run_irsa(*arguments: str) -> tuple[dict[str, Any], int]:
        capsys.readouterr()
        code = run(list(arguments))
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        # Closed: users are told that fields may be added, and then they are to be documented.
        jsonschema.validate(document, {**_schema(), "additionalProperties": False})
        return document, code

    return run_irsa


@pytest.mark.parametrize(
    ("arguments", "outcome", "code"),
    [
        (("associate-oidc", "-c", "demo", "-o", "json"), "unchanged", 0),
        ((*CREATE, "--attach-policy-arn", READ_ONLY, "--verify"), "committed", 0),
        ((*CREATE, "--role-only"), "committed", 0),
        ((*CREATE, "--dry-run"), "planned", 0),
        ((*CREATE, "--dry-run", "--detailed-exitcode"), "planned", 6),
        ((*CREATE, *SHARED), "refused", 4),
        ((*CREATE, *SHARED, "--update-trust"), "committed", 0),
        ((*CREATE, "--attach-policy-arn", f"{READ_ONLY}x"), "failed", 1),
        (("associate-oidc", "-c", "missing", "-o", "json"), "refused", 4),
    ],
)
def test_results_fit_the_schema(
    arguments: tuple[str, ...], outcome: str, code: int, sandbox: Sandbox, result: RunIrsa
) -> None:
    staging.shared_role(sandbox)
    document, ended = result(*arguments)
    assert (document["outcome"], ended) == (outcome, code)


@pytest.mark.parametrize(
    ("broken", "outcome", "code"),
    [
        (("AttachRolePolicy",), "rolled-back", 1),
        (("AttachRolePolicy", "DeleteRole"), "incomplete", 3),
    ],
)
def test_results_of_failures_fit_the_schema(
    broken: tuple[str, ...], outcome: str, code: int, sandbox: Sandbox, result: RunIrsa
) -> None:
    staging.associate(sandbox)
    for operation in broken:
        sandbox.faults.add(Fault("iam", operation, "error", times=None))
    document, ended = result(*CREATE, "--attach-policy-arn", READ_ONLY)
    assert (document["outcome"], document["exitCode"], ended) == (outcome, code, code)
    assert bool(document["left"]) is (code == ExitCode.INCOMPLETE)


def test_a_recovered_transaction_fits_the_schema(sandbox: Sandbox, result: RunIrsa) -> None:
    staging.associate(sandbox)
    before = sandbox.world()
    for operation in ("AttachRolePolicy", "DeleteRole"):
        sandbox.faults.add(Fault("iam", operation, "error"))
    document, _ = result(*CREATE, "--attach-policy-arn", READ_ONLY)
    recovered, code = result("recover", document["transaction"], "-o", "json", "-q")
    assert (recovered["outcome"], code) == ("rolled-back", 0)
    assert sandbox.world() == before
