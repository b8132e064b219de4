"""A trust policy read again at the end of a run: another run's write may have undone a change without a sign.

IAM has no conditional write, and locks are in the cluster of each run. So two runs that read the same policy
write over each other, and the second one's write undoes the first one's change. Each run looks after its own
statements only: it reads the policy again when the other one's write is over, and repeats its change in the
newest policy. docs/explanation/transaction.md tells which window is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.aws.recent_writes import recent_writes
from irsa_cli.changes.common import expect, read_until
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState, State
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust.trust_difference import TrustDifference
from irsa_cli.core.values import limits
from irsa_cli.core.values.errors import IrsaError, Overwritten
from irsa_cli.transaction.protocol import Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

REPEATS = 2
"""How often a change is written again: who undoes it that often will not stop."""
LONG_WRITE_SECONDS = 1.0
"""Seconds from read to write, `OVERLAP_SECONDS`: another run may have written in between and have ended."""


def difference_of(change: Change) -> TrustDifference:
    """The statements that a change of a whole trust policy, or of one statement, adds and removes."""
    if change.kind is Kind.TRUST_POLICY:
        before = expect(DocumentState, change.before)
        after = expect(DocumentState, change.after)
        return TrustDifference.between(before.document, after.document)
    return TrustDifference.of_statement(document_of(change.before), document_of(change.after))


def document_of(state: State | None) -> Document | None:
    """The statement, or the policy, that a state is; None without one."""
    return state.document if isinstance(state, DocumentState) else None


@dataclass(frozen=True)
class TrustConfirmation:
    """The confirmation of a run's changes of one role's trust policy.

    `lock`: for each write; of several transactions of one process, one at a time writes a trust policy.
    """

    iam: IAMClient
    role: str
    changes: Sequence[Change]
    run: Run
    lock: AbstractContextManager[object]

    def confirm(self, written: float) -> str:
        """See `Handler.confirm`."""
        if self.run.has_made(Kind.ROLE, self.role):
            return ""  # Nobody else has read it before it was there.
        for repeated in range(REPEATS + 1):
            # Only a read after the other run's write shows what that has undone.
            self.run.pause(max(0.0, written + limits.overlap_seconds() - time.monotonic()))
            document = self._read(written)
            if document is None or self._stands_in(document):
                return self._note()
            if repeated < REPEATS:
                self._write(document)
                written = time.monotonic()
        raise self._overwritten(f"irsa wrote it again {REPEATS} times, and each time it was undone")

    def _stands_in(self, document: Document) -> bool:
        return all(difference_of(change).stands_in(document) for change in self.changes)

    def _read(self, written: float) -> Document | None:
        """The trust policy, None if the role is gone.

        An answer without the change may be an old one; so may any answer of an IAM that has shown an older
        state since the write. Both are believed only if they come several times in a row.
        """

        def trust() -> Document | None:
            role = reading.read_role(self.iam, self.role)
            return None if role is None else role.trust

        document = trust()
        is_late = recent_writes(self.iam).was_late(self.role, written)
        if document is None or (self._stands_in(document) and not is_late):
            return document
        remaining = written + limits.settled_seconds(young=True) - time.monotonic()
        return read_until(trust, lambda _: False, self.run, max(0.0, remaining) if is_late else 0.0)

    def _write(self, document: Document) -> None:
        for change in self.changes:
            document = difference_of(change).made_in(document)
        if not as_list(document.get("Statement", [])):
            raise self._overwritten("it is now the only statement, and IAM requires one")
        try:
            with self.lock:
                call(
                    self.iam.update_assume_role_policy,
                    RoleName=self.role,
                    PolicyDocument=policy.dump(document),
                )
        except IrsaError as error:
            raise self._overwritten(f"irsa could not write it again: {error}") from error

    def _note(self) -> str:
        """The note on a write that took so long that another run may have ended in the meantime."""
        seconds = recent_writes(self.iam).overlap_of(self.role)
        if seconds <= LONG_WRITE_SECONDS:
            return ""
        return (
            f"IAM took {seconds:.0f} s to change the trust policy of {self.role}: a change by others in that"
            f" time may be lost. Check it: aws iam get-role --role-name {self.role}"
        )

    def _overwritten(self, reason: str) -> Overwritten:
        names = ", ".join(dict.fromkeys(f"{change.kind.value} {change.name}" for change in self.changes))
        return Overwritten(f"another write of the trust policy undid {names}", reason=reason)
