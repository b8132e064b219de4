"""Which ServiceAccounts of a cluster a trust policy admits, without asking it about each of them.

A policy can't tell two subjects apart that the same of its values match. So each distinct pattern is matched
once for a cluster, and the policy is asked about one subject of each class.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.audit.estate import AuditedAccount
from irsa_cli.core.policies.operators import like
from irsa_cli.core.trust.rules.statements import statements, tests_of_key

_WILD = ("*", "?")


@dataclass(frozen=True)
class SubjectIndex:
    """The ServiceAccounts of one cluster, by their subjects."""

    accounts: Mapping[str, AuditedAccount]
    _sorted: tuple[str, ...]
    _everybody: frozenset[str]
    _matched: dict[str, frozenset[str]] = field(default_factory=dict)
    _names: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, accounts: Iterable[AuditedAccount]) -> SubjectIndex:
        """Make the index."""
        found = {item.subject: item for item in accounts}
        return cls(found, tuple(sorted(found)), frozenset(found))

    def matching(self, pattern: str) -> frozenset[str]:
        """The subjects that match a pattern of `*` and `?`."""
        if pattern not in self._matched:
            self._matched[pattern] = frozenset(self._match(pattern))
        return self._matched[pattern]

    def _match(self, pattern: str) -> Iterator[str]:
        places = [place for sign in _WILD if (place := pattern.find(sign)) >= 0]
        if not places:
            yield from (pattern,) if pattern in self.accounts else ()
            return
        head = pattern[: min(places)]
        start = bisect_left(self._sorted, head)
        for place in range(start, len(self._sorted)):
            subject = self._sorted[place]
            if not subject.startswith(head):
                return
            if like(subject, pattern):
                yield subject

    def names_of(self, subjects: frozenset[str]) -> frozenset[str]:
        """The full names of the ServiceAccounts; the same set for the same ones, as many roles admit them."""
        if subjects not in self._names:
            self._names[subjects] = frozenset(self.accounts[item].full_name for item in subjects)
        return self._names[subjects]

    def classes(self, document: Mapping[str, Any], issuer: str) -> Iterator[tuple[str, frozenset[str]]]:
        """The subjects in classes that the policy treats alike, each with one of it that stands for all.

        Those that are named one by one are classes of their own.
        """
        values = {
            value for _, found in tests_of_key(statements(document), f"{issuer}:sub") for value in found
        }
        if any("${" in value for value in values):
            yield from ((subject, frozenset((subject,))) for subject in self._sorted)
            return
        # Operators that ignore case are the only ones that do: all subjects are in lower case.
        named = {value.lower() for value in values if not any(sign in value for sign in _WILD)}
        exact = {value for value in named if value in self.accounts}
        yield from ((subject, frozenset((subject,))) for subject in sorted(exact))
        rest = [self._everybody - exact if exact else self._everybody]
        for value in sorted(values):
            if any(sign in value for sign in _WILD):
                matched = self.matching(value)
                rest = [part for item in rest for part in (item & matched, item - matched) if part]
        yield from ((min(part), part) for part in rest if part)
