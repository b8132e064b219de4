"""`irsa preflight --self`: two copies of one version are the same file, byte for byte."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from irsa_cli.preflight import onefile
from tests.scenarios.test_preflight import PYTHONS

FOLDER = Path(onefile.__file__).parent


def built(root: Path, umask: int, seed: int) -> tuple[bytes, str]:
    """The file that the copy of irsa in this folder writes, and what it says about it."""
    env = {"PYTHONPATH": str(root), "PYTHONHASHSEED": str(seed), "TZ": f"UTC{seed - 5}"}
    command = [sys.executable, "-m", "irsa_cli.preflight", "--self"]
    ended = subprocess.run(command, env=env, cwd=root, capture_output=True, check=True, umask=umask)
    return ended.stdout, ended.stderr.decode()


def copied(root: Path, moment: float, mode: int) -> Path:
    target = root / "irsa_cli" / "preflight"
    target.mkdir(parents=True)
    (root / "irsa_cli" / "__init__.py").write_text("# another one\n")
    for path in sorted(FOLDER.iterdir(), reverse=bool(mode & 1)):
        if path.is_file():
            copy = target / path.name
            shutil.copyfile(path, copy)
            copy.chmod(mode)
            os.utime(copy, (moment, moment))
    return root


def test_the_same_bytes_from_each_copy(tmp_path: Path) -> None:
    first = built(copied(tmp_path / "a", 1_000_000_000, 0o644), 0o022, 1)
    other = copied(tmp_path / "longer" / "b", 1_700_000_000, 0o755)
    (other / "irsa_cli" / "preflight" / "stray.py").write_text("pass\n")
    second = built(other, 0o077, 2)
    assert first == second
    assert first[0] == onefile.one_file()
    assert first[1] == f"sha256 {hashlib.sha256(first[0]).hexdigest()}\n"


@pytest.mark.parametrize("python", PYTHONS or [sys.executable])
def test_the_file_writes_itself_with_each_python(tmp_path: Path, python: str) -> None:
    file = tmp_path / "preflight.pyz"
    file.write_bytes(onefile.one_file())
    command = [python, "-I", "-S", str(file), "--self"]
    ended = subprocess.run(command, cwd="/", capture_output=True, check=True)
    assert ended.stdout == file.read_bytes()


def test_every_file_of_preflight_is_in_it() -> None:
    assert sorted(onefile.FILES) == sorted(path.name for path in FOLDER.iterdir() if path.is_file())
