"""Whom a statement for a cluster's provider admits beside the ServiceAccounts that somebody has named.

Each risk is proven by witnesses, ServiceAccounts that nobody has named and that
`irsa_cli.core.trust.evaluation` says are admitted, so that a further condition or a Deny that keeps them out
counts. Whom a policy admits besides, one by one, is `irsa_cli.core.trust.admitted`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator

from irsa_cli.core.trust.rules.look import Look
from irsa_cli.core.trust.rules.rule import ORDER, Risk, risk
from irsa_cli.core.trust.rules.statements import (
    Statement,
    allowing,
    is_positive,
    name_of,
    place_of,
    tests_of,
)
from irsa_cli.core.trust.rules.trust_rules import EVERY_SUBJECT, NO_CONDITION, NO_SUBJECT, ONLY_NEGATIVE


def of_subjects(look: Look) -> Iterator[tuple[int, Risk]]:
    """The risks of the statements' subjects, each with its statement's place."""
    tight = f"name the ServiceAccounts by StringEquals on {look.issuer}:sub"
    for index, item in allowing(look.document):
        if index in look.anybody:
            yield index, _of_all(look, index, tight)
            continue
        worst: dict[str, Risk] = {}
        for pattern, pair in look.patterns:
            if all(index in look.admitting(subject) for subject in pair.witnesses):
                found = pair.risk(name_of(index, item), pattern, tight, _place(look, index, item, pattern))
                # A wildcard that may stand for a colon has several meanings: the worst one is told.
                if pattern not in worst or ORDER.index(found.severity) > ORDER.index(worst[pattern].severity):
                    worst[pattern] = found
        yield from ((index, found) for found in worst.values())


def _place(look: Look, index: int, item: Statement, pattern: str) -> tuple[str | int, ...]:
    """Where the statement has the pattern; its conditions where it is admitted by another's."""
    for operator, key, values in tests_of(item):
        if key.lower() == f"{look.issuer}:sub".lower() and pattern in values:
            written = item["Condition"][operator][key]
            more = (values.index(pattern),) if isinstance(written, list) else ()
            return place_of(index, "Condition", operator, key, *more)
    return place_of(index, "Condition")


def _of_all(look: Look, index: int, tight: str) -> Risk:
    """A statement that admits every ServiceAccount: why it does."""
    item = look.statements[index]
    name, every = name_of(index, item), "admits every ServiceAccount of the cluster"
    tests = list(look.values("sub", [item]))
    place = place_of(index, "Condition") if item.get("Condition") else place_of(index)
    if wild := [value for _, values in tests for value in values if "*" in value]:
        place = _place(look, index, item, wild[0])
    if not item.get("Condition"):
        rule, reason = NO_CONDITION, f"has no condition: it {every}, with a token for any audience"
    elif not tests:
        rule, reason = NO_SUBJECT, f"does not test the token's subject: it {every}"
    elif not any(is_positive(operator) for operator, _ in tests):
        rule, reason = ONLY_NEGATIVE, f"says only whom it keeps out: it {every} but those"
    else:
        named = ", ".join(f"'{value}'" for value in wild)
        rule, reason = EVERY_SUBJECT, f"{every}, by {named or 'a test that holds for all'}"
    return risk(rule, name, reason, tight, path=place)
