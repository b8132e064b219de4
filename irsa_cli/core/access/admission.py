"""The cases in which a trust policy allows somebody, with the conditions of each.

A case that has no condition is a yes. The evaluators are `irsa_cli.core.trust.evaluation` (tokens) and
`irsa_cli.core.trust.assuming` (sts:AssumeRole); here their answers become comparable: two policies that
depend on the same conditions allow the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import statements
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.assuming import Decision
from irsa_cli.core.trust.evaluation import Answer, explain

Conditions = frozenset[str]


@dataclass(frozen=True)
class AllowedCase:
    """Allowed if all conditions of `needs` hold, and not all conditions of one of `denials`."""

    needs: Conditions = frozenset()
    denials: frozenset[Conditions] = frozenset()

    def is_within(self, other: AllowedCase) -> bool:
        """Whether the other case allows everybody whom this one allows."""
        for theirs in other.denials:
            if not any(mine <= theirs for mine in self.denials):
                return False
        return other.needs <= self.needs

    def and_(self, other: AllowedCase) -> AllowedCase:
        """The case in which both hold."""
        return AllowedCase(self.needs | other.needs, self.denials | other.denials)


@dataclass(frozen=True)
class Admission:
    """The cases in which somebody is allowed; without one, never."""

    cases: frozenset[AllowedCase] = frozenset()

    @property
    def answer(self) -> Answer:
        if AllowedCase() in self.cases:
            return Answer.YES
        return Answer.UNKNOWN if self.cases else Answer.NO

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that decide if the answer is UNKNOWN, in words."""
        if self.answer is not Answer.UNKNOWN:
            return ()
        needs: set[str] = set()
        denials: set[str] = set()
        for case in self.cases:
            needs |= case.needs
            denials |= {f"unless {' and '.join(sorted(denial))}" for denial in case.denials}
        return (*sorted(needs), *sorted(denials))

    def is_within(self, other: Admission) -> bool:
        """Whether the other one allows everybody whom this one allows, whatever the conditions are."""

        def is_allowed(case: AllowedCase) -> bool:
            return any(case.is_within(wider) for wider in other.cases)

        return all(map(is_allowed, self.cases))

    def or_(self, *others: Admission) -> Admission:
        """Allowed by one of them."""
        return Admission(self.cases.union(*(other.cases for other in others)))

    def unless(self, condition: str) -> Admission:
        """The same, but for this condition, which can't be known."""
        denial = frozenset({frozenset({condition})})
        return Admission(frozenset(AllowedCase(case.needs, case.denials | denial) for case in self.cases))

    def and_(self, other: Admission) -> Admission:
        """Allowed by both."""
        return Admission(frozenset(mine.and_(theirs) for mine, theirs in product(self.cases, other.cases)))


NEVER = Admission()
ALWAYS = Admission(frozenset({AllowedCase()}))


def if_(condition: str) -> Admission:
    """Allowed if this holds, which can't be known."""
    return Admission(frozenset({AllowedCase(frozenset({condition}))}))


def _unless(denials: Iterable[Conditions], needs: Iterable[Conditions]) -> Admission:
    """Allowed if all of one of `needs` holds, and not all of one of `denials`."""
    denied = frozenset(denials)
    return Admission(frozenset(AllowedCase(conditions, denied) for conditions in needs))


def of_token(document: Mapping[str, Any], identity: WebIdentity) -> Admission:
    """Whether a trust policy allows a token."""
    needs: list[Conditions] = []
    denials: set[Conditions] = set()
    for verdict in explain(document, identity).verdicts:
        undecided = frozenset(failure.text for failure in verdict.undecided)
        if verdict.effect == "Allow":
            if verdict.possible:
                needs.append(undecided)
        elif verdict.applies:
            if not undecided:
                return NEVER
            denials.add(undecided)
    return _unless(denials, needs)


Ask = Callable[[Document], Decision]
"""The answer of a trust policy to one who asks for an action."""


def of_request(document: Mapping[str, Any], named: Mapping[str, Any], ask: Ask) -> Admission:
    """Whether a trust policy allows a request, statement by statement.

    `named` is a Principal element that names who asks: a Deny is evaluated with a statement that allows them
    everything.
    """
    version = {key: document[key] for key in ("Version",) if key in document}
    allowing = {"Effect": "Allow", "Principal": named, "Action": "*"}
    needs: list[Conditions] = []
    denials: set[Conditions] = set()
    for statement in statements(document):
        if statement.get("Effect") == "Allow":
            decision = ask({**version, "Statement": [statement]})
            if decision.answer is not Answer.NO:
                needs.append(_conditions(decision))
            continue
        decision = ask({**version, "Statement": [allowing, statement]})
        if decision.answer is Answer.NO:
            return NEVER
        if decision.answer is Answer.UNKNOWN:
            denials.add(_conditions(decision))
    return _unless(denials, needs)


def _conditions(decision: Decision) -> Conditions:
    if decision.answer is Answer.YES:
        return frozenset()
    return frozenset({f"{decision.action}: {decision.why}"})


def of_answers(answers: Iterable[Decision]) -> Admission:
    """Allowed if all of these are a yes."""
    admission = ALWAYS
    for decision in answers:
        if decision.answer is Answer.NO:
            return NEVER
        if decision.answer is Answer.UNKNOWN:
            admission = admission.and_(if_(decision.why))
    return admission
