"""Fingerprints that identify a risk in later audits, and baselines: the risks of an earlier audit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace

from irsa_cli.core.trust.rules.rule import ORDER, Risk
from irsa_cli.core.values.errors import InvalidInput


def fingerprint(risk: Risk) -> str:
    """The fingerprint of a risk: its rule, place, severity and pattern."""
    return _hashed(*_place_of(risk), risk.severity.value, risk.pattern)


def _place_of(risk: Risk) -> tuple[str, ...]:
    place: tuple[str, ...] = (risk.rule.id, risk.role, risk.cluster, risk.account, risk.statement)
    # Line numbers change.
    return place if risk.place is None else (*place, risk.place.file, risk.place.subject)


def _hashed(*parts: str) -> str:
    # A name in foreign JSON can contain half of a character.
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]


def is_known(risk: Risk, baseline: Collection[str]) -> bool:
    """Whether a baseline has the risk with the same or a higher severity.

    Fingerprints of irsa 0.1.0 have no severity: compare the item's, or else the rule's.
    """
    old = _hashed(*_place_of(risk))
    for level in ORDER[ORDER.index(risk.severity) :]:
        own = [_entry(old, None)] if level is risk.rule.severity else []
        known = (fingerprint(replace(risk, severity=level)), _entry(old, level.value), *own)
        if any(text in baseline for text in known):
            return True
    return False


def _entry(mark: str, severity: object) -> str:
    """An item of a baseline whose fingerprint has no severity."""
    return f"{mark} {severity}"


def read_baseline(text: str, source: str) -> frozenset[str]:
    """Read the fingerprints in an audit's JSON; raise `InvalidInput` for another document."""
    try:
        document = json.loads(text)
        if document["kind"] != "RiskList":
            raise TypeError
        marks = [(str(item["fingerprint"]), item.get("severity")) for item in document["items"]]
        return frozenset(text for mark, level in marks for text in (mark, _entry(mark, level)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput(
            f"{source} is not a baseline", reason="expected the output of irsa audit -o json"
        ) from None
