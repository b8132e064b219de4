"""Finding and reading the files of an offline audit, and baselines.

What is in them is `irsa_cli.core.inventory.audit.documents`' business.

A file, or a folder with JSON files: those in a folder of it are of the cluster of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from irsa_cli.core.inventory.audit.documents import AuditFile, estate_of
from irsa_cli.core.inventory.audit.estate import Estate
from irsa_cli.core.inventory.audit.selection import read_baseline
from irsa_cli.core.values.errors import InvalidInput

LARGEST = 512 * 2**20
"""Bytes of one file: 5,000 roles with all their policies have a fifth of that."""


def read_files(paths: Iterable[Path], now: datetime | None = None) -> Estate:
    """The account that the files tell of; raises `InvalidInput` for what can't be read."""
    files = [file for path in paths for file in _found(path)]
    return estate_of(files, now or datetime.now(timezone.utc))


def _found(path: Path) -> Iterator[AuditFile]:
    if path.is_dir():
        inside = sorted(path.rglob("*.json"))
        if not inside:
            raise InvalidInput(f"{path} has no JSON file")
        for item in inside:
            beside = item.parent == path
            yield AuditFile(str(item), "" if beside else item.relative_to(path).parts[0], _text(item))
    else:
        yield AuditFile(str(path), "", _text(path))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidInput(f"{path} is too large", reason=f"more than {LARGEST // 2**20} MiB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is no text", reason="expected JSON in UTF-8") from None
    except OSError as error:
        raise InvalidInput(f"{path} can't be read", reason=error.strerror or str(error)) from None


def baseline_of(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline; raises `InvalidInput` for a file that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} can't be read", reason=str(error)) from None
    return read_baseline(text, str(path))
