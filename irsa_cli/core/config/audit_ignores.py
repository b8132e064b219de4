"""What a project's `.irsa.yaml` says of risks that are accepted: which, why, and until when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from yaml import MappingNode, Node

from irsa_cli.core.config.reader import Reader
from irsa_cli.core.policies.operators import like
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.trust.rules.table import RULES
from irsa_cli.core.values.errors import InvalidInput

_FIELDS = ("rule", "role", "cluster", "serviceAccount", "file", "reason", "until")
ACCEPTED_DAYS = 366
"""How far ahead `until` may be: what is accepted is looked at again at least once a year."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class AuditIgnore:
    """Risks that are accepted: of this rule, and where all that is given matches; '' matches all.

    Of a file, the role is what the file calls it. After the day `until` it does not count any more, and more
    than `ACCEPTED_DAYS` before it not yet.
    """

    rule: str
    reason: str
    until: date
    role: str = ""
    cluster: str = ""
    account: str = ""
    file: str = ""

    def counts(self, today: date) -> bool:
        """Whether it holds on a day."""
        return today <= self.until <= today + timedelta(days=ACCEPTED_DAYS)

    def matches(self, risk: Risk) -> bool:
        """Whether a risk is meant, whatever day it is."""
        file, subject = (risk.place.file, risk.place.subject) if risk.place else ("", "")
        pairs = (
            (self.role, risk.role or subject),
            (self.cluster, risk.cluster),
            (self.account, risk.account),
            (self.file, file),
        )
        return risk.rule.id == self.rule and all(not wanted or like(got, wanted) for wanted, got in pairs)


def _rule(text: str) -> str:
    if text not in RULES:
        raise InvalidInput(f"there is no rule '{text}'", reason="irsa audit --explain all lists them")
    return text


def _day(text: str) -> str:
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise InvalidInput(f"'{text}' is no date", reason="expected YYYY-MM-DD")


def _filled(text: str) -> str:
    if not text.strip():
        raise InvalidInput("it is empty")
    return text


def read_audit(reader: Reader, node: Node) -> tuple[AuditIgnore, ...]:
    """The field `audit` of `.irsa.yaml`; problems go to the reader."""
    if not isinstance(node, MappingNode):
        reader.problem(node, "expected a mapping with ignore")
        return ()
    fields = reader.fields(node, ("ignore",), "audit", {})
    items = reader.items(fields["ignore"], "risks that are accepted") if "ignore" in fields else []
    return tuple(found for item in items if (found := _read(reader, item)) is not None)


def _read(reader: Reader, node: Node) -> AuditIgnore | None:
    if not isinstance(node, MappingNode):
        reader.problem(node, f"expected a mapping with {', '.join(_FIELDS)}")
        return None
    fields = reader.fields(node, _FIELDS, "audit.ignore", {})
    checks = {"rule": _rule, "reason": _filled, "until": _day}
    texts = {name: reader.text(found, checks.get(name, str)) or "" for name, found in fields.items()}
    missing = [name for name in checks if name not in texts]
    for name in missing:
        reader.problem(node, f"{name} is missing")
    if missing or not all(texts[name] for name in checks):
        return None
    return AuditIgnore(
        texts["rule"],
        texts["reason"],
        date.fromisoformat(texts["until"]),
        texts.get("role", ""),
        texts.get("cluster", ""),
        texts.get("serviceAccount", ""),
        texts.get("file", ""),
    )
