"""`irsa audit` and `irsa who-can`: read an account, live or from files, and ask what follows from it.

What follows is found in `irsa_cli.core.audit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from irsa_cli.core.audit.auditing import Audit, AuditScope
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.reach import who_can
from irsa_cli.core.audit.report import AuditReport, WhoCanReport, select
from irsa_cli.core.audit.trusts import Fixes
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.trust.rules.rule import Severity
from irsa_cli.core.values.errors import Refused
from irsa_cli.usecases.audit.files import baseline_of, read_files
from irsa_cli.usecases.audit.live import LiveSource, read_live
from irsa_cli.usecases.command.connect import WireLog
from irsa_cli.usecases.command.project_settings import read_project


@dataclass(frozen=True)
class AuditSource:
    """Where the account is read from: files, where some are named, else AWS and its clusters."""

    live: LiveSource = field(default_factory=LiveSource)
    files: tuple[Path, ...] = ()

    def read(self, log: WireLog) -> Estate:
        """Read it; raises `InvalidInput` for files, `IrsaError` for AWS."""
        return read_files(self.files) if self.files else read_live(self.live, log)


@dataclass(frozen=True)
class Request:
    """What to audit, and what to show of it.

    `with_paths`: also who becomes which role; `with_fixes`: also commands and corrected documents.
    """

    source: AuditSource
    scope: AuditScope = field(default_factory=AuditScope)
    at_least: Severity = Severity.LOW
    fail_on: Severity | None = None
    baseline: Path | None = None
    with_paths: bool = False
    with_fixes: bool = False
    fail_on_broken: bool = False


def audit(request: Request, log: WireLog) -> AuditReport:
    """Audit an account; raises `IrsaError` when nothing can be read."""
    ignores = read_project(Path.cwd()).ignores
    baseline = baseline_of(request.baseline) if request.baseline else frozenset()
    # Which IAM principals get into a cluster matters where it is asked who may become one ServiceAccount.
    live = replace(request.source.live, principals=bool(request.scope.account))
    found = Audit(replace(request.source, live=live).read(log), request.scope)
    _check(found)
    today = (found.estate.now or datetime.now(timezone.utc)).date()
    selection = select(
        found.risks, at_least=request.at_least, ignores=ignores, baseline=baseline, today=today
    )
    if request.with_fixes:
        fixes = Fixes(found.trusts)
        selection = replace(selection, shown=tuple(map(fixes.of, selection.shown)))
    paths = tuple(_paths(found)) if request.with_paths or request.scope != _ALL else None
    return AuditReport(found, selection, paths, request.fail_on, request.fail_on_broken)


_ALL = AuditScope()


def _check(found: Audit) -> None:
    """Raise `Refused` where what was asked about is not there."""
    scope, estate = found.scope, found.estate
    if scope.role and scope.role not in estate.roles_by_arn:
        raise Refused(f"there is no role {scope.role} among those that were read")
    if scope.account:
        subject = "system:serviceaccount:" + scope.account.replace("/", ":", 1)
        if not any(subject in found.reach.index(cluster).accounts for cluster in estate.clusters):
            raise Refused(f"there is no ServiceAccount {scope.account} in the clusters that were read")


def _paths(found: Audit) -> Iterable[RolePath]:
    scope, reach = found.scope, found.reach
    if scope.role:
        return reach.paths(scope.role)
    if scope.account:
        return reach.paths_of("", scope.account)
    ways = [way for _, each in sorted(reach.ways.items()) for way in each]
    return [path for way in ways for path in reach.paths_from(way)]


def ask_who_can(source: AuditSource, action: str, resource: str, log: WireLog) -> WhoCanReport:
    """Find out who may do something; raises `IrsaError` when nothing can be read."""
    found = Audit(source.read(log))
    return WhoCanReport(action, resource, found, tuple(who_can(found.reach, action, resource)))
