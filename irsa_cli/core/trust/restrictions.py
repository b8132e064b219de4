"""Conditions of a trust policy besides issuer, subject and audience, and which of them a statement bypasses.

Statements are alternatives: a new one without such conditions bypasses those of another one. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies.operators import first_failing
from irsa_cli.core.policies.policy import texts_of
from irsa_cli.core.policies.statements import allowing, conditions_of, name_of
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import VARIABLES_SINCE, explain

# True for every token that STS gets, so a condition on it restricts nobody.
ALWAYS = ("aws:securetransport", "aws:viaawsservice")


@dataclass(frozen=True)
class Restriction:
    """One test of a statement that allows the subject: only if the test holds."""

    statement: str
    operator: str
    key: str
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        values = " or ".join(f"'{value}'" for value in self.values) or "nothing"
        return f"{self.statement} allows it only if {self.operator} {self.key} matches {values}"

    @property
    def test(self) -> str:
        """The condition in a form that can be compared and noted."""
        return f"{self.operator} {self.key.lower()} {json.dumps(sorted(self.values))}"


def voided(
    document: Mapping[str, Any], identity: WebIdentity, demanded: Iterable[str] = ()
) -> tuple[Restriction, ...]:
    """The restrictions of the subject today that a new statement would bypass.

    `demanded` are the tests (`Restriction.test`) of that new statement: these stay. Nothing
    is bypassed if a statement already allows the subject without such conditions.
    """
    bypassed: list[Restriction] = []
    for restrictions, is_for_audience in _covering(document, identity):
        if is_for_audience and not restrictions:
            return ()
        bypassed += restrictions
    demanded_tests = set(demanded)
    return tuple(restriction for restriction in bypassed if restriction.test not in demanded_tests)


def demands(statement: Mapping[str, Any]) -> tuple[str, ...]:
    """The tests of a statement that are not about who the token is for."""
    return tuple(
        Restriction("", operator, key, texts_of(value)).test
        for operator, key, value in conditions_of(statement)
        if not is_identity(key)
    )


def _covering(
    document: Mapping[str, Any], identity: WebIdentity
) -> Iterator[tuple[tuple[Restriction, ...], bool]]:
    """For each statement that lets the subject in: its demands, and whether it may be for this audience."""
    variables = document.get("Version") == VARIABLES_SINCE
    context = identity.context()
    is_pattern = any(sign in identity.subject for sign in "*?")
    for index, statement in allowing(document):
        # Only statements whose action and principal are about the token, or may be.
        bare = {key: value for key, value in statement.items() if key != "Condition"}
        (verdict,) = explain({"Statement": [bare]}, identity).verdicts
        if not verdict.possible:
            continue
        restrictions: list[Restriction] = []
        failed_claims: set[str] = set()
        for operator, key, value in conditions_of(statement):
            tested = first_failing({operator: {key: value}}, context, variables=variables)
            restriction = Restriction(name_of(index, statement), operator, key, texts_of(value))
            if not is_identity(key):
                if tested is not None or key.lower() not in ALWAYS:
                    restrictions.append(restriction)
                continue
            if tested is not None and tested.truth is False:
                failed_claims.add(key.rpartition(":")[2].lower())
            if "Not" in operator and is_pattern:
                restrictions.append(restriction)
        if "sub" not in failed_claims:
            yield tuple(restrictions), "aud" not in failed_claims


def is_identity(key: str) -> bool:
    """Whether a key says who a token is for: subject and audience, of whatever issuer."""
    name = key.lower()
    return name.endswith((":sub", ":aud")) and not name.startswith(("aws:", "sts:"))
