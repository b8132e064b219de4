"""Where the real kube-apiserver and etcd are, and whether tests that need them must run.

`KUBEBUILDER_ASSETS` names a folder that has both (as for any user of envtest); without it,
tools/envtest/bin is where tools/envtest/build.py puts them. Nothing is built from here.
"""

import os
from pathlib import Path

BINARIES = ("etcd", "kube-apiserver")
_BUILT = Path(__file__).resolve().parents[2] / "tools" / "envtest" / "bin"


def find_assets() -> Path | None:
    """Return the folder with both binaries, None when there is none."""
    folder = Path(os.environ.get("KUBEBUILDER_ASSETS") or _BUILT)
    return folder if all(os.access(folder / name, os.X_OK) for name in BINARIES) else None


def required() -> bool:
    """Tell whether missing binaries are a failure (IRSA_E2E=required)."""
    return os.environ.get("IRSA_E2E", "").lower() == "required"


def missing() -> str:
    """Say in one line what is not there and how to get it."""
    what = f"no {' and '.join(BINARIES)}"
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if named:
        return f"{what} in KUBEBUILDER_ASSETS={named}"
    return f"{what} in tools/envtest/bin; build them with: python tools/envtest/build.py"
