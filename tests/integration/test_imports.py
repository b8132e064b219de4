"""What one run of create-sa imports: each module costs every run, also what no option asked for."""

import subprocess
import sys

import pytest

from irsa_cli.sandbox import Sandbox

MOST = 160
"""Modules of irsa in create-sa with one policy; `make bench` has the processor time that they take."""
PROGRAM = """
import sys
from irsa_cli.cli.main import run
code = run(sys.argv[1:])
print("\\n".join(["", "LOADED", *sys.modules]))
sys.exit(code)
"""
UNNEEDED = {
    "attr",
    "boto3",
    "cattrs",
    "kubernetes",
    "multiprocessing",
    "requests",
    "rich",
    "s3transfer",
    "yaml",
}


def loaded(sandbox: Sandbox, folder: str, *arguments: str) -> list[str]:
    """The modules that a command has imported at its end."""
    command = [sys.executable, "-c", PROGRAM, *arguments, "-c", "demo", "-q"]
    env = {**sandbox.env(), "IRSA_STATE_DIR": folder, "HOME": folder}
    done = subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.partition("\nLOADED\n")[2].split()


@pytest.fixture
def run_of_create_sa(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The modules of a run without options but one policy."""
    folder = str(tmp_path_factory.mktemp("state"))
    loaded(sandbox, folder, "associate-oidc")
    policy = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    return loaded(sandbox, folder, "create-sa", "lean", "--attach-policy-arn", policy)


def test_create_sa_imports_what_it_needs(run_of_create_sa: list[str]) -> None:
    packages = {name.partition(".")[0] for name in run_of_create_sa}
    assert "botocore" in packages
    assert packages & UNNEEDED == set()
    own = [name for name in run_of_create_sa if name.partition(".")[0] == "irsa_cli"]
    assert len(own) <= MOST, "import late what only some options need"
