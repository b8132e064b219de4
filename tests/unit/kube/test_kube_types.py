"""The types of fields that irsa checks answers by are those of the Kubernetes client's models."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_table_has_all_that_the_installed_models_have() -> None:
    tool = [sys.executable, "tools/docs/kube_types.py", "--check"]
    assert subprocess.run(tool, cwd=ROOT, check=False).returncode == 0
