"""The scripts for GitLab, Jenkins and Buildkite, run on the sandbox in the order of their jobs.

What surrounds the scripts is these systems' business; that the files are theirs is `test_linters.py`'s. That
irsa is installed by its hashes is `test_packaging.py`'s: here pip does nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.test_action import attaching_fails
from tests.pipeline.tools import ROOT, config_of
from tests.support import forks
from tests.support.stage import READ_ONLY, Stage

Json = dict[str, Any]


def write_programs(folder: Path, **texts: str) -> None:
    """Scripts that stand for programs."""
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)


class Place:
    """A workspace with files of bindings, and programs that stand for what a machine has."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        programs = folder / "programs"
        for path in (self.folder / "bindings", self.home, programs, self.folder / ".venv" / "bin"):
            path.mkdir(parents=True)
        # As GitLab's runner leaves it.
        self.folder.chmod(0o777)
        irsa, pip = f'#!/bin/sh\nexec "{forks.irsa()}" "$@"\n', "#!/bin/sh\nexit 0\n"
        agent = "#!/bin/sh\ntest -e irsa-plan.json\n"
        own = self.folder / ".venv" / "bin"
        write_programs(own, irsa=irsa, pip=pip)
        write_programs(programs, irsa=irsa, pip=pip, python3=pip, **{"buildkite-agent": agent})
        env = stage.env()
        del env["IRSA_STATE_DIR"]
        self.env = {**env, "PATH": f"{programs}{os.pathsep}{env['PATH']}", "HOME": str(self.home)}
        self.bind("s3-reader")

    def bind(self, *names: str) -> None:
        """Write the file of bindings."""
        text = config_of("demo", *names)
        (self.folder / "bindings" / "backend.yaml").write_text(text, "utf-8")

    def run(self, script: str, **env: str) -> int:
        """Run a script as these systems do: it ends with the first command that fails."""
        text = re.sub(r"-c prod\b", "-c demo", script)
        ended = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", f"umask 0\n{text}"],
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=120,
        )
        return ended.returncode


@pytest.fixture
def place(stage: Stage, tmp_path: Path) -> Place:
    """A workspace."""
    return Place(stage, tmp_path)


Run = Callable[..., int]
"""Runs a job by its name: plan, apply, drift."""


def gitlab(place: Place) -> Run:
    """The jobs of the component, with inputs as a project gives them."""
    spec, text = (ROOT / "templates" / "irsa.yml").read_text("utf-8").split("\n---\n")
    inputs = {name: about.get("default") for name, about in yaml.safe_load(spec)["spec"]["inputs"].items()}
    included = yaml.safe_load((ROOT / "examples" / "gitlab" / ".gitlab-ci.yml").read_text("utf-8"))[
        "include"
    ][0]
    assert set(included["inputs"]) <= set(inputs)
    inputs |= {**included["inputs"], "cluster": "demo"}
    assert None not in inputs.values()
    jobs: Json = _filled(yaml.safe_load(text), inputs)

    def run(name: str, **env: str) -> int:
        job = {**jobs[".irsa"], **jobs[f"irsa-{name}"]}
        assert job["extends"] == ".irsa"
        variables = {**jobs[".irsa"]["variables"], **job["variables"]}
        given = {"CI_JOB_ID": name, "COMPONENT_AWS_TOKEN": "a-token", **variables, **env}
        code = place.run("\n".join([*job["before_script"], *job["script"]]), **given)
        assert place.run("\n".join(job["after_script"]), **given) == 0
        return code

    return run


def _filled(node: Any, inputs: Mapping[str, Any]) -> Any:
    """Write inputs into texts as GitLab does: after the YAML is read, so no value is more than a text."""
    if isinstance(node, dict):
        return {key: _filled(value, inputs) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, inputs) for value in node]
    if not isinstance(node, str):
        return node
    return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: str(inputs[found[1]]), node)


def jenkins(place: Place) -> Run:
    """The stages of the Jenkinsfile."""
    text = (ROOT / "examples" / "jenkins" / "Jenkinsfile").read_text("utf-8")
    stages = dict(re.findall(r"stage\('(\w+)'\) \{(.*?)\n        \}\n", text, re.DOTALL))
    scripts = {name: re.findall(r"sh '''\n(.*?)'''", body, re.DOTALL) for name, body in stages.items()}
    assert set(scripts) == {"Install", "Plan", "Drift", "Apply"}
    assert '"""' not in text, "Groovy writes values into texts in double quotes"

    def run(name: str, **env: str) -> int:
        wanted = {"plan": ["Install", "Plan"], "apply": ["Apply"], "drift": ["Plan", "Drift"]}[name]
        state = {"IRSA_STATE_DIR": str(place.home / "irsa")}
        return place.run("\n".join(script for stage in wanted for script in scripts[stage]), **state, **env)

    return run


def buildkite(place: Place) -> Run:
    """The steps of the pipeline."""
    steps = yaml.safe_load((ROOT / "examples" / "buildkite" / "pipeline.yml").read_text("utf-8"))["steps"]
    scripts = {step["label"]: step for step in steps if "label" in step}

    def run(name: str, **env: str) -> int:
        step = scripts["irsa apply" if name == "apply" else "irsa plan"]
        script = "\n".join(step["commands"])
        assert not re.search(r"(?<!\$)\$(?!\$)", script), "Buildkite itself would replace this"
        state: Mapping[str, str] = {"IRSA_STATE_DIR": str(place.home / "irsa")}
        drift = {"DRIFT": "1"} if name == "drift" else {}
        return place.run(script.replace("$$", "$"), **state, **drift, **env)

    return run


@pytest.mark.parametrize("system", [gitlab, jenkins, buildkite], ids=lambda system: system.__name__)
def test_plan_apply_verify_drift(place: Place, stage: Stage, system: Callable[[Place], Run]) -> None:
    run = system(place)
    before = stage.world()
    assert run("plan") == 0
    assert stage.world() == before
    assert "s3-reader" in (place.folder / "irsa-plan.md").read_text("utf-8")
    assert run("drift") != 0
    assert run("apply") == 0
    assert stage.role_of("backend", "s3-reader")["attached"] == [READ_ONLY]
    assert run("drift") == 0
    place.bind("s3-reader", "another")
    assert run("drift") != 0
    # The plan is the one of before: nothing of it is to be done any more.
    assert "another" not in str(stage.kube_world())


def test_a_job_of_gitlab_that_failed_leaves_its_journals(place: Place, stage: Stage) -> None:
    run = gitlab(place)
    assert run("plan") == 0
    attaching_fails(stage, rollback_too=True)
    assert run("apply") == 3
    stage.sandbox.faults.clear()
    kept = place.folder / "irsa-journals"
    assert list(kept.iterdir())
    # The next job, on another machine: an artifact brings no modes, and the folder is the job's own.
    own = place.home / "brought"
    assert place.run(f'umask 077; cp -R "{kept}" "{own}"; chmod -R go-rwx "{own}"') == 0
    assert place.run("irsa recover --all --yes", IRSA_STATE_DIR=str(own)) == 0
    assert "s3-reader" not in str(stage.aws_world()["roles"])
