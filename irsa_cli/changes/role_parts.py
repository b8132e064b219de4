"""Parts of a role that change while it stays: settings, permissions boundary, tags, the whole trust policy.

Each part is one change. IAM has no conditional write: what is there is read and compared before each
write, and a window of one round trip remains. A single statement of a trust policy that somebody else
owns is in `irsa_cli.changes.trust_statement`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.errors import call
from irsa_cli.changes.common import Asked, OnIam, conflict, expect, read_until, remember, settle, telling
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import BoundaryState, DocumentState, RoleState, SettingsState, State, TagsState
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.core.values.names import TAGS_LIMIT
from irsa_cli.transaction.protocol import Applied, Claim, Run

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import TagTypeDef


class _PartHandler(OnIam):
    """Changes one part of a role; the target begins with the role's name."""

    @abstractmethod
    def _has(self, role: RoleState, state: State | None, change: Change) -> bool:
        """Whether the role's part is in this state."""

    @abstractmethod
    def _set(self, name: str, change: Change, role: RoleState) -> None:
        """Bring the part from what it is to the state after the change."""

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        """A part has no owner: its content is compared instead."""

        def fits(role: RoleState | None) -> bool:
            return role is not None and (
                self._has(role, change.after, change) or self._may_change(role, change)
            )

        with telling(Outcome.REFUSED):
            role = read_until(lambda: self._role(change), fits, run)
        if role is None:
            if claim is None:
                raise conflict(change, "the role is gone")
            return Applied(changed=False)  # The change to roll back went with it.
        if self._has(role, change.after, change):
            return Applied(changed=False)
        if not self._may_change(role, change):
            raise conflict(change, "it has neither the old nor the new state")
        self._set(change.target[0], change, role)
        return Applied(changed=True)

    def _may_change(self, role: RoleState, change: Change) -> bool:
        return self._has(role, change.before, change)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        return self._there(change, change.after)

    def _there(self, change: Change, state: State | None) -> Applied | None:
        role = self._role(change)
        return Applied(changed=True) if role is not None and self._has(role, state, change) else None

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        remember(self._iam, change, ago, lambda state: self._write_of({"RoleName": change.target[0]}, state))

    @abstractmethod
    def _write_of(self, name: Asked, state: State | None) -> tuple[str, Asked]:
        """The call that brings the part into a state."""

    def _role(self, change: Change) -> RoleState | None:
        found = reading.role_state(self._iam, change.target[0])
        return None if found is None else found[0]


class SettingsHandler(_PartHandler):
    """Description and session duration; the target is `(role name,)`."""

    def _has(self, role: RoleState, state: State | None, change: Change) -> bool:
        return SettingsState(role.description, role.max_session_duration) == state

    def _set(self, name: str, change: Change, role: RoleState) -> None:
        _, asked = self._write_of({"RoleName": name}, change.after)
        call(self._iam.update_role, **asked)

    def _write_of(self, name: Asked, state: State | None) -> tuple[str, Asked]:
        settings = expect(SettingsState, state)
        return "UpdateRole", {
            **name,
            "Description": settings.description,
            "MaxSessionDuration": settings.max_session_duration,
        }


class BoundaryHandler(_PartHandler):
    """The permissions boundary; the target is `(role name,)`."""

    def _has(self, role: RoleState, state: State | None, change: Change) -> bool:
        return role.permissions_boundary == (state.arn if isinstance(state, BoundaryState) else "")

    def _set(self, name: str, change: Change, role: RoleState) -> None:
        if change.after is None:
            try:
                call(self._iam.delete_role_permissions_boundary, RoleName=name)
            except ServiceError as error:
                if error.code != reading.NOT_THERE or error.outcome is not Outcome.UNKNOWN:
                    raise
            return
        arn = expect(BoundaryState, change.after).arn
        call(self._iam.put_role_permissions_boundary, RoleName=name, PermissionsBoundary=arn)

    def _write_of(self, name: Asked, state: State | None) -> tuple[str, Asked]:
        if isinstance(state, BoundaryState):
            return "PutRolePermissionsBoundary", {**name, "PermissionsBoundary": state.arn}
        return "DeleteRolePermissionsBoundary", name


class RoleTagsHandler(_PartHandler):
    """Some tags of a role, each compared by itself; the target is `(role name,)`.

    It takes two calls where keys are set and others removed: cut off between them, some keys are as after
    the change and the others as before, and either way can be gone to the end. So what fails in the second
    call has not done nothing.
    """

    def _has(self, role: RoleState, state: State | None, change: Change) -> bool:
        wanted = expect(TagsState, state).values
        return all(role.tags.get(key) == value for key, value in wanted.items())

    def _may_change(self, role: RoleState, change: Change) -> bool:
        before, after = expect(TagsState, change.before).values, expect(TagsState, change.after).values
        folded = {key.lower() for key in after}
        theirs = any(key.lower() in folded for key in role.tags if key not in after)
        return not theirs and all(role.tags.get(key) in (before.get(key), after[key]) for key in after)

    def _set(self, name: str, change: Change, role: RoleState) -> None:
        wanted = expect(TagsState, change.after)
        tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in wanted.put.items()]
        gone = [key for key in wanted.gone if key in role.tags]
        calls: list[tuple[Callable[[], object], TagsState]] = []
        if any(role.tags.get(tag["Key"]) != tag["Value"] for tag in tags):
            put = TagsState({**wanted.put})
            calls.append((lambda: call(self._iam.tag_role, RoleName=name, Tags=tags), put))
        if gone:
            removed = TagsState(dict.fromkeys(gone))
            calls.append((lambda: call(self._iam.untag_role, RoleName=name, TagKeys=gone), removed))
        if len({key.lower() for key in (*role.tags, *wanted.put)}) > TAGS_LIMIT:
            calls.reverse()  # There is no room for the new ones before the old ones are gone.
        for number, (write, part) in enumerate(calls):
            with telling(Outcome.UNKNOWN) if number else nullcontext():
                self._settled(write, change, part, alone=len(calls) == 1)

    def _settled(self, write: Callable[[], object], change: Change, part: TagsState, *, alone: bool) -> None:
        """One of the calls; if its answer is lost, or may be untrue, reading the object decides."""

        def found() -> Applied | None:
            return self._there(change, part)

        def wrote() -> Applied:
            try:
                write()
            except ServiceError as error:
                # Carried out and refused, the first of two leaves neither the state before nor after.
                if alone or error.outcome is Outcome.UNKNOWN:
                    raise
                with telling(Outcome.UNKNOWN):
                    there = found()
                if there is None:
                    raise
            return Applied(changed=True)

        settle(wrote, found)

    def _write_of(self, name: Asked, state: State | None) -> tuple[str, Asked]:
        wanted = expect(TagsState, state)
        tags = [{"Key": key, "Value": value} for key, value in wanted.put.items()]
        return "TagRole", {**name, "Tags": tags, "TagKeys": wanted.gone}


class TrustPolicyHandler(_PartHandler):
    """The whole trust policy; the target is `(role name,)`."""

    def _has(self, role: RoleState, state: State | None, change: Change) -> bool:
        return policy.equal(role.trust, expect(DocumentState, state).document)

    def _set(self, name: str, change: Change, role: RoleState) -> None:
        text = policy.dump(expect(DocumentState, change.after).document)
        call(self._iam.update_assume_role_policy, RoleName=name, PolicyDocument=text)

    def _write_of(self, name: Asked, state: State | None) -> tuple[str, Asked]:
        document = expect(DocumentState, state).document
        return "UpdateAssumeRolePolicy", {**name, "PolicyDocument": document}
