"""The pages about Helm and Terraform, followed literally: their commands, and the tools' own ones after them.

`tests/docs/test_console.py` compares what irsa prints there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.docs.console import ROOT, File, Session, Shell, blocks
from tests.pipeline.test_exported_files import PLUGINS, SETTINGS, needs_terraform, run_terraform
from tests.pipeline.tools import BUILT, program
from tests.support.stage import ROLE_ARN

PAGES = ROOT / "docs" / "how-to"
ARN = "arn:aws:iam::111122223333:role/irsa/demo/demo-backend-app-103751d3"
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.1.0\n",
    "values.yaml": "serviceAccount:\n  create: true\n  name: main\n  annotations: {team: web}\n",
    "templates/serviceaccount.yaml": """\
{{- if .Values.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Values.serviceAccount.name | default .Release.Name }}
  {{- with .Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
""",
}
"""A chart whose ServiceAccount has the form that `helm create` writes."""


def followed(page: str, shell: Shell, tool: str) -> list[str]:
    """What the page's commands of a tool print, where all its commands are run in one shell."""
    printed: list[str] = []
    with Session(shell) as session:
        for step in typed(page):
            if isinstance(step, File):
                (session.folder / step.name).write_text(step.text, "utf-8")
                continue
            output, code = session.run(step)
            assert code == 0, f"{step}\n{output}"
            printed += [output] if step.startswith(tool) else []
    return printed


def typed(page: str) -> Iterator[File | str]:
    """The files and commands of a page in their order, with those of other tools."""
    text = (PAGES / page).read_text("utf-8")
    for block in blocks(_SHELL.sub(_as_console, text)):
        if isinstance(block, File):
            yield block
        else:
            yield from (command.text for command in block.commands)


_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _as_console(block: re.Match[str]) -> str:
    lines = "".join(f"$ {line}\n" for line in block[1].splitlines())
    return f"```console\n{lines}```"


def account_of(rendered: str) -> dict[str, object]:
    """The metadata of the only ServiceAccount that a chart renders."""
    (manifest,) = filter(None, yaml.safe_load_all(rendered))
    metadata: dict[str, object] = manifest["metadata"]
    return metadata


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell.make(tmp_path, {})


def test_helm_renders_what_export_wrote_into_values(shell: Shell) -> None:
    program("helm")
    for name, text in CHART.items():
        path = shell.folder / "CHART" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shell = Shell(shell.folder, {**shell.env, "PATH": f"{BUILT}{os.pathsep}{shell.env['PATH']}"})
    by_file, by_variable = map(account_of, followed("helm.md", shell, "helm template"))
    assert by_file == {"name": "app", "annotations": {"team": "web", ROLE_ARN: ARN}}
    assert by_variable == {**by_file, "name": "main"}


@needs_terraform
@pytest.mark.skipif(not PLUGINS.exists(), reason="the AWS provider of Terraform is not on this machine")
def test_terraform_takes_the_role_over_without_a_change(shell: Shell) -> None:
    (shell.folder / "settings.tf").write_text(SETTINGS, encoding="utf-8")
    run_terraform(shell.folder, "init", f"-plugin-dir={PLUGINS}")
    shell = Shell(shell.folder, {**shell.env, "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1"})
    (plan,) = followed("terraform-handover.md", shell, "terraform plan")
    assert "Plan: 3 to import, 0 to add, 0 to change, 0 to destroy." in plan
