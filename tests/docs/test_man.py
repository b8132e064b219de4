"""The man pages are those of the command line, and groff reads them without a complaint."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.docs.console import ROOT

MAN: Any = importlib.import_module("tools.docs.man")


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
