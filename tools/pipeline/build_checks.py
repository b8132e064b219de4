"""Build what the tests of pipelines are checked by: actionlint, kustomize, validate-krew-manifest, Helm.

    python tools/pipeline/build_checks.py

The versions are those in go.mod, next to this file (of Helm: in its folder), and go.sum has their checksums;
nothing is downloaded but Go modules. What is up to date is not built again. Standard library only.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = HERE / "bin"
HELM = HERE / "helm"
PACKAGES = {
    "actionlint": (HERE, "github.com/rhysd/actionlint/cmd/actionlint"),
    "kustomize": (HERE, "sigs.k8s.io/kustomize/kustomize/v5"),
    "validate-krew-manifest": (HERE, "sigs.k8s.io/krew/cmd/validate-krew-manifest"),
    "helm": (HELM, "."),
}
"""The programs: the folder of their module, and their package."""


def stamp(folder: Path) -> str:
    """A digest of what a module's programs are built from."""
    sources = [folder / "go.mod", folder / "go.sum", *sorted(folder.glob("*.go"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def built(name: str) -> Path | None:
    """The program, if it exists with the current versions."""
    note = BIN / f"{name}.stamp"
    current = stamp(PACKAGES[name][0])
    whole = os.access(BIN / name, os.X_OK) and note.exists() and note.read_text() == current
    return BIN / name if whole else None


def main() -> int:
    """Build what is missing: 0 when all is there, else 1."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    for name, (folder, package) in PACKAGES.items():
        if built(name):
            continue
        if go is None:
            print("pipeline: no Go toolchain found: install Go 1.26 (https://go.dev/dl/)", file=sys.stderr)
            return 1
        print(f"pipeline: building {name}", file=sys.stderr, flush=True)
        BIN.mkdir(exist_ok=True)
        unfinished = BIN / f"{name}.new"
        command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(unfinished), package]
        # Without cgo the result does not depend on the C library here.
        environment = {**os.environ, "CGO_ENABLED": "0"}
        if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
            return 1
        unfinished.replace(BIN / name)
        (BIN / f"{name}.stamp").write_text(stamp(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
