"""Which risks are shown: by severity, by what a project accepts, by what a baseline has already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from irsa_cli.core.config.audit_ignores import ACCEPTED_DAYS, AuditIgnore
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from irsa_cli.core.values.errors import InvalidInput


def fingerprint(risk: Risk) -> str:
    """What tells a risk again in the next audit: its rule and its place, and not how bad it is by then."""
    place: tuple[str, ...] = (risk.rule.id, risk.role, risk.cluster, risk.account, risk.statement)
    if risk.place is not None:  # Lines move.
        place = (*place, risk.place.file, risk.place.subject)
    # JSON of others can have half of a character in a name.
    return hashlib.sha256("\0".join(place).encode(errors="surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class RiskSelection:
    """What is shown of an audit: `shown`; what is accepted, with why; how many a baseline has already.

    `notes` say which acceptances have ended, or would last too long.
    """

    shown: tuple[Risk, ...]
    accepted: tuple[tuple[Risk, AuditIgnore], ...] = ()
    known: int = 0
    notes: tuple[str, ...] = ()

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
    known = 0
    for item in risks:
        if ORDER.index(item.severity) < ORDER.index(at_least):
            continue
        meant = [ignore for ignore in ignores if ignore.matches(item)]
        valid = next((ignore for ignore in meant if ignore.counts(today)), None)
        if valid is not None:
            accepted.append((item, valid))
        elif fingerprint(item) in baseline:
            known += 1
        else:
            shown.append(item)
            ended.update(dict.fromkeys(meant))
    return RiskSelection(tuple(shown), tuple(accepted), known, tuple(_void(item, today) for item in ended))


def _void(item: AuditIgnore, today: date) -> str:
    if item.until < today:
        return f"that {item.rule} is accepted has ended on {item.until}: {item.reason}"
    far = f"until {item.until}, which is more than {ACCEPTED_DAYS} days ahead"
    return f"that {item.rule} is accepted does not count: {far}: {item.reason}"


def read_baseline(text: str, source: str) -> frozenset[str]:
    """The fingerprints of an audit that was printed as JSON; raises `InvalidInput` for another document."""
    try:
        document = json.loads(text)
        if document["kind"] != "RiskList":
            raise TypeError
        return frozenset(str(item["fingerprint"]) for item in document["items"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInput(
            f"{source} is no baseline", reason="expected what irsa audit -o json has printed"
        ) from None
