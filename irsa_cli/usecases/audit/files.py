"""Finding and reading the files of an offline audit, and baselines.

What is in them is `irsa_cli.core.audit.documents`' business.

A file, or a folder with JSON files: those in a folder of it are of the cluster of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from irsa_cli.core.audit.baseline import read_baseline
from irsa_cli.core.audit.documents import AuditFile, estate_of
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.usecases.texts import files_in, read_text

LARGEST = 512 * 2**20
"""Bytes of one file: 5,000 roles with all their policies have a fifth of that."""


def read_files(paths: Iterable[Path], now: datetime | None = None) -> Estate:
    """The account that the files tell of; raises `InvalidInput` for what can't be read."""
    files = [file for path in paths for file in _found(path)]
    return estate_of(files, now or datetime.now(timezone.utc))


def _found(path: Path) -> Iterator[AuditFile]:
    if not path.is_dir():
        yield AuditFile(str(path), "", read_text(path, LARGEST))
        return
    problems: list[IrsaError] = []
    inside = files_in(path, (".json",), problems)
    if problems:
        raise problems[0]
    if not inside:
        raise InvalidInput(f"{path} has no JSON file")
    for item in inside:
        beside = item.parent == path
        folder = "" if beside else item.relative_to(path).parts[0]
        yield AuditFile(str(item), folder, read_text(item, LARGEST))


def baseline_of(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline; raises `InvalidInput` for a file that is none."""
    return read_baseline(read_text(path, LARGEST), str(path))
