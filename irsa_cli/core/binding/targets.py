"""Target roles as they were seen, and what irsa takes out of their trust policies.

A target is mostly in another account, which irsa may not be allowed to read. How a role gets to its target is
in `irsa_cli.core.trust.chain`, what is added to a target in `irsa_cli.core.planning.chaining`.
"""

from __future__ import annotations

from collections.abc import Iterable

from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.chain import Chain, mark, marked
from irsa_cli.core.values.errors import Unreadable

TargetRole = Role | Unreadable | None
"""A target role; None if it does not exist, or why it was not read."""
NOT_READ = Unreadable("it was not read")


def statement_removals(chains: Iterable[tuple[Chain, TargetRole]]) -> tuple[list[Change], list[str]]:
    """Remove irsa's statements for a role from former targets; and note those that can't be removed."""
    changes: list[Change] = []
    notes: list[str] = []
    for chain, target in chains:
        policy_name = f"the trust policy of {chain.target_arn}"
        if isinstance(target, Unreadable):
            why = f"{target.why}; its Sid would be {mark(chain.role_arn)}"
            notes.append(f"irsa did not check whether it added a statement to {policy_name}: {why}")
            continue
        statement = None if target is None else marked(target.trust, chain.role_arn)
        if target is None or statement is None:
            continue
        if as_list(trust_policy.without_statement(target.trust, statement)["Statement"]):
            changes.append(Change(Kind.TARGET_TRUST, chain.key, states.DocumentState(statement), None))
        else:
            why = "it is the only statement, and IAM requires one"
            notes.append(f"irsa's statement for {chain.role_arn} stays in {policy_name}: {why}")
    return changes, notes
