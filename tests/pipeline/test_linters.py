"""actionlint, zizmor, check-jsonschema, hadolint and krew's own check find nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.pipeline.tools import ROOT, ran

WORKFLOWS = [
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    *sorted((ROOT / "examples" / "github").glob("*.yml")),
]
ACTION = ROOT / "action.yml"
SCHEMAS = {
    "vendor.github-actions": [ACTION],
    "vendor.github-workflows": WORKFLOWS,
    "vendor.dependabot": [ROOT / ".github" / "dependabot.yml"],
    "vendor.buildkite": [ROOT / "examples" / "buildkite" / "pipeline.yml"],
    "vendor.gitlab-ci": [ROOT / "examples" / "gitlab" / ".gitlab-ci.yml"],
}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_finds_nothing(workflow: Path) -> None:
    # Scripts are checked by running them; shellcheck is on some machines only.
    assert ran("actionlint", "-shellcheck=", "-pyflakes=", str(workflow)) == ""


def test_actionlint_finds_something(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo ${{ github.nothing }}'}]}}"
    )
    with pytest.raises(AssertionError, match="nothing"):
        ran("actionlint", "-shellcheck=", str(wrong))


def test_zizmor_finds_nothing() -> None:
    ran(
        "zizmor",
        "--offline",
        "--no-progress",
        "--persona=pedantic",
        str(ACTION),
        str(ROOT / ".github"),
        *map(str, WORKFLOWS),
    )


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schemas_are_kept(schema: str) -> None:
    ran("check-jsonschema", "--builtin-schema", schema, *map(str, SCHEMAS[schema]))


def test_the_component_of_gitlab_keeps_the_schema(tmp_path: Path) -> None:
    """Its two documents each by itself: the schema is for one."""
    for number, text in enumerate((ROOT / "templates" / "irsa.yml").read_text("utf-8").split("\n---\n")):
        path = tmp_path / f"{number}.yml"
        # Names of inputs stand where the schema wants a value.
        path.write_text(text, "utf-8")
        ran("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(path))


def test_hadolint_finds_nothing() -> None:
    ran("hadolint", "--failure-threshold", "style", str(ROOT / "Containerfile"))


def test_all_that_is_used_is_pinned() -> None:
    """Actions by their whole commit with the version beside it, images by digest."""
    for path in [ACTION, *WORKFLOWS]:
        for line in path.read_text("utf-8").splitlines():
            if found := re.search(r"\buses: (\S+)(.*)", line):
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", found[1]), line
                assert re.match(r" # (v\d+\.\d+\.\d+|the commit that you have reviewed)$", found[2]), line
    for line in (ROOT / "Containerfile").read_text("utf-8").splitlines():
        if line.startswith("FROM "):
            assert re.search(r"@sha256:[0-9a-f]{64}\b", line), line


def test_the_hook_for_pre_commit_runs_a_command_that_there_is() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert {"id", "name", "entry", "language"} <= set(hook)
    # Whatever pre-commit installs by itself (language: python), it installs without hashes.
    assert hook["language"] == "script"
    assert os.access(ROOT / hook["entry"], os.X_OK)
