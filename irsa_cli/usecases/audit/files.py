"""Find and read the files of an offline audit, and baselines.

A subfolder has the files of the cluster of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from pathlib import Path

from irsa_cli.core.audit.estate import AuditFile, Estate, estate_of
from irsa_cli.core.audit.report import RiskSelection, read_baseline, select
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.trust.rules.rule import Severity
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.usecases.command.project_settings import read_project
from irsa_cli.usecases.texts import files_in, read_text

LARGEST = 512 * 2**20
"""The most bytes of one file; 5,000 roles with all policies need a fifth."""


def read_files(paths: Iterable[Path], now: datetime | None = None) -> Estate:
    """Read the account from files; raise `InvalidInput` for unreadable ones."""
    files = list(chain.from_iterable(map(_files_of, paths)))
    return estate_of(files, now or datetime.now(timezone.utc))


def _files_of(path: Path) -> Iterator[AuditFile]:
    if not path.is_dir():
        yield AuditFile(str(path), "", read_text(path, LARGEST))
        return
    problems: list[IrsaError] = []
    inside = files_in(path, (".json",), problems)
    if problems:
        raise problems[0]
    if not inside:
        raise InvalidInput(f"{path} contains no JSON files")
    for file in inside:
        folder = "" if file.parent == path else file.relative_to(path).parts[0]
        yield AuditFile(str(file), folder, read_text(file, LARGEST))


def baseline_of(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline; raise `InvalidInput` for another file."""
    return read_baseline(read_text(path, LARGEST), str(path))


@dataclass(frozen=True, kw_only=True)
class RiskRequest:
    """The part of a request that selects risks; `with_fixes` adds commands and corrected policies."""

    at_least: Severity = Severity.NOTE
    fail_on: Severity | None = None
    baseline: Path | None = None
    with_fixes: bool = False
    fail_on_broken: bool = False
    allow: Allowance = field(default_factory=Allowance)

    def chooser(self) -> Callable[..., RiskSelection]:
        """`select` for this request; raise `InvalidInput` for unreadable settings and baselines."""
        known = baseline_of(self.baseline) if self.baseline else frozenset()
        ignores = read_project(Path.cwd()).ignores
        return partial(select, at_least=self.at_least, ignores=ignores, baseline=known)
