"""tools/envtest/build.py: when it builds, what it says when it can't, and what it leaves alone.

Go itself is not run here: `.ci/run` does that.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "envtest" / "build.py"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with a bin folder of this test's own and no KUBEBUILDER_ASSETS."""
    spec = importlib.util.spec_from_file_location("envtest_build", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BIN", tmp_path / "bin")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return module


@pytest.fixture
def go(tmp_path: Path, build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go that only writes down how it was called and makes the file it was asked for."""
    command = tmp_path / "go"
    command.write_text(
        '#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n'
        'while [ "$1" != -o ]; do shift; done\necho built > "$2"; chmod +x "$2"\n'
    )
    command.chmod(0o755)
    monkeypatch.setattr(build, "find_go", lambda: str(command))
    return tmp_path / "calls"


def binaries(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("")
        (folder / name).chmod(0o755)
    return folder


def run(assets: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--print-assets"],
        env={"KUBEBUILDER_ASSETS": str(assets), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_given_assets_are_used_and_only_they_are_printed(tmp_path: Path) -> None:
    folder = binaries(tmp_path / "assets", "etcd", "kube-apiserver")
    ended = run(folder)
    assert (ended.returncode, ended.stdout) == (0, f"{folder}\n")


def test_given_assets_without_etcd_fail(tmp_path: Path) -> None:
    ended = run(binaries(tmp_path / "assets", "kube-apiserver"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "etcd" in ended.stderr


def test_without_go_it_says_what_to_do(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda _: None)
    with pytest.raises(build.BuildError, match="KUBEBUILDER_ASSETS"):
        build.assets()
    assert not build.BIN.exists()


def test_builds_both_once(build: ModuleType, go: Path) -> None:
    assert build.assets() == build.BIN
    first = go.read_text().splitlines()
    assert [line.split()[-1] for line in first] == list(build.PACKAGES.values())
    build.assets()
    assert go.read_text().splitlines() == first


def test_builds_again_what_was_built_from_something_else(build: ModuleType, go: Path) -> None:
    build.assets()
    (build.BIN / "etcd.stamp").write_text("of another go.mod")
    build.assets()
    packages = [line.split()[-1] for line in go.read_text().splitlines()]
    assert packages.count(build.PACKAGES["etcd"]) == 2
    assert packages.count(build.PACKAGES["kube-apiserver"]) == 1


def test_a_failed_build_leaves_no_binary(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find_go", lambda: "false")
    with pytest.raises(build.BuildError, match="etcd"):
        build.assets()
    assert not (build.BIN / "etcd").exists()


def test_kubernetes_gets_the_version_of_go_mod(build: ModuleType) -> None:
    version = build.module_version("kube-apiserver")
    major, minor, _ = version.removeprefix("v").split(".")
    flags = build.linker_flags("kube-apiserver")
    assert f"version.gitVersion={version}" in flags
    assert f"version.gitMajor={major}" in flags
    assert f"version.gitMinor={minor}" in flags


def test_all_staging_modules_are_of_one_version(build: ModuleType) -> None:
    text = (build.HERE / "go.mod").read_text()
    minor = build.module_version("kube-apiserver").removeprefix("v1.")
    replaced = [line.split() for line in text.splitlines() if " => k8s.io/" in line]
    assert len(replaced) > 20
    assert {words[-1] for words in replaced} == {f"v0.{minor}"}
    assert all(words[0] == words[2] for words in replaced)
