"""Nothing here asks a registry for irsa: nobody has published it, so the name is anybody's to take.

A checkout, a wheel by its file, and the placeholder OWNER are what may be installed, or used.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.tools import ROOT
from tests.support import forks

# irsa, irsa-cli, irsa_cli, with extras or versions: as a word of its own, and no path, option or file.
NAME = (
    r"""(?<![\w./@:-])["']?(?:kubectl[-_.])?irsa(?:[-_.]*cli)?"""
    r"""(?:\[[\w, -]+\])?["']?(?=$|[\s"'`<>=!~;,@)\\])"""
)
FETCHING = (
    r"\b(?:pip[\d.]*|pipx|uv|poetry|pdm|rye|hatch|conda|mamba|pixi|easy_install)\b[^\n|&;#]*?"
    r"\b(?:install|add|run|download|inject|wheel|sync|with|from|create)\b",
    r"\b(?:uvx|npx|bunx|pnpx)\b",
    r"\b(?:npm|pnpm|yarn|bun|gem|cargo|brew|port|snap|apt|apt-get|dnf|yum|apk|choco|scoop|winget|asdf|mise)\b[^\n|&;#]*?"
    r"\b(?:install|add|exec|dlx|i|x|create)\b",
    r"\b(?:kubectl[ -]krew|krew|helm|docker|podman|nerdctl|crane|skopeo)\b[^\n|&;#]*?"
    r"\b(?:install|pull|run|add|copy|inspect|repo)\b",
    r"--(?:with|from|spec|package)[ =]",
)
PATTERNS = (
    *(re.compile(rf"{before}(?:[^\n|&;#]*?){NAME}", re.IGNORECASE) for before in FETCHING),
    # A line of a requirements file, or of a list of dependencies.
    re.compile(
        r"""^\s*(?:-\s+)?["']?irsa(?:[-_.]*cli)?(?:\[[\w, -]+\])?\s*(?:[=<>~!]=|@\s)[^\n]*""",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(r"additional_dependencies:[^\n]*\birsa", re.IGNORECASE),
    re.compile(r"\buses:\s*[\"']?(?!OWNER/)[\w.-]+/irsa[\w-]*[@/]", re.IGNORECASE),
    re.compile(r"\bcomponent:\s*\S*?/(?!OWNER/)[\w.-]+/irsa/", re.IGNORECASE),
    # An image with a place: docker.io/somebody/irsa, ghcr.io/somebody/irsa.
    re.compile(
        r"""(?:\bimage:|\bFROM|\bnewName:|=)\s*["']?(?:docker\.io|ghcr\.io|quay\.io|public\.ecr\.aws|gcr\.io|registry\.gitlab\.com)/"""
        r"""(?!OWNER/)[\w./-]*irsa""",
        re.IGNORECASE,
    ),
)
SELF = ROOT / "tests" / "pipeline" / "test_unowned_names.py"


def unowned(text: str) -> list[str]:
    """What in a text would fetch irsa from a registry."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [found[0] for pattern in PATTERNS for found in pattern.finditer(joined)]


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_no_file_asks_a_registry_for_irsa() -> None:
    found: dict[str, list[str]] = {}
    for path in files():
        if path != SELF and path.is_file() and path.suffix not in (".svg", ".png"):
            text = path.read_text("utf-8", errors="replace")
            if wrong := unowned(text):
                found[path.relative_to(ROOT).as_posix()] = wrong
    assert found == {}


@pytest.mark.parametrize("command", ["--help", "help sandbox", "help sandbox demo"])
def test_no_help_does(command: str) -> None:
    ran = subprocess.run([forks.irsa(), *command.split()], capture_output=True, text=True, check=False)
    assert ran.returncode == 0
    assert unowned(ran.stdout + ran.stderr) == []


def test_the_error_without_the_extra_names_the_checkout() -> None:
    code = (
        "import sys; sys.modules['moto'] = None; sys.modules['irsa_cli.sandbox.stage'] = None;"
        "from irsa_cli.cli.main import run; sys.exit(run(['sandbox', 'run', '--', 'true']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "pip install '.[sandbox]'" in ran.stderr
    assert "checkout" in ran.stderr
    assert unowned(ran.stderr) == []


@pytest.mark.parametrize(
    "text",
    [
        "pip install irsa",
        "pip install irsa-cli",
        "pip3 install --user 'irsa-cli[sandbox]'",
        "python -m pip install -U irsa_cli==1.0",
        "pip download irsa-cli==X.Y.Z --no-deps",
        "pip install boto3 \\\n    irsa-cli",
        "pipx install irsa-cli",
        "pipx run irsa",
        "uv tool install irsa-cli",
        "uv pip install irsa",
        "uvx irsa lint .",
        "uvx --from irsa-cli irsa lint",
        "uv run --with irsa-cli irsa",
        "poetry add irsa-cli",
        "conda install -c conda-forge irsa-cli",
        "Run `pip install irsa-cli` first",
        "irsa-cli==0.1.0",
        "  - irsa-cli>=0.1",
        "additional_dependencies: [irsa-cli]",
        "uses: acme/irsa@v1",
        "kubectl krew install irsa",
        "npm install -g irsa",
        "npx irsa",
        "brew install irsa",
        "docker run irsa lint",
        "docker pull irsa",
        "image: ghcr.io/acme/irsa:1.0",
        "FROM docker.io/acme/irsa",
        "component: gitlab.com/acme/irsa/irsa@1.0",
        "apt-get install -y irsa",
        "helm install irsa",
    ],
)
def test_what_asks_a_registry_is_found(text: str) -> None:
    assert unowned(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install .",
        "pip install '.[sandbox]'",
        "pip install ./irsa",
        ".venv/bin/pip install --quiet --no-deps --no-build-isolation ./irsa",
        '"$place/bin/pip" install --no-deps --no-index "$here"/irsa_cli-*.whl',
        "pip install --require-hashes --no-deps -r irsa/requirements.lock",
        "pipx install .",
        "uses: OWNER/irsa@0000000000000000000000000000000000000000",
        "irsa lint .",
        "Install irsa and run irsa lint",
    ],
)
def test_what_asks_none_is_not(text: str) -> None:
    assert unowned(text) == []
