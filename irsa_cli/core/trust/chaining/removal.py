"""What is there of a chain, as it was read, and what takes irsa's statement out of a target that is left.

Pure. How the statement gets there is planned in `irsa_cli.core.planning.chaining`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.chaining.chain import Chain, mark, marked


@dataclass(frozen=True)
class FoundTarget:
    """The target role: its trust policy, None where there is no such role; or why it was not read."""

    trust: Document | None = None
    unread: str = ""
    trust_quota: int = policy.TRUST_LIMIT
    """Characters that its account allows a trust policy, without white space."""
    power: str = ""
    """What of its policies is much, or why that is not known; asked where it is to be given to somebody."""
    policies: tuple[str, ...] = ()
    """The policies that were read for that."""


@dataclass(frozen=True)
class FoundConfigMap:
    """A ConfigMap that is there; `service_account` (`namespace/name`) and `transaction` are irsa's marks."""

    data: Mapping[str, str]
    service_account: str = ""
    transaction: str = ""
    uid: str = ""

    def is_for(self, full_name: str) -> bool:
        """Whether irsa made it for this ServiceAccount."""
        return bool(self.transaction) and self.service_account == full_name


def taken_back(chains: Iterable[Chain], targets: Mapping[str, FoundTarget]) -> tuple[list[Change], list[str]]:
    """What takes irsa's statements for a role from targets that it goes on to no more; and what can't be.

    `targets` are what is there of them, by ARN.
    """
    found: list[Change] = []
    notes: list[str] = []
    for chain in chains:
        changes, kept = _taken_from(chain, targets[chain.target_arn])
        found += changes
        notes += kept
    return found, notes


def _taken_from(chain: Chain, target: FoundTarget) -> tuple[list[Change], list[str]]:
    if target.unread:
        told = f"whether irsa has added a statement to the trust policy of {chain.target_arn} was not checked"
        return [], [f"{told}: {target.unread}; it would have the Sid {mark(chain.role_arn)}"]
    statement = marked(target.trust, chain.role_arn) if target.trust is not None else None
    if statement is None or target.trust is None:
        return [], []
    if not as_list(trust_policy.without_statement(target.trust, statement).get("Statement", [])):
        told = f"{chain.target_arn} keeps irsa's statement for {chain.role_arn}"
        return [], [f"{told}: it is the only one, and IAM takes no trust policy without any"]
    return [Change(Kind.TARGET_TRUST, chain.key, DocumentState(statement), None)], []
