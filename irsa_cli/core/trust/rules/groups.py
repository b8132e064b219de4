"""Risks with the same cause as one matter: what a reader sees as one line, and decides once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from irsa_cli.core.trust.rules.rule import Risk


@dataclass(frozen=True)
class RiskGroup:
    """Risks of one rule with the same severity and cause, at least one."""

    risks: tuple[Risk, ...]

    @property
    def first(self) -> Risk:
        return self.risks[0]

    @property
    def is_same(self) -> bool:
        """Whether all have the same sentence, and differ by their roles only."""
        return len({risk.sentence for risk in self.risks}) == 1

    @property
    def kind(self) -> str:
        """The kind of the `names`: by what the risks differ."""
        return self._subjects[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The different subjects, in the order of the risks."""
        return self._subjects[1]

    @property
    def _subjects(self) -> tuple[str, tuple[str, ...]]:
        by_kind = {
            "role": [risk.role for risk in self.risks],
            "ServiceAccount": [_account(risk) for risk in self.risks],
            "cluster": [risk.cluster for risk in self.risks],
        }
        for kind, names in by_kind.items():
            different = tuple(dict.fromkeys(names))
            if all(names) and len(different) == len(self.risks):
                return kind, different
        return "subject", tuple(risk.statement for risk in self.risks)


def _account(risk: Risk) -> str:
    if not risk.account:
        return ""
    return f"{risk.account} of cluster {risk.cluster}" if risk.cluster else risk.account


def grouped(risks: Iterable[Risk]) -> tuple[RiskGroup, ...]:
    """The risks by their causes, in the order of the first ones. One with a place in a file stays alone."""
    groups: dict[tuple[object, ...], list[Risk]] = {}
    for number, risk in enumerate(risks):
        alone = number if risk.place is not None else None
        cause = risk.cause or risk.sentence
        groups.setdefault((risk.rule.id, risk.severity, cause, alone), []).append(risk)
    return tuple(RiskGroup(tuple(members)) for members in groups.values())
