"""The statements that a change adds to a trust policy and removes from it, looked for in a later policy.

Others write the same policy. So a change is judged by its own statements only, and for a statement that has
several subjects, by its own subjects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust.trust_policy import contains, read_statement, with_statement, without_statement


@dataclass(frozen=True)
class TrustDifference:
    """The statements that a change adds and removes, each with the change's own subjects."""

    added: tuple[Document, ...]
    removed: tuple[Document, ...]

    @classmethod
    def between(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> TrustDifference:
        """The difference of two policies."""
        return cls(tuple(_beyond(after, before)), tuple(_beyond(before, after)))

    @classmethod
    def of_statement(cls, before: Document | None, after: Document | None) -> TrustDifference:
        """The difference of a statement that is replaced, added (no `before`) or removed (no `after`)."""
        documents = ({"Statement": [] if item is None else [item]} for item in (before, after))
        return cls.between(*documents)

    def stands_in(self, document: Mapping[str, Any]) -> bool:
        """Whether a policy has all that was added and nothing of what was removed."""
        has_all = all(contains(document, item) for item in self.added)
        return has_all and not any(contains(document, item) for item in self.removed)

    def made_in(self, document: Mapping[str, Any]) -> Document:
        """The policy with the change made in it; the rest as it is."""
        found: Document = {**document}
        for item in self.removed:
            found = without_statement(found, item)
        for item in self.added:
            found = found if contains(found, item) else with_statement(found, item)
        return found


def _beyond(document: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Document]:
    """The statements of a policy, and the subjects of a shared one, that another policy lacks."""
    for item in as_list(document.get("Statement", [])):
        shared = read_statement(item)
        if shared is None:
            if isinstance(item, dict) and not contains(other, item):
                yield item
            continue
        each = (replace(shared, subjects=(subject,)).document for subject in shared.subjects)
        yield from (alone for alone in each if not contains(other, alone))
