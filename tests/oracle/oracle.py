"""@cloud-copilot/iam-simulate as a process: installed by the tests where node is there.

It is not part of irsa, never imported by it, and not kept in the project: `package.json` names the version.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".cache" / "oracle"
SECONDS = 300
ALLOWED = "Allowed"
Json = dict[str, Any]


def install() -> Path:
    """Install what `package.json` names, once for all processes; skips the test where that can't be done."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no node and npm here: nothing to compare with")
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (HERE / "package.json").read_text()
        installed = HOME / "package.json"
        if not installed.exists() or installed.read_text() != wanted or not (HOME / "done").exists():
            installed.write_text(wanted)
            command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
            result = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=SECONDS)
            if result.returncode:
                pytest.skip(f"npm could not install what to compare with: {result.stderr[-300:]}")
            (HOME / "done").touch()
    return HOME


def verdicts(requests: Sequence[Json]) -> list[str]:
    """What it says to each: "Allowed", "ImplicitlyDenied" or "ExplicitlyDenied"."""
    result = subprocess.run(
        ["node", str(HERE / "authorize.mjs"), str(install())],
        input="\n".join(map(json.dumps, requests)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(found) == len(requests), result.stderr
    assert not [item for item in found if item.startswith("Error")]
    return found
