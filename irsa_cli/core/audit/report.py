"""The documents of audit and who-can, and the selection of risks by severity, acceptance and baseline.

A baseline knows a risk by a fingerprint.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import chain
from typing import Any

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.reach import Can
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.config.project import ACCEPTED_DAYS, AuditIgnore
from irsa_cli.core.results.envelope import DocumentKind, Envelope
from irsa_cli.core.results.result_document import warning_json
from irsa_cli.core.results.scope import AnswerScope, Reading, by_design, not_read, unanswered
from irsa_cli.core.trust.rules.fingerprint import IN_0_1, fingerprint, hashed, place_of_risk, subject_mark
from irsa_cli.core.trust.rules.rule import ORDER, FilePlace, Risk, Severity, some
from irsa_cli.core.values.errors import ExitCode, InvalidInput, IrsaError
from irsa_cli.core.values.names import account_json


@dataclass(frozen=True)
class RiskSelection:
    """The selected risks: shown, accepted, `known` from the baseline, `below` the minimum severity.

    `notes` list acceptances that expired or would last too long. `elsewhere` are those of `known` that the
    baseline has of another cluster.
    """

    shown: tuple[Risk, ...]
    accepted: tuple[tuple[Risk, AuditIgnore], ...] = ()
    known: int = 0
    notes: tuple[str, ...] = ()
    below: int = 0
    elsewhere: tuple[Risk, ...] = ()

    def count(self, severity: Severity) -> int:
        return sum(risk.severity is severity for risk in self.shown)

    @property
    def summary(self) -> dict[str, int]:
        """The numbers of shown risks by severity, and of accepted ones."""
        return {
            **{severity.value: self.count(severity) for severity in reversed(ORDER)},
            "accepted": len(self.accepted),
        }


def select(
    risks: Iterable[Risk],
    *,
    at_least: Severity = Severity.NOTE,
    ignores: Collection[AuditIgnore] = (),
    baseline: Collection[str] = (),
    today: date,
) -> RiskSelection:
    """Select risks; an acceptance that expired, or lasts too long, is ignored and noted."""
    shown: list[Risk] = []
    accepted: list[tuple[Risk, AuditIgnore]] = []
    void: dict[AuditIgnore, None] = {}
    elsewhere: list[Risk] = []
    known = 0
    below = 0
    for risk in risks:
        if ORDER.index(risk.severity) < ORDER.index(at_least):
            below += 1
            continue
        matching = [ignore for ignore in ignores if ignore.matches(risk)]
        valid = next((ignore for ignore in matching if ignore.counts(today)), None)
        if valid is not None:
            accepted.append((risk, valid))
        elif is_known(risk, baseline):
            known += 1
        elif is_known_elsewhere(risk, baseline):
            elsewhere.append(risk)
        else:
            shown.append(risk)
            void.update(dict.fromkeys(matching))
    known += len(elsewhere)
    notes = (*(_why_void(ignore, today) for ignore in void), *_of_other_clusters(elsewhere))
    return RiskSelection(tuple(shown), tuple(accepted), known, notes, below, tuple(elsewhere))


def _of_other_clusters(risks: Iterable[Risk]) -> Iterator[str]:
    """The risks that a baseline has of another cluster, a line for each rule."""
    subjects: dict[str, dict[str, None]] = {}
    for risk in risks:
        subjects.setdefault(risk.rule.id, {})[risk.subject] = None
    for rule, names in subjects.items():
        subject = some([*names])
        yield f"not listed: {rule} of {subject}, which the baseline has in another cluster or role"


def _why_void(ignore: AuditIgnore, today: date) -> str:
    why = f"is ignored, because {ignore.until} is more than {ACCEPTED_DAYS} days ahead"
    if ignore.until < today:
        why = f"expired on {ignore.until}"
    return f"the acceptance of {ignore.rule} {why}: {ignore.reason}"


@dataclass(frozen=True, kw_only=True)
class RiskReport(Reading):
    """A report of risks in an account or in files; with an `error` nothing was checked.

    `fail_on` is the severity for exit code 5, `fail_on_broken` adds rules about broken credentials. Without
    both, gaps do not change the exit code. `unread` has the errors of files.
    """

    selection: RiskSelection = field(default_factory=lambda: RiskSelection(()))
    fail_on: Severity | None = None
    fail_on_broken: bool = False
    unread: tuple[IrsaError, ...] = ()

    @property
    def gaps_decide(self) -> bool:
        """With `--fail-on never`, neither risks nor gaps change the exit code."""
        return self.fail_on is not None or self.fail_on_broken

    @property
    def about(self) -> str:
        """The role or ServiceAccount of the scope, '' for all."""
        return ""

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems of files, a line each: the first ones of `notes`."""
        return tuple(chain.from_iterable(error.details or (str(error),) for error in self.unread))

    @property
    @abstractmethod
    def unchecked(self) -> tuple[str, ...]:
        """The parts that were not checked, a line each."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The parts that were not checked, and acceptances that are ignored."""
        return (*self.unchecked, *self.selection.notes)

    @property
    def found_code(self) -> int:
        """5 for a risk from `fail_on` on."""
        shown = self.selection.shown
        if self.fail_on_broken and any(risk.rule.broken for risk in shown):
            return ExitCode.UNVERIFIED
        if self.fail_on is None:
            return ExitCode.DONE
        fatal = ORDER[ORDER.index(self.fail_on) :]
        if any(risk.severity in fatal for risk in shown):
            return ExitCode.UNVERIFIED
        return ExitCode.DONE

    @abstractmethod
    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""


@dataclass(frozen=True)
class AuditReport(RiskReport):
    """An audit with its selected risks, and its `paths` if requested."""

    audit: Audit | None = None
    paths: tuple[RolePath, ...] | None = None

    @property
    def about(self) -> str:
        if self.audit is None:
            return ""
        return self.audit.scope.role or self.audit.scope.account

    @property
    def own_scope(self) -> AnswerScope:
        about = f" for {self.about}" if self.about else ""
        question = f"Which ServiceAccounts can assume which roles, and what are the risks{about}?"
        return scope_of(question, self)

    @property
    def unchecked(self) -> tuple[str, ...]:
        return (*self.audit.unread, *self.recorded_notes) if self.audit else ()

    def envelope(self) -> Envelope:
        arns = _arns(self.audit)
        paths: dict[str, Any] = {}
        if self.paths is not None:
            paths["paths"] = [path_json(path, arns) for path in self.paths]
        return self.document(
            DocumentKind.RISKS,
            items=[risk_json(risk, arns) for risk in self.selection.shown],
            summary=self.selection.summary,
            notes=self.notes,
            facts={
                **_source_json(self.audit),
                "roles": len(self.audit.estate.roles) if self.audit else 0,
                **hidden_json(self.selection, arns),
                **paths,
                **self._in_kubernetes(arns),
            },
        )

    def _in_kubernetes(self, arns: Arns) -> dict[str, Any]:
        if self.audit is None or not self.audit.scope.account:
            return {}
        account = account_json(self.audit.scope.account)
        return {
            "kubernetes": [
                {"cluster": _cluster_json(name, arns), "serviceAccount": account, **answer.to_json()}
                for name, answer in self.audit.in_kubernetes.items()
            ]
        }


NEVER_READ = ("service and resource control policies", "session policies", "resource policies")
UNKNOWN_WAYS = "ways to administrator permissions through services that irsa does not know"


def scope_of(question: str, report: AuditReport | WhoCanReport) -> AnswerScope:
    audit = report.audit
    if audit is None:
        return unanswered(question, report.error)
    clusters = audit.estate.clusters
    examined = {
        "role": len(audit.estate.roles),
        "cluster": len(clusters),
        "ServiceAccount": sum(len(cluster.known_accounts) for cluster in clusters),
        "EKS Pod Identity association": sum(len(cluster.known_associations) for cluster in clusters),
    }
    never_read = by_design(*NEVER_READ)
    if isinstance(report, AuditReport):
        never_read += by_design(UNKNOWN_WAYS)
    not_examined = (*not_read(audit.unread), *never_read)
    nothing = "" if any(examined.values()) else "No roles or clusters to check were found."
    return AnswerScope(question, examined, not_examined, nothing)


Arns = Mapping[str, str]
"""The ARNs of clusters by name, '' if unknown."""


def _arns(audit: Audit | None) -> Arns:
    if audit is None:
        return {}
    return {cluster.name: cluster.arn for cluster in audit.estate.clusters}


def _source_json(audit: Audit | None) -> dict[str, Any]:
    if audit is None:
        return {"caller": None, "clusters": []}
    clusters = [
        {
            "name": cluster.name or None,
            "arn": cluster.arn or None,
            "region": cluster.region or None,
            "account": cluster.account or None,
            "issuer": cluster.issuer or None,
        }
        for cluster in audit.estate.clusters
    ]
    return {"caller": audit.estate.caller or None, "clusters": clusters}


def _cluster_json(name: str, arns: Arns) -> dict[str, str | None] | None:
    if not name:
        return None
    return {"name": name, "arn": arns.get(name) or None}


def _place_json(place: FilePlace) -> dict[str, Any]:
    return {**asdict(place), "subject": place.subject or None, "change": place.change or None}


def risk_json(risk: Risk, arns: Arns) -> dict[str, Any]:
    place = risk.place
    return {
        **warning_json(risk),
        "fingerprint": fingerprint(risk),
        "subject": risk.subject or None,
        "subjectFingerprint": subject_mark(risk) or None,
        "title": risk.rule.title,
        "broken": risk.rule.broken,
        "cluster": _cluster_json(risk.cluster, arns),
        "serviceAccount": account_json(risk.account),
        "path": list(risk.path),
        "place": None if place is None else _place_json(place),
        "fix": {"command": risk.command or None, "document": risk.corrected},
        "source": risk.rule.source,
        "evidence": list(risk.evidence),
    }


def hidden_json(selection: RiskSelection, arns: Arns) -> dict[str, Any]:
    """The risks of a `RiskList` that are not among its items."""
    accepted = [
        {**risk_json(risk, arns), "acceptedBecause": why.reason, "until": str(why.until)}
        for risk, why in selection.accepted
    ]
    return {"inBaseline": selection.known, "belowMinSeverity": selection.below, "accepted": accepted}


def path_json(path: RolePath, arns: Arns) -> dict[str, Any]:
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
class WhoCanReport(Reading):
    """The ServiceAccounts that can perform an action, or the error."""

    action: str
    resource: str = ""
    audit: Audit | None = None
    found: tuple[Can, ...] = ()

    @property
    def own_scope(self) -> AnswerScope:
        on = f" on {self.resource}" if self.resource else ""
        return scope_of(f"Which ServiceAccounts have roles whose policies allow {self.action}{on}?", self)

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.audit.unread, *self.recorded_notes) if self.audit else ()

    def envelope(self) -> Envelope:
        sure = sum(not can.conditions for can in self.found)
        arns = _arns(self.audit)
        question = {"action": self.action, "resource": self.resource or None}
        return self.document(
            DocumentKind.ROLE_PATHS,
            items=[
                {
                    **path_json(can.path, arns),
                    "allowedBy": can.allowed.by,
                    "resources": list(can.allowed.resources),
                    "if": list(can.conditions),
                }
                for can in self.found
            ],
            summary={"sure": sure, "conditional": len(self.found) - sure},
            notes=self.notes,
            facts={**_source_json(self.audit), **question},
        )


def is_known(risk: Risk, baseline: Collection[str]) -> bool:
    """Whether a baseline has the risk with the same or a higher severity.

    Fingerprints of irsa 0.1.0 have no severity: compare the item's, or else that of the rule in 0.1.0.
    """
    if not baseline:
        return False
    levels = ORDER[ORDER.index(risk.severity) :]
    if any(fingerprint(replace(risk, severity=level)) in baseline for level in levels):
        return True
    return _is_in_old(risk, baseline)


def _is_in_old(risk: Risk, baseline: Collection[str]) -> bool:
    """Whether a baseline of irsa 0.1 has the risk, as severe as it was there.

    Rules about broken credentials had no pattern, and a lower severity: it did not depend on the pods.
    """
    old = hashed(*place_of_risk(risk))
    before = risk
    if risk.rule.broken and risk.pattern:
        before = replace(risk, pattern="", severity=IN_0_1.get(risk.rule.id, Severity.MEDIUM))
    rule_severity = IN_0_1.get(risk.rule.id, risk.rule.severity)
    for level in ORDER[ORDER.index(before.severity) :]:
        known = [fingerprint(replace(before, severity=level)), _entry(old, level.value)]
        if level is rule_severity:
            known.append(_entry(old, None))
        if any(entry in baseline for entry in known):
            return True
    return False


def is_known_elsewhere(risk: Risk, baseline: Collection[str]) -> bool:
    """Whether a baseline has the same risk of the same subject in another cluster, as severe as here."""
    levels = ORDER[ORDER.index(risk.severity) :] if subject_mark(risk) else ()
    return any(subject_mark(replace(risk, severity=level)) in baseline for level in levels)


def _entry(mark: str, severity: object) -> str:
    """An item of a baseline whose fingerprint has no severity."""
    return f"{mark} {severity}"


def read_baseline(text: str, source: str) -> frozenset[str]:
    """Read the fingerprints in an audit's JSON; raise `InvalidInput` for another document."""
    try:
        document = json.loads(text)
        if document["kind"] != "RiskList":
            raise TypeError
        entries: set[str] = set()
        for risk in document["items"]:
            mark = str(risk["fingerprint"])
            entries |= {mark, _entry(mark, risk.get("severity"))}
            if risk.get("subjectFingerprint"):
                entries.add(str(risk["subjectFingerprint"]))
        return frozenset(entries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput(
            f"{source} is not a baseline", reason="expected the output of irsa audit -o json"
        ) from None
