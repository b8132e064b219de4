"""The rollback of an association's deletion, where EKS still shows what is deleted."""

from __future__ import annotations

from typing import Any

import pytest

from irsa_cli.changes.association import AssociationHandler
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import TRANSACTION_TAG, AssociationState
from irsa_cli.core.values import limits
from irsa_cli.core.values.errors import Conflict
from irsa_cli.transaction.protocol import Applied, Claim, Run
from tests.support.named import named

ROLE = "arn:aws:iam::111122223333:role/app"
OLD = Association("a-old", ROLE)
CHANGE = Change(Kind.ASSOCIATION, ("demo", "apps", "app"), None, OLD.state)


class Shown(AssociationHandler):
    """A handler of an EKS that gives these answers one after another, and the last one from then on."""

    def __init__(self, *shown: Association | None) -> None:
        unused: Any = None
        super().__init__(unused, unused)
        self.shown, self.created = list(shown), 0

    def _read(self, change: Change) -> Association | None:
        return self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]

    def _create(self, change: Change, desired: AssociationState, run: Run) -> Applied:
        self.created += 1
        return Applied(changed=True)

    def restore(self) -> Applied:
        return self.apply(CHANGE, Run("t", 60.0, back=True), Claim("t"))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROPAGATION_SECONDS", 0.1)


@named(
    "shown created",
    ("one that disappears late is created again", [OLD, OLD, None], 1),
    ("one that stays was not deleted", [OLD], 0),
    ("one that is gone is created at once", [None], 1),
)
def test_what_is_restored(shown: list[Association | None], created: int) -> None:
    handler = Shown(*shown)
    assert handler.restore().changed is bool(created)
    assert handler.created == created


def test_another_one_is_left_alone() -> None:
    handler = Shown(Association("a-new", "arn:aws:iam::111122223333:role/other"))
    with pytest.raises(Conflict):
        handler.restore()
    assert not handler.created


def test_one_of_another_run_is_not_deleted() -> None:
    handler = Shown(Association("a-old", ROLE, tags={TRANSACTION_TAG: "another"}))
    with pytest.raises(Conflict, match="was left alone"):
        handler.apply(CHANGE.inverse, Run("t", 60.0, back=True), Claim("t", {"associationId": "a-old"}))
