"""`irsa sandbox`: what `up` prints, what `run` sets, and that the demo holds."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support import forks

IRSA = [sys.executable, "-m", "irsa_cli"]


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**keep, "IRSA_STATE_DIR": str(folder / "state"), **(more or {})}


def run(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*IRSA, *arguments],
        env=environment(folder, env),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
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


def test_run_passes_the_exit_code_and_sets_the_environment(tmp_path: Path) -> None:
    script = "import os, sys; print(os.environ['AWS_ENDPOINT_URL']); sys.exit(7)"
    ran = run(tmp_path, "sandbox", "run", "--", sys.executable, "-c", script)
    assert ran.returncode == 7
    assert ran.stdout.startswith("http://127.0.0.1:")


def test_roles_can_be_kept_in_its_second_account(tmp_path: Path) -> None:
    deployer = "arn:aws:iam::222222222222:role/deployer"
    there = ("--role-account", "222222222222", "--role-assume-role", deployer, "--associate-oidc")
    flags = ("--no-policy", "--verify", "-o", "json")
    create = (forks.irsa(), "create-sa", "app", "-n", "apps", "-c", "demo", *there, *flags)
    ran = run(tmp_path, "sandbox", "run", "--", *create)
    assert ran.returncode == 0, ran.stderr
    assert "arn:aws:iam::222222222222:role/irsa/demo/demo-apps-app" in ran.stdout


def test_what_is_done_in_a_sandbox_leaves_no_journal_behind(tmp_path: Path) -> None:
    ran = run(tmp_path, "sandbox", "run", "--", forks.irsa(), "associate-oidc", "-c", "demo")
    assert ran.returncode == 0, ran.stderr
    assert "No transactions" in run(tmp_path, "history").stdout


def test_run_gives_irsa_a_cluster_where_it_is_asked_for(tmp_path: Path) -> None:
    command = [forks.irsa(), "associate-oidc", "-c", "blue", "-o", "json"]
    ran = run(tmp_path, "sandbox", "run", "--cluster", "blue:us-west-2:222222222222", "--", *command)
    assert ran.returncode == 0, ran.stderr
    assert "arn:aws:eks:us-west-2:222222222222:cluster/blue" in ran.stdout


def test_run_of_a_command_that_is_not_there(tmp_path: Path) -> None:
    ran = run(tmp_path, "sandbox", "run", "--", "no-such-command")
    assert ran.returncode == 127
    assert "no-such-command" in ran.stderr


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


def typed(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*IRSA, "sandbox", "run", *options],
        env=environment(folder, {"SHELL": "/bin/sh"}),
        input=text,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_run_without_a_command_starts_a_shell_in_the_world_of_a_page(tmp_path: Path) -> None:
    ran = typed(tmp_path, f"{forks.irsa()} get-sa -n web -c demo -o name\nexit 3\n", "--world", "delete")
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout == "web/shop\n"
    assert ran.stderr == "This shell is in the sandbox, with cluster demo. Type exit to leave it.\n"


def test_a_world_has_a_cluster_of_its_own(tmp_path: Path) -> None:
    ran = typed(tmp_path, "", "--world", "see", "--cluster", "blue")
    assert ran.returncode == 2
    assert "leave out --cluster" in ran.stderr


def test_an_option_that_run_does_not_have_is_named(tmp_path: Path) -> None:
    ran = typed(tmp_path, "", "--regio", "eu-west-1")
    assert ran.returncode == 2
    assert "No such option" in ran.stderr
    assert "--regio" in ran.stderr
