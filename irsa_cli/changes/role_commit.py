"""The tag `irsa/commit`: how far a role has come, written by the run that owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import Settled, conflict, expect, read_until, remember, tag_call, telling
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import COMMIT_TAG, TRANSACTION_TAG, CommitState
from irsa_cli.core.values.errors import Outcome
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class RoleCommitHandler(Settled):
    """The `irsa/commit` tag, None without one, of a role that the run owns; the target is `(role name,)`."""

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        name, value = change.target[0], _value_of(change.after)
        with telling(Outcome.REFUSED):
            present = read_until(
                lambda: self._tags(name),
                lambda tags: tags is not None and tags.get(TRANSACTION_TAG) == run.transaction,
                run,
            )
        if present is None or present.get(TRANSACTION_TAG) != run.transaction:
            if claim is not None:
                return Applied(changed=False)
            owner = "it is gone" if present is None else present.get(TRANSACTION_TAG, "none")
            raise conflict(change, f"the role does not have this run's mark: {TRANSACTION_TAG}={owner}")
        if present.get(COMMIT_TAG) == value:
            return Applied(changed=False)
        if value is None:
            call(self._iam.untag_role, RoleName=name, TagKeys=[COMMIT_TAG])
        else:
            call(self._iam.tag_role, RoleName=name, Tags=[{"Key": COMMIT_TAG, "Value": value}])
        return Applied(changed=True)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        tags = self._tags(change.target[0]) or {}
        wanted = (transaction, _value_of(change.after))
        return Applied(changed=True) if (tags.get(TRANSACTION_TAG), tags.get(COMMIT_TAG)) == wanted else None

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        """See `Handler.recall`."""
        remember(self._iam, change, ago, lambda it: tag_call(change.target[0], COMMIT_TAG, _value_of(it)))

    def _tags(self, name: str) -> dict[str, str] | None:
        found = reading.role_state(self._iam, name)
        return None if found is None else found[0].tags


def _value_of(state: object) -> str | None:
    return None if state is None else expect(CommitState, state).value
