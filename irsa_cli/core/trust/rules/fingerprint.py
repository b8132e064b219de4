"""Fingerprints of risks: the same in every run, whatever words are used, and wherever a file has them."""

from __future__ import annotations

import hashlib

from irsa_cli.core.trust.rules.rule import Area, Risk, Severity

IN_0_1 = {
    "annotated-refused": Severity.LOW,
    "association-refused": Severity.LOW,
    "role-gone": Severity.LOW,
    "reads-all-data": Severity.MEDIUM,
}
"""The severities of irsa 0.1 that are different today."""
BY_PODS = "pods"
"""The pattern of risks whose severity depends on pods: in irsa 0.1 it did not."""


def fingerprint(risk: Risk) -> str:
    """The fingerprint of a risk: its rule, place, severity and pattern."""
    return hashed(*place_of_risk(risk), risk.severity.value, risk.pattern)


def place_of_risk(risk: Risk) -> tuple[str, ...]:
    place: tuple[str, ...] = (risk.rule.id, risk.role, risk.cluster, risk.account, risk.statement)
    # Line numbers change.
    if risk.place is None:
        return place
    return (*place, risk.place.file, risk.place.subject)


def hashed(*parts: str) -> str:
    # A name in foreign JSON can contain half of a character.
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]


def subject_mark(risk: Risk) -> str:
    """The fingerprint of a risk by its rule and subject, in whichever cluster; '' if it has none.

    Broken credentials have none: that some pods have no role says nothing about those of another cluster.
    """
    if not risk.subject or risk.rule.broken:
        return ""
    statement = risk.statement if risk.rule.area is Area.TRUST else ""
    parts = (risk.rule.id, risk.subject, statement, risk.pattern, risk.extent)
    return hashed(*parts, risk.severity.value)
