"""The man pages are those of the command line, and groff reads them without a complaint."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("man_pages", ROOT / "tools/docs/man.py")
assert SPEC is not None
assert SPEC.loader is not None
MAN = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MAN)


def test_they_are_fresh() -> None:
    """In a process of its own: other tests add commands and options to those of this one."""
    ended = subprocess.run([sys.executable, "tools/docs/man.py", "--check"], cwd=ROOT, check=False)
    assert ended.returncode == 0


def test_each_is_a_page() -> None:
    for name, text in MAN.pages().items():
        assert text.startswith(f'.TH "{name.removesuffix(".1").upper()}"'.replace("-", r"\-"))
        assert re.findall(r"(?m)^\.SH (.*)$", text)[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
        requests = set(re.findall(r"(?m)^[.'](\w*)", text))
        assert requests <= {"TH", "SH", "SS", "PP", "TP", "B", "BR", "EX", "EE"}
        assert text.isascii()


def test_what_groff_would_take_for_a_request_is_a_text() -> None:
    assert MAN._text(".irsa.yaml's \\n -x") == r"\&.irsa.yaml\(aqs \en \-x"


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff")
def test_groff_reads_them() -> None:
    for path in sorted((ROOT / "man/man1").glob("*.1")):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", path], capture_output=True, text=True, check=True, timeout=60
        )
        assert not done.stderr, (path.name, done.stderr)
        assert "Environment: IRSA_CLUSTER." in done.stdout or path.name != "irsa-get-sa.1"
