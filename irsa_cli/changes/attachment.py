"""Managed policies attached to roles: attaching and detaching, both idempotent at IAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import Settled, check_role_is_there, gone, remember
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class AttachmentHandler(Settled):
    """Attaches and detaches one managed policy; the target is `(role name, policy ARN)`.

    A change from present to present attaches again what another run may be about to remove.
    """

    repeats_deletions = True

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """A policy has no owner: the claim adds nothing to the target."""
        role, arn = change.target
        if change.after is None:
            return self._detach(role, arn)
        check_role_is_there(self._iam, change, run, claim)
        if claim is not None and not run.has_made(Kind.ROLE, role) and self._is_attached(role, arn):
            return Applied(changed=False)  # It was never detached, or not yet.
        call(self._iam.attach_role_policy, RoleName=role, PolicyArn=arn)
        return Applied(changed=change.before is None)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        if self._is_attached(*change.target) != (change.after is not None):
            return None
        return Applied(changed=change.before is None or change.after is None)

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        return self._found(change, transaction) is not None

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        """See `Handler.recall`."""
        asked = {"RoleName": change.target[0], "PolicyArn": change.target[1]}
        remember(self._iam, change, ago, lambda it: ("AttachRolePolicy" if it else "DetachRolePolicy", asked))

    def _is_attached(self, role: str, arn: str) -> bool:
        try:
            return arn in reading.attached_policies(self._iam, role)
        except ServiceError as error:
            if error.code != reading.NOT_THERE:
                raise
            return False  # Nor is the role there.

    def _detach(self, role: str, arn: str) -> Applied:
        try:
            call(self._iam.detach_role_policy, RoleName=role, PolicyArn=arn)
        except ServiceError as error:
            if error.code == reading.NOT_THERE:
                return gone(error)
            raise
        return Applied(changed=True)
