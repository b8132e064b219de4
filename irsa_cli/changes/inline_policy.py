"""Inline policies of roles: put where there is none, deleted only as they were put.

IAM has no conditional write: on a role that this run did not make, what is there is read and
compared before each write, and a window of one round trip remains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import Unclaimed, conflict, expect, settle, telling, until_spread
from irsa_cli.core import policy
from irsa_cli.core.errors import Outcome, ServiceError
from irsa_cli.core.plan import Change, Kind
from irsa_cli.core.states import DocumentState
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
            return self._delete(change, role, name)
        document = expect(DocumentState, change.after).document
        if not run.has_made(Kind.ROLE, role):
            with telling(Outcome.REFUSED):
                present = reading.inline_policy(self._iam, role, name)
            if present is not None:
                if policy.equal(present, document):
                    return Applied(changed=False)
                raise conflict(change, "an inline policy of that name was put there")
        return settle(lambda: self._put(role, name, document, run), lambda: self._found(role, name, document))

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        role, name = change.target
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
                return Applied(changed=False)
            raise
        return Applied(changed=True)
