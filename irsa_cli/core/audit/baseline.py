"""What tells a risk again in the next audit, and baselines: the risks that an earlier audit has shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace

from irsa_cli.core.trust.rules.rule import ORDER, Risk
from irsa_cli.core.values.errors import InvalidInput


def fingerprint(risk: Risk) -> str:
    """What tells a risk again in the next audit: its rule, its place, how bad it is, and the pattern."""
    return _hashed(*_place_of(risk), risk.severity.value, risk.pattern)


def _place_of(risk: Risk) -> tuple[str, ...]:
    place: tuple[str, ...] = (risk.rule.id, risk.role, risk.cluster, risk.account, risk.statement)
    # Lines move.
    return place if risk.place is None else (*place, risk.place.file, risk.place.subject)


def _hashed(*parts: str) -> str:
    # JSON of others can have half of a character in a name.
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]


def is_known(risk: Risk, baseline: Collection[str]) -> bool:
    """Whether a baseline has it, as bad as it is now or worse.

    Fingerprints of irsa 0.1.0 have no severity: the one beside it is compared, or else the rule's own.
    """
    old = _hashed(*_place_of(risk))
    for level in ORDER[ORDER.index(risk.severity) :]:
        own = [_entry(old, None)] if level is risk.rule.severity else []
        known = (fingerprint(replace(risk, severity=level)), _entry(old, level.value), *own)
        if any(text in baseline for text in known):
            return True
    return False


def _entry(mark: str, severity: object) -> str:
    """An item of a baseline whose fingerprint does not tell the severity."""
    return f"{mark} {severity}"


def read_baseline(text: str, source: str) -> frozenset[str]:
    """The fingerprints of an audit that was printed as JSON, also with severities.

    Raises `InvalidInput` for another document.
    """
    try:
        document = json.loads(text)
        if document["kind"] != "RiskList":
            raise TypeError
        marks = [(str(item["fingerprint"]), item.get("severity")) for item in document["items"]]
        return frozenset(text for mark, level in marks for text in (mark, _entry(mark, level)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput(
            f"{source} is no baseline", reason="expected what irsa audit -o json has printed"
        ) from None
