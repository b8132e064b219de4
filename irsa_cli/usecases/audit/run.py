"""`irsa audit` and `irsa who-can`: read an account, live or from files, and answer from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from irsa_cli.aws.permissions.actions import check_action
from irsa_cli.core.audit.auditing import Audit, AuditScope
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.reach import who_can
from irsa_cli.core.audit.report import AuditReport, WhoCanReport
from irsa_cli.core.audit.trusts import Fixes
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.results.scope import Allowance
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.slips import near
from irsa_cli.usecases.audit.files import RiskRequest, read_files
from irsa_cli.usecases.audit.live import LiveSource, read_live
from irsa_cli.usecases.command.connect import WireLog


@dataclass(frozen=True)
class AuditSource:
    """The source of the account: files if there are any, else AWS and its clusters."""

    live: LiveSource = field(default_factory=LiveSource)
    files: tuple[Path, ...] = ()

    def read(self, log: WireLog) -> Estate:
        """Read it; raise `InvalidInput` for files, `IrsaError` for AWS."""
        return read_files(self.files) if self.files else read_live(self.live, log)


@dataclass(frozen=True)
class Request(RiskRequest):
    """The request of an audit; `with_paths` adds role paths, `with_fixes` commands and corrected policies."""

    source: AuditSource
    scope: AuditScope = field(default_factory=AuditScope)
    with_paths: bool = False


def audit(request: Request, log: WireLog) -> AuditReport:
    """Audit an account; raise `IrsaError` if nothing can be read."""
    choose = request.chooser()
    found = Audit(request.source.read(log), request.scope)
    _check(found)
    today = (found.estate.now or datetime.now(timezone.utc)).date()
    selection = choose(found.risks, today=today)
    selection = replace(selection, notes=(*selection.notes, *found.notes))
    if request.with_fixes:
        selection = replace(selection, shown=Fixes(found.trusts).of(selection.shown))
    scope, reach = request.scope, found.reach
    paths = None
    if request.with_paths or scope != AuditScope():
        paths = tuple(reach.paths(scope.role) if scope.role else reach.all_paths(scope.account))
    return AuditReport(
        found,
        paths,
        selection=selection,
        fail_on=request.fail_on,
        fail_on_broken=request.fail_on_broken,
        allow=request.allow,
    )


def _check(found: Audit) -> None:
    """Raise `Refused` if the role or ServiceAccount of the scope does not exist."""
    scope, estate = found.scope, found.estate
    if scope.role and scope.role not in estate.roles_by_arn:
        error = Refused(f"the role {scope.role} was not found")
        raise error.but(details=_similar(scope.role, estate.roles_by_arn))
    if scope.account:
        subject = "system:serviceaccount:" + scope.account.replace("/", ":", 1)
        if not any(subject in found.reach.index(cluster).accounts for cluster in estate.clusters):
            error = Refused(f"the ServiceAccount {scope.account} was not found in any cluster")
            accounts = (it.accounts for it in estate.clusters if not isinstance(it.accounts, Unreadable))
            names = [account.full_name for each in accounts for account in each]
            raise error.but(details=_similar(scope.account, names))


def _similar(name: str, names: Iterable[str]) -> tuple[str, ...]:
    found = near(name, list(names))
    return (f"similar names: {', '.join(found)}",) if found else ()


def ask_who_can(
    source: AuditSource, action: str, resource: str, log: WireLog, allow: Allowance
) -> WhoCanReport:
    """Find the ServiceAccounts that can perform an action; raise `IrsaError` if nothing can be read."""
    note = check_action(action)
    estate = source.read(log)
    found = Audit(replace(estate, unread=(*estate.unread, *filter(None, [note]))))
    return WhoCanReport(action, resource, found, tuple(who_can(found.reach, action, resource)), allow)
