"""Inline policies of roles: put where there is none, replaced and deleted only as they were.

IAM has no conditional write: on a role that this run did not make, what is there is read and
compared before each write, and a window of one round trip remains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import (
    Unclaimed,
    check_role_is_there,
    conflict,
    expect,
    gone,
    settle,
    telling,
    until_spread,
)
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class InlinePolicyHandler(Unclaimed):
    """Puts and deletes one inline policy; the target is `(role name, policy name)`."""

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`. A policy has no owner: its document is compared instead."""
        role, name = change.target
        if change.after is None:
            return settle(lambda: self._delete(change, role, name), lambda: self._found_gone(role, name))
        check_role_is_there(self._iam, change, run, claim)
        document = expect(DocumentState, change.after).document
        if not run.has_made(Kind.ROLE, role) and self._is_there(change, document):
            return Applied(changed=False)
        return settle(lambda: self._put(role, name, document, run), lambda: self._found(role, name, document))

    def _is_there(self, change: Change, document: policy.Document) -> bool:
        """Whether the document is there already; raises `Conflict` when neither it nor the old one is."""
        role, name = change.target
        with telling(Outcome.REFUSED):
            present = reading.inline_policy(self._iam, role, name)
        if present is not None and policy.equal(present, document):
            return True
        before = change.before.document if isinstance(change.before, DocumentState) else None
        if present is None:
            # From present to present: put again what another run may be about to take away.
            if before is None or policy.equal(before, document):
                return False
            raise conflict(change, "it was deleted")
        if before is None or not policy.equal(present, before):
            raise conflict(change, "an inline policy of that name was put there")
        return False

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        role, name = change.target
        if change.after is None:
            return self._found_gone(role, name) is not None
        return self._found(role, name, expect(DocumentState, change.after).document) is not None

    def _put(self, role: str, name: str, document: policy.Document, run: Run) -> Applied:
        def write() -> Applied:
            call(
                self._iam.put_role_policy,
                RoleName=role,
                PolicyName=name,
                PolicyDocument=policy.dump(document),
            )
            return Applied(changed=True)

        fresh = run.has_made(Kind.ROLE, role)
        return until_spread(write, run, fresh=fresh, codes=frozenset({reading.NOT_THERE}))

    def _found(self, role: str, name: str, document: policy.Document) -> Applied | None:
        present = reading.inline_policy(self._iam, role, name)
        return Applied(changed=True) if present is not None and policy.equal(present, document) else None

    def _found_gone(self, role: str, name: str) -> Applied | None:
        return None if reading.inline_policy(self._iam, role, name) else Applied(changed=True)

    def _delete(self, change: Change, role: str, name: str) -> Applied:
        present = reading.inline_policy(self._iam, role, name)
        if present is None:
            return Applied(changed=False)
        if not policy.equal(present, expect(DocumentState, change.before).document):
            raise conflict(change, "its document differs from what was put")
        try:
            call(self._iam.delete_role_policy, RoleName=role, PolicyName=name)
        except ServiceError as error:
            if error.code == reading.NOT_THERE:
                return gone(error)
            raise
        return Applied(changed=True)
