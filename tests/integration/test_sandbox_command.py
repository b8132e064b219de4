"""`irsa sandbox`: what `up` prints, what `run` sets, and that the demo holds."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import forks

IRSA = [sys.executable, "-m", "irsa_cli"]


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**keep, "IRSA_STATE_DIR": str(folder / "state"), **(more or {})}


def run(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*IRSA, *arguments],
        env=environment(folder, env),
        input=stdin,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def start_up(folder: Path) -> subprocess.Popen[str]:
    """Start `irsa sandbox up`."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*IRSA, "sandbox", "up"], env=environment(folder), stdout=pipe, stderr=pipe, text=True
    )


def test_the_demo_holds(tmp_path: Path) -> None:
    ran = run(tmp_path, "sandbox", "demo")
    assert ran.returncode == 0, ran.stderr
    for number in range(1, 7):
        assert f"({number})" in ran.stdout
    assert "The demo passed in" in ran.stdout


PRINTS = "import os, sys; print(os.environ['AWS_ENDPOINT_URL']); sys.exit(7)"
DEPLOYER = "arn:aws:iam::222222222222:role/deployer"
IRSA_IN_IT = f"-- {forks.irsa()}"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (f"-- {sys.executable} -c {shlex.quote(PRINTS)}", 7, "http://127.0.0.1:"),
        (
            f"{IRSA_IN_IT} create-sa app -n apps -c demo --role-account 222222222222 --role-assume-role"
            f" {DEPLOYER}"
            " --associate-oidc --no-policy --verify -o json",
            0,
            "arn:aws:iam::222222222222:role/irsa/demo/demo-apps-app",
        ),
        (
            f"--cluster blue:us-west-2:222222222222 {IRSA_IN_IT} associate-oidc -c blue -o json",
            0,
            "arn:aws:eks:us-west-2:222222222222:cluster/blue",
        ),
        ("-- no-such-command", 127, "no-such-command"),
        ("--world see --cluster blue", 2, "leave out --cluster"),
        ("--regio eu-west-1", 2, "--regio"),
    ],
)
def test_run(tmp_path: Path, line: str, code: int, said: str) -> None:
    ran = run(tmp_path, "sandbox", "run", *shlex.split(line))
    assert ran.returncode == code, ran.stderr
    assert said in ran.stdout + ran.stderr
    # What is done in a sandbox leaves no journal behind.
    assert "No transactions" in run(tmp_path, "history").stdout


def test_up_prints_what_a_shell_needs_and_ends_on_a_signal(tmp_path: Path) -> None:
    with start_up(tmp_path) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        assert "The sandbox is running" in up.stderr.readline()
        up.send_signal(signal.SIGTERM)
        out, _ = up.communicate(timeout=30)
    assert up.returncode == 0
    exported = dict(line.removeprefix("export ").split("=", 1) for line in out.splitlines())
    assert exported["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} <= set(exported)


def test_up_serves_commands_of_another_shell(tmp_path: Path) -> None:
    with start_up(tmp_path) as up:
        try:
            assert up.stdout is not None
            assert up.stderr is not None
            assert "The sandbox is running" in up.stderr.readline()
            env = {}
            while "AWS_REGION" not in env or "AWS_ENDPOINT_URL" not in env:
                name, value = up.stdout.readline().removeprefix("export ").strip().split("=", 1)
                env[name] = value
            assert run(tmp_path, "associate-oidc", "-c", "demo", env=env).returncode == 0
        finally:
            up.terminate()


def test_run_without_a_command_starts_a_shell_in_the_world_of_a_page(tmp_path: Path) -> None:
    text = f"{forks.irsa()} get-sa -n web -c demo -o name\nexit 3\n"
    ran = run(tmp_path, "sandbox", "run", "--world", "delete", env={"SHELL": "/bin/sh"}, stdin=text)
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout == "web/shop\n"
    assert ran.stderr == "This shell is in the sandbox, with cluster demo. Type exit to leave it.\n"
