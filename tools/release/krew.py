"""Create the archive and the manifest of the kubectl plugin, for krew.

    python tools/release/krew.py VERSION OWNER/NAME WHEEL FOLDER

Two runs with the same wheel create identical archives. Standard library only.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KREW = ROOT / "deploy" / "krew"


def archive(version: str, wheel: Path) -> bytes:
    """The archive: the program that krew calls, and what it installs."""
    files = {
        "kubectl-irsa": (KREW / "kubectl-irsa").read_bytes(),
        "VERSION": f"{version}\n".encode(),
        "requirements.lock": (ROOT / "requirements.lock").read_bytes(),
        wheel.name: wheel.read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
    }
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if name == "kubectl-irsa" else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(made.getvalue(), mtime=0)


def main(arguments: list[str]) -> int:
    """Write both."""
    version, repository, wheel, folder = arguments
    if not re.fullmatch(r"v\d+\.\d+\.\d+", version) or not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        print("usage: krew.py vX.Y.Z OWNER/NAME WHEEL FOLDER", file=sys.stderr)
        return 2
    data = archive(version, Path(wheel))
    (Path(folder) / "kubectl-irsa.tar.gz").write_bytes(data)
    text = (KREW / "irsa.yaml").read_text("utf-8")
    values = {"VERSION": version, "REPOSITORY": repository, "SHA256": hashlib.sha256(data).hexdigest()}
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    # The comment is about the template.
    (Path(folder) / "irsa.yaml").write_text(text[text.index("apiVersion:") :], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
