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
        old = [] if before is None else [before]
        new = [] if after is None else [after]
        return cls.between({"Statement": old}, {"Statement": new})

    def stands_in(self, document: Mapping[str, Any]) -> bool:
        """Whether a policy has all that was added and nothing of what was removed."""
        has_all = all(contains(document, statement) for statement in self.added)
        return has_all and not any(contains(document, statement) for statement in self.removed)

    def made_in(self, document: Mapping[str, Any]) -> Document:
        """The policy with the change made in it; the rest as it is."""
        changed: Document = {**document}
        for statement in self.removed:
            changed = without_statement(changed, statement)
        for statement in self.added:
            if not contains(changed, statement):
                changed = with_statement(changed, statement)
        return changed


def _beyond(document: Mapping[str, Any], compared: Mapping[str, Any]) -> Iterator[Document]:
    """The statements of a policy, and the subjects of a shared one, that another policy lacks."""
    for statement in as_list(document.get("Statement", [])):
        shared = read_statement(statement)
        if shared is None:
            if isinstance(statement, dict) and not contains(compared, statement):
                yield statement
            continue
        for subject in shared.subjects:
            alone = replace(shared, subjects=(subject,)).document
            if not contains(compared, alone):
                yield alone
