"""A deletion of a rollback that nobody answered is repeated: IAM may still show the state before."""

from __future__ import annotations

import pytest

from irsa_cli.changes.role import AttachmentHandler
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import Present
from irsa_cli.core.values.errors import FailedCall, Outcome, ServiceError
from irsa_cli.transaction.protocol import Claim, Run

DETACH = Change(Kind.ATTACHMENT, ("r", "arn:aws:iam::aws:policy/ReadOnlyAccess"), Present(), None)


class Attachment(AttachmentHandler):
    """A policy whose detaching is lost, and that IAM does not show as attached."""

    def __init__(self) -> None:
        self.looked = 0

    def _send(self, change: Change, transaction: str) -> None:
        raise ServiceError("call", FailedCall("iam", "X", "Timeout", outcome=Outcome.UNKNOWN))

    def _is_attached(self, role: str, arn: str) -> bool:
        self.looked += 1
        return False


def test_a_rollback_does_not_believe_that_it_is_gone() -> None:
    handler = Attachment()
    with pytest.raises(ServiceError):
        handler.apply(DETACH, Run("t1", 60), Claim("t1"))
    assert handler.looked == 0


def test_a_run_that_deletes_looks() -> None:
    assert Attachment().apply(DETACH, Run("t1", 60)).changed
