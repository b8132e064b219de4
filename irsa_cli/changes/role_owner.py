"""Whose a role is (another run's mark replaced, before this run builds on it), and how far it has come.

A run that is interrupted, or fails, leaves a role with its mark; its rollback, or `irsa recover`, takes back
only what still has it. So a run that continues from such a role first claims it. IAM has no compare-and-set:
read, write, read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.changes.common import (
    Asked,
    OnIam,
    conflict,
    expect,
    put_tag,
    read_until,
    remember,
    tag_call,
    telling,
)
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import COMMIT_TAG, NOBODY, TRANSACTION_TAG, CommitState, OwnerState, State
from irsa_cli.core.values.errors import DeadlineExceeded, NotVisible, Outcome
from irsa_cli.transaction.protocol import Applied, Claim, Interrupted, Run

if TYPE_CHECKING:
    pass


class RoleOwnerHandler(OnIam):
    """The transaction's tag of a role; the target is `(role name,)`."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`. A role that a third run owns by now is nobody's to take back."""
        applied = super().apply(change, run, claim)
        if claim is None:
            before, mine = (_owner_of(state, run.transaction) for state in (change.before, change.after))
            self._check_alone(change, before, mine, run)
        return applied

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        before, after = (_owner_of(state, run.transaction) for state in (change.before, change.after))
        with telling(Outcome.REFUSED):
            owner = read_until(lambda: self._owner(change), lambda it: it == before, run)
        if owner != before:
            if claim is not None:
                return Applied(changed=False)
            raise conflict(change, f"its owner is {owner or 'gone'}, not {before}")
        self._set(change, after)
        return Applied(changed=True)

    def _set(self, change: Change, owner: str) -> None:
        put_tag(self._iam, change.target[0], TRANSACTION_TAG, None if owner == NOBODY else owner)

    def _check_alone(self, change: Change, before: str, mine: str, run: Run) -> None:
        """Raise `Conflict` where another run has put its mark on the role at the same time."""
        try:
            with telling(Outcome.UNKNOWN):
                owner = read_until(lambda: self._owner(change), lambda it: it == mine, run)
        except (Interrupted, DeadlineExceeded):
            return  # It was answered; who asked to stop asks again.
        if owner == before:
            raise NotVisible(
                f"{change.kind.value} {change.name} is not visible yet",
                reason=f"its owner is {before}",
                code="Unseen",
            )
        if owner != mine:
            raise conflict(change, f"another run claimed it at the same time: {owner or 'it is gone'}")

    def _found(self, change: Change, transaction: str) -> Applied | None:
        there = self._owner(change) == _owner_of(change.after, transaction)
        return Applied(changed=True) if there else None

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        if not ours:
            return ""
        owner = self._owner(change)
        # Who had it before has not taken it over: the change was begun and never made, or has been taken
        # back without a word in the journal.
        if owner in (None, transaction, _owner_of(change.before, transaction)):
            return ""
        return f"transaction {owner} has claimed {change.name}"

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        def write_of(state: State | None) -> tuple[str, Asked]:
            owner = _owner_of(state, claim.transaction)
            return tag_call(change.target[0], TRANSACTION_TAG, None if owner == NOBODY else owner)

        remember(self._iam, change, ago, write_of)

    def _owner(self, change: Change) -> str | None:
        """Whose it is, None when it is gone."""
        found = reading.role_state(self._iam, change.target[0])
        return None if found is None else found[0].tags.get(TRANSACTION_TAG, NOBODY)


def _owner_of(state: object, transaction: str) -> str:
    return expect(OwnerState, state).transaction or transaction


class RoleCommitHandler(OnIam):
    """The `irsa/commit` tag, None without one, of a role that the run owns; the target is `(role name,)`."""

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
        put_tag(self._iam, name, COMMIT_TAG, value)
        return Applied(changed=True)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        tags = self._tags(change.target[0]) or {}
        wanted = (transaction, _value_of(change.after))
        return Applied(changed=True) if (tags.get(TRANSACTION_TAG), tags.get(COMMIT_TAG)) == wanted else None

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        remember(self._iam, change, ago, lambda it: tag_call(change.target[0], COMMIT_TAG, _value_of(it)))

    def _tags(self, name: str) -> dict[str, str] | None:
        found = reading.role_state(self._iam, name)
        return None if found is None else found[0].tags


def _value_of(state: object) -> str | None:
    return None if state is None else expect(CommitState, state).value
