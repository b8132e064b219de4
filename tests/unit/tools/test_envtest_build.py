"""tools/envtest/build.py: when it builds, what it says when it can't, and what it leaves alone.

Go itself is not run here: `.ci/run` does that.
"""

import importlib.util
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
