"""What is unsafe in how a statement for a cluster's provider tests tokens: audiences, operators, keys, names.

How wide its subjects are is `irsa_cli.core.trust.rules.width`'s business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from irsa_cli.core.policies.conditions import operator_of
from irsa_cli.core.trust.restrictions import demands
from irsa_cli.core.trust.rules.look import ANYBODY, NO_AUDIENCE, Look
from irsa_cli.core.trust.rules.rule import Risk, risk
from irsa_cli.core.trust.rules.statements import Statement, allowing, name_of, place_of, principals, tests_of
from irsa_cli.core.trust.rules.trust_rules import (
    BESIDE_LOOSE,
    DEFAULT_ACCOUNT,
    EXTRA_AUDIENCE,
    FOR_ALL_VALUES,
    NO_CONDITION,
    OTHER_ISSUERS_KEY,
)
from irsa_cli.core.trust.rules.trust_rules import NO_AUDIENCE as NO_AUDIENCE_RULE
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE

_ALWAYS = ("aws:securetransport", "aws:viaawsservice")
"""What holds for every token that STS is shown."""
_FOR_AWS = frozenset((DEFAULT_AUDIENCE, "openshift"))
"""The audiences of tokens that are made for AWS: OpenShift on AWS gives its operators its own one.

rosa's providers take both, and its trust policies test the subject only.
"""


def of_claims(
    look: Look, wide: Collection[tuple[int, Risk]], accepted: Collection[str] | None
) -> Iterator[Risk]:
    """The risks of a policy's tests; `wide` is what `of_subjects` has found.

    `accepted` are the audiences that the provider takes, None where that is not known.
    """
    loose = {index for index, _ in wide}
    bare = {index for index, item in wide if item.rule is NO_CONDITION}
    for index, item in allowing(look.document):
        named = list(look.exact(index))
        subjects = [ANYBODY] if index in look.anybody else named
        subjects = subjects or [
            found for _, pair in look.patterns for found in pair.witnesses if index in look.admitting(found)
        ]
        if not subjects:
            continue
        if index not in bare:
            yield from _audience(look, index, item, subjects[0], accepted)
        if index not in loose:
            yield from _default(index, item, named)
        yield from _operators(look, index, item)
        yield from _beside(look, index, item, loose)


def _audience(
    look: Look, index: int, item: Statement, subject: str, accepted: Collection[str] | None
) -> Iterator[Risk]:
    if accepted is not None and (len(accepted) < 2 or _FOR_AWS.issuperset(accepted)):
        return  # STS refuses all other audiences before it asks the policy.
    name, place = name_of(index, item), place_of(index, "Condition")
    if index in look.admitting(subject, NO_AUDIENCE):
        reason = (
            "takes a token for any audience that the OIDC provider accepts, also one that was"
            " made for another service"
        )
        step = f"demand StringEquals {look.issuer}:aud {DEFAULT_AUDIENCE}"
        yield risk(NO_AUDIENCE_RULE, name, reason, step, path=place)
        return
    taken = [each for each in look.audiences if index in look.admitting(subject, each)]
    taken = [each for each in taken if accepted is None or each in accepted]
    if len(taken) > 1:
        named = " and ".join(f"'{each}'" for each in taken)
        step = f"demand one audience by StringEquals on {look.issuer}:aud"
        yield risk(EXTRA_AUDIENCE, name, f"takes tokens for the audiences {named}", step, path=place)


def _default(index: int, item: Statement, named: Collection[str]) -> Iterator[Risk]:
    for subject in dict.fromkeys(named):
        namespace, _, name = subject.rpartition(":")
        if name == "default":
            reason = (
                f"admits the ServiceAccount default of namespace {namespace.rpartition(':')[2]},"
                " as which every pod runs that names no other"
            )
            yield risk(DEFAULT_ACCOUNT, name_of(index, item), reason, path=place_of(index, "Condition"))


def _operators(look: Look, index: int, item: Statement) -> Iterator[Risk]:
    """Operators that hold for lack of the key."""
    own = {arn.partition("oidc-provider/")[2].lower() for arn in principals(item, "Federated")}
    name, tight = name_of(index, item), f"test {look.issuer}:sub and {look.issuer}:aud by StringEquals"
    for text, key, _ in tests_of(item):
        operator, (issuer, _, claim) = operator_of(text), key.rpartition(":")
        place = place_of(index, "Condition", text, key)
        if operator is None or operator.compare is None or claim.lower() not in ("sub", "aud"):
            continue
        if issuer.lower() == look.issuer.lower() and operator.quantifier == "all":
            reason = f"tests {claim} by {text}, which holds also where there is no such key"
            step = f"write {text.removeprefix('ForAllValues:')}"
            yield risk(FOR_ALL_VALUES, name, reason, step, path=place)
        if "." not in issuer or issuer.lower() in own:
            continue
        if operator.if_exists or operator.negated or operator.quantifier == "all":
            reason = (
                f"tests {key} by {text}: its provider's tokens have no such key, so that it keeps nobody out"
            )
            yield risk(OTHER_ISSUERS_KEY, name, reason, tight, path=place)


def _beside(look: Look, index: int, item: Statement, loose: Collection[int]) -> Iterator[Risk]:
    """A statement that admits whom another one admits under more conditions."""
    own = set(demands(item))
    for other, tight in allowing(look.document):
        if other == index or other in loose:
            continue
        more = [test for test in demands(tight) if test not in own and test.split()[1] not in _ALWAYS]
        named = [subject for subject in look.exact(other) if index in look.admitting(subject)]
        if named and (index in loose or (more and own <= set(demands(tight)))):
            what = "names whom it admits" if index in loose else "demands more"
            tighter = name_of(other, tight)
            reason = f"admits {named[0]}, too, so that {tighter}, which {what}, keeps nobody out"
            step = f"remove it, or demand the same as {tighter}"
            yield risk(BESIDE_LOOSE, name_of(index, item), reason, step, path=place_of(index))
            return
