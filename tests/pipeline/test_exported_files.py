"""What `irsa export` writes, read by the tools that it is for: kustomize, Terraform and its AWS provider."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import unicodedata
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.export.formats import FORMATS, joined
from irsa_cli.core.export.terraform import ExportedRole, terraform
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import RoleState
from tests.pipeline.tools import ran
from tests.support.stage import Stage
from tests.support.thoroughness import examples
from tests.unit.export.test_formats import ANNOTATIONS, account, export
from tests.unit.export.test_terraform import KNOWN, WHOLE

TERRAFORM = shutil.which("terraform")
PLUGINS = Path("/opt/tf-plugins")
"""Where the AWS provider is on machines that have it."""
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="there is no terraform")


def test_kustomize_builds_an_overlay_with_the_component(tmp_path: Path) -> None:
    files = {
        "kustomization.yaml": "namespace: backend\nresources: [base]\ncomponents: [irsa]\n",
        "base/kustomization.yaml": "resources: [account.yaml]\n",
        "base/account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: app\n",
        "irsa/kustomization.yaml": joined(FORMATS["kustomize"](export(account("app")))),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    built = yaml.safe_load(ran("kustomize", "build", str(tmp_path)))
    assert built["metadata"] == {"name": "app", "namespace": "backend", "annotations": ANNOTATIONS}


def run_terraform(
    folder: Path, *arguments: str, given_input: str = "", env: Mapping[str, str] = os.environ
) -> str:
    """The standard output of terraform, without colours and without a look at its vendor's servers."""
    run = subprocess.run(
        [str(TERRAFORM), *arguments],
        cwd=folder,
        input=given_input,
        env={**env, "CHECKPOINT_DISABLE": "1", "TF_CLI_ARGS": "-no-color"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@needs_terraform
def test_terraform_has_nothing_to_format(tmp_path: Path) -> None:
    text = terraform([ExportedRole("backend", "app", WHOLE)], KNOWN)
    (tmp_path / "roles.tf").write_text(text, encoding="utf-8")
    assert run_terraform(tmp_path, "fmt", "-check") == ""


SETTINGS = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}
"""


@needs_terraform
@pytest.mark.skipif(not PLUGINS.exists(), reason="the AWS provider of Terraform is not on this machine")
def test_a_plan_imports_the_roles_and_changes_nothing(stage: Stage) -> None:
    document = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}'
    (stage.folder / "own.json").write_text(document, encoding="utf-8")
    more = "--inline-policy own.json --tags team=a --description 'for ${app}' --max-session-duration 2h"
    stage.run(f"create-sa app -n backend --attach-policy-arn $S3 {more} --role-only -q")
    stage.run("export --to terraform --out tf/roles.tf -q")
    folder = stage.folder / "tf"
    (folder / "settings.tf").write_text(SETTINGS, encoding="utf-8")
    run_terraform(folder, "init", f"-plugin-dir={PLUGINS}")
    plan = run_terraform(folder, "plan", env=stage.env("admin"))
    assert "Plan: 4 to import, 0 to add, 0 to change, 0 to destroy." in plan


special = ("${a}", "%{ if }", '"', "\\", "\n", "\x07", "\x7f", "$${", "é")
texts = st.builds(  # Terraform brings every text into this form.
    unicodedata.normalize,
    st.just("NFC"),
    st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(special),
)
values = st.recursive(
    texts | st.booleans() | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@needs_terraform
@settings(max_examples=examples(100), deadline=None)
@given(documents=st.lists(st.dictionaries(texts, values, min_size=1, max_size=3), min_size=5, max_size=9))
def test_terraform_reads_the_same_documents(
    tmp_path_factory: pytest.TempPathFactory, documents: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("documents")
    lines = ["locals {"]
    for number, document in enumerate(documents):
        role = Role(WHOLE.arn, RoleState("/", document))
        written = terraform([ExportedRole("a", "b", role)]).partition("assume_role_policy = ")[2]
        lines.append(f"  document_{number} = {written.rpartition('}')[0]}")
    (folder / "main.tf").write_text("\n".join([*lines, "}", ""]), encoding="utf-8")
    names = ", ".join(f"local.document_{number}" for number in range(len(documents)))
    answer = run_terraform(folder, "console", given_input=f"base64encode(jsonencode([{names}]))\n")
    assert [json.loads(text) for text in json.loads(b64decode(answer))] == documents
