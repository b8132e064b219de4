"""Find statements for a cluster's provider that allow more ServiceAccounts than they list.

Witnesses prove each risk: ServiceAccounts with random names that `irsa_cli.core.trust.evaluation` allows. So
a further condition, or a Deny that rejects them, counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

from irsa_cli.core.policies.statements import (
    Statement,
    allowing,
    comparing,
    is_positive,
    name_of,
    place_of,
    statements,
    tests_of,
    tests_of_key,
    values_of_key,
)
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import StatementVerdict, explain
from irsa_cli.core.trust.rules.rule import NAME_THEM, ORDER, RULES, Risk, Rule, risk
from irsa_cli.core.values.arn import issuer_of

SERVICE_ACCOUNT = "system:serviceaccount:"


def full_name_of(subject: str) -> str:
    """The ServiceAccount (namespace/name) of a token's subject."""
    return subject.removeprefix(SERVICE_ACCOUNT).replace(":", "/", 1)


ONE = "x9q7z"
OTHER = "k3w8v"
"""Random names: a test that allows them allows any name."""


def _is_wild(glob: str) -> bool:
    return "*" in glob or "?" in glob


def _is_all(glob: str) -> bool:
    return bool(glob) and not glob.strip("*")


def _filled(glob: str, word: str) -> str:
    return glob.replace("*", word).replace("?", word[0])


def _example(glob: str) -> str:
    """A matching name that the author probably did not intend."""
    example, *others = re.split(r"\*+", glob)
    for section in others:
        if example and example[-1] not in "-.:":
            example += "-"
        example += "evil"
        if section and section[0] not in "-.":
            example += "-"
        example += section
    return example.replace("?", "x")


@dataclass(frozen=True)
class Pair:
    """The namespace and name patterns of a subject pattern; `crosses`: a wildcard matches the colon."""

    namespace: str
    name: str
    crosses: bool = False

    @property
    def witnesses(self) -> tuple[str, str]:
        """Two matching ServiceAccounts that differ wherever the pattern has a wildcard."""
        return self._subject(ONE, OTHER), self._subject(OTHER, ONE)

    def _subject(self, in_namespace: str, in_name: str) -> str:
        return f"{SERVICE_ACCOUNT}{_filled(self.namespace, in_namespace)}:{_filled(self.name, in_name)}"

    @property
    def rule(self) -> Rule:
        if _is_all(self.namespace):
            return RULES["every-subject"] if _is_all(self.name) else RULES["every-namespace"]
        if _is_wild(self.namespace):
            return RULES["pattern-crosses-colon"] if self.crosses else RULES["namespace-pattern"]
        return RULES["every-name"] if _is_all(self.name) else RULES["name-pattern"]

    def risk(self, statement: str, pattern: str, suggestion: str, path: tuple[str | int, ...]) -> Risk:
        evidence = (f"the pattern is '{pattern}'",)
        reason = f"allows {self._whom}"
        return risk(self.rule, statement, reason, suggestion, path=path, pattern=pattern, evidence=evidence)

    @property
    def _whom(self) -> str:
        if self.rule is RULES["every-subject"]:
            return "every ServiceAccount of the cluster"
        if self.rule is RULES["every-name"]:
            return f"every ServiceAccount of namespace {self.namespace}, including future ones"
        if self.rule is RULES["name-pattern"]:
            return f"every ServiceAccount {self.name} of namespace {self.namespace}"
        names = f"ServiceAccount {self.name}"
        if _is_all(self.name):
            names = "every ServiceAccount"
        elif _is_wild(self.name):
            names = f"every ServiceAccount {self.name}"
        if self.rule is RULES["every-namespace"]:
            return f"{names} of every namespace, including future ones"
        return f"{names} of every namespace {self.namespace}, such as {_example(self.namespace)}"


@lru_cache(maxsize=1024)
def pairs(pattern: str) -> tuple[Pair, ...]:
    """The namespaces and names that a pattern matches; a `*` can also match the colon between them."""
    matched: dict[Pair, None] = {}
    for glob in _after(pattern, SERVICE_ACCOUNT):
        if glob.count(":") == 1:
            namespace, _, name = glob.partition(":")
            matched[Pair(namespace, name)] = None
        elif ":" not in glob:
            for place, sign in enumerate(glob):
                if sign in "*?":
                    star = sign if sign == "*" else ""
                    matched[Pair(glob[:place] + star, star + glob[place + 1 :], crosses=True)] = None
    return tuple(pair for pair in matched if pair.namespace and pair.name)


def _after(pattern: str, text: str) -> frozenset[str]:
    """The possible rests of a pattern after its beginning matched the text."""
    globs = {re.sub(r"\*+", "*", pattern)}
    for sign in text:
        after_sign: set[str] = set()
        for glob in globs:
            if glob.startswith("*"):
                after_sign.add(glob)
                glob = glob[1:]
            if glob and glob[0] in (sign, "?"):
                after_sign.add(glob[1:])
        globs = after_sign
    return frozenset(globs)


MOST_AUDIENCES = 5
"""The number of a policy's audiences that are tried."""
NO_AUDIENCE = "audience.nobody.has.named"
ANYBODY = f"{SERVICE_ACCOUNT}{ONE}:{OTHER}"
"""A ServiceAccount with a random name: a statement that allows it allows any."""
_SUBJECT = re.compile(rf"{SERVICE_ACCOUNT}[a-z0-9-]+:[a-z0-9.-]+")


@dataclass(frozen=True)
class Look:
    """A trust policy from the view of one provider's tokens."""

    document: Mapping[str, Any]
    provider: str
    audience: str
    _known: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def issuer(self) -> str:
        """The issuer without `https://`."""
        return issuer_of(self.provider)

    def values(self, claim: str, items: Iterable[Statement]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Operator and values of each test of this issuer's claim."""
        return tests_of_key(items, f"{self.issuer}:{claim}")

    @cached_property
    def statements(self) -> list[Statement]:
        return statements(self.document)

    @cached_property
    def audiences(self) -> tuple[str, ...]:
        """The usual audience and those in the policy."""
        written = values_of_key(self.document, f"{self.issuer}:aud")
        return tuple(dict.fromkeys((self.audience, *written)))[:MOST_AUDIENCES]

    @cached_property
    def anybody(self) -> frozenset[int]:
        """The statements that allow any ServiceAccount."""
        return self.allowing(ANYBODY)

    def allowing(self, subject: str, audience: str = "") -> frozenset[int]:
        """The statements that allow the ServiceAccount, or might, with this or any audience."""
        indexes: set[int] = set()
        audiences = (audience,) if audience else self.audiences
        for tried in audiences:
            if (subject, tried) not in self._known:
                self._known[subject, tried] = self._allowing(subject, tried)
            indexes |= self._known[subject, tried]
        return frozenset(indexes)

    def _allowing(self, subject: str, audience: str) -> frozenset[int]:
        identity = WebIdentity(self.provider, f"https://{self.issuer}", subject, audience)
        verdicts = explain(self.document, identity).verdicts
        if any(verdict.effect != "Allow" and verdict.failure is None for verdict in verdicts):
            return frozenset()
        return frozenset(verdict.index for verdict in verdicts if self._allows(verdict))

    def _allows(self, verdict: StatementVerdict) -> bool:
        """Whether a statement allows the token, or might; not if a claim's comparison is undecided."""
        if verdict.effect != "Allow" or not verdict.possible:
            return False
        own = f"{self.issuer}:".lower()
        return not any(failure.key.lower().startswith(own) for failure in verdict.undecided)

    def exact(self, index: int) -> Iterator[str]:
        """The subjects without wildcards that the statement allows."""
        for _, values in self.values("sub", [self.statements[index]]):
            exact = (value for value in values if _SUBJECT.fullmatch(value))
            yield from (value for value in exact if index in self.allowing(value))

    def example(self, index: int) -> str:
        """A subject that the statement allows: any, one of its list, or one of a pattern; '' for none."""
        if index in self.anybody:
            return ANYBODY
        for subject in self.exact(index):
            return subject
        for _, pair in self.patterns:
            for subject in pair.witnesses:
                if index in self.allowing(subject):
                    return subject
        return ""

    @cached_property
    def patterns(self) -> tuple[tuple[str, Pair], ...]:
        """Each subject pattern in the policy with its namespaces and names, Denies included."""
        globs: dict[str, None] = {}
        for name, values in self.values("sub", self.statements):
            operator = comparing(name)
            if operator is not None and operator.wild:
                globs.update(dict.fromkeys(values))
        patterns: list[tuple[str, Pair]] = []
        for glob in globs:
            patterns += [(glob, pair) for pair in pairs(glob) if _is_wild(pair.namespace + pair.name)]
        return tuple(patterns)


def of_subjects(look: Look) -> Iterator[tuple[int, Risk]]:
    """The risks of the statements' subjects, each with the statement's index."""
    tight = NAME_THEM.format(issuer=look.issuer)
    for index, statement in allowing(look.document):
        if index in look.anybody:
            yield index, _of_all(look, index, tight)
            continue
        worst: dict[str, Risk] = {}
        for pattern, pair in look.patterns:
            if all(index in look.allowing(subject) for subject in pair.witnesses):
                place = _place(look, index, statement, pattern)
                violation = pair.risk(name_of(index, statement), pattern, tight, place)
                # A wildcard that can match a colon has several meanings: report the worst one.
                known = worst.get(pattern)
                if known is None or ORDER.index(violation.severity) > ORDER.index(known.severity):
                    worst[pattern] = violation
        yield from ((index, violation) for violation in worst.values())


def _place(look: Look, index: int, statement: Statement, pattern: str) -> tuple[str | int, ...]:
    """The path of the pattern in the statement, or of its conditions if another statement has the pattern."""
    for operator, key, values in tests_of(statement):
        if key.lower() == f"{look.issuer}:sub".lower() and pattern in values:
            place = place_of(index, "Condition", operator, key)
            if isinstance(statement["Condition"][operator][key], list):
                return (*place, values.index(pattern))
            return place
    return place_of(index, "Condition")


def _of_all(look: Look, index: int, tight: str) -> Risk:
    """The risk of a statement that allows every ServiceAccount."""
    statement = look.statements[index]
    name = name_of(index, statement)
    every = "allows every ServiceAccount of the cluster"
    tests = list(look.values("sub", [statement]))
    tested = list(chain.from_iterable(values for _, values in tests))
    patterns = [value for value in tested if "*" in value]
    place = place_of(index, "Condition")
    if not statement.get("Condition"):
        place = place_of(index)
    elif patterns:
        place = _place(look, index, statement, patterns[0])
    if not statement.get("Condition"):
        rule = RULES["no-condition"]
        reason = f"has no condition and {every}, with a token for any audience"
    elif not tests:
        rule = RULES["no-subject"]
        reason = f"does not test the token's subject and {every}"
    elif not any(is_positive(operator) for operator, _ in tests):
        rule = RULES["only-negative"]
        reason = f"only excludes subjects and {every} except those"
    else:
        shown = ", ".join(f"'{pattern}'" for pattern in patterns)
        rule = RULES["every-subject"]
        reason = f"{every} with {shown or 'a test that matches all'}"
    return risk(rule, name, reason, tight, path=place, pattern=", ".join(tested))
