"""The statement by which a role of another account trusts a ServiceAccount's role; the others are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from irsa_cli.changes.common import Unclaimed
from irsa_cli.changes.trust_statement import TrustStatementHandler
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.arn import role_arn
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

IamOf = Callable[[str], "IAMClient"]
"""IAM of an account; raises `IrsaError` for one that this run has no credentials for."""


class TargetTrustHandler(Unclaimed):
    """Adds and removes one statement; the target is `(target role's ARN, role's ARN)`."""

    def __init__(self, iam_of: IamOf) -> None:
        self._iam_of = iam_of

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`."""
        handler, there = self._there(change)
        return handler.apply(there, run, claim)

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        handler, there = self._there(change)
        return handler.look(there, transaction)

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        """See `Handler.recall`."""
        handler, there = self._there(change)
        handler.recall(there, claim, ago)

    def _there(self, change: Change) -> tuple[TrustStatementHandler, Change]:
        """The handler of its account, and the change in that handler's form: with the role's name."""
        arn = role_arn(change.target[0])
        there = replace(change, target=(arn.name, *change.target[1:]))
        return TrustStatementHandler(self._iam_of(arn.account), arn.account), there
