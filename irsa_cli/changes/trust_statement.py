"""One statement in the trust policy of a role that somebody else owns: added and removed, the rest kept.

IAM has no conditional write. So: read, write the whole policy with our statement, read again, and
repeat a bounded number of times when somebody else's write swallowed it. A window remains in which
our write can swallow theirs; docs/explanation/transaction.md tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import Unclaimed, conflict, expect, telling
from irsa_cli.core import policy, trust
from irsa_cli.core.errors import Outcome, ServiceError
from irsa_cli.core.plan import Change
from irsa_cli.core.policy import Document
from irsa_cli.core.states import DocumentState
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ROUNDS = 5


class TrustStatementHandler(Unclaimed):
    """Adds and removes one statement; the target is `(role name, subject)`."""

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`. A statement has no owner: its content is compared instead."""
        adding = change.after is not None
        statement = expect(DocumentState, change.after if adding else change.before).document
        lost: ServiceError | None = None
        for written in range(ROUNDS + 1):
            with telling(Outcome.UNKNOWN if written else Outcome.REFUSED):
                document = self._read(change, adding=adding)
            if document is None or trust.contains(document, statement) == adding:
                return Applied(changed=written > 0)
            if written < ROUNDS:
                lost = self._write(change.target[0], document, statement, adding=adding) or lost
        # A write without an answer may still be executed: then this is no conflict, but unknown.
        raise lost or conflict(change, f"somebody else keeps writing the trust policy ({ROUNDS} rounds)")

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        document = self._read(change, adding=True)
        return document is not None and trust.contains(document, expect(DocumentState, change.after).document)

    def _read(self, change: Change, *, adding: bool) -> Document | None:
        found = reading.role_state(self._iam, change.target[0])
        if found is not None:
            return found[0].trust
        if adding:
            raise conflict(change, "the role is gone")
        return None

    def _write(
        self, role: str, document: Document, statement: Document, *, adding: bool
    ) -> ServiceError | None:
        """Write the policy; the error of a write that nobody answered, which the next reading settles."""
        edit = trust.with_statement if adding else trust.without_statement
        text = policy.dump(edit(document, statement))
        try:
            call(self._iam.update_assume_role_policy, RoleName=role, PolicyDocument=text)
        except ServiceError as error:
            if error.outcome is not Outcome.UNKNOWN:
                raise
            return error
        return None
