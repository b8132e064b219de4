"""Build the real kube-apiserver and etcd that end-to-end tests run against.

    python tools/envtest/build.py                  build what is missing or out of date
    python tools/envtest/build.py --print-assets   the same, then print only the folder on stdout

With KUBEBUILDER_ASSETS set nothing is built: that folder has to have both binaries. The versions are
those in go.mod, next to this file; nothing is downloaded but Go modules. Standard library only, so that
any Python runs it before anything is installed.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = HERE / "bin"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}
MODULES = {"etcd": "go.etcd.io/etcd/server/v3", "kube-apiserver": "k8s.io/kubernetes"}


class BuildError(Exception):
    """What is wrong and what to do about it."""


def say(message: str) -> None:
    """Tell a person; stdout belongs to --print-assets."""
    print(f"envtest: {message}", file=sys.stderr, flush=True)


def given_assets() -> Path | None:
    """Return the folder that KUBEBUILDER_ASSETS names, None when it is not set."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if not named:
        return None
    folder = Path(named)
    missing = [name for name in PACKAGES if not os.access(folder / name, os.X_OK)]
    if missing:
        raise BuildError(f"KUBEBUILDER_ASSETS={named} has no {' and no '.join(missing)}")
    return folder


def module_version(name: str) -> str:
    """Return the version of a binary, as go.mod requires it."""
    found = re.search(rf"\s{re.escape(MODULES[name])} (v\S+)", (HERE / "go.mod").read_text())
    if found is None:
        raise BuildError(f"go.mod does not require {MODULES[name]}")
    return found[1]


def linker_flags(name: str) -> str:
    """No symbol tables, and for Kubernetes the version that /version is to show."""
    flags = ["-s", "-w"]
    if name == "kube-apiserver":
        version = module_version(name)
        major, minor = version.removeprefix("v").split(".")[:2]
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        flags += [f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items()]
    return " ".join(flags)


def stamp(name: str) -> str:
    """Return a digest of what a binary is built from; it changes when it has to be built again."""
    source = (HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes()
    return hashlib.sha256(source + linker_flags(name).encode()).hexdigest()


def up_to_date(name: str) -> bool:
    """Whether the binary is there and of the present go.mod, go.sum and flags."""
    note = BIN / f"{name}.stamp"
    return os.access(BIN / name, os.X_OK) and note.exists() and note.read_text() == stamp(name)


def find_go() -> str:
    """Return the path of the Go command."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        raise BuildError(
            "no Go toolchain found. Install Go 1.26 (https://go.dev/dl/), or set KUBEBUILDER_ASSETS to a "
            "folder that has etcd and kube-apiserver"
        )
    return go


def wait(process: subprocess.Popen[bytes], name: str, started: float) -> int:
    """Wait for the end of a build, with a message every half minute; returns its status."""
    while True:
        try:
            return process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            say(f"still building {name}: {time.monotonic() - started:.0f} s so far")


def build(name: str, go: str) -> None:
    """Build one binary into bin/; it appears there only when it is whole."""
    say(f"building {name} {module_version(name)} (the first time takes some minutes)")
    started = time.monotonic()
    unfinished = BIN / f"{name}.new"
    command = [go, "build", "-trimpath", "-ldflags", linker_flags(name), "-o", str(unfinished)]
    # Without cgo no C compiler is needed, and the result does not depend on the C library here.
    environment = {**os.environ, "CGO_ENABLED": "0"}
    status = wait(subprocess.Popen([*command, PACKAGES[name]], cwd=HERE, env=environment), name, started)
    if status != 0:
        raise BuildError(f"go build of {name} failed with status {status}; its output is above")
    unfinished.replace(BIN / name)
    (BIN / f"{name}.stamp").write_text(stamp(name))
    size = (BIN / name).stat().st_size / 1e6
    say(f"built {name}: {size:.0f} MB in {time.monotonic() - started:.0f} s")


def assets() -> Path:
    """Return the folder with both binaries, built if need be."""
    folder = given_assets()
    if folder is not None:
        say(f"using KUBEBUILDER_ASSETS={folder}, nothing to build")
        return folder
    stale = [name for name in PACKAGES if not up_to_date(name)]
    if not stale:
        say(f"{BIN} is up to date")
        return BIN
    go = find_go()
    BIN.mkdir(exist_ok=True)
    for name in stale:
        build(name, go)
    return BIN


def main() -> int:
    """Run from the command line: 0 when both binaries are there, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--print-assets", action="store_true", help="print the folder on stdout")
    arguments = parser.parse_args()
    try:
        folder = assets()
    except BuildError as error:
        say(f"error: {error}")
        return 1
    if arguments.print_assets:
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
