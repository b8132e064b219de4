"""What the example workflow promises: prohibitions hold in each job, and no run cancels another."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.pipeline.tools import ROOT

Json = dict[str, Any]
WORKFLOW: Json = yaml.safe_load((ROOT / "examples" / "github" / "irsa.yml").read_text("utf-8"))
SETTINGS = ".irsa.yaml"


def used(job: Json, action: str) -> list[Json]:
    """The steps of a job that use an action, each with its number."""
    found = [{**step, "number": at} for at, step in enumerate(job["steps"])]
    return [step for step in found if step.get("uses", "").startswith(f"{action}@")]


def has_settings(step: Json) -> bool:
    """Whether a checkout leaves `.irsa.yaml` where irsa looks for it: in the workspace itself."""
    inputs = step.get("with", {})
    return "path" not in inputs and inputs.get("sparse-checkout", SETTINGS).split() == [SETTINGS]


@pytest.mark.parametrize("name", WORKFLOW["jobs"])
def test_each_job_has_the_settings_of_the_project_before_irsa_runs(name: str) -> None:
    job = WORKFLOW["jobs"][name]
    first = min(step["number"] for step in used(job, "OWNER/irsa"))
    assert any(has_settings(step) and step["number"] < first for step in used(job, "actions/checkout"))


@pytest.mark.parametrize("name", WORKFLOW["jobs"])
def test_who_writes_takes_them_from_the_protected_branch(name: str) -> None:
    """With the role that changes, a job runs for pushes to main only; what it checks out is that commit."""
    job = WORKFLOW["jobs"][name]
    roles = [step["with"]["role-to-assume"] for step in used(job, "aws-actions/configure-aws-credentials")]
    if not any(role.endswith("/ci-irsa") for role in roles):
        return
    assert name in ("apply", "recover")
    assert all("ref" not in step["with"] for step in used(job, "actions/checkout"))
    assert "github.event_name == 'push'" in WORKFLOW["jobs"]["apply"]["if"]
    # YAML reads `on` as true.
    assert WORKFLOW[True]["push"]["branches"] == ["main"]  # type: ignore[index]


def test_a_pull_request_is_judged_by_the_settings_of_its_base() -> None:
    (lint,) = used(WORKFLOW["jobs"]["lint"], "OWNER/irsa")
    found = re.search(r"--config (\S+)/\.irsa\.yaml", lint["with"]["args"])
    assert found
    (base,) = [it for it in used(WORKFLOW["jobs"]["lint"], "actions/checkout") if it["with"].get("path")]
    assert base["with"]["path"] == found[1]
    assert base["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def group(event: str, ref: str) -> str:
    """The concurrency group of a run."""
    text: str = WORKFLOW["concurrency"]["group"]
    for name, value in (("github.event_name", event), ("github.ref", ref)):
        text = text.replace(f"${{{{ {name} }}}}", value)
    assert "${{" not in text
    return text


def test_no_nightly_run_takes_the_place_of_a_plan_that_waits() -> None:
    """GitHub keeps one run waiting in each group, and cancels the one that waited before."""
    runs = [("push", "refs/heads/main"), ("schedule", "refs/heads/main")]
    runs += [("pull_request", "refs/pull/1/merge"), ("pull_request", "refs/pull/2/merge")]
    assert len({group(*run) for run in runs}) == len(runs)
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False
    assert "concurrency" not in WORKFLOW["jobs"]["drift"]


def test_a_cron_job_that_still_runs_is_not_replaced() -> None:
    text = (ROOT / "deploy" / "kustomize" / "cronjob" / "cronjob.yaml").read_text("utf-8")
    assert yaml.safe_load(text)["spec"]["concurrencyPolicy"] == "Forbid"


def test_other_systems_apply_from_the_protected_branch_only() -> None:
    jobs = yaml.safe_load((ROOT / "templates" / "irsa.yml").read_text("utf-8").partition("\n---\n")[2])
    (rule,) = jobs["irsa-apply"]["rules"]
    assert rule["if"].startswith("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && ")
    assert jobs["irsa-apply"]["interruptible"] is False
    assert "resource_group" not in jobs["irsa-drift"]
    steps = yaml.safe_load((ROOT / "examples" / "buildkite" / "pipeline.yml").read_text("utf-8"))["steps"]
    for step in steps[1:]:
        assert 'build.branch == "main" && build.pull_request.id == null' in step["if"]
    stage = (ROOT / "examples" / "jenkins" / "Jenkinsfile").read_text("utf-8").partition("stage('Apply')")[2]
    assert "branch 'main'" in stage.partition("steps")[0]
