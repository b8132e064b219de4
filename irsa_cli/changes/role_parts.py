"""Parts of a role that change while it stays: settings, permissions boundary, tags, the whole trust policy.

Also whose it is (another run's mark replaced, before this run builds on it), and how far it has come. A run
that is interrupted, or fails, leaves a role with its mark; its rollback, or `irsa recover`, takes back only
what still has it. So a run that continues from such a role first claims it.

Each part is one change. IAM has no conditional write: what is there is read and compared before each
write, and a window of one round trip remains. A single statement of a trust policy that somebody else
owns is in `irsa_cli.changes.trust_statement`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import (
    Asked,
    OnIam,
    conflict,
    expect,
    found_if,
    read_until,
    settle,
    tag_call,
    telling,
)
from irsa_cli.changes.trust_confirmation import TrustConfirmation
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import (
    COMMIT_TAG,
    NOBODY,
    TRANSACTION_TAG,
    BoundaryState,
    CommitState,
    DocumentState,
    OwnerState,
    SettingsState,
    State,
    TagsState,
)
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import DeadlineExceeded, NotVisible, Outcome, ServiceError
from irsa_cli.core.values.names import TAGS_LIMIT
from irsa_cli.transaction.protocol import Applied, Claim, Interrupted, Run

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import TagTypeDef


class _PartHandler(OnIam):
    """Changes one part of a role; the target begins with the role's name."""

    @abstractmethod
    def _has(self, role: Role, state: State | None, change: Change) -> bool:
        """Whether the role's part is in this state."""

    def _set(self, change: Change, role: Role, run: Run) -> None:
        """Bring the part from what it is to the state after the change."""
        self._send(change, run.transaction)

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """A part has no owner: its content is compared instead."""

        def fits(role: Role | None) -> bool:
            return role is not None and (
                self._has(role, change.after, change) or self._may_change(role, change)
            )

        with telling(Outcome.REFUSED):
            role = read_until(lambda: reading.read_role(self._iam, change.target[0]), fits, run)
        if role is None:
            if claim is None:
                raise conflict(change, "the role is gone")
            return Applied(changed=False)  # The change to roll back went with it.
        if self._has(role, change.after, change):
            return Applied(changed=False)
        if not self._may_change(role, change):
            raise conflict(change, "it has neither the old nor the new state")
        self._set(change, role, run)
        return Applied(changed=True)

    def _may_change(self, role: Role, change: Change) -> bool:
        return self._has(role, change.before, change)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        return self._there(change, change.after)

    def _there(self, change: Change, state: State | None) -> Applied | None:
        role = reading.read_role(self._iam, change.target[0])
        return found_if(role is not None and self._has(role, state, change))


class SettingsHandler(_PartHandler):
    """Description and session duration; the target is `(role name,)`."""

    def _has(self, role: Role, state: State | None, change: Change) -> bool:
        return SettingsState(role.state.description, role.state.max_session_duration) == state

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        settings = expect(SettingsState, state)
        return "UpdateRole", {
            "RoleName": change.target[0],
            "Description": settings.description,
            "MaxSessionDuration": settings.max_session_duration,
        }


class BoundaryHandler(_PartHandler):
    """The permissions boundary; the target is `(role name,)`."""

    def _has(self, role: Role, state: State | None, change: Change) -> bool:
        return role.boundary == (state.arn if isinstance(state, BoundaryState) else "")

    def _set(self, change: Change, role: Role, run: Run) -> None:
        try:
            super()._set(change, role, run)
        except ServiceError as error:
            removed = change.after is None and error.code == reading.NOT_THERE
            if not removed or error.outcome is not Outcome.UNKNOWN:
                raise

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        name = {"RoleName": change.target[0]}
        if state is None:
            return "DeleteRolePermissionsBoundary", name
        arn = expect(BoundaryState, state).arn
        return "PutRolePermissionsBoundary", {**name, "PermissionsBoundary": arn}


class RoleTagsHandler(_PartHandler):
    """Some tags of a role, each compared by itself; the target is `(role name,)`.

    It takes two calls where keys are set and others removed: cut off between them, some keys are as after
    the change and the others as before, and either way can be gone to the end. So what fails in the second
    call has not done nothing.
    """

    def _has(self, role: Role, state: State | None, change: Change) -> bool:
        tags = expect(TagsState, state).values
        return all(role.tags.get(key) == value for key, value in tags.items())

    def _may_change(self, role: Role, change: Change) -> bool:
        before = expect(TagsState, change.before).values
        after = expect(TagsState, change.after).values
        folded = {key.lower() for key in after}
        theirs = any(key.lower() in folded for key in role.tags if key not in after)
        return not theirs and all(role.tags.get(key) in (before.get(key), after[key]) for key in after)

    def _set(self, change: Change, role: Role, run: Run) -> None:
        name = change.target[0]
        desired = expect(TagsState, change.after)
        tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in desired.put.items()]
        gone = [key for key in desired.gone if key in role.tags]
        calls: list[tuple[Callable[[], object], TagsState]] = []
        if any(role.tags.get(tag["Key"]) != tag["Value"] for tag in tags):
            put = TagsState({**desired.put})
            calls.append((lambda: call(self._iam.tag_role, RoleName=name, Tags=tags), put))
        if gone:
            removed = TagsState(dict.fromkeys(gone))
            calls.append((lambda: call(self._iam.untag_role, RoleName=name, TagKeys=gone), removed))
        if len({key.lower() for key in (*role.tags, *desired.put)}) > TAGS_LIMIT:
            calls.reverse()  # There is no room for the new ones before the old ones are gone.
        for number, (write, state) in enumerate(calls):
            with telling(Outcome.UNKNOWN) if number else nullcontext():
                self._settled(write, change, state, alone=len(calls) == 1)

    def _settled(self, write: Callable[[], object], change: Change, state: TagsState, *, alone: bool) -> None:
        """One of the calls; if its answer is lost, or may be untrue, reading the object decides."""

        def look() -> Applied | None:
            return self._there(change, state)

        def wrote() -> Applied:
            try:
                write()
            except ServiceError as error:
                # Carried out and refused, the first of two leaves neither the state before nor after.
                if alone or error.outcome is Outcome.UNKNOWN:
                    raise
                with telling(Outcome.UNKNOWN):
                    present = look()
                if present is None:
                    raise
            return Applied(changed=True)

        settle(wrote, look)

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        """Both calls in one, to be recalled: `_set` sends them."""
        desired = expect(TagsState, state)
        tags = [{"Key": key, "Value": value} for key, value in desired.put.items()]
        return "TagRole", {"RoleName": change.target[0], "Tags": tags, "TagKeys": desired.gone}


class TrustPolicyHandler(_PartHandler):
    """The whole trust policy; the target is `(role name,)`."""

    def _has(self, role: Role, state: State | None, change: Change) -> bool:
        return policy.equal(role.trust, expect(DocumentState, state).document)

    def confirm(self, changes: Sequence[Change], run: Run, written: float) -> str:
        """See `Handler.confirm`."""
        role = changes[0].target[0]
        return TrustConfirmation(self._iam, role, changes, run, nullcontext()).confirm(written)

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        text = policy.dump(expect(DocumentState, state).document)
        return "UpdateAssumeRolePolicy", {"RoleName": change.target[0], "PolicyDocument": text}


class RoleOwnerHandler(OnIam):
    """The transaction's tag of a role; the target is `(role name,)`."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`. A role that a third run owns by now is nobody's to take back."""
        applied = super().apply(change, run, claim)
        if claim is None:
            before = _owner_of(change.before, run.transaction)
            mine = _owner_of(change.after, run.transaction)
            self._check_alone(change, before, mine, run)
        return applied

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        before = _owner_of(change.before, run.transaction)
        with telling(Outcome.REFUSED):
            owner = read_until(lambda: self._owner(change), lambda present: present == before, run)
        if owner != before:
            if claim is not None:
                return Applied(changed=False)
            raise conflict(change, f"its owner is {owner or 'gone'}, not {before}")
        self._send(change, run.transaction)
        return Applied(changed=True)

    def _check_alone(self, change: Change, before: str, mine: str, run: Run) -> None:
        """Raise `Conflict` where another run has put its mark on the role at the same time."""
        try:
            with telling(Outcome.UNKNOWN):
                owner = read_until(lambda: self._owner(change), lambda present: present == mine, run)
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
        is_ours = self._owner(change) == _owner_of(change.after, transaction)
        return found_if(is_ours)

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        if not ours:
            return ""
        owner = self._owner(change)
        # Who had it before has not taken it over: the change was begun and never made, or has been taken
        # back without a word in the journal.
        if owner in (None, transaction, _owner_of(change.before, transaction)):
            return ""
        return f"transaction {owner} has claimed {change.name}"

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        owner = _owner_of(state, transaction)
        return tag_call(change.target[0], TRANSACTION_TAG, None if owner == NOBODY else owner)

    def _owner(self, change: Change) -> str | None:
        """Whose it is, None when it is gone."""
        role = reading.read_role(self._iam, change.target[0])
        return None if role is None else role.tags.get(TRANSACTION_TAG, NOBODY)


def _owner_of(state: object, transaction: str) -> str:
    return expect(OwnerState, state).transaction or transaction


class RoleCommitHandler(OnIam):
    """The `irsa/commit` tag, None without one, of a role that the run owns; the target is `(role name,)`."""

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        with telling(Outcome.REFUSED):
            present = read_until(
                lambda: self._tags(change),
                lambda tags: tags is not None and tags.get(TRANSACTION_TAG) == run.transaction,
                run,
            )
        if present is None or present.get(TRANSACTION_TAG) != run.transaction:
            if claim is not None:
                return Applied(changed=False)
            owner = "it is gone" if present is None else present.get(TRANSACTION_TAG, "none")
            raise conflict(change, f"the role does not have this run's mark: {TRANSACTION_TAG}={owner}")
        if present.get(COMMIT_TAG) == _value_of(change.after):
            return Applied(changed=False)
        self._send(change, run.transaction)
        return Applied(changed=True)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        tags = self._tags(change) or {}
        expected = (transaction, _value_of(change.after))
        return found_if((tags.get(TRANSACTION_TAG), tags.get(COMMIT_TAG)) == expected)

    def _call_for(self, change: Change, state: State | None, transaction: str) -> tuple[str, Asked]:
        return tag_call(change.target[0], COMMIT_TAG, _value_of(state))

    def _tags(self, change: Change) -> Mapping[str, str] | None:
        role = reading.read_role(self._iam, change.target[0])
        return None if role is None else role.tags


def _value_of(state: object) -> str | None:
    return None if state is None else expect(CommitState, state).value
