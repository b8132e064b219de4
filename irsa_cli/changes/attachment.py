"""Managed policies attached to roles: attaching and detaching, both idempotent at IAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import Unclaimed, check_role_is_there, gone, remember, settle
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class AttachmentHandler(Unclaimed):
    """Attaches and detaches one managed policy; the target is `(role name, policy ARN)`.

    A change from present to present attaches again what another run may be about to take away.
    """

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`. A policy has no owner: the claim adds nothing to the target."""
        role, arn = change.target
        if change.after is None:
            return settle(lambda: self._detach(role, arn), lambda: self._found_gone(role, arn, claim))
        check_role_is_there(self._iam, change, run, claim)
        changed = change.before is None
        if claim is not None and not run.has_made(Kind.ROLE, role) and self._is_attached(role, arn):
            return Applied(changed=False)  # It was never detached, or not yet.
        return settle(
            lambda: self._attach(role, arn, changed=changed),
            lambda: Applied(changed=changed) if self._is_attached(role, arn) else None,
        )

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        return self._is_attached(*change.target) == (change.after is not None)

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        """See `Handler.recall`."""
        asked = {"RoleName": change.target[0], "PolicyArn": change.target[1]}
        remember(self._iam, change, ago, lambda it: ("AttachRolePolicy" if it else "DetachRolePolicy", asked))

    def _attach(self, role: str, arn: str, *, changed: bool) -> Applied:
        call(self._iam.attach_role_policy, RoleName=role, PolicyArn=arn)
        return Applied(changed=changed)

    def _is_attached(self, role: str, arn: str) -> bool:
        try:
            return arn in reading.attached_policies(self._iam, role)
        except ServiceError as error:
            if error.code != reading.NOT_THERE:
                raise
            return False  # Nor is the role there.

    def _found_gone(self, role: str, arn: str, claim: Claim | None) -> Applied | None:
        """Nobody answered our detaching; a rollback asks again by itself."""
        there = claim is not None or self._is_attached(role, arn)
        return None if there else Applied(changed=True)

    def _detach(self, role: str, arn: str) -> Applied:
        try:
            call(self._iam.detach_role_policy, RoleName=role, PolicyArn=arn)
        except ServiceError as error:
            if error.code == reading.NOT_THERE:
                return gone(error)
            raise
        return Applied(changed=True)
