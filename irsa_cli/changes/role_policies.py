"""Policies of roles: managed ones attached and detached, inline ones changed only as they were read.

Attaching and detaching are idempotent at IAM. For inline policies IAM has no conditional write: on a role
that this run did not make, what is there is read and compared before each write, and a window of one round
trip remains.
"""

from __future__ import annotations

from collections.abc import Callable

from irsa_cli.aws import iam as reading
from irsa_cli.changes import common
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState, State
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.transaction.protocol import Applied, Claim, Run


class AttachmentHandler(common.OnIam):
    """Attaches and detaches one managed policy; the target is `(role name, policy ARN)`.

    A change from present to present attaches again what another run may be about to remove.
    """

    repeats_deletions = True

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """A policy has no owner: the claim adds nothing to the target."""
        role, arn = change.target
        if change.after is None:
            return common.delete_once(lambda: self._send(change, run.transaction))
        common.check_role_is_there(self._iam, change, run, claim)
        if claim is not None and not run.has_made(Kind.ROLE, role) and self._is_attached(role, arn):
            return Applied(changed=False)  # It was never detached, or not yet.
        self._send(change, run.transaction)
        return Applied(changed=change.before is None)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        if self._is_attached(*change.target) != (change.after is not None):
            return None
        return Applied(changed=change.before is None or change.after is None)

    def look(self, change: Change, transaction: str) -> bool:
        return self._found(change, transaction) is not None

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        asked = {"RoleName": change.target[0], "PolicyArn": change.target[1]}
        return "DetachRolePolicy" if state is None else "AttachRolePolicy", asked

    def _is_attached(self, role: str, arn: str) -> bool:
        try:
            return arn in reading.attached_policies(self._iam, role)
        except ServiceError as error:
            if error.code != reading.NOT_THERE:
                raise
            return False  # Nor is the role there.


class InlinePolicyHandler(common.OnIam):
    """Puts and deletes one inline policy; the target is `(role name, policy name)`."""

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """A policy has no owner: its document is compared instead."""
        if change.after is None:
            return self._delete(change, run)
        common.check_role_is_there(self._iam, change, run, claim)
        document = common.expect(DocumentState, change.after).document
        if not run.has_made(Kind.ROLE, change.target[0]) and self._is_there(change, document, run):
            return Applied(changed=False)
        self._send(change, run.transaction)
        return Applied(changed=True)

    def _is_there(self, change: Change, document: policy.Document, run: Run) -> bool:
        """Whether the document is there already; raises `Conflict` when neither it nor the old one is."""
        before = change.before.document if isinstance(change.before, DocumentState) else None
        # From present to present: put again what another run may be about to remove.
        may_be_gone = before is None or policy.equal(before, document)

        def fits(present: policy.Document | None) -> bool:
            if present is None:
                return may_be_gone
            return policy.equal(present, document) or (before is not None and policy.equal(present, before))

        with common.telling(Outcome.REFUSED):
            present = self._read_until(change, fits, run)
        if not fits(present):
            gone = "it was deleted" if present is None else "an inline policy of that name was added"
            raise common.conflict(change, gone)
        return present is not None and policy.equal(present, document)

    def _read_until(
        self, change: Change, fits: Callable[[policy.Document | None], bool], run: Run
    ) -> policy.Document | None:
        return common.read_until(lambda: reading.inline_policy(self._iam, *change.target), fits, run)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        present = reading.inline_policy(self._iam, *change.target)
        if present is None or not isinstance(change.after, DocumentState):
            there = present is None and change.after is None
        else:
            there = policy.equal(present, change.after.document)
        return Applied(changed=True) if there else None

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, common.Asked]:
        asked = {"RoleName": change.target[0], "PolicyName": change.target[1]}
        if isinstance(state, DocumentState):
            return "PutRolePolicy", {**asked, "PolicyDocument": policy.dump(state.document)}
        return "DeleteRolePolicy", asked

    def _delete(self, change: Change, run: Run) -> Applied:
        before = common.expect(DocumentState, change.before).document
        with common.telling(Outcome.REFUSED):
            present = self._read_until(change, lambda it: it is not None and policy.equal(it, before), run)
        if present is None:
            return Applied(changed=False)
        if not policy.equal(present, before):
            raise common.conflict(change, "its document differs from what was written")
        return common.delete_once(lambda: self._send(change, run.transaction))
