"""The guards of a statement that a command adds to a role's trust policy for a ServiceAccount. Pure.

Every command that adds one asks them: whether the role is powerful, and whether another statement allows the
ServiceAccount only under conditions, which the new one does not have. Statements are alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from irsa_cli.core.policies.policy import Document, difference
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.restrictions import Restriction, voided
from irsa_cli.core.trust.rules.power import check_power
from irsa_cli.core.values.errors import Refused


@dataclass(frozen=True)
class AddedStatement:
    """A statement for a ServiceAccount, by its tokens or by EKS Pod Identity, and the policy `before` it."""

    role_arn: str
    identity: WebIdentity
    """The ServiceAccount's tokens: the restrictions of today are about them."""
    before: Document
    statement: Document

    @property
    def after(self) -> Document:
        return trust_policy.with_statement(self.before, self.statement)

    @property
    def voids(self) -> tuple[Restriction, ...]:
        """The conditions of today that the statement bypasses."""
        return voided(self.before, self.identity)

    def check_conditions(self, *, steps: Sequence[str] = ()) -> None:
        """Raise `Refused` if the statement bypasses a condition; `steps` are other ways on than --force."""
        if self.voids:
            raise Refused(
                f"a statement for {self.identity.subject} would bypass a condition of the trust policy of"
                f" {self.role_arn}",
                reason="one matching statement is enough, and the new one does not have this condition",
                details=(*(void.text for void in self.voids), *becoming(self.before, self.after)),
                next_steps=[*steps, "run this again with --force to add the statement anyway"],
            )

    def check_power(self, power: str, policies: Iterable[str]) -> None:
        """Raise `Refused` if the role is powerful, or if that is not known; `policies` are their names."""
        check_power(self.role_arn, self.identity.subject, power, policies)


def becoming(before: Document, after: Document) -> list[str]:
    """A trust policy before and after the change, line by line."""
    return ["the trust policy after the change:", *(f"  {line}" for line in difference(before, after))]
