"""The programs by which files of pipelines are checked: beside this Python, or built by tools/pipeline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.assets import required
from tests.support.documents import doc
from tests.support.stage import READ_ONLY

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "tools" / "pipeline" / "bin"


def program(name: str) -> str:
    """The path of a program; without it a test is skipped, or fails where e2e tests are required."""
    found = shutil.which(name, path=os.pathsep.join([str(BUILT), str(Path(sys.executable).parent)]))
    if found is None:
        said = f"no {name}: pip install '.[pipeline]', and python tools/pipeline/build_checks.py"
        if required():
            pytest.fail(said)
        pytest.skip(said)
    return found


def config_of(cluster: str, *names: str, namespace: str = "backend", policy: str = READ_ONLY) -> str:
    """A ClusterConfig that binds ServiceAccounts to roles with one policy."""
    accounts = [
        {"metadata": {"name": name, "namespace": namespace}, "attachPolicyARNs": [policy]} for name in names
    ]
    document = doc(
        '{"apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig",'
        ' "metadata": {"name": "<cluster>", "region": "eu-west-1"}}',
        cluster=cluster,
    )
    return yaml.safe_dump({**document, "iam": {"serviceAccounts": accounts}})


def ran(name: str, *arguments: str, cwd: Path = ROOT) -> str:
    """What a program prints; it has to end with 0."""
    ended = subprocess.run(
        [program(name), *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=120,
        encoding="utf-8",
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout
