"""Which risks are shown, and what an audit and who-can say of them, as one document.

What is shown hangs on the severity, on what a project accepts and on what a baseline has already. How it
looks as text is in `irsa_cli.cli.output.screens.audit`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.baseline import fingerprint, is_known
from irsa_cli.core.audit.reach import Can
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.config.project import ACCEPTED_DAYS, AuditIgnore
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome, exit_code_of, whole
from irsa_cli.core.results.scope import Allowance, AnswerScope, by_design, not_read, unanswered
from irsa_cli.core.trust.rules.rule import ORDER, FilePlace, Risk, Severity
from irsa_cli.core.values.errors import ExitCode
from irsa_cli.core.values.names import account_json


@dataclass(frozen=True)
class RiskSelection:
    """What is shown of an audit: `shown`; what is accepted, with why; how many a baseline has already.

    `notes` say which acceptances have ended, or would last too long.
    """

    shown: tuple[Risk, ...]
    accepted: tuple[tuple[Risk, AuditIgnore], ...] = ()
    known: int = 0
    notes: tuple[str, ...] = ()
    below: int = 0
    """How many are less severe than what is to be shown."""

    def count(self, severity: Severity) -> int:
        """How many of them are so bad."""
        return sum(item.severity is severity for item in self.shown)

    @property
    def summary(self) -> dict[str, int]:
        """How many are shown, by severity, and how many are accepted."""
        return {**{it.value: self.count(it) for it in reversed(ORDER)}, "accepted": len(self.accepted)}

    def reaches(self, level: Severity) -> bool:
        """Whether one of them is so bad, or worse."""
        return any(ORDER.index(item.severity) >= ORDER.index(level) for item in self.shown)


def select(
    risks: Iterable[Risk],
    *,
    at_least: Severity = Severity.LOW,
    ignores: Collection[AuditIgnore] = (),
    baseline: Collection[str] = (),
    today: date,
) -> RiskSelection:
    """Choose; an acceptance that has ended, or lasts too long, does not count, and that is told."""
    shown: list[Risk] = []
    accepted: list[tuple[Risk, AuditIgnore]] = []
    ended: dict[AuditIgnore, None] = {}
    known = below = 0
    for item in risks:
        if ORDER.index(item.severity) < ORDER.index(at_least):
            below += 1
            continue
        meant = [ignore for ignore in ignores if ignore.matches(item)]
        valid = next((ignore for ignore in meant if ignore.counts(today)), None)
        if valid is not None:
            accepted.append((item, valid))
        elif baseline and is_known(item, baseline):
            known += 1
        else:
            shown.append(item)
            ended.update(dict.fromkeys(meant))
    notes = tuple(_void(item, today) for item in ended)
    return RiskSelection(tuple(shown), tuple(accepted), known, notes, below)


def _void(item: AuditIgnore, today: date) -> str:
    if item.until < today:
        return f"that {item.rule} is accepted has ended on {item.until}: {item.reason}"
    far = f"until {item.until}, which is more than {ACCEPTED_DAYS} days ahead"
    return f"that {item.rule} is accepted does not count: {far}: {item.reason}"


class RiskReport(ABC):
    """What is shown of risks, wherever they were found: in an account, or in files.

    With an `error` nothing could be judged. `fail_on`: from which severity on the exit code tells;
    `fail_on_broken`: it tells of what is broken, however dangerous that is. With neither, what was not
    examined does not matter.
    """

    title: ClassVar[str]
    selection: RiskSelection
    fail_on: Severity | None
    fail_on_broken: bool
    allow: Allowance
    error: Exception | None
    signal: int

    @property
    def about(self) -> str:
        """The one role or ServiceAccount that was asked about, '' for all."""
        return ""

    @property
    def fails(self) -> bool:
        """Whether a risk is shown that the exit code has to tell of."""
        broken = self.fail_on_broken and any(item.rule.broken for item in self.selection.shown)
        return broken or (self.fail_on is not None and self.selection.reaches(self.fail_on))

    @property
    @abstractmethod
    def scope(self) -> AnswerScope:
        """What was judged, and what was not."""

    @property
    @abstractmethod
    def unseen(self) -> tuple[str, ...]:
        """What was not judged, and so is not called fine."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not judged, and what has ended."""
        return (*self.unseen, *self.selection.notes)

    @property
    def exit_code(self) -> int:
        """5 for a risk from `fail_on` on, else that of the scope: 0 only if all that matters was judged."""
        if self.signal or self.error is not None:
            return exit_code_of(self.error, self.signal)
        if self.fails:
            return ExitCode.UNVERIFIED
        return self.allow.exit_code(self.scope)

    @abstractmethod
    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""


@dataclass(frozen=True)
class AuditReport(RiskReport):
    """An audit and what is shown of it; `paths` are shown where they were asked for."""

    audit: Audit | None = None
    selection: RiskSelection = field(default_factory=lambda: RiskSelection(()))
    paths: tuple[RolePath, ...] | None = None
    fail_on: Severity | None = None
    fail_on_broken: bool = False
    allow: Allowance = field(default_factory=Allowance)
    error: Exception | None = None
    signal: int = 0

    title = "irsa audit"

    @property
    def about(self) -> str:
        """The one role or ServiceAccount that was asked about, '' for all."""
        return self.audit.scope.role or self.audit.scope.account if self.audit else ""

    @property
    def scope(self) -> AnswerScope:
        """The roles, clusters and objects that were judged, and what was not."""
        about = f" about {self.about}" if self.about else ""
        question = f"Who can assume which role, and what of it is a risk{about}?"
        return scope_of(question, self, gaps_matter=self.fail_on is not None or self.fail_on_broken)

    @property
    def unseen(self) -> tuple[str, ...]:
        """What was not read, and so is not called fine."""
        return self.audit.unseen if self.audit else ()

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        named = _arns(self.audit)
        paths = {} if self.paths is None else {"paths": [path_json(path, named) for path in self.paths]}
        return Envelope(
            DocumentKind.RISKS,
            ReadOutcome.of(self.error),
            self.exit_code,
            items=[risk_json(item, named) for item in self.selection.shown],
            summary=self.selection.summary,
            notes=self.notes,
            errors=whole(self.error),
            facts={
                "clusters": _clusters_json(self.audit),
                "roles": len(self.audit.estate.roles) if self.audit else 0,
                **hidden_json(self.selection, named),
                **paths,
                **self._in_kubernetes(named),
            },
            scope=self.scope,
        )

    def _in_kubernetes(self, arns: Arns) -> dict[str, Any]:
        if self.audit is None or not self.audit.scope.account:
            return {}
        account = account_json(self.audit.scope.account)
        return {
            "kubernetes": [
                {"cluster": _cluster_json(name, arns), "serviceAccount": account, **found.to_json()}
                for name, found in self.audit.in_kubernetes.items()
            ]
        }


NEVER_READ = ("service and resource control policies", "session policies", "policies of resources")


def scope_of(question: str, report: AuditReport | WhoCanReport, *, gaps_matter: bool = True) -> AnswerScope:
    """The scope of an answer about an account. Policies that are never read grant no token a role."""
    audit = report.audit
    if audit is None:
        return unanswered(question, report.error)
    clusters = audit.estate.clusters
    accounts = [len(it.accounts) for it in clusters if not isinstance(it.accounts, Unreadable)]
    associations = [len(it.associations) for it in clusters if not isinstance(it.associations, Unreadable)]
    counts = {"ServiceAccount": sum(accounts), "EKS Pod Identity association": sum(associations)}
    examined = {"role": len(audit.estate.roles), "cluster": len(clusters), **counts}
    left_out = not_read(audit.unseen, matters=gaps_matter)
    nothing = "" if any(examined.values()) else "There is no role and no cluster to judge."
    return AnswerScope(question, examined, (*left_out, *by_design(*NEVER_READ)), nothing)


Arns = Mapping[str, str]
"""The ARNs of clusters by their names, '' where one is not known."""


def _arns(audit: Audit | None) -> Arns:
    return {cluster.name: cluster.arn for cluster in audit.estate.clusters} if audit else {}


def _clusters_json(audit: Audit | None) -> list[dict[str, str | None]]:
    return [
        {
            "name": cluster.name,
            "arn": cluster.arn or None,
            "region": cluster.region or None,
            "account": cluster.account or None,
            "issuer": cluster.issuer or None,
        }
        for cluster in (audit.estate.clusters if audit else ())
    ]


def _cluster_json(name: str, arns: Arns) -> dict[str, str | None] | None:
    return {"name": name, "arn": arns.get(name) or None} if name else None


def risk_json(item: Risk, arns: Arns) -> dict[str, Any]:
    """A risk as an item of a `RiskList`."""
    return {
        **item.to_json(),
        "fingerprint": fingerprint(item),
        "title": item.rule.title,
        "broken": item.rule.broken,
        "cluster": _cluster_json(item.cluster, arns),
        "serviceAccount": account_json(item.account),
        "path": list(item.path),
        "place": _place_json(item.place),
        "fix": {"command": item.command or None, "document": item.corrected},
        "source": item.rule.source,
        "evidence": list(item.evidence),
    }


def hidden_json(selection: RiskSelection, arns: Arns) -> dict[str, Any]:
    """What a `RiskList` says of risks that are not among its items."""
    accepted = [
        {**risk_json(item, arns), "acceptedBecause": why.reason, "until": str(why.until)}
        for item, why in selection.accepted
    ]
    return {"inBaseline": selection.known, "belowMinSeverity": selection.below, "accepted": accepted}


def _place_json(place: FilePlace | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"file": place.file, "line": place.line, "column": place.column, "subject": place.subject or None}


def path_json(path: RolePath, arns: Arns) -> dict[str, Any]:
    """A path to a role as an item of a `RolePathList`."""
    return {
        "role": {"arn": path.role},
        "cluster": _cluster_json(path.way.cluster, arns),
        "serviceAccounts": [account_json(name) for name in sorted(path.way.accounts)],
        "by": path.way.by.value,
        "statement": path.way.statement,
        "through": [
            {"role": {"arn": hop.source}, "allowedBy": hop.allowed_by, "admittedBy": hop.admitted_by}
            for hop in path.hops
        ],
        "cycle": False,
        "if": list(path.conditions),
    }


@dataclass(frozen=True)
class WhoCanReport:
    """Who may do something, or the error with which it could not be found out."""

    action: str
    resource: str = ""
    audit: Audit | None = None
    found: tuple[Can, ...] = ()
    allow: Allowance = field(default_factory=Allowance)
    error: Exception | None = None
    signal: int = 0

    @property
    def scope(self) -> AnswerScope:
        """The roles, clusters and objects whose permissions were judged, and what was not."""
        on = f" on {self.resource}" if self.resource else ""
        return scope_of(f"Whose role's own policies allow {self.action}{on}?", self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not read."""
        return self.audit.unseen if self.audit else ()

    @property
    def exit_code(self) -> int:
        """0 whoever may do it, if all was read that the list depends on."""
        return exit_code_of(self.error, self.signal) or self.allow.exit_code(self.scope)

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        sure, named = sum(not item.conditions for item in self.found), _arns(self.audit)
        return Envelope(
            DocumentKind.ROLE_PATHS,
            ReadOutcome.of(self.error),
            self.exit_code,
            items=[can_json(item, named) for item in self.found],
            summary={"sure": sure, "conditional": len(self.found) - sure},
            notes=self.notes,
            errors=whole(self.error),
            facts={
                "clusters": _clusters_json(self.audit),
                "action": self.action,
                "resource": self.resource or None,
            },
            scope=self.scope,
        )


def can_json(item: Can, arns: Arns) -> dict[str, Any]:
    """Who may do it by one path, as an item of a `RolePathList`."""
    return {
        **path_json(item.path, arns),
        "allowedBy": item.allowed.by,
        "resources": list(item.allowed.resources),
        "if": list(item.conditions),
    }
