"""What is installed, and by what: the lock file, the plugin of kubectl, the action's own installation."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, distribution, entry_points, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from irsa_cli import __version__
from tests.pipeline.conftest import MakeJob
from tests.pipeline.tools import ROOT, ran
from tests.support.sandbox_clients import trust

LOCKED = re.compile(
    r"^([\w.-]+)==(\S+)(?: ; (.+?))? \\$\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def locked(path: Path) -> dict[NormalizedName, str]:
    """The packages of a lock file, each with its version; every one has hashes."""
    text = path.read_text("utf-8")
    found = {canonicalize_name(name): version for name, version, _, _ in LOCKED.findall(text)}
    named = re.findall(r"^([\w.-]+)==", text, re.MULTILINE)
    assert {canonicalize_name(name) for name in named} == set(found)
    return found


def needed_by(name: str) -> list[str]:
    """What a package requires; nothing is known of one that is for other Pythons than this."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.13"])
def test_the_lock_file_has_all_that_irsa_needs(python: str) -> None:
    """Directly and through others, with each Python."""
    assert closure(python) <= set(locked(ROOT / "requirements.lock")), "run tools/release/lock.sh"


def closure(python: str) -> set[NormalizedName]:
    """What irsa requires with a Python, directly and through others."""
    asked, wanted = ["irsa-cli"], set[NormalizedName]()
    here = {"extra": "", "python_version": python, "python_full_version": f"{python}.0"}
    while asked:
        for text in needed_by(asked.pop()):
            requirement = Requirement(text)
            name = canonicalize_name(requirement.name)
            if name in wanted or (requirement.marker and not requirement.marker.evaluate(here)):
                continue
            wanted.add(name)
            asked.append(name)
    return wanted


LOCKS = (ROOT / "requirements.lock", ROOT / "tools" / "release" / "requirements.lock")


def test_the_lock_files_have_the_versions_that_tests_run_with_and_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    split = (line.partition("==") for line in lines)
    pinned: dict[str, str] = {canonicalize_name(name): version for name, _, version in split}
    for path in LOCKS:
        named = {(name, version) for name, version in locked(path).items() if name in pinned}
        assert named <= set(pinned.items())
        assert "://" not in path.read_text("utf-8")


def test_both_commands_are_installed() -> None:
    found = {point.name: point.value for point in entry_points(group="console_scripts") if point.dist}
    assert found["irsa"] == "irsa_cli.__main__:main"
    assert found["kubectl-irsa"] == "irsa_cli.__main__:kubectl"
    assert distribution("irsa-cli").version == __version__


def plugin(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the plugin as kubectl does."""
    program = Path(sys.executable).parent / "kubectl-irsa"
    return subprocess.run([str(program), *arguments], capture_output=True, check=False, encoding="utf-8")


def test_the_plugin_calls_itself_as_it_is_called() -> None:
    shown = plugin("help", "create-sa").stdout
    assert shown.startswith("Usage: kubectl irsa create-sa ")
    examples = shown.partition("Examples:")[2]
    assert "kubectl irsa create-sa s3-reader" in examples
    assert not re.search(r"(?<!kubectl )\birsa create-sa", examples)
    wrong = plugin("create-sa", "--nothing", "-o", "json")
    assert wrong.returncode == 2
    assert "For help: kubectl irsa create-sa --help" in wrong.stderr
    assert json.loads(wrong.stdout)["metadata"]["command"] == "create-sa"


def test_the_plugin_for_krew(tmp_path: Path) -> None:
    """Its manifest is one by krew's own check, and names the archive; two archives are the same."""
    wheel = tmp_path / "irsa_cli-1.2.3-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    script = ROOT / "tools" / "release" / "krew.py"
    texts = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        command = [sys.executable, str(script), "v1.2.3", "acme/irsa", str(wheel), str(folder)]
        subprocess.run(command, check=True)
        texts.append((folder / "irsa.yaml").read_bytes() + (folder / "kubectl-irsa.tar.gz").read_bytes())
    assert texts[0] == texts[1]
    manifest = tmp_path / "first" / "irsa.yaml"
    ran("validate-krew-manifest", "-skip-install", "-manifest", str(manifest))
    (platform,) = yaml.safe_load(manifest.read_text("utf-8"))["spec"]["platforms"]
    data = (tmp_path / "first" / "kubectl-irsa.tar.gz").read_bytes()
    assert platform["sha256"] == hashlib.sha256(data).hexdigest()
    with tarfile.open(tmp_path / "first" / "kubectl-irsa.tar.gz") as tar:
        modes = {entry.name: entry.mode for entry in tar}
    assert modes[platform["bin"]] == 0o755
    assert {wheel.name, "requirements.lock", "VERSION"} <= set(modes)


def test_the_action_installs_irsa_by_the_hashes_of_its_own_checkout(job: MakeJob) -> None:
    """For real, once; no credentials are there meanwhile, and a second use in the job finds it."""
    mine = job()
    # The sandbox's proxy leads nowhere else; the machine's own settings lead to packages.
    own = {
        name: value for name, value in mine.env.items() if name.startswith(("GITHUB_", "RUNNER_", "TEST_"))
    }
    mine.env = {**os.environ, **own}
    used = mine.use(command="history", version=__version__)
    assert not used.failed, used.log
    program = used.step("Install irsa").outputs["program"]
    assert Path(program).is_relative_to(mine.temp)
    assert mine.env["PATH"].split(os.pathsep)[0] == str(Path(program).parent)
    again = mine.use(command="history")
    assert again.step("Install irsa").outputs["program"] == program


def test_the_hook_for_pre_commit_installs_by_hashes(tmp_path: Path) -> None:
    """For real, once, from a copy of the checkout as pre-commit has it; later calls find it."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = (
        *("irsa_cli/", "docs/", "man/", "ci/", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE"),
        *("requirements.lock", "CHANGELOG.md"),
    )
    clone = tmp_path / "clone"
    for name in (name for name in listed.splitlines() if name.startswith(wanted)):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    program = clone / hook["entry"]
    for line in re.findall(r"pip\" install.*", program.read_text("utf-8")):
        assert "--no-deps" in line
        assert "--require-hashes -r" in line or line.rstrip(" >&2").endswith('"$root"')
    (tmp_path / "wide.json").write_text(trust("*"))
    (tmp_path / "other.yaml").write_text("a: 1\n")
    for files, code in ((["other.yaml"], 0), (["wide.json", "other.yaml"], 5)):
        ended = subprocess.run([str(program), *files], cwd=tmp_path, capture_output=True, check=False)
        assert ended.returncode == code, ended.stderr.decode()


BACKEND = re.compile(r"^(?:hatchling|packaging|pathspec|pluggy|tomli|tomlkit|trove-classifiers)==")


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the build backend of requirements.lock."""
    folder = tmp_path_factory.mktemp("backend")
    entries = re.split(r"(?m)^(?=[a-z])", (ROOT / "requirements.lock").read_text("utf-8"))
    (folder / "lock.txt").write_text("".join(entry for entry in entries if BACKEND.match(entry)), "utf-8")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r"]
    subprocess.run([*pip, str(folder / "lock.txt")], check=True)
    return python


def built(backend: Path, folder: Path, url: str) -> tuple[list[str], str, str]:
    """The names in the source archive, and the headers and description of the wheel."""
    env = {**os.environ, "IRSA_PROJECT_URL": url, "IRSA_PROJECT_REF": "v1"}
    command = [str(backend), "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(source) as tar:
        names = [name.partition("/")[2] for name in tar.getnames()]
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers, _, text = archive.read(metadata).decode().partition("\n\n")
    return names, headers, text


SOURCE = {
    *("irsa_cli", "docs", "man", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
    *("pyproject.toml", "hatch_build.py", "PKG-INFO", ".gitignore"),
}
"""In the source archive. Tests and tools need the git checkout: its list of files, a control plane."""


def test_a_package_index_gets_no_relative_link(backend: Path, tmp_path: Path) -> None:
    names, headers, text = built(backend, tmp_path / "none", "")
    assert set(Counter(name.partition("/")[0] for name in names)) == SOURCE
    assert {"docs/index.md", "man/man1/irsa.1"} <= set(names)
    assert set(re.findall(r"\]\((\w*)", text)) == {"https"}
    assert "`irsa docs how-to/recover`" in text
    assert "Project-URL" not in headers
    _, headers, text = built(backend, tmp_path / "url", "https://example.org/acme/irsa/")
    assert "](https://example.org/acme/irsa/raw/v1/docs/assets/terminal.svg)" in text
    assert "](https://example.org/acme/irsa/blob/v1/docs/how-to/recover.md)" in text
    assert set(re.findall(r"\]\((\w*)", text)) == {"https"}
    urls = HeaderParser().parsestr(headers).get_all("Project-URL") or []
    assert "Repository, https://example.org/acme/irsa" in urls


def test_the_image_has_what_irsa_needs_at_run_time_and_nothing_that_builds() -> None:
    text = (ROOT / "Containerfile").read_text("utf-8")
    (program,) = re.findall(r"awk '([^']+)'", text)
    kept = subprocess.run(
        ["awk", program, "requirements.lock"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    names = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", kept, re.MULTILINE)}
    wanted = set[NormalizedName]()
    for python in ("3.10", "3.11"):
        wanted |= closure(python)
    assert names == wanted
    assert kept.count("==") == len(names)
    assert kept.count("--hash=sha256:") >= len(names)
    assert not {"pip", "setuptools", "wheel", "hatchling", "build"} & names
    runtime = text.rpartition("\nFROM ")[2]
    assert "RUN " not in runtime
    assert re.findall(r"^COPY (.+)$", runtime, re.MULTILINE) == ["--from=build /irsa /irsa"]


def test_all_that_the_image_copies_reaches_its_build() -> None:
    ignored = (ROOT / ".containerignore").read_text("utf-8").splitlines()
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", (ROOT / "Containerfile").read_text("utf-8"))
    assert {f"!{name}" for line in copied for name in line.split()} <= set(ignored)


def test_the_image_is_built_of_all_that_a_wheel_has() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    shared = project.partition("[tool.hatch.build.targets.wheel.shared-data]\n")[2].partition("\n\n")[0]
    folders = {line.partition(" = ")[0] for line in shared.splitlines()} | {"irsa_cli"}
    copied = re.findall(r"(?m)^COPY (\w+) \./\1$", (ROOT / "Containerfile").read_text("utf-8"))
    assert set(copied) == folders
