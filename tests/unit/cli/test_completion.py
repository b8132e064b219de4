"""`irsa completion`: through the script that it prints, in the shells that are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from irsa_cli.cli.main import irsa

PROGRAM = Path(sys.executable).with_name("irsa")


def env(tmp_path: Path) -> dict[str, str]:
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    head = (
        '{"context": {"cluster": "arn:aws:eks:eu-west-1:1:cluster/prod", "serviceAccount": "backend/reader"}}'
    )
    (state / "1.jsonl").write_text(head, encoding="utf-8")
    return {
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "IRSA_STATE_DIR": str(state),
        "KUBECONFIG": str(tmp_path / "none"),
    }


def in_bash(tmp_path: Path, *words: str) -> list[str]:
    """What bash completes the last word to."""
    script = (
        'source <(irsa completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))\n'
        '_irsa_completion irsa; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", "irsa", *words],
        capture_output=True, text=True, check=True, env=env(tmp_path), cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not PROGRAM.exists() or not shutil.which("bash"), reason="needs bash and irsa installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("create-s", "create-sa"),
        ("get-sa --all-n", "--all-namespaces"),
        ("get-sa -c p", "prod"),
        ("verify -n backend -c prod r", "reader"),
        ("verify -c prod r", ""),
        ("verify -n b", "backend"),
        ("audit --service-account b", "backend/reader"),
        ("create-sa x --well-known-policy ext", "externalDNS externalSecrets"),
        ("create-sa x --attach-policy-arn AmazonSSM", "AmazonSSMReadOnlyAccess"),
        ("get-sa -r eu-west-3", "eu-west-3"),
        ("get-sa -o js", "json"),
        ("audit -o js", "json"),
    ],
)
def test_bash_completes(tmp_path: Path, line: str, expected: str) -> None:
    assert in_bash(tmp_path, *line.split()) == expected.split()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_another_shell_is_one(tmp_path: Path, shell: str) -> None:
    script = CliRunner().invoke(irsa, ["completion", shell], prog_name="irsa").output
    assert "_IRSA_COMPLETE" in script
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script, encoding="utf-8")
        subprocess.run([shell, "-n", str(path)], check=True, timeout=60)


@pytest.mark.parametrize("words", ["irsa ", "irsa create-sa --", "irsa verify -n "])
def test_completing_imports_nothing_heavy(tmp_path: Path, words: str) -> None:
    script = (
        "import sys\nfrom irsa_cli.cli.main import run\ntry:\n    run()\nexcept SystemExit:\n    pass\n"
        "heavy = {'boto3', 'botocore', 'kubernetes', 'rich'} & {it.partition('.')[0] for it in sys.modules}\n"
        "assert not heavy, heavy"
    )
    given = {
        **env(tmp_path),
        "_IRSA_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - (words[-1] != " ")),
    }
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, env=given, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("plain,")
