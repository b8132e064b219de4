"""The cases in which a trust policy allows somebody, with the conditions of each.

A case that has no condition is a yes. The evaluators are `irsa_cli.core.trust.evaluation` (tokens) and
`irsa_cli.core.trust.assuming` (sts:AssumeRole); here their answers become comparable: two policies that
depend on the same conditions allow the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.assuming import Said
from irsa_cli.core.trust.evaluation import Answer, explain

Conditions = frozenset[str]


@dataclass(frozen=True)
class AllowedCase:
    """Allowed if all conditions of `needs` hold, and not all conditions of one of `denials`."""

    needs: Conditions = frozenset()
    denials: frozenset[Conditions] = frozenset()

    def is_within(self, other: AllowedCase) -> bool:
        """Whether the other case allows everybody whom this one allows."""
        denied = all(any(mine <= theirs for mine in self.denials) for theirs in other.denials)
        return other.needs <= self.needs and denied

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
        needs = {text for case in self.cases for text in case.needs}
        denials = {f"unless {' and '.join(sorted(each))}" for case in self.cases for each in case.denials}
        return (*sorted(needs), *sorted(denials))

    def is_within(self, other: Admission) -> bool:
        """Whether the other one allows everybody whom this one allows, whatever the conditions are."""
        return all(any(case.is_within(wider) for wider in other.cases) for case in self.cases)

    def or_(self, *others: Admission) -> Admission:
        """Allowed by one of them."""
        return Admission(self.cases.union(*(item.cases for item in others)))

    def unless(self, condition: str) -> Admission:
        """The same, but for this condition, which can't be known."""
        denial = frozenset({frozenset({condition})})
        return Admission(frozenset(AllowedCase(case.needs, case.denials | denial) for case in self.cases))

    def and_(self, other: Admission) -> Admission:
        """Allowed by both."""
        return Admission(frozenset(one.and_(two) for one in self.cases for two in other.cases))


NEVER = Admission()
ALWAYS = Admission(frozenset({AllowedCase()}))


def if_(condition: str) -> Admission:
    """Allowed if this holds, which can't be known."""
    return Admission(frozenset({AllowedCase(frozenset({condition}))}))


def of_token(document: Mapping[str, Any], identity: WebIdentity) -> Admission:
    """Whether a trust policy allows a token."""
    needs: list[Conditions] = []
    denials: set[Conditions] = set()
    for verdict in explain(document, identity).verdicts:
        undecided = frozenset(item.text for item in verdict.undecided)
        if verdict.effect == "Allow":
            needs += [undecided] if verdict.possible else []
        elif verdict.applies and not undecided:
            return NEVER
        elif verdict.applies:
            denials.add(undecided)
    return Admission(frozenset(AllowedCase(each, frozenset(denials)) for each in needs))


Ask = Callable[[Document], Said]
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
    for item in as_list(document.get("Statement", [])):
        if not isinstance(item, dict):
            continue
        if item.get("Effect") == "Allow":
            said = ask({**version, "Statement": [item]})
            needs += [] if said.answer is Answer.NO else [_conditions(said)]
            continue
        said = ask({**version, "Statement": [allowing, item]})
        if said.answer is Answer.NO:
            return NEVER
        if said.answer is Answer.UNKNOWN:
            denials.add(_conditions(said))
    return Admission(frozenset(AllowedCase(each, frozenset(denials)) for each in needs))


def _conditions(said: Said) -> Conditions:
    return frozenset() if said.answer is Answer.YES else frozenset({f"{said.action}: {said.why}"})


def of_answers(answers: Iterable[Said]) -> Admission:
    """Allowed if all of these are a yes."""
    found = ALWAYS
    for said in answers:
        one = {Answer.YES: ALWAYS, Answer.NO: NEVER}.get(said.answer)
        found = found.and_(if_(said.why) if one is None else one)
    return found
