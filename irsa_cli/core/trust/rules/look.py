"""A trust policy as tokens of one cluster's provider meet it: which statements admit which ServiceAccount.

What follows from that is judged in `irsa_cli.core.trust.rules.width` and `irsa_cli.core.trust.rules.claims`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust.evaluation import StatementVerdict, explain
from irsa_cli.core.trust.rules.statements import Statement, comparing, statements, tests_of_key
from irsa_cli.core.trust.rules.subject_patterns import ONE, OTHER, SERVICE_ACCOUNT, Pair, pairs

MOST_AUDIENCES = 5
"""Audiences of a policy that are tried."""
NO_AUDIENCE = "audience.nobody.has.named"
ANYBODY = f"{SERVICE_ACCOUNT}{ONE}:{OTHER}"
"""A ServiceAccount that nobody has named: what admits it admits any."""
_SUBJECT = re.compile(rf"{SERVICE_ACCOUNT}[a-z0-9-]+:[a-z0-9.-]+")


@dataclass(frozen=True)
class Look:
    """A trust policy, as tokens of one provider meet it."""

    document: Mapping[str, Any]
    provider: str
    audience: str
    _known: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def issuer(self) -> str:
        """The issuer without `https://`."""
        return self.provider.partition("oidc-provider/")[2]

    def values(self, claim: str, items: Iterable[Statement]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Operator and values of each test of a claim of this issuer."""
        return tests_of_key(items, f"{self.issuer}:{claim}")

    @cached_property
    def statements(self) -> list[Statement]:
        """All statements of the document."""
        return statements(self.document)

    @cached_property
    def audiences(self) -> tuple[str, ...]:
        """The usual audience, and those that are named."""
        named = (value for _, values in self.values("aud", self.statements) for value in values)
        return tuple(dict.fromkeys((self.audience, *named)))[:MOST_AUDIENCES]

    @cached_property
    def anybody(self) -> frozenset[int]:
        """The statements that admit ServiceAccounts that nobody has named."""
        return self.admitting(ANYBODY)

    def admitting(self, subject: str, audience: str = "") -> frozenset[int]:
        """The statements that admit the ServiceAccount, or may; with any audience that is named."""
        found: set[int] = set()
        for each in (audience,) if audience else self.audiences:
            if (subject, each) not in self._known:
                self._known[subject, each] = self._asked(subject, each)
            found |= self._known[subject, each]
        return frozenset(found)

    def _asked(self, subject: str, audience: str) -> frozenset[int]:
        identity = WebIdentity(self.provider, f"https://{self.issuer}", subject, audience)
        verdicts = explain(self.document, identity).verdicts
        if any(item.effect != "Allow" and item.failure is None for item in verdicts):
            return frozenset()
        return frozenset(item.index for item in verdicts if self._may(item))

    def _may(self, verdict: StatementVerdict) -> bool:
        """Whether it admits, or may. How a claim compares is never what may be: there it is a riddle, no."""
        own = f"{self.issuer}:".lower()
        riddle = any(item.key.lower().startswith(own) for item in verdict.undecided)
        return verdict.effect == "Allow" and verdict.possible and not riddle

    def exact(self, index: int) -> Iterator[str]:
        """The subjects that are named as they are, of those that the statement admits."""
        for _, values in self.values("sub", [self.statements[index]]):
            named = (value for value in values if _SUBJECT.fullmatch(value))
            yield from (value for value in named if index in self.admitting(value))

    @cached_property
    def patterns(self) -> tuple[tuple[str, Pair], ...]:
        """Each pattern of subjects in the policy, with the namespaces and names that it means.

        Also those of statements that deny all others, and of negated tests: the witnesses tell what holds.
        """
        found = {
            value: None
            for name, values in self.values("sub", self.statements)
            if (operator := comparing(name)) is not None and operator.wild
            for value in values
        }
        return tuple((value, pair) for value in found for pair in pairs(value) if pair.is_wide)
