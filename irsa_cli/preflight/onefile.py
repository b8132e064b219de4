"""Preflight as one file (zipapp): the same bytes from each place, Python and copy of the same version."""

from __future__ import annotations

import io
import pkgutil
import zipfile

PACKAGE = "irsa_cli.preflight"
FILES = (
    "__init__.py",
    "__main__.py",
    "files.py",
    "judge.py",
    "manifests.py",
    "manifests.yaml",
    "onefile.py",
    "sdk.py",
    "shown.py",
    "wire.py",
)
_START = b"import sys\nfrom irsa_cli.preflight.__main__ import main\nsys.exit(main())\n"
_TIME = (1980, 1, 1, 0, 0, 0)
"""The first time that an archive can have: the files' own times differ from copy to copy."""


def one_file() -> bytes:
    """The content of the file, which needs only Python 3.8: `python preflight.pyz`."""
    content = {"__main__.py": _START, "irsa_cli/__init__.py": b""}
    for name in FILES:
        # It works in a folder and in the one file.
        data = pkgutil.get_data(PACKAGE, name) or b""
        content[f"irsa_cli/preflight/{name}"] = data.replace(b"\r\n", b"\n")
    buffer = io.BytesIO()
    # Not compressed: each version of zlib compresses in its own way.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(content):
            entry = zipfile.ZipInfo(path, _TIME)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content[path])
    return b"#!/usr/bin/env python3\n" + buffer.getvalue()
